/**
 * The state of limits: what stands behind each at one moment, for lists, metrics and health.
 */
import type { LimitRecord, SlotHolder } from "../queue/limits.ts";
import type { DueSplit, LimitMetrics } from "../queue/operator.ts";
import type { Flow } from "./flow.ts";
import { flowRecordOf, isPausedAt, type StoredLimit } from "./limit_request.ts";

/** How many holders of slots are named. */
export const HOLDERS_MAX = 20;

/** The due tasks of a type. */
export interface DueOfType {
  readonly count: number;
  /** Since when the oldest is due. */
  readonly oldestMs: number;
}

/** What is due at one moment, and what holds it back. */
export interface HeldBack {
  readonly flow: Flow;
  readonly byType: ReadonlyMap<string, DueOfType>;
  /** How many slots of each scope are held, by its type. */
  readonly held: ReadonlyMap<string, number>;
  readonly nowMs: number;
}

/** The due tasks of a scope. */
function dueOf(
  byType: ReadonlyMap<string, DueOfType>,
  { type }: Pick<StoredLimit, "type">,
): DueOfType | undefined {
  if (type !== "") return byType.get(type);
  const all = [...byType.values()];
  if (all.length === 0) return undefined;
  return {
    count: all.reduce((sum, { count }) => sum + count, 0),
    oldestMs: Math.min(...all.map(({ oldestMs }) => oldestMs)),
  };
}

function isFull({ concurrency }: StoredLimit, held: number): boolean {
  return concurrency !== null && held >= concurrency;
}

/** A scope as callers see it; `undefined` when its pause has ended by itself and it has no limit. */
export function limitRecordOf(
  row: StoredLimit,
  { held, holders, dueByType, nowMs }: {
    readonly held: number;
    readonly holders: readonly SlotHolder[];
    readonly dueByType: ReadonlyMap<string, DueOfType>;
    readonly nowMs: number;
  },
): LimitRecord | undefined {
  const record = flowRecordOf(row, nowMs);
  if (record.concurrency === null && record.paused === null) return undefined;
  const isBlocking = record.paused !== null || isFull(row, held);
  const blocked = isBlocking ? dueOf(dueByType, row)?.count ?? 0 : 0;
  return { ...record, held, holders, blocked };
}

/** How the due tasks divide: those that may start, those that a pause and those that a full limit holds back. */
export function dueSplit(state: HeldBack): DueSplit {
  const split = { claimable: 0, paused: 0, atConcurrency: 0 };
  for (const [type, { count }] of state.byType) split[placeOf(type, state)] += count;
  return split;
}

/** Since when the oldest task that may start is due; `null` without any. */
export function oldestClaimableMs(state: HeldBack): number | null {
  const free = [...state.byType].filter(([type]) => placeOf(type, state) === "claimable");
  return free.length === 0 ? null : Math.min(...free.map(([, { oldestMs }]) => oldestMs));
}

function placeOf(type: string, { flow, held, nowMs }: HeldBack): keyof DueSplit {
  if (flow.pauseOf(type, nowMs) !== undefined) return "paused";
  const isAtLimit = flow.limitsOf(type).some((scope) => held.get(scope.type)! >= scope.concurrency);
  return isAtLimit ? "atConcurrency" : "claimable";
}

/** Each scope in numbers. */
export function limitMetrics(state: HeldBack): LimitMetrics[] {
  const { flow, byType, held, nowMs } = state;
  return flow.rows.flatMap((row) => {
    const record = limitRecordOf(row, {
      held: held.get(row.type)!,
      holders: [],
      dueByType: byType,
      nowMs,
    });
    if (record === undefined) return [];
    const { scope, concurrency, paused, blocked } = record;
    return [{ scope, concurrency, isPaused: paused !== null, held: record.held, blocked }];
  });
}

/** A scope that has held back due tasks for some time. */
export interface LongHold {
  readonly scope: StoredLimit;
  /** For how long the pause, or the oldest task behind the full limit, has been waiting. */
  readonly sinceMs: number;
  readonly blocked: number;
}

/** The pauses with due tasks behind them, and since when both. */
export function longPauses({ flow, byType, nowMs }: HeldBack): LongHold[] {
  return flow.rows.flatMap((row) => {
    const due = dueOf(byType, row);
    if (due === undefined || !isPausedAt(row, nowMs)) return [];
    return [{ scope: row, sinceMs: row.paused_at!, blocked: due.count }];
  });
}

/** The full limits with due tasks behind them, and since when the oldest of those is due. */
export function fullLimits({ flow, byType, held }: HeldBack): LongHold[] {
  return flow.rows.flatMap((row) => {
    const due = dueOf(byType, row);
    if (due === undefined || !isFull(row, held.get(row.type)!)) return [];
    return [{ scope: row, sinceMs: due.oldestMs, blocked: due.count }];
  });
}
