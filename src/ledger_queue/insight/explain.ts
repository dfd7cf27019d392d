/**
 * Explaining: why a task is where it is, in one sentence and as data.
 *
 * A queued task is asked one question after the other, and the first that holds it back is the reason: are its parents
 * final, is it due, does a worker live, has one a handler for its type, the capabilities it needs; then its place in their line (`place_in_line.ts`).
 */
import { capabilitiesOf, isCapable } from "../../domain/capability.ts";
import { durationText } from "../../domain/duration_text.ts";
import type { Task } from "../../domain/task.ts";
import type { Reader } from "../../ledger/replica.ts";
import type { Explanation } from "../../queue/operator.ts";
import {
  finished,
  iso,
  leased,
  noCapableWorker,
  noHandler,
  noWorker,
  oneLine,
  type Why,
} from "../../queue_policy/explanation.ts";
import { findRow, taskOfRow } from "../rows/task_row.ts";
import { lastTransitionOf, maxAttemptsOf } from "../rows/transition_log.ts";
import { dependenciesOf, openParents } from "../tasks/dependencies.ts";
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
      if (task.waitsFor > 0) return waitingForParents(reader, task);
      return task.runAfter.getTime() > nowMs
        ? notDue(reader, task, nowMs)
        : notTaken(reader, task, nowMs);
    case "leased":
      return leased(task, nowMs);
    case "completed":
    case "failed":
    case "cancelled":
      return finished(task, task.status);
  }
}

// --- held up by parents

/** How many parents the sentence names. */
const PARENTS_NAMED = 3;

function waitingForParents(reader: Reader, { id }: Task): Why {
  const all = dependenciesOf(reader, id).length;
  const open = openParents(reader, id);
  const named = open.slice(0, PARENTS_NAMED).map(({ taskId, status }) => `${taskId} (${status})`);
  const more = open.length - named.length;
  const tasks = `${open.length === 1 ? "task" : "tasks"} ${named.join(", ")}${
    more > 0 ? ` and ${more} more` : ""
  }`;
  return {
    reason: "waiting_for_parents",
    summary: `Task ${id} waits for ${open.length} of its ${all} ${
      all === 1 ? "parent" : "parents"
    } to end: ${tasks}`,
    data: {
      parents: open.map(({ taskId, runId, status }) => ({
        task_id: taskId,
        run_id: runId,
        status,
      })),
      parents_in_all: all,
    },
  };
}

// --- not due

function notDue(reader: Reader, task: Task, nowMs: number): Why {
  const until = `until ${iso(task.runAfter)}, in ${durationText(task.runAfter.getTime() - nowMs)}`;
  const data = { run_after: iso(task.runAfter) };
  if (lastTransitionOf(reader, task.id)?.kind !== "retried") {
    return {
      reason: "scheduled",
      summary: `Task ${task.id} is scheduled: it waits ${until}`,
      data,
    };
  }
  const { id, attempts, maxAttempts, errorMessage } = task;
  return {
    reason: "waiting_for_retry",
    summary: `Task ${id} waits ${until}, for attempt ${
      attempts + 1
    } of ${maxAttempts}, because attempt ${attempts} failed: ${oneLine(errorMessage)}`,
    data: { ...data, attempts, max_attempts: maxAttempts, error_message: errorMessage },
  };
}

// --- due

function notTaken(reader: Reader, task: Task, nowMs: number): Why {
  const live = listWorkers(reader, nowMs).filter(({ state }) => state === "active");
  const handling = live.filter(({ types }) => types.includes(task.type));
  const capable = handling.filter((worker) =>
    isCapable(capabilitiesOf(worker.capabilities), task.compatibility)
  );
  if (live.length === 0) return noWorker(task);
  if (handling.length === 0) return noHandler(task, live);
  if (capable.length === 0) return noCapableWorker(task, handling);
  return inLine(reader, task, { workers: capable, nowMs });
}
