/**
 * Arguments with placeholders: `{name}` stands for the value of a parameter, `{{` and `}}` for braces.
 *
 * A value never becomes more than the part of one argument in which its placeholder stands, whatever characters it has.
 */
import { holds, type ParameterCondition, type ParameterValue } from "../domain/module_parameter.ts";

/** Arguments that come together, or not at all. */
export interface ArgumentGroup {
  /** When they are given; `null` for always. */
  readonly when: ParameterCondition | null;
  /** The arguments, with placeholders. When one of these has no value, the whole group is left out. */
  readonly arguments: readonly string[];
}

const PLACEHOLDER = /\{\{|\}\}|\{([^{}]*)\}|[{}]/g;

/** The names in the placeholders of an argument. @throws TypeError for a brace that is neither a placeholder's nor double. */
export function placeholdersOf(argument: string): string[] {
  const names: string[] = [];
  for (const [found, name] of argument.matchAll(PLACEHOLDER)) {
    if (name !== undefined) names.push(name);
    else if (found.length === 1) {
      throw new TypeError(`a single ${found} is neither: write ${found}${found} for the character`);
    }
  }
  return names;
}

/** The arguments that these values give. */
export function expandArguments(
  groups: readonly ArgumentGroup[],
  values: ReadonlyMap<string, ParameterValue>,
): string[] {
  return groups.flatMap(({ when, arguments: texts }) => {
    const isComplete = texts.flatMap(placeholdersOf).every((name) => values.has(name));
    return isComplete && holds(when, values) ? texts.map((text) => expand(text, values)) : [];
  });
}

function expand(argument: string, values: ReadonlyMap<string, ParameterValue>): string {
  return argument.replaceAll(
    PLACEHOLDER,
    (found, name?: string) => name === undefined ? found[0]! : String(values.get(name)),
  );
}
