/**
 * Leases: what only the holder of the current one may do. A stale lease changes nothing.
 */
import { clip } from "../../domain/kept_text.ts";
import { type Lease, TASK_LIMITS } from "../../domain/task.ts";
import { checkHeld, outcomeOf } from "../../queue_policy/attempt_end.ts";
import type { TransitionKind } from "../../queue/task_transition.ts";
import type { Completion } from "../../queue_policy/attempt_request.ts";
import type { PreparedTask } from "../../queue_policy/new_task.ts";
import type { Failure } from "../../queue_policy/failure.ts";
import {
  attemptsOf,
  leaseStateOf,
  runMsOf,
  selectTasks,
  taskNotFound,
  type TaskRow,
  taskRows,
} from "../rows/task_row.ts";
import type { Statements } from "../rows/database.ts";
import { freeSlot } from "../rows/flow_rows.ts";
import type { Work } from "../rows/work.ts";
import { clockOf } from "./claim_sql.ts";
import { enqueueAll } from "./enqueue.ts";
import { lockOrders } from "./order.ts";
import { propagate } from "./propagate.ts";
import { requeue } from "./requeue.ts";
import { lockHolders } from "./unique.ts";

/** A lease that is to last longer. */
export interface Renewal {
  readonly lease: Lease;
  readonly leaseDurationMs: number;
}

/** How far a task is. */
export interface Progress {
  readonly lease: Lease;
  readonly percent: number;
  readonly message: string | null;
}

const LEASE_SQL = {
  /** `$1` are ids, `$2` their tokens, `$3` their workers, `$4` durations, `$5` the time of a test. */
  renew: `with wanted as (
      select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[])
        as r(id, lease_token, worker, lease_ms)),
    mine as materialized (
      select v.id from @live v join wanted w using (id)
      where v.lease_until is not null and v.lease_token = w.lease_token and v.locked_by = w.worker
        and v.id = any($1)
      order by v.id for update of v),
    renewed as (
      update @live v set lease_until = ${clockOf("$5")} + w.lease_ms, updated_at = ${clockOf("$5")}
      from mine, wanted w where v.id = mine.id and w.id = v.id returning v.*)
    ${selectTasks({ live: "join renewed" })}`,
  /** `$1` are ids, `$2` their tokens, `$3` their workers, `$4` results, `$5` the time of a test. Tasks that are followed stay. */
  complete: `with wanted as (
      select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[])
        as r(id, lease_token, worker, result)),
    moment as materialized (select ${clockOf("$5")} as now),
    mine as materialized (
      select v.id, w.result from @live v join wanted w using (id)
      where v.lease_until is not null and v.lease_token = w.lease_token and v.locked_by = w.worker
        and not v.followed
        and v.id = any($1)
      order by v.id for update of v),
    gone as (delete from @live v using mine where v.id = mine.id returning v.*, mine.result),
    done as (
      update @task t set outcome = 'completed', attempts = gone.attempts,
        lease_token = gone.lease_token, locked_by = gone.locked_by, reserved_at = gone.reserved_at,
        processing_started = gone.processing_started, run_after = gone.run_after,
        finished_at = moment.now, updated_at = moment.now, progress_percent = 100,
        progress_message = gone.progress_message, error_message = null, result = gone.result
      from gone, moment where t.id = gone.id returning t.*),
    told as (
      insert into @transition (task_id, at, kind, duration_ms)
      select id, finished_at, 'completed', greatest(0, finished_at - processing_started) from done)
    ${selectTasks({ task: "done", live: "left join (select * from @live limit 0)" })}`,
  /** `$1` is the id. */
  orderingKey: "select ordering_key as key from @task where id = $1",
  lastTransition: "select kind from @transition where task_id = $1 order by step desc limit 1",
  /** `$1` is the id, `$2` the token, `$3` the worker, `$4` percent, `$5` the message, `$6` the time of a test. */
  progress: `with told as (
      update @live v set progress_percent = $4, progress_message = $5, updated_at = ${clockOf("$6")}
      where id = $1 and state = 4 and lease_token = $2 and locked_by = $3 returning v.*)
    ${selectTasks({ live: "join told" })}`,
} as const;

