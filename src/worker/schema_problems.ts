/**
 * What zod found wrong, in one line: where, the value that is wrong, and what is allowed.
 */
import { shownValue } from "../domain/shown_value.ts";
import { z } from "zod";

/** How much of a wrong value is shown. */
const SHOWN_MAX_LENGTH = 80;

/** An object with these fields and no others. */
export function onlyFields<Shape extends z.ZodRawShape>(
  shape: Shape,
): z.ZodObject<Shape, z.core.$strict> {
  const known = Object.keys(shape).join(", ");
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? `unknown are ${
          issue.keys.map((key) => JSON.stringify(key)).join(", ")
        }, known are ${known}`
        : "an object is needed",
  });
}

/** Every problem of a value that a schema refused. */
export function describeProblems(error: z.ZodError, value: unknown): string {
  return error.issues.flatMap(issuesWithin).map((issue) => describe(issue, value)).join("; ");
}

/**
 * The issues behind an issue: of an alternative that only fails within, those tell more than that none of the alternatives
 * fits.
 */
function issuesWithin(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union") return [issue];
  const meant = issue.errors.filter((issues) => issues.length > 0 && !issues.some(isOfShape));
  if (meant.length !== 1) return [issue];
  return meant[0]!.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }))
    .flatMap(issuesWithin);
}

/** Whether the value is not even of the shape that was expected. */
function isOfShape({ path, code }: z.core.$ZodIssue): boolean {
  return path.length === 0 && (code === "invalid_type" || code === "invalid_value");
}

function describe(issue: z.core.$ZodIssue, value: unknown): string {
  const where = issue.path.map(String).join(".");
  const wrong = valueAt(value, issue.path);
  const found = wrong === undefined ? "" : ` ${shown(wrong)}:`;
  const message = issue.code === "invalid_value"
    ? `allowed are ${issue.values.map((allowed) => JSON.stringify(allowed)).join(", ")}`
    : issue.message;
  const text = issue.code === "unrecognized_keys" ? message : `${found} ${message}`.trim();
  return where === "" ? text : `${where}: ${text}`;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === "object" && inner !== null
        ? (inner as Record<PropertyKey, unknown>)[key]
        : undefined,
    value,
  );
}

function shown(value: unknown): string {
  const text = shownValue(value);
  return text.length > SHOWN_MAX_LENGTH ? `${text.slice(0, SHOWN_MAX_LENGTH)}…` : text;
}
