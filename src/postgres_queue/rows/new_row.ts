/**
 * New rows: a checked task as it is stored.
 */
import type { FirstLease, StorableTask } from "../../queue_policy/new_task.ts";
import type { TaskRow, TaskState } from "./task_row.ts";
import type { OperationContext } from "./work.ts";

/** The row of a new task. */
export function newRow(
  context: Pick<OperationContext, "nowMs" | "newRunId" | "lanes">,
  task: StorableTask & { readonly leaseTo?: FirstLease | null },
  { id, waitsFor, traceParent, isFollowed, isBehind = true }: {
    readonly id: number;
    readonly waitsFor: number;
    readonly traceParent: string | null;
    readonly isFollowed: boolean;
    /** Whether it comes behind another of its ordering key, if it has one; default true, until the key is settled. */
    readonly isBehind?: boolean;
  },
): TaskRow {
  const { nowMs, newRunId, lanes } = context;
  const isOrdered = task.kept.ordering_key !== null;
  return {
    ...task.kept,
    id,
    run_id: task.runId ?? newRunId(),
    lane_id: lanes.idOf(task.kept),
    payload: task.payload,
    trace_parent: traceParent,
    unique_key: task.uniqueKey,
    ordering_place: task.orderingPlace ?? null,
    created_at: nowMs,
    ...NEW_STATE,
    run_after: task.runAfterMs ?? nowMs,
    waits_for: isOrdered && isBehind ? waitsFor + 1 : waitsFor,
    is_behind: isOrdered ? isBehind : null,
    updated_at: nowMs,
    followed: isFollowed || isOrdered,
    ...(task.leaseTo ? firstLease(task.leaseTo, nowMs) : {}),
  };
}

/** How a task begins. */
const NEW_STATE = {
  status: "queued",
  attempts: 0,
  lease_token: 0,
  locked_by: null,
  lease_until: null,
  reserved_at: null,
  processing_started: null,
  finished_at: null,
  progress_percent: null,
  progress_message: null,
  error_message: null,
  result: null,
} as const satisfies Partial<TaskState>;

/** What the first claim would make of a task, but that it takes no slot of the worker: see `Task.reservedAt`. */
function firstLease({ workerId, leaseDurationMs }: FirstLease, nowMs: number): Partial<TaskState> {
  return {
    status: "leased",
    attempts: 1,
    lease_token: 1,
    locked_by: workerId,
    lease_until: nowMs + leaseDurationMs,
    processing_started: nowMs,
  };
}
