/**
 * Limits and pauses in NDJSON: a line `{"limit": {…}}` for each scope; without a type and a group it is the whole queue.
 */
import type { FlowRecord, PauseState, RateLimit } from "../queue/limits.ts";
import { type Fields, instantOf, optionalInstantOf } from "./line_fields.ts";

/** The line of a limit, without its end. */
export function limitLineOf(record: FlowRecord): string {
  const { scope, concurrency, rate, weight, setAt, setBy, isDeclared, paused } = record;
  return JSON.stringify({
    limit: {
      type: scope.type ?? null,
      group: scope.group ?? null,
      concurrency,
      rate: rate && { limit: rate.limit, period_ms: rate.periodMs, burst: rate.burst },
      weight,
      set_at_utc: setAt,
      set_by: setBy,
      is_declared: isDeclared,
      paused: paused && {
        at_utc: paused.at,
        by: paused.by,
        reason: paused.reason,
        until_utc: paused.until,
      },
    },
  });
}

/** The limit of a line; the queue checks what is in its fields. @throws TypeError, RangeError */
export function limitOfLine(value: unknown): FlowRecord {
  const line = fieldsOf(value, "limit");
  const { type = null, group = null, rate = null, paused = null } = line;
  return {
    scope: {
      ...(type === null ? {} : { type: type as string }),
      ...(group === null ? {} : { group: group as string }),
    },
    concurrency: (line.concurrency ?? null) as number | null,
    rate: rate === null ? null : rateOf(fieldsOf(rate, "rate")),
    weight: (line.weight ?? null) as number | null,
    setAt: optionalInstantOf(line, "set_at_utc"),
    setBy: (line.set_by ?? null) as string | null,
    isDeclared: (line.is_declared ?? false) as boolean,
    paused: paused === null ? null : pauseOf(fieldsOf(paused, "paused")),
  };
}

function rateOf({ limit, period_ms, burst }: Fields): Required<RateLimit> {
  return { limit: limit as number, periodMs: period_ms as number, burst: burst as number };
}

function pauseOf(fields: Fields): PauseState {
  return {
    at: instantOf(fields, "at_utc"),
    by: (fields.by ?? null) as string | null,
    reason: (fields.reason ?? null) as string | null,
    until: optionalInstantOf(fields, "until_utc"),
  };
}

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw new TypeError(`${what}: a JSON object is needed`);
}
