/**
 * What contradicts itself in a module although each of its fields has the right shape.
 */
import { messageOf } from "../domain/errors.ts";
import type { ModuleParameter, ParameterCondition } from "../domain/module_parameter.ts";
import { LinearPattern } from "./linear_pattern.ts";
import { type ArgumentGroup, placeholdersOf } from "./module_arguments.ts";
import { TEXT_MAX_LENGTH, valueSchema } from "./module_parameters.ts";

/** The problems of a value that has the right shape. */
export interface Problem {
  readonly path: (string | number)[];
  readonly message: string;
}

/** The part of a module whose fields depend on each other. */
export interface ModuleShape {
  readonly command?: readonly string[];
  readonly script?: string;
  readonly parameters?: readonly ModuleParameter[];
  readonly arguments?: readonly ArgumentGroup[];
}

/** The first thing that contradicts itself in a parameter. */
export function problemOf(parameter: ModuleParameter): Problem | undefined {
  const { min, max, minLength, maxLength, pattern, default: fallback } = parameter;
  if (min !== null && max !== null && min > max) {
    return { path: ["max"], message: `at least min, which is ${min}, is needed` };
  }
  if (minLength !== null && minLength > (maxLength ?? TEXT_MAX_LENGTH)) {
    const most = maxLength ?? TEXT_MAX_LENGTH;
    return { path: ["min_length"], message: `at most max_length, which is ${most}, is allowed` };
  }
  try {
    if (pattern !== null) new LinearPattern(pattern);
  } catch (error) {
    return { path: ["pattern"], message: messageOf(error) };
  }
  if (fallback === null) return undefined;
  const checked = valueSchema(parameter).safeParse(fallback);
  if (checked.success) return undefined;
  return { path: ["default"], message: checked.error.issues[0]!.message };
}

/** What contradicts itself in a module. */
export function problemsOf(module: ModuleShape): Problem[] {
  const parameters = module.parameters ?? [];
  const problems: Problem[] = [];
  if (module.command === undefined && module.script === undefined) {
    problems.push({ path: ["command"], message: "a command or a script is needed" });
  }
  parameters.forEach(({ name, visibleWhen }, index) => {
    const before = parameters.slice(0, index);
    const path = ["parameters", index];
    if (before.some((other) => other.name === name)) {
      problems.push({ path: [...path, "name"], message: "another parameter has it already" });
    }
    if (visibleWhen !== null) {
      problems.push(...conditionProblems(visibleWhen, before, [...path, "visible_when"]));
    }
  });
  (module.arguments ?? []).forEach((group, index) => {
    const path = ["arguments", index];
    if (group.when !== null) {
      problems.push(...conditionProblems(group.when, parameters, [...path, "when"]));
    }
    const names = group.arguments.flatMap(placeholdersOf);
    const unknown = names.find((name) => !parameters.some((parameter) => parameter.name === name));
    if (unknown !== undefined) {
      problems.push({ path, message: `there is no parameter ${JSON.stringify(unknown)}` });
    }
  });
  return problems;
}

/** The problems of a condition on one of `parameters`. */
function conditionProblems(
  { parameter: name, oneOf }: ParameterCondition,
  parameters: readonly ModuleParameter[],
  path: (string | number)[],
): Problem[] {
  const parameter = parameters.find((other) => other.name === name);
  if (parameter === undefined) {
    const known = parameters.map((other) => other.name).join(", ") || "none";
    const message = `there is no such parameter, known here are ${known}`;
    return [{ path: [...path, "parameter"], message }];
  }
  const schema = valueSchema(parameter);
  const impossible = oneOf.find((value) => !schema.safeParse(value).success);
  if (impossible === undefined) return [];
  const message = `${JSON.stringify(name)} can never be ${JSON.stringify(impossible)}`;
  return [{ path, message }];
}
