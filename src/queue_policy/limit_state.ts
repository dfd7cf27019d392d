/**
 * The state of limits: what stands behind each at one moment, for lists, metrics and health.
 */
import type { LimitRecord, SlotHolder } from "../queue/limits.ts";
import type { DueSplit, LimitMetrics } from "../queue/metrics.ts";
import { type Flow, keyOf, type RatedScope } from "./flow.ts";
import { EACH_GROUP } from "./kept_fields.ts";
import {
  flowRecordOf,
  hasLimit,
  isPausedAt,
  rateOf,
  type ScopeKey,
  type StoredLimit,
} from "./limit_request.ts";
import { nextStartMs, startsNow } from "./start_rate.ts";

/** How many holders of slots are named. */
export const HOLDERS_MAX = 20;

/** The due tasks of a type and group; an empty string is no group. */
export interface DuePart extends ScopeKey {
  readonly count: number;
  /** Since when the oldest is due. */
  readonly oldestMs: number;
}

/** What is due at one moment, and what holds it back. */
export interface HeldBack {
  readonly flow: Flow;
  readonly due: readonly DuePart[];
  /** How many slots of each scope are held, by `keyOf`; those of groups as far as they have a limit. */
  readonly held: ReadonlyMap<string, number>;
  /** The TATs of the buckets, in µs, by `keyOf`; those of groups as far as they have due tasks. */
  readonly tats: ReadonlyMap<string, number>;
  readonly nowMs: number;
}

/** The due tasks of a scope that its limit or pause holds back; all of them where `isHeld` says nothing. */
function dueOf(
  due: readonly DuePart[],
  { type, grp }: ScopeKey,
  isHeld: (part: DuePart) => boolean = () => true,
): { readonly count: number; readonly oldestMs: number } | undefined {
  const parts = due.filter((part) =>
    (type === "" || part.type === type) &&
    (grp === "" || part.grp === grp || (grp === EACH_GROUP && part.grp !== "")) && isHeld(part)
  );
  if (parts.length === 0) return undefined;
  return {
    count: parts.reduce((sum, { count }) => sum + count, 0),
    oldestMs: parts.reduce((oldest, part) => Math.min(oldest, part.oldestMs), Infinity),
  };
}

/** The due tasks behind a pause, a full limit, or a rate that lets none start now. */
function blockedBy(row: StoredLimit, state: HeldBack): ReturnType<typeof dueOf> {
  const { flow, due, held, nowMs } = state;
  if (isPausedAt(row, nowMs)) return dueOf(due, row);
  if (row.concurrency === null && row.rate_limit === null) return undefined;
  if (row.grp !== EACH_GROUP) {
    return isFull(row, held) || isSpentRow(row, state) ? dueOf(due, row) : undefined;
  }
  const isOfRow = ({ type }: ScopeKey): boolean => type === row.type;
  return dueOf(
    due,
    row,
    (part) =>
      flow.groupLimitsOf(part).some((scope) => isOfRow(scope) && isFull(scope, held)) ||
      flow.groupRatesOf(part).some((scope) => isOfRow(scope) && isSpent(scope, state)),
  );
}

/** Whether a rate lets no task start now. */
function isSpent(scope: RatedScope, { tats, nowMs }: HeldBack): boolean {
  return startsNow(scope.rate, tats.get(keyOf(scope)), nowMs) <= 0;
}

function isSpentRow(row: StoredLimit, state: HeldBack): boolean {
  const rate = rateOf(row);
  return rate !== null && isSpent({ ...row, rate }, state);
}

/** When the next task of a scope may start by its rate; `null` when one may at once. */
function nextStartAt(row: StoredLimit, { tats, nowMs }: HeldBack): Date | null {
  const rate = rateOf(row);
  if (rate === null || row.grp === EACH_GROUP) return null;
  const atMs = nextStartMs(rate, tats.get(keyOf(row)), { nowMs });
  return atMs > nowMs ? new Date(atMs) : null;
}

