/**
 * Explanations that follow from the task and its workers alone: a reason, one sentence, and its data.
 */
import { capabilitiesOf, isCapable, missingPairs } from "../domain/capability.ts";
import { durationText } from "../domain/duration_text.ts";
import type { FinalStatus } from "../domain/final_status.ts";
import type { Task, TaskStatus } from "../domain/task.ts";
import type { ExplanationReason } from "../queue/operator.ts";
import type { WorkerRecord } from "../queue/workers.ts";

/** A parent that is not final. */
export interface OpenParent {
  readonly taskId: number;
  readonly runId: string;
  readonly status: TaskStatus;
}

/** How many parents the sentence names. */
const PARENTS_NAMED = 3;

/** Parents of the task are not final; `count` is how many it has in all. */
export function waitingForParents(
  { id }: Task,
  { open, count }: { readonly open: readonly OpenParent[]; readonly count: number },
): Why {
  const named = open.slice(0, PARENTS_NAMED).map(({ taskId, status }) => `${taskId} (${status})`);
  const more = open.length - named.length;
  const tasks = `${open.length === 1 ? "task" : "tasks"} ${named.join(", ")}${
    more > 0 ? ` and ${more} more` : ""
  }`;
  return {
    reason: "waiting_for_parents",
    summary: `Task ${id} waits for ${open.length} of its ${count} ${
      count === 1 ? "parent" : "parents"
    } to end: ${tasks}`,
    data: {
      parents: open.map(({ taskId, runId, status }) => ({
        task_id: taskId,
        run_id: runId,
        status,
      })),
      parents_in_all: count,
    },
  };
}

/** Whose turn comes before another's under its ordering key. */
export interface Predecessor extends OpenParent {
  readonly attempts: number;
  /** When it may be claimed, in milliseconds since 1970. */
  readonly runAfterMs: number;
}

/** Another task's turn comes first under the task's ordering key, or one before it has failed and holds it up. */
export function behindInOrder(
  { id, orderingKey, onPredecessorFailure }: Task,
  { predecessor: { taskId, runId, status, attempts, runAfterMs }, ahead, nowMs }: {
    readonly predecessor: Predecessor;
    /** How many that are not final come before it. */
    readonly ahead: number;
    readonly nowMs: number;
  },
): Why {
  const key = JSON.stringify(orderingKey);
  const isHeld = status === "failed" && onPredecessorFailure === "hold";
  const runAfter = iso(new Date(runAfterMs));
  const due = status === "queued" && runAfterMs > nowMs
    ? attempts > 0 ? `, attempt ${attempts + 1} at ${runAfter}` : `, due at ${runAfter}`
    : "";
  const which = `task ${taskId} (${status}${due})`;
  return {
    reason: "behind_in_order",
    summary: isHeld
      ? `Task ${id} waits until ${which}, which comes before it under ordering key ${key}, has been retried and has completed, or is cancelled or removed`
      : `Task ${id} waits for ${which}, which has the same ordering key ${key} and comes first${
        ahead > 1 ? `; ${ahead} of that key come before it in all` : ""
      }`,
    data: {
      ordering_key: orderingKey,
      predecessor: { task_id: taskId, run_id: runId, status, attempts, run_after: runAfter },
      ahead,
      is_held_by_failure: isHeld,
    },
  };
}

/** Why a queued task is not running, with when it expires; one that has not started by then is only about to be ended. */
export function withExpiry(
  { reason, summary, data }: Why,
  { id, expiresAt, leaseToken }: Task,
  nowMs: number,
): Why {
  if (expiresAt === null || leaseToken > 0) return { reason, summary, data };
  const at = iso(expiresAt);
  if (expiresAt.getTime() <= nowMs) {
    const ends = `Task ${id} expired at ${at}: it is cancelled by itself within seconds`;
    return { reason: "expired", summary: ends, data: { expires_at: at } };
  }
  return {
    reason,
    summary: `${summary}; it is cancelled by itself if it has not started by ${at}`,
    data: { ...data, expires_at: at },
  };
}

/** The task's time has not come; `isRetry` when a failed attempt made it wait. */
export function notDue(
  { id, runAfter, attempts, maxAttempts, errorMessage }: Task,
  { isRetry, nowMs }: { readonly isRetry: boolean; readonly nowMs: number },
): Why {
  const until = `until ${iso(runAfter)}, in ${durationText(runAfter.getTime() - nowMs)}`;
  const data = { run_after: iso(runAfter) };
  if (!isRetry) {
    const summary = `Task ${id} is scheduled: it waits ${until}`;
    return { reason: "scheduled", summary, data };
  }
  return {
    reason: "waiting_for_retry",
    summary: `Task ${id} waits ${until}, for attempt ${
      attempts + 1
    } of ${maxAttempts}, because attempt ${attempts} failed: ${oneLine(errorMessage)}`,
    data: { ...data, attempts, max_attempts: maxAttempts, error_message: errorMessage },
  };
}

