/**
 * Parameter schemas: what checks the parameters of a module, made of their definitions.
 *
 * A parameter that its condition hides must not be given, and counts as absent; so what is shown in a form is exactly what
 * can be sent.
 */
import { z } from "zod";
import {
  effectiveValues,
  holds,
  type ModuleParameter,
  type ParameterCondition,
  type ParameterValue,
} from "../domain/module_parameter.ts";
import { LinearPattern } from "./linear_pattern.ts";

/** How long a string may be unless its definition says otherwise. */
export const TEXT_MAX_LENGTH = 10_000;

type Values = Readonly<Record<string, unknown>>;

/** The schema of an object with these parameters and no others. It names every problem, and gives defaults to what is not given. */
export function parametersSchema(parameters: readonly ModuleParameter[]): z.ZodType {
  const fields = parameters.map((parameter) => [parameter.name, fieldOf(parameter)] as const);
  const object = z.strictObject(Object.fromEntries(fields), {
    error: ({ code }) => code === "invalid_type" ? "an object is needed" : undefined,
  });
  // What every object inherits, such as `constructor`, is not given.
  let schema: z.ZodType<Values> = z.preprocess(withoutPrototype, object);
  for (const parameter of parameters) {
    if (parameter.visibleWhen !== null) schema = onlyWhen(schema, parameter, parameters);
  }
  return schema.transform((given) => Object.fromEntries(effectiveValues(parameters, given)));
}

/** The schema of a value of `parameter`. */
export function valueSchema(parameter: ModuleParameter): z.ZodType<ParameterValue> {
  switch (parameter.type) {
    case "number":
      return numberSchema(parameter);
    case "text":
      return textSchema(parameter);
    case "select":
      return z.literal([...parameter.options ?? []], {
        error: ({ input }) => input === undefined ? "Required" : oneOf(parameter.options ?? []),
      });
    case "checkbox":
      return z.boolean(needed("true or false is needed"));
  }
}

function fieldOf(parameter: ModuleParameter): z.ZodType {
  const { label, description, default: fallback, required, visibleWhen } = parameter;
  const schema = valueSchema(parameter);
  const isAlwaysNeeded = required && fallback === null && visibleWhen === null;
  return (isAlwaysNeeded ? schema : schema.optional()).meta({
    title: label,
    ...(description === "" ? {} : { description }),
    ...(fallback === null ? {} : { default: fallback }),
  });
}

function numberSchema({ min, max, integer }: ModuleParameter): z.ZodType<number> {
  const what = integer ? "an integer" : "a number";
  const error = needed(`${what}${rangeOf(min, max)} is needed`);
  let schema = z.number(error);
  if (integer) schema = schema.int(error);
  if (min !== null) schema = schema.min(min, error);
  if (max !== null) schema = schema.max(max, error);
  return schema;
}

function rangeOf(min: number | null, max: number | null): string {
  if (min !== null && max !== null) return ` from ${min} to ${max}`;
  if (min !== null) return ` of at least ${min}`;
  return max === null ? "" : ` of at most ${max}`;
}

function textSchema({ minLength, maxLength, pattern }: ModuleParameter): z.ZodType<string> {
  const most = maxLength ?? TEXT_MAX_LENGTH;
  let schema = z.string(needed("a string is needed"))
    .max(most, `at most ${most} characters are allowed`)
    // No program could be given it: there it ends the argument.
    // deno-lint-ignore no-control-regex
    .regex(/^[^\u0000]*$/, "the character U+0000 is not allowed");
  if (minLength !== null) {
    schema = schema.min(minLength, `at least ${minLength} characters are needed`);
  }
  if (pattern === null) return schema;
  const whole = new LinearPattern(pattern);
  return schema.refine((text) => whole.test(text), `all of it must match ${pattern}`)
    .meta({ pattern: `^(?:${pattern})$` });
}

/** Checks whether `parameter` is there when it must be, and is not when it must not, also when others are wrong. */
function onlyWhen(
  schema: z.ZodType<Values>,
  parameter: ModuleParameter,
  parameters: readonly ModuleParameter[],
): z.ZodType<Values> {
  const { name, required, default: fallback, visibleWhen } = parameter;
  const isVisible = (given: unknown): boolean =>
    holds(visibleWhen, effectiveValues(parameters, objectOf(given)));
  const isGiven = (given: unknown): boolean =>
    Object.hasOwn(objectOf(given), name) && objectOf(given)[name] !== undefined;
  const always = { path: [name], when: (): boolean => true };
  return schema
    .refine((given) => isVisible(given) || !isGiven(given), {
      ...always,
      error: `only allowed when ${describeCondition(visibleWhen!)}`,
    })
    .refine(
      (given) => !required || fallback !== null || !isVisible(given) || isGiven(given),
      { ...always, error: "Required" },
    );
}

function withoutPrototype(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.assign(Object.create(null), value);
}

function objectOf(value: unknown): Values {
  return typeof value === "object" && value !== null ? value as Values : {};
}

/** A condition in words. */
function describeCondition({ parameter, oneOf: values }: ParameterCondition): string {
  return `${parameter} is ${values.map((value) => JSON.stringify(value)).join(" or ")}`;
}

function oneOf(values: readonly unknown[]): string {
  return `allowed are ${values.map((value) => JSON.stringify(value)).join(", ")}`;
}

function needed(message: string): { error: (issue: { input?: unknown }) => string } {
  return { error: ({ input }) => input === undefined ? "Required" : message };
}
