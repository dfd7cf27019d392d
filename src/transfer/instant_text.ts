/**
 * Instants as the original system wrote them: ISO 8601 by Python's `isoformat()`, with an offset or without one (then it is
 * UTC), and SQLite's `datetime('now')`.
 */

import { INSTANT_RANGE } from "../domain/check.ts";

const PATTERN =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?)?$/i;

/** The instant that a string names; fractions of a second are cut to milliseconds. `undefined` when it names none. */
export function parseInstantText(text: string): Date | undefined {
  const match = PATTERN.exec(text.trim());
  if (match === null) return undefined;
  const [year, month, day, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map((part) =>
    part === undefined ? undefined : Number(part)
  ) as [number, number, number, ...number[]];
  const milliseconds = Number((match[7] ?? "").slice(0, 3).padEnd(3, "0"));
  const isOnClock = hour < 24 && minute < 60 && second < 60;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (!isOnClock || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  date.setUTCHours(hour, minute, second, milliseconds);
  return new Date(date.getTime() - offsetMs(match[8]));
}

/**
 * The text that compares rightly with `datetime('now')`, and that the original's `strptime` accepts: whole seconds, a blank
 * between date and time. `up` gives the next whole second, so that nothing scheduled runs early, but none after the year 9999:
 * a fifth digit would come first in every comparison of strings.
 */
export function toSqliteText(instant: Date, rounding: "down" | "up" = "down"): string {
  const seconds = instant.getTime() / 1000;
  const whole = rounding === "up" ? Math.ceil(seconds) : Math.floor(seconds);
  const atMs = Math.min(whole * 1000, INSTANT_RANGE.maxMs);
  return new Date(atMs).toISOString().slice(0, 19).replace("T", " ");
}

function offsetMs(zone: string | undefined): number {
  if (zone === undefined || zone.toUpperCase() === "Z") return 0;
  const digits = zone.slice(1).replace(":", "").padEnd(4, "0");
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2));
  return (zone.startsWith("-") ? -1 : 1) * minutes * 60_000;
}
