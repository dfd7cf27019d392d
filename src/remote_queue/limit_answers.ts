/**
 * What a server answers of limits and pauses, as the port has it.
 */
import type {
  FlowRecord,
  LimitRecord,
  LimitScope,
  PauseState,
  RateLimit,
  SlotHolder,
} from "../queue/limits.ts";
import {
  type Decode,
  type Fields,
  flag,
  instant,
  list,
  nullable,
  number,
  object,
  pairs,
  text,
} from "./answer.ts";

/** The scope that an answer's fields `type` and `group` say. */
function scopeOfAnswer(answer: unknown): LimitScope {
  const { type, group } = pairs(answer);
  return {
    ...(type === null ? {} : { type: text(type) }),
    ...(group === null ? {} : { group: text(group) }),
  };
}

/** What has a scope, which is two fields of the answer. */
export function withScope<T extends { readonly scope: LimitScope }>(
  decode: Decode<Omit<T, "scope">>,
): Decode<T> {
  return (answer) => ({ ...decode(answer), scope: scopeOfAnswer(answer) }) as unknown as T;
}

/** A rate with its burst. */
export const rate: Decode<Required<RateLimit>> = object({
  limit: number,
  periodMs: number,
  burst: number,
});

/** The fields of a limit and a pause that its record has, too. */
export const flowFields: Fields<Omit<FlowRecord, "scope">> = {
  concurrency: nullable(number),
  rate: nullable(rate),
  weight: nullable(number),
  setAt: nullable(instant),
  setBy: nullable(text),
  isDeclared: flag,
  paused: nullable(object<PauseState>({
    at: instant,
    by: nullable(text),
    reason: nullable(text),
    until: nullable(instant),
  })),
};

/** A scope with a limit or a pause. */
export const limit: Decode<LimitRecord> = withScope(object<Omit<LimitRecord, "scope">>({
  ...flowFields,
  nextStartAt: nullable(instant),
  held: number,
  holders: list(object<SlotHolder>({
    taskId: number,
    runId: nullable(text),
    type: text,
    workerId: text,
    leaseUntil: instant,
    isCancelled: flag,
  })),
  blocked: number,
}));
