/**
 * A value that was given, for a message: whoever reads it sees what it was, whatever it was.
 */

/** How much of a long value a message shows, in characters. */
const SHOWN_MAX = 200;

/**
 * `value` as JSON writes it; what JSON does not know (`NaN`, `Infinity`, a bigint, `undefined`, a function) by its name, and never as
 * `null`. Of a long value the beginning. Does not throw.
 */
export function shownValue(value: unknown): string {
  const text = textOf(value);
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX).toWellFormed()}…`;
}

function textOf(value: unknown): string {
  if (typeof value === "number") return String(value);
  if (typeof value === "bigint") return `${value}n`;
  try {
    if (value instanceof Date && Number.isNaN(value.getTime())) return "an invalid Date";
    return JSON.stringify(value) ?? typeof value;
  } catch {
    return "an object that JSON cannot write";
  }
}