/** Extends the leases that are held; the rows of those. */
export async function renewHeld(
  statements: Statements,
  renewals: readonly Renewal[],
  nowMs: number | null,
): Promise<TaskRow[]> {
  const durations = renewals.map(({ leaseDurationMs }) => leaseDurationMs);
  const parameters = [...leaseColumns(renewals), durations, nowMs];
  return taskRows(await statements.query(LEASE_SQL.renew, parameters));
}

/** Finishes the tasks whose leases are held and that nothing follows; the rows of those. */
export async function completeHeld(
  statements: Statements,
  completions: readonly Completion[],
  nowMs: number | null,
): Promise<TaskRow[]> {
  const results = completions.map(({ result }) => result);
  const parameters = [...leaseColumns(completions), results, nowMs];
  return taskRows(await statements.query(LEASE_SQL.complete, parameters));
}

/** Stores the progress that a handler reports, if the lease is held; its row then. */
export async function progressHeld(
  statements: Statements,
  progress: Progress,
  nowMs: number | null,
): Promise<TaskRow | undefined> {
  const { lease: { taskId, leaseToken, workerId }, percent } = progress;
  const parameters = [taskId, leaseToken, workerId, percent, keptMessage(progress), nowMs];
  return taskRows(await statements.query(LEASE_SQL.progress, parameters))[0];
}

function keptMessage({ message }: Progress): string | null {
  return message === null ? null : clip(message, TASK_LIMITS.progressMessageMaxLength);
}

function leaseColumns(
  requests: readonly { readonly lease: Lease }[],
): [number[], number[], string[]] {
  return [
    requests.map(({ lease }) => lease.taskId),
    requests.map(({ lease }) => lease.leaseToken),
    requests.map(({ lease }) => lease.workerId),
  ];
}

/** The row of a task whose current lease is `lease`, locked. @throws QueueError `task_not_found`, `lease_lost`. */
async function heldRow(work: Work, lease: Lease, action: string): Promise<TaskRow> {
  const row = await work.row(lease.taskId);
  if (row === undefined) throw taskNotFound(lease.taskId);
  checkHeld(leaseStateOf(row), lease, action);
  return row;
}

/** Extends a lease, or says why it is not held. */
export async function renew(work: Work, { lease, leaseDurationMs }: Renewal): Promise<TaskRow> {
  const row = await heldRow(work, lease, "renew");
  const { nowMs } = work.context;
  const renewed = work.change(row, { lease_until: nowMs + leaseDurationMs, updated_at: nowMs });
  await work.flush();
  return renewed;
}

/** Stores the progress that a handler reports, or says why its lease is not held. */
export async function reportProgress(work: Work, progress: Progress): Promise<TaskRow> {
  const row = await heldRow(work, progress.lease, "report progress of");
  const told = work.change(row, {
    progress_percent: progress.percent,
    progress_message: keptMessage(progress),
    updated_at: work.context.nowMs,
  });
  await work.flush();
  return told;
}

/** Whether this lease has ended so already: an earlier run did it, and its answer was lost. */
async function hasEnded(
  work: Work,
  { row, lease, kinds }: {
    readonly row: TaskRow | undefined;
    readonly lease: Lease;
    readonly kinds: readonly TransitionKind[];
  },
): Promise<boolean> {
  if (row === undefined || row.status === "leased") return false;
  if (row.lease_token !== lease.leaseToken || row.locked_by !== lease.workerId) return false;
  const [last] = await work.tx.query(LEASE_SQL.lastTransition, [row.id]);
  return last !== undefined && kinds.includes(last.kind as TransitionKind);
}

/** Finishes a task that others may follow, and stores those that follow from it: behind it, they see it completed. */
export async function complete(
  work: Work,
  { lease, result, tasks, traceParent }: Completion & { readonly traceParent: string | null },
  isRepeat: boolean,
): Promise<TaskRow> {
  await lockBoth(work, lease.taskId, tasks);
  const known = await work.row(lease.taskId);
  if (isRepeat && await hasEnded(work, { row: known, lease, kinds: ["completed"] })) return known!;
  const row = await heldRow(work, lease, "complete");
  const { nowMs } = work.context;
  const done = work.change(row, {
    status: "completed",
    result,
    progress_percent: 100,
    error_message: null,
    lease_until: null,
    finished_at: nowMs,
    updated_at: nowMs,
  });
  const from = { traceParent, causedBy: row.run_id };
  const enqueued = tasks.length > 0 ? await enqueueAll(work, tasks, from) : [];
  const runIds = enqueued.map((each) => each.row.run_id);
  work.note(row.id, "completed", { durationMs: runMsOf(row, nowMs), enqueued: runIds });
  await propagate(work, [done]);
  await work.flush();
  return done;
}

