/**
 * Explaining: why a task is where it is, in one sentence and as data.
 *
 * A queued task is asked one question after the other, and the first that holds it back is the reason: is the queue open, are its parents
 * final, is it its turn under its ordering key, is it due, does a pause or a limit hold it back, does a worker live, has one a handler for its type, the capabilities it needs; then its place in their line (`place_in_line.ts`).
 */
import type { Task, TaskStatus } from "../../domain/task.ts";
import type { Reader } from "../../ledger/replica.ts";
import type { Explanation } from "../../queue/operator.ts";
import { inClosedQueue } from "../../queue_policy/closure.ts";
import {
  behindInOrder,
  finished,
  leased,
  notDue,
  takersOf,
  waitingForParents,
  type Why,
  withExpiry,
} from "../../queue_policy/explanation.ts";
import { cell } from "../rows/cells.ts";
import { closureIn } from "../rows/notes.ts";
import { predecessorOf } from "../rows/order.ts";
import { findRow, taskOfRow } from "../rows/task_row.ts";
import { lastTransitionOf, maxAttemptsOf } from "../rows/transition_log.ts";
import { dependenciesOf, openParents } from "../tasks/dependencies.ts";
import { whyHeldBack } from "./limits.ts";
import { inLine } from "./place_in_line.ts";
import { listWorkers } from "./workers.ts";

/** Why a task is where it is; `undefined` when there is none. */
export function explain(
  reader: Reader,
  idOrRunId: number | string,
  nowMs: number,
): Explanation | undefined {
  const row = typeof idOrRunId === "number"
    ? findRow(reader, idOrRunId)
    : reader.read("SELECT * FROM task_queue WHERE run_id = ?", [idOrRunId])[0];
  if (row === undefined) return undefined;
  const stored = taskOfRow(row);
  const task = { ...stored, maxAttempts: maxAttemptsOf(reader, stored) };
  const { reason, summary, data } = whyOf(reader, task, nowMs);
  return { taskId: task.id, runId: task.runId, status: task.status, reason, summary, data };
}

function whyOf(reader: Reader, task: Task, nowMs: number): Why {
  switch (task.status) {
    case "queued":
      return queued(reader, task, nowMs);
    case "leased":
      return leased(task, nowMs);
    case "completed":
    case "failed":
    case "cancelled":
      return finished(task, task.status);
  }
}

function queued(reader: Reader, task: Task, nowMs: number): Why {
  const closure = closureIn(reader);
  if (closure !== null) return inClosedQueue(task.id, closure);
  return withExpiry(waiting(reader, task, nowMs), task, nowMs);
}

/** Its parents come first, then what comes before it under its ordering key. */
function waitingForTasks(reader: Reader, task: Task, nowMs: number): Why {
  const open = openParents(reader, task.id);
  const before = predecessorOf(reader, findRow(reader, task.id)!);
  if (open.length > 0 || before === undefined) {
    return waitingForParents(task, { open, count: dependenciesOf(reader, task.id).length });
  }
  const predecessor = {
    taskId: cell(before.row, "id") as number,
    runId: cell(before.row, "run_id") as string,
    status: cell(before.row, "status") as TaskStatus,
    attempts: cell(before.row, "attempts") as number,
    runAfterMs: cell(before.row, "run_after_utc") as number,
  };
  return behindInOrder(task, { predecessor, ahead: before.count, nowMs });
}

function waiting(reader: Reader, task: Task, nowMs: number): Why {
  if (task.waitsFor > 0) return waitingForTasks(reader, task, nowMs);
  if (task.runAfter.getTime() > nowMs) {
    const isRetry = lastTransitionOf(reader, task.id)?.kind === "retried";
    return notDue(task, { isRetry, nowMs });
  }
  const held = whyHeldBack(reader, task, nowMs);
  if (held !== undefined) return held;
  const found = takersOf(task, listWorkers(reader, nowMs));
  return "why" in found ? found.why : inLine(reader, task, { workers: found.takers, nowMs });
}
