/**
 * Insight into limits and pauses: who holds the slots, what waits behind, and why a task is held back.
 */
import type { Task } from "../../domain/task.ts";
import type { Reader } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type { LimitRecord, SlotHolder } from "../../queue/limits.ts";
import type { Why } from "../../queue_policy/explanation.ts";
import {
  concurrencyLimited,
  notBeforeMs,
  paused,
  rateLimited,
} from "../../queue_policy/explanation_of_flow.ts";
import { AHEAD_MAX } from "../../queue_policy/explanation_of_place.ts";
import {
  countedScopes,
  type DuePart,
  type HeldBack,
  HOLDERS_MAX,
  limitRecordOf,
  ratedScopes,
} from "../../queue_policy/limit_state.ts";
import { keyOf } from "../../queue_policy/flow.ts";
import type { ScopeKey } from "../../queue_policy/limit_request.ts";
import { startsNow } from "../../queue_policy/start_rate.ts";
import { tatOf } from "../rows/buckets.ts";
import { countHeld, flowOf } from "../rows/flow_rows.ts";
import { dueByType } from "./due.ts";

/** The columns of a holder; an empty type stands for all. */
const HOLDER = "id, run_id, type, locked_by, lease_until_utc";

/** The statements; a test reads their plans. */
export const LIMIT_SQL = {
  holders: `SELECT * FROM (
      SELECT ${HOLDER}, 0, processing_started_utc AS since FROM task_queue INDEXED BY leased_tasks
      WHERE status = 'leased' AND (?1 = '' OR type = ?1)
        AND (?3 = '' OR grp = ?3 OR (?3 = '*' AND grp <> ''))
      UNION ALL SELECT task_id, run_id, slot.type, worker_id, until_utc, 1, since_utc
      FROM flow_slots AS slot LEFT JOIN task_queue ON id = task_id
      WHERE until_utc > ?2 AND (?1 = '' OR slot.type = ?1)
        AND (?3 = '' OR slot.grp = ?3 OR (?3 = '*' AND slot.grp <> '')))
    ORDER BY since, id LIMIT ${HOLDERS_MAX}`,
  dueOfGroups: `SELECT type, grp, count(*), min(max(created_at_utc, run_after_utc)) FROM task_queue
    WHERE status = 'queued' AND waits_for = 0 AND run_after_utc <= ?1 GROUP BY type, grp`,
  ahead: `SELECT count(*) FROM (SELECT 1 FROM task_queue INDEXED BY ready_by_id
    WHERE is_ready = 1 AND (?1 = '' OR type = ?1) AND (?4 = '' OR grp = ?4) AND (priority, id) < (?2, ?3) LIMIT ${AHEAD_MAX})`,
} as const;

/** Every scope with a limit or a pause. */
export function listLimits(reader: Reader, nowMs: number): LimitRecord[] {
  const { rows } = flowOf(reader);
  if (rows.length === 0) return [];
  const state = heldBack(reader, nowMs);
  return rows.flatMap((row) => limitRecordOf(row, holdersOf(reader, row, nowMs), state) ?? []);
}

/** What is due, and which of it may start. */
export function heldBack(reader: Reader, nowMs: number): HeldBack {
  const flow = flowOf(reader);
  const due = flow.hasGroups ? dueOfGroups(reader, nowMs) : dueByType(reader, nowMs);
  const scopes = countedScopes(flow, due);
  const held = new Map(scopes.map((scope) => [keyOf(scope), countHeld(reader, scope, nowMs)]));
  const tats = new Map(
    ratedScopes(flow, due).flatMap((scope) => {
      const tatUs = tatOf(reader, scope);
      return tatUs === undefined ? [] : [[keyOf(scope), tatUs] as const];
    }),
  );
  return { flow, due, held, tats, nowMs };
}

/** Where groups have limits, what is due is counted one by one. */
function dueOfGroups(reader: Reader, nowMs: number): DuePart[] {
  return reader.read(LIMIT_SQL.dueOfGroups, [nowMs]).map(([type, grp, count, dueAtMs]) => ({
    type: String(type),
    grp: String(grp),
    count: Number(count),
    oldestMs: Number(dueAtMs),
  }));
}

/** Why a due task may not start; `undefined` when it may. */
export function whyHeldBack(reader: Reader, task: Task, nowMs: number): Why | undefined {
  const flow = flowOf(reader);
  const key = { type: task.type, grp: task.group ?? "" };
  const pause = flow.pauseOf(key, nowMs);
  if (pause !== undefined) return paused(task, pause);
  for (const scope of flow.limitsOf(key)) {
    const held = countHeld(reader, scope, nowMs);
    if (held < scope.concurrency) continue;
    const holders = holdersOf(reader, scope, nowMs);
    return concurrencyLimited(task, { scope, held, holders, ahead: aheadOf(reader, task, scope) });
  }
  return whyAtRate(reader, task, nowMs);
}

/** Of the rates that let none start, the one that holds the task back for longest. */
function whyAtRate(reader: Reader, task: Task, nowMs: number): Why | undefined {
  const rates = flowOf(reader).ratesOf({ type: task.type, grp: task.group ?? "" });
  const spent = rates.flatMap((scope) => {
    const tatUs = tatOf(reader, scope);
    if (startsNow(scope.rate, tatUs, nowMs) > 0) return [];
    return [{ scope, tatUs, nowMs, ahead: aheadOf(reader, task, scope) }];
  });
  const [longest] = spent.sort((a, b) => notBeforeMs(b) - notBeforeMs(a));
  return longest && rateLimited(task, longest);
}

/** How many ready tasks of a scope come before a task in order of priority. */
function aheadOf(reader: Reader, task: Task, { type, grp }: ScopeKey): number {
  return Number(reader.read(LIMIT_SQL.ahead, [type, task.priority, task.id, grp])[0]![0]);
}

function holdersOf(reader: Reader, { type, grp }: ScopeKey, nowMs: number): SlotHolder[] {
  return reader.read(LIMIT_SQL.holders, [type, nowMs, grp]).map(holderOf);
}

function holderOf(row: SqlRow): SlotHolder {
  const [taskId, runId, type, workerId, untilMs, isCancelled] = row;
  return {
    taskId: Number(taskId),
    runId: runId as string | null,
    type: String(type),
    workerId: String(workerId),
    leaseUntil: new Date(Number(untilMs)),
    isCancelled: isCancelled === 1,
  };
}
