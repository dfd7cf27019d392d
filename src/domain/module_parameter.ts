/**
 * Module parameters: what a module is given, said so that a person's form can be made of it.
 */

/** Every type of a parameter. */
export const PARAMETER_TYPES = ["number", "text", "select", "checkbox"] as const;

/** The kinds of values of parameters: a number, a string, one of `options`, or true or false. */
export type ParameterType = typeof PARAMETER_TYPES[number];

/** A value of a parameter. */
export type ParameterValue = number | string | boolean;

/** Holds when an earlier parameter has one of these values. */
export interface ParameterCondition {
  /** The name of the other parameter. */
  readonly parameter: string;
  /** At least one. */
  readonly oneOf: readonly ParameterValue[];
}

/** A parameter of a module. */
export interface ModuleParameter {
  /** How it is called in `parameters`. */
  readonly name: string;
  /** The kind of its values. */
  readonly type: ParameterType;
  /** Its name for people. */
  readonly label: string;
  /** One line for people, or `""`. */
  readonly description: string;
  /** Whether it must be given, when it is visible and has no default. */
  readonly required: boolean;
  /** Its default, or `null`. */
  readonly default: ParameterValue | null;
  /** The least number, or `null`. */
  readonly min: number | null;
  /** The greatest number, or `null`. */
  readonly max: number | null;
  /** Whether a number must be an integer. */
  readonly integer: boolean;
  /** The least length of a string, in UTF-16 units, or `null`. */
  readonly minLength: number | null;
  /** The greatest length of a string, in UTF-16 units, or `null`. */
  readonly maxLength: number | null;
  /** A regular expression that the whole text must match, or `null`. */
  readonly pattern: string | null;
  /** The values that can be selected, or `null`. */
  readonly options: readonly (string | number)[] | null;
  /** When it is asked for at all, or `null` for always. */
  readonly visibleWhen: ParameterCondition | null;
}

/** The defaults of a parameter's definition. */
export const PARAMETER_DEFAULTS: Omit<ModuleParameter, "name" | "type" | "label"> = Object.freeze({
  description: "",
  required: false,
  default: null,
  min: null,
  max: null,
  integer: false,
  minLength: null,
  maxLength: null,
  pattern: null,
  options: null,
  visibleWhen: null,
});

/**
 * The values that count: those given, and the defaults of those that are not, but of visible parameters only.
 *
 * @param given What was sent; what is not a value of a parameter is passed over.
 */
export function effectiveValues(
  parameters: readonly ModuleParameter[],
  given: Readonly<Record<string, unknown>>,
): Map<string, ParameterValue> {
  const values = new Map<string, ParameterValue>();
  for (const { name, default: fallback, visibleWhen } of parameters) {
    if (!holds(visibleWhen, values)) continue;
    const own = Object.hasOwn(given, name) ? given[name] : undefined;
    const value = own === undefined ? fallback : own;
    if (isParameterValue(value)) values.set(name, value);
  }
  return values;
}

/** Whether a condition holds for these values; none always does. */
export function holds(
  condition: ParameterCondition | null,
  values: ReadonlyMap<string, ParameterValue>,
): boolean {
  if (condition === null) return true;
  const value = values.get(condition.parameter);
  return value !== undefined && condition.oneOf.includes(value);
}

function isParameterValue(value: unknown): value is ParameterValue {
  return typeof value === "number" || typeof value === "string" || typeof value === "boolean";
}
