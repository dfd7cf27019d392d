/**
 * Inserting: a checked task becomes a row.
 */
import type { Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type { FirstLease, StorableTask } from "../../queue_policy/new_task.ts";
import type { OperationContext } from "./context.ts";
import { readinessOf } from "./lanes.ts";
import { addTask, type TaskValues } from "./task_row.ts";

/** A checked task that is ready to be inserted. */
export interface InsertableTask extends StorableTask {
  /** How many parents it has to wait for. */
  readonly waitsFor: number;
  /** The worker that holds the task from the start; default none. */
  readonly leaseTo?: FirstLease | null;
}

/** Inserts a task; its row. The caller records the transitions. */
export function insertTask(
  tx: Transaction,
  task: InsertableTask,
  context: OperationContext,
): SqlRow {
  const { nowMs } = context;
  return addTask(tx, {
    run_id: task.runId ?? context.newRunId(),
    ...task.kept,
    payload: task.payload,
    status: "queued",
    attempts: 0,
    created_at_utc: nowMs,
    updated_at_utc: nowMs,
    lease_token: 0,
    ...readinessOf(tx, {
      ...task.kept,
      waitsFor: task.waitsFor,
      runAfterMs: task.runAfterMs ?? nowMs,
    }, context),
    trace_parent: context.traceParent ?? null,
    unique_key: task.uniqueKey,
    ordering_place: task.orderingPlace ?? null,
    ...(task.leaseTo ? leased(task.leaseTo, nowMs) : {}),
  });
}

/** What the first claim would make of a task, but that it takes no slot of the worker: see `Task.reservedAt`. */
function leased({ workerId, leaseDurationMs }: FirstLease, nowMs: number): TaskValues {
  return {
    status: "leased",
    is_ready: 0,
    attempts: 1,
    lease_token: 1,
    locked_by: workerId,
    lease_until_utc: nowMs + leaseDurationMs,
    processing_started_utc: nowMs,
  };
}
