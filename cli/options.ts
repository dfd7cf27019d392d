/**
 * Readers of option values: each turns a string into a value or says what it needs.
 */
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { checkInstant, FLOW_LIMITS, TASK_LIMITS } from "../src/mod.ts";

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A reader of integers from `min` to `max`. */
export function integerFrom(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`An integer from ${min} to ${max} is needed.`);
  };
}

/** A reader of numbers from `min` to `max`, such as 1.5. */
export function numberFrom(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`A number from ${min} to ${max} is needed.`);
  };
}

/** A reader of sizes from `min` to `max` in bytes: `512M`, `1G`, `100000`. */
export function sizeFrom(min: number, max: number): (text: string) => number {
  return (text) => {
    const match = /^(\d+(?:\.\d+)?)([KMG])?$/i.exec(text);
    const power = " KMG".indexOf(match?.[2]?.toUpperCase() ?? " ");
    const bytes = Math.round(Number(match?.[1]) * 1024 ** power);
    if (bytes >= min && bytes <= max) return bytes;
    throw new InvalidArgumentError(`A size from ${min} to ${max} bytes such as 64M is needed.`);
  };
}

/** Who does something by hand. */
export function byOption(): Option<"--by <name>", undefined, undefined, string> {
  return new Option("--by <name>", "who does it (behind a server: default the token's name)");
}

/** A reader of durations in milliseconds: `500ms`, `10s`, `5m`, `2h`, `30d`. */
export function duration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  if (match === null) {
    throw new InvalidArgumentError("A duration such as 30d, 12h or 5m is needed.");
  }
  const [, amount, unit] = match;
  return Math.round(Number(amount) * (UNIT_MS[unit ?? ""] ?? NaN));
}

/** The longest unit of which a period is a whole number: `1m`, `90s`. */
export function periodText(ms: number): string {
  const [unit, unitMs] = Object.entries(UNIT_MS).toReversed().find(([, each]) => ms % each === 0)!;
  return `${ms / unitMs}${unit}`;
}

/** A rate: how many starts in which period, such as `100/1m`. */
export function rate(text: string): { readonly limit: number; readonly periodMs: number } {
  const [limit = "", period = "", ...more] = text.split("/");
  if (more.length > 0 || !/^\d+$/.test(limit) || !/^\d+(ms|s|m|h|d)$/.test(period)) {
    throw new InvalidArgumentError("A number of starts in a period such as 100/1m is needed.");
  }
  const { rateMax, periodMinMs, periodMaxMs } = FLOW_LIMITS;
  return {
    limit: integerFrom(1, rateMax)(limit),
    periodMs: durationFrom(periodMinMs, periodMaxMs)(period),
  };
}

/** A reader of durations from `minMs` to `maxMs`. */
export function durationFrom(minMs: number, maxMs: number): (text: string) => number {
  return (text) => {
    const ms = duration(text);
    if (ms >= minMs && ms <= maxMs) return ms;
    throw new InvalidArgumentError(`A duration from ${minMs} to ${maxMs} ms is needed.`);
  };
}

/** A reader of instants: `+10s`, `+5m`, `+2h`, `+1d`, `+500ms` from now, or ISO 8601 with a zone. */
export function instant(text: string): Date {
  const match = /^\+(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  const [, amount, unit] = match ?? [];
  const fromNowMs = Math.round(Number(amount) * (UNIT_MS[unit ?? ""] ?? NaN));
  try {
    const atMs = match === null ? checkInstant(text, "instant") : Date.now() + fromNowMs;
    return new Date(checkInstant(new Date(atMs), "instant"));
  } catch (thrown) {
    if (thrown instanceof RangeError) throw new InvalidArgumentError(`${thrown.message}.`);
    throw new InvalidArgumentError(
      "+10s, +5m, +2h or +1d from now, or an instant with a zone such as 2026-01-31T12:00:00Z is needed.",
    );
  }
}

/** An option that takes some of `choices`: one after the other, or between commas. */
export function someOption<Flags extends string, Choice extends string>(
  flags: Flags,
  description: string,
  choices: readonly Choice[],
): Option<Flags, undefined, undefined, Choice[], false, Choice[]> {
  return new Option(flags, description).choices(choices).argParser(someOf(choices));
}

/** A reader of one of several `choices`, or of some of them between commas, after those that were given before. */
export function someOf<Choice extends string>(
  choices: readonly Choice[],
): (text: string, previous: Choice[] | undefined) => Choice[] {
  return (text, previous = []) => {
    const wanted = text.split(",").map((each) => each.trim());
    const chosen = wanted.filter((each): each is Choice => choices.includes(each as Choice));
    if (chosen.length < wanted.length) {
      throw new InvalidArgumentError(`Allowed choices are ${choices.join(", ")}.`);
    }
    return [...previous, ...chosen];
  };
}

/** `--limit` of a list that gives as many as may be by default. */
export function pageLimitOption(): Option<"--limit <n>", undefined, undefined, number> {
  const { listMax } = TASK_LIMITS;
  return new Option("--limit <n>", `how many at most, 1 to ${listMax} (default: ${listMax})`)
    .argParser(integerFrom(1, listMax));
}

/** A reader of JSON objects. */
export function jsonObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Refused below, like any other string that is not a JSON object.
  }
  throw new InvalidArgumentError('A JSON object such as {"gpu":true} is needed.');
}