function isFull(
  scope: ScopeKey & Pick<StoredLimit, "concurrency">,
  held: ReadonlyMap<string, number>,
): boolean {
  return scope.concurrency !== null && (held.get(keyOf(scope)) ?? 0) >= scope.concurrency;
}

/** The scopes whose slots `HeldBack` counts: those of the rows, and of the groups that have due tasks. */
export function countedScopes(flow: Flow, due: readonly DuePart[]): ScopeKey[] {
  return onceEach([...flow.rows, ...due.flatMap((part) => flow.groupLimitsOf(part))]);
}

/** The scopes whose buckets `HeldBack` has: those of the rows, and of the groups that have due tasks. */
export function ratedScopes(flow: Flow, due: readonly DuePart[]): ScopeKey[] {
  if (!flow.hasRates) return [];
  const rated = flow.rows.filter(({ rate_limit }) => rate_limit !== null);
  return onceEach([...rated, ...due.flatMap((part) => flow.groupRatesOf(part))]);
}

function onceEach(scopes: readonly ScopeKey[]): ScopeKey[] {
  return [
    ...new Map(scopes.map(({ type, grp }) => [keyOf({ type, grp }), { type, grp }])).values(),
  ];
}

/** A scope as callers see it; `undefined` when its pause has ended by itself and it has no limit. */
export function limitRecordOf(
  row: StoredLimit,
  holders: readonly SlotHolder[],
  state: HeldBack,
): LimitRecord | undefined {
  const record = flowRecordOf(row, state.nowMs);
  if (!hasLimit(row) && record.paused === null) return undefined;
  const blocked = blockedBy(row, state)?.count ?? 0;
  return {
    ...record,
    nextStartAt: nextStartAt(row, state),
    held: state.held.get(keyOf(row))!,
    holders,
    blocked,
  };
}

/** How the due tasks divide: those that may start, and those that a pause, a full limit or a rate holds back. */
export function dueSplit(state: HeldBack): DueSplit {
  const split = { claimable: 0, paused: 0, atConcurrency: 0, atRate: 0 };
  for (const part of state.due) split[placeOf(part, state)] += part.count;
  return split;
}

/** Since when the oldest task that may start is due; `null` without any. */
export function oldestClaimableMs(state: HeldBack): number | null {
  const free = state.due.filter((part) => placeOf(part, state) === "claimable");
  if (free.length === 0) return null;
  return free.reduce((oldest, { oldestMs }) => Math.min(oldest, oldestMs), Infinity);
}

function placeOf(part: DuePart, state: HeldBack): keyof DueSplit {
  const { flow, held, nowMs } = state;
  if (flow.pauseOf(part, nowMs) !== undefined) return "paused";
  if (flow.limitsOf(part).some((scope) => isFull(scope, held))) return "atConcurrency";
  return flow.ratesOf(part).some((scope) => isSpent(scope, state)) ? "atRate" : "claimable";
}

/** Each scope in numbers. */
export function limitMetrics(state: HeldBack): LimitMetrics[] {
  return state.flow.rows.flatMap((row) => {
    const record = limitRecordOf(row, [], state);
    if (record === undefined) return [];
    const { scope, concurrency, rate, nextStartAt, paused, held, blocked } = record;
    return [{ scope, concurrency, rate, nextStartAt, isPaused: paused !== null, held, blocked }];
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
export function longPauses(state: HeldBack): LongHold[] {
  return state.flow.rows.flatMap((row) => {
    const due = dueOf(state.due, row);
    if (due === undefined || !isPausedAt(row, state.nowMs)) return [];
    return [{ scope: row, sinceMs: row.paused_at!, blocked: due.count }];
  });
}

/** The full limits and rates with due tasks behind them, and since when the oldest of those is due. */
export function fullLimits(state: HeldBack): LongHold[] {
  return state.flow.rows.flatMap((row) => {
    if (row.concurrency === null && row.rate_limit === null) return [];
    const due = blockedBy({ ...row, paused_at: null }, state);
    if (due === undefined) return [];
    return [{ scope: row, sinceMs: due.oldestMs, blocked: due.count }];
  });
}