/** The active workers that can take a due task, or why there are none. */
export function takersOf(
  task: Task,
  workers: readonly WorkerRecord[],
): { readonly takers: readonly WorkerRecord[] } | { readonly why: Why } {
  const live = workers.filter(({ state }) => state === "active");
  const handling = live.filter(({ types }) => types.includes(task.type));
  const takers = handling.filter(({ capabilities }) =>
    isCapable(capabilitiesOf(capabilities), task.compatibility)
  );
  if (live.length === 0) return { why: noWorker(task) };
  if (handling.length === 0) return { why: noHandler(task, live) };
  return takers.length === 0 ? { why: noCapableWorker(task, handling) } : { takers };
}

/** No worker sent a heartbeat lately. */
function noWorker(task: Task): Why {
  const summary =
    `Task ${task.id} is due, but no worker lives: none has sent a heartbeat within 60 s`;
  return { reason: "no_worker", summary, data: { type: task.type } };
}

/** Workers are live, and none has a handler for the task's type. */
function noHandler(task: Task, live: readonly WorkerRecord[]): Why {
  const summary = `Task ${task.id} is due, but no live worker has a handler for ${
    JSON.stringify(task.type)
  } (of ${live.length})`;
  return {
    reason: "no_handler",
    summary,
    data: {
      type: task.type,
      workers: live.map(({ workerId, types }) => ({ worker_id: workerId, types })),
    },
  };
}

/** Workers have a handler, and none has the capabilities. */
function noCapableWorker(task: Task, handling: readonly WorkerRecord[]): Why {
  const lacking = handling.map((worker) => ({
    worker_id: worker.workerId,
    lacks: missingPairs(capabilitiesOf(worker.capabilities), task.compatibility),
  }));
  const wanted =
    lacking.reduce((least, each) =>
      Object.keys(each.lacks).length < Object.keys(least.lacks).length ? each : least
    ).lacks;
  return {
    reason: "no_capable_worker",
    summary: `Task ${task.id} is due, but no live worker with a handler for ${
      JSON.stringify(task.type)
    } has the capabilities it needs; nearest lacks ${JSON.stringify(wanted)}`,
    data: { compatibility: task.compatibility, workers: lacking },
  };
}

/** A worker holds the task, or held it until its lease expired. */
export function leased(task: Task, nowMs: number): Why {
  const { id, attempts, maxAttempts, lockedBy, leaseUntil, processingStarted } = task;
  const worker = JSON.stringify(lockedBy);
  const data = {
    worker_id: lockedBy,
    since: instant(processingStarted),
    lease_until: instant(leaseUntil),
    attempts,
    max_attempts: maxAttempts,
    progress_percent: task.progress,
    progress_message: task.progressMessage,
  };
  if (leaseUntil !== null && leaseUntil.getTime() <= nowMs) {
    const summary = `Worker ${worker} stopped renewing its lease of task ${id}, which ended at ${
      iso(leaseUntil)
    }: the task will be rescued within seconds`;
    return { reason: "lease_expired", summary, data };
  }
  const summary = `Task ${id} is leased by worker ${worker} since ${
    instant(processingStarted)
  }, attempt ${attempts} of ${maxAttempts}, until ${instant(leaseUntil)} unless renewed`;
  return { reason: "leased", summary, data };
}

/** The task has ended. */
export function finished(
  task: Task,
  status: FinalStatus,
): Why {
  const { id, attempts, maxAttempts, errorMessage, finishedAt, lockedBy } = task;
  const data = {
    finished_at: instant(finishedAt),
    attempts,
    max_attempts: maxAttempts,
    worker_id: lockedBy,
    error_message: errorMessage,
  };
  const at = `at ${instant(finishedAt)}`;
  const endings = {
    completed: `in attempt ${attempts} of ${maxAttempts} by worker ${JSON.stringify(lockedBy)}`,
    failed: attempts === 0
      ? `before its first attempt, because: ${oneLine(errorMessage)}`
      : `in attempt ${attempts} of ${maxAttempts}, because: ${oneLine(errorMessage)}`,
    cancelled: `because: ${oneLine(errorMessage)}`,
  };
  const verb = status === "cancelled" ? "was cancelled" : status;
  return { reason: status, summary: `Task ${id} ${verb} ${at} ${endings[status]}`, data };
}

/** A message without line breaks. */
function oneLine(text: string | null): string {
  return (text ?? "no reason given").trim().replace(/\s*\n\s*/g, " ");
}

/** An instant as ISO 8601. */
function iso(at: Date): string {
  return at.toISOString();
}

function instant(at: Date | null): string | null {
  return at?.toISOString() ?? null;
}

/** A reason, before the task's names are added. */
export interface Why {
  /** For programs. */
  readonly reason: ExplanationReason;
  /** For people. */
  readonly summary: string;
  /** What the sentence says, for programs. */
  readonly data: Readonly<Record<string, unknown>>;
}
