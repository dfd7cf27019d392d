/**
 * Checks of what callers give: each gives the value back, or says which value is wrong and what is allowed.
 */
import { toJsonText } from "./json.ts";
import { shownValue } from "./shown_value.ts";
import { TASK_LIMITS } from "./task.ts";

/** Whether `value` is a number from 0 to 100. */
export function isPercent(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 100;
}

/** `percent` as it is. @throws TypeError when it is not a number; RangeError when it is not from 0 to 100. */
export function checkPercent(percent: unknown): number {
  const needed = "a number from 0 to 100 is needed";
  if (typeof percent !== "number") {
    const shown = shownValue(percent);
    throw new TypeError(`Cannot report progress ${shown}: ${needed}`);
  }
  if (isPercent(percent)) return percent;
  throw new RangeError(`Cannot report progress ${percent}: ${needed}`);
}

/** The verb in the error about a value that must be one of a few, where `use … as …` does not fit. */
export interface Choosing {
  /** Such as `list status`: `Cannot list status "x": allowed are …`. */
  readonly doing: string;
}

/** `value`, one of `allowed`; a string `what` names it as in `Cannot use "x" as strategy`. @throws TypeError when it is not one of them. */
export function checkOneOf<T extends string>(
  value: unknown,
  allowed: readonly T[],
  what: string | Choosing,
): T {
  const known = allowed.find((each) => each === value);
  if (known !== undefined) return known;
  const shown = shownValue(value);
  const attempt = typeof what === "string" ? `use ${shown} as ${what}` : `${what.doing} ${shown}`;
  throw new TypeError(`Cannot ${attempt}: allowed are ${allowed.join(", ")}`);
}

/** A text, whatever is in it. @throws TypeError when it is none */
export function checkText(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  throw new TypeError(`Cannot use ${shownValue(value)} as ${what}: a string is needed`);
}

/** An array without holes, which `map` and `every` pass over; `of` says of what. @throws TypeError when it is none */
export function checkArray<T>(value: readonly T[], what: string, of: string): readonly T[] {
  if (!Array.isArray(value)) {
    throw new TypeError(`Cannot use ${shownValue(value)} as ${what}: an array of ${of} is needed`);
  }
  for (let place = 0; place < value.length; place++) {
    if (place in value) continue;
    throw new TypeError(
      `Cannot use an array without anything in place ${place} as ${what}: an array of ${of} is needed`,
    );
  }
  return value;
}

/** Whether something is so. @throws TypeError when it is neither `true` nor `false` */
export function checkBoolean(value: unknown, what: string): boolean {
  if (typeof value === "boolean") return value;
  throw new TypeError(`Cannot use ${shownValue(value)} as ${what}: true or false is needed`);
}

/** A function that is to be called later. @throws TypeError when it is none */
export function checkFunction<T>(value: T, what: string): T {
  if (typeof value === "function") return value;
  throw new TypeError(`Cannot use ${shownValue(value)} as ${what}: a function is needed`);
}

/**
 * A name (task type, run id, worker id, key): trimmed, not blank, printable, at most `maxLength` characters.
 *
 * @throws TypeError when it is not such a string.
 */
export function checkName(value: unknown, what: string, maxLength: number): string {
  const name = checkText(value, what).trim();
  if (name === "") {
    throw new TypeError(`Cannot use a blank ${what}: 1 to ${maxLength} characters are needed`);
  }
  if (name.length > maxLength) {
    throw new TypeError(
      `Cannot use a ${what} of ${name.length} characters: at most ${maxLength} are allowed`,
    );
  }
  const wrong = unprintable(name);
  if (wrong === undefined) return name;
  throw new TypeError(`Cannot use ${shownValue(name)} as ${what}: ${wrong}`);
}

/** Whether anything can have this as its name: nothing is called what `checkName` refuses, or would write otherwise. */
export function isName(name: string, maxLength: number = TASK_LIMITS.runIdMaxLength): boolean {
  const isTrimmed = name !== "" && name.trim() === name;
  return isTrimmed && name.length <= maxLength && unprintable(name) === undefined;
}

/** What stands in a name that nobody could read, or no file could hold. */
function unprintable(name: string): string | undefined {
  // deno-lint-ignore no-control-regex
  const control = /[\u0000-\u001f\u007f]/.exec(name);
  if (control !== null) return "control characters are not allowed";
  if (name.isWellFormed()) return undefined;
  return "a lone surrogate, half of a character, is not allowed";
}

