/**
 * Insight into limits and pauses: who holds the slots, what waits behind, and why a task is held back.
 */
import type { Task } from "../../domain/task.ts";
import type { LimitRecord, SlotHolder } from "../../queue/limits.ts";
import type { Why } from "../../queue_policy/explanation.ts";
import {
  concurrencyLimited,
  notBeforeMs,
  paused,
  rateLimited,
} from "../../queue_policy/explanation_of_flow.ts";
import { AHEAD_MAX } from "../../queue_policy/explanation_of_place.ts";
import type { ScopeKey } from "../../queue_policy/limit_request.ts";
import {
  countedScopes,
  type HeldBack,
  HOLDERS_MAX,
  limitRecordOf,
  ratedScopes,
} from "../../queue_policy/limit_state.ts";
import { startsNow } from "../../queue_policy/start_rate.ts";
import { readBuckets } from "../rows/buckets.ts";
import type { Row, Statements } from "../rows/database.ts";
import { type Flow, keyOf } from "../../queue_policy/flow.ts";
import { EACH_GROUP } from "../../queue_policy/kept_fields.ts";
import { flowNow, heldOf } from "../rows/flow_rows.ts";

/** The statements; a test reads their plans. */
export const LIMIT_SQL = {
  /** `$1` is a type, empty for all; `$2` is now; `$3` is a group, empty for all and none, `*` for each. */
  holders: `select * from (
      select v.id, t.run_id, l.type, v.locked_by as worker, v.lease_until as until, false as is_cancelled,
        v.processing_started as since
      from @live v join @lane l using (lane_id) join @task t using (id)
      where v.state = 4 and ($1 = '' or l.type = $1)
        and ($3 = '' or v.grp = $3 or $3 = '${EACH_GROUP}' and v.grp <> '')
      union all select s.task_id, t.run_id, s.type, s.worker_id, s.until, true, s.since
      from @flow_slot s left join @task t on t.id = s.task_id
      where s.until > $2 and ($1 = '' or s.type = $1)
        and ($3 = '' or s.grp = $3 or $3 = '${EACH_GROUP}' and s.grp <> '')) as holder
    order by since, id limit ${HOLDERS_MAX}`,
  /** `$1` is now, `$2` whether groups are told apart. */
  due: `select l.type, case when $2 then v.grp else '' end as grp, count(*) as count,
      min(greatest(v.created_at, v.run_after)) as oldest
    from @live v join @lane l using (lane_id) where v.state = 1 or v.state = 2 and v.run_after <= $1
    group by 1, 2`,
  /** `$1` is a type, empty for all; `$2` a priority, `$3` an id; `$4` is a group, empty for all and none. */
  ahead: `select count(*) as count from (select from @live v join @lane l using (lane_id)
    where v.state = 1 and ($1 = '' or l.type = $1) and ($4 = '' or v.grp = $4)
      and (v.priority, v.id) < ($2::int, $3::bigint)
    limit ${AHEAD_MAX}) as ahead`,
} as const;

/** Every scope with a limit or a pause. */
export async function listLimits(tx: Statements, nowMs: number): Promise<LimitRecord[]> {
  const { rows } = await flowNow(tx);
  if (rows.length === 0) return []; // what is due need not be counted
  const state = await heldBack(tx, nowMs);
  const holders = await Promise.all(rows.map((row) => holdersOf(tx, row, nowMs)));
  return rows.flatMap((row, i) => limitRecordOf(row, holders[i]!, state) ?? []);
}

/** What is due, by type, and what holds it back. */
export async function heldBack(tx: Statements, nowMs: number): Promise<HeldBack> {
  const flow = await flowNow(tx);
  const found = await tx.query(LIMIT_SQL.due, [nowMs, flow.hasGroups]);
  const due = found.map(({ type, grp, count, oldest }) => ({
    type: String(type),
    grp: String(grp),
    count: Number(count),
    oldestMs: Number(oldest),
  }));
  return await heldBackOf(tx, { flow, due, nowMs });
}

/** The same, where it is known what is due. */
export async function heldBackOf(
  tx: Statements,
  { flow, due, nowMs }: Pick<HeldBack, "flow" | "due" | "nowMs">,
): Promise<HeldBack> {
  const held = await heldOf(tx, countedScopes(flow, due), nowMs);
  const rated = ratedScopes(flow, due);
  const { tatOf } = await readBuckets(tx, rated, nowMs);
  const tats = new Map(rated.flatMap((scope) => {
    const tatUs = tatOf(scope);
    return tatUs === undefined ? [] : [[keyOf(scope), tatUs] as const];
  }));
  return { flow, due, held, tats, nowMs };
}

/** Why a due task may not start; `undefined` when it may. */
export async function whyHeldBack(
  tx: Statements,
  task: Task,
  nowMs: number,
): Promise<Why | undefined> {
  const flow = await flowNow(tx);
  const key = { type: task.type, grp: task.group ?? "" };
  const pause = flow.pauseOf(key, nowMs);
  if (pause !== undefined) return paused(task, pause);
  const scopes = flow.limitsOf(key);
  const held = await heldOf(tx, scopes, nowMs);
  const full = scopes.find((scope) => held.get(keyOf(scope))! >= scope.concurrency);
  if (full === undefined) return await whyAtRate(tx, task, { flow, nowMs });
  const [holders, ahead] = await Promise.all([
    holdersOf(tx, full, nowMs),
    aheadOf(tx, task, full),
  ]);
  return concurrencyLimited(task, { scope: full, held: held.get(keyOf(full))!, holders, ahead });
}

/** Of the rates that let none start, the one that holds the task back for longest. */
async function whyAtRate(
  tx: Statements,
  task: Task,
  { flow, nowMs }: { readonly flow: Flow; readonly nowMs: number },
): Promise<Why | undefined> {
  const rates = flow.ratesOf({ type: task.type, grp: task.group ?? "" });
  const { tatOf } = await readBuckets(tx, rates, nowMs);
  const spent = rates.filter((scope) => startsNow(scope.rate, tatOf(scope), nowMs) <= 0);
  const waits = await Promise.all(spent.map(async (scope) => {
    return { scope, tatUs: tatOf(scope), nowMs, ahead: await aheadOf(tx, task, scope) };
  }));
  const [longest] = waits.sort((a, b) => notBeforeMs(b) - notBeforeMs(a));
  return longest && rateLimited(task, longest);
}

/** How many ready tasks of a scope come before a task in order of priority. */
async function aheadOf(tx: Statements, task: Task, { type, grp }: ScopeKey): Promise<number> {
  const [row] = await tx.query(LIMIT_SQL.ahead, [type, task.priority, task.id, grp]);
  return Number(row!.count);
}

async function holdersOf(
  tx: Statements,
  { type, grp }: ScopeKey,
  nowMs: number,
): Promise<SlotHolder[]> {
  return (await tx.query(LIMIT_SQL.holders, [type, nowMs, grp])).map(holderOf);
}

function holderOf({ id, run_id, type, worker, until, is_cancelled }: Row): SlotHolder {
  return {
    taskId: Number(id),
    runId: run_id as string | null,
    type: String(type),
    workerId: String(worker),
    leaseUntil: new Date(Number(until)),
    isCancelled: is_cancelled === true,
  };
}