/** Locks what both need: who holds a lock of the one must not wait for one of the other. */
async function lockBoth(work: Work, taskId: number, tasks: readonly PreparedTask[]): Promise<void> {
  if (tasks.every(({ kept, unique }) => kept.ordering_key === null && unique === null)) return;
  await lockHolders(work, tasks);
  const [own] = await work.tx.query(LEASE_SQL.orderingKey, [taskId]);
  const keys = [own?.key, ...tasks.map(({ kept }) => kept.ordering_key)];
  await lockOrders(work, keys.filter((key) => typeof key === "string"));
}

/** Ends the attempt: back to the queue after its delay, or failed when it is permanent or attempts are used up. */
export async function fail(
  work: Work,
  { lease, failure }: { readonly lease: Lease; readonly failure: Failure },
  isRepeat: boolean,
): Promise<TaskRow> {
  const known = await work.row(lease.taskId);
  const kinds = ["retried", "failed"] as const;
  const isOwn = known?.error_message === failure.message;
  if (isRepeat && isOwn && await hasEnded(work, { row: known, lease, kinds })) return known;
  const row = await heldRow(work, lease, "fail");
  const { nowMs } = work.context;
  const { delayMs, handlerMaxAttempts } = outcomeOf(attemptsOf(row), failure, work.context);
  if (delayMs === null) {
    const failed = markFailed(work, row, { ...failure, handlerMaxAttempts });
    await propagate(work, [failed]);
    await work.flush();
    return failed;
  }
  work.note(row.id, "retried", {
    attempt: row.attempts,
    handlerMaxAttempts,
    error: failure.message,
    delayMs: Math.ceil(delayMs),
    durationMs: runMsOf(row, nowMs),
  });
  const { attempts } = row;
  const back = await requeue(work, row, { delayMs, attempts, message: failure.message });
  await work.flush();
  return back;
}

/** Gives the task back without using up the attempt, due after `delayMs`; or the slot of one that was cancelled. */
export async function release(
  work: Work,
  { lease, delayMs }: { readonly lease: Lease; readonly delayMs: number },
  isRepeat: boolean,
): Promise<TaskRow> {
  const known = await work.row(lease.taskId);
  const mayHoldSlot = known !== undefined &&
    (known.status !== "leased" || known.lease_token !== lease.leaseToken);
  if (mayHoldSlot && await freeSlot(work.tx, lease)) {
    work.makeRoom();
    return known;
  }
  if (isRepeat && await hasEnded(work, { row: known, lease, kinds: ["released"] })) return known!;
  const row = await heldRow(work, lease, "release");
  const durationMs = runMsOf(row, work.context.nowMs);
  work.note(row.id, "released", {
    worker: lease.workerId,
    delayMs: delayMs > 0 ? Math.ceil(delayMs) : undefined,
    durationMs,
  });
  const state = { delayMs, attempts: row.attempts - 1, message: row.error_message };
  const back = await requeue(work, row, state);
  await work.flush();
  return back;
}

/** Fails a leased task for good; its children and webhooks are still to be told (`propagate`). */
export function markFailed(
  work: Work,
  row: TaskRow,
  { message, result, handlerMaxAttempts }: Pick<Failure, "message" | "result"> & {
    readonly handlerMaxAttempts?: number;
  },
): TaskRow {
  const { nowMs } = work.context;
  work.note(row.id, "failed", {
    attempt: row.attempts,
    handlerMaxAttempts,
    error: message,
    durationMs: runMsOf(row, nowMs),
  });
  return work.change(row, {
    status: "failed",
    error_message: message,
    result,
    lease_until: null,
    finished_at: nowMs,
    updated_at: nowMs,
  });
}