/**
 * An integer from `min` to `max`.
 *
 * @throws RangeError when it is not; TypeError when it is not a number at all.
 */
export function checkInteger(value: unknown, what: string, min: number, max: number): number {
  if (typeof value !== "number") {
    throw new TypeError(
      `Cannot use ${shownValue(value)} as ${what}: an integer from ${min} to ${max} is needed`,
    );
  }
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(
      `Cannot use ${value} as ${what}: an integer from ${min} to ${max} is needed`,
    );
  }
  return value;
}

/** The id of a task, which need not be there. @throws TypeError, RangeError */
export function checkTaskId(value: unknown): number {
  return checkInteger(value, "task id", 0, Number.MAX_SAFE_INTEGER);
}

/** What names a task: its id, or a run id, which need not be one that a task can have. @throws TypeError, RangeError */
export function checkReference(value: unknown): void {
  if (typeof value === "number") checkTaskId(value);
  else if (typeof value !== "string") {
    throw new TypeError(`Cannot use ${shownValue(value)} as id or run id of a task`);
  }
}

/** Whole milliseconds that a lease lasts; 10,000 when nothing is said. @throws TypeError, RangeError */
export function checkLeaseDuration(leaseDurationMs: number | undefined): number {
  const { leaseDurationDefaultMs, leaseDurationMinMs, leaseDurationMaxMs } = TASK_LIMITS;
  return checkInteger(
    leaseDurationMs ?? leaseDurationDefaultMs,
    "leaseDurationMs",
    leaseDurationMinMs,
    leaseDurationMaxMs,
  );
}

/** The first instant that can be stored: year 1, as in the Python system. */
const FIRST_INSTANT = "0001-01-01T00:00:00.000Z";

/** The last one: later years need five digits, which neither ISO 8601 nor SQL compares rightly. */
const LAST_INSTANT = "9999-12-31T23:59:59.999Z";

/** The range of instants, in milliseconds since 1970, both included. */
export const INSTANT_RANGE: { readonly minMs: number; readonly maxMs: number } = Object.freeze({
  minMs: Date.parse(FIRST_INSTANT),
  maxMs: Date.parse(LAST_INSTANT),
});

/**
 * An instant: a valid `Date`, or an ISO 8601 string that names its zone; in the years 1 to 9999.
 *
 * @throws TypeError when it is neither. @throws RangeError when it lies outside these years.
 */
export function checkInstant(value: unknown, what: string): number {
  const atMs = value instanceof Date
    ? value.getTime()
    : typeof value === "string"
    ? parseInstant(value)
    : NaN;
  if (Number.isNaN(atMs)) {
    const shown = shownValue(value);
    throw new TypeError(
      `Cannot use ${shown} as ${what}: a Date or an ISO 8601 text with a zone such as 2026-01-31T12:00:00Z is needed`,
    );
  }
  const { minMs, maxMs } = INSTANT_RANGE;
  if (atMs < minMs || atMs > maxMs) {
    throw new RangeError(
      `Cannot use ${new Date(atMs).toISOString()} as ${what}: ` +
        `an instant from ${FIRST_INSTANT} to ${LAST_INSTANT} is needed`,
    );
  }
  return atMs;
}

function parseInstant(text: string): number {
  const match = /^(\d{4})-(\d{2})-(\d{2})T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})$/i
    .exec(text);
  if (match === null) return NaN;
  const [year, month, day] = match.slice(1, 4).map(Number);
  const isOnCalendar = new Date(Date.UTC(year!, month! - 1, day)).getUTCDate() === day;
  return isOnCalendar ? Date.parse(text) : NaN;
}

/** The text of a compatibility or capabilities object. @throws TypeError when it is not a JSON object. */
export function checkPairs(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(
      `Cannot use ${shownValue(value)} as ${what}: a JSON object is needed`,
    );
  }
  if (!toJsonText(value, what, TASK_LIMITS.compatibilityMaxBytes).startsWith("{")) {
    throw new TypeError(`Cannot use a value that is not a JSON object as ${what}`);
  }
  return value as Readonly<Record<string, unknown>>;
}
