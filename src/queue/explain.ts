/**
 * Explaining: why a task is where it is, in one sentence and as data.
 *
 * A queued task is asked one question after the other, and the first that holds it back is the reason: are its parents
 * final, is it due, does a worker live, has one a handler for its type, the capabilities it needs, do other tasks come first, is a slot free.
 */
import { canonicalJson } from "../domain/json.ts";
import type { Task } from "../domain/task.ts";
import type { Reader } from "../ledger/replica.ts";
import { dependenciesOf, openParents } from "./dependencies.ts";
import { durationText } from "./duration_text.ts";
import type { Explanation, ExplanationReason, WorkerRecord } from "./operations.ts";
import { findRow, taskOfRow } from "./task_row.ts";
import { lastTransitionOf } from "./transition_log.ts";
import { listWorkers } from "./workers.ts";

/** A reason, before the task's names are added. */
interface Why {
  readonly reason: ExplanationReason;
  readonly summary: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** How many tasks that come first are counted at most. */
const AHEAD_MAX = 100_000;

/** The statements; a test reads their plans. */
export const EXPLAIN_SQL = {
  readyAhead: `SELECT id, type, compatibility FROM task_queue INDEXED BY ready_by_priority
    WHERE is_ready = 1 AND type = ? AND compatibility = ? AND (priority, id) < (?, ?) LIMIT ?`,
  dueAhead: `SELECT id, type, compatibility FROM task_queue INDEXED BY scheduled_tasks
    WHERE status = 'queued' AND is_ready = 0 AND waits_for = 0 AND run_after_utc <= ?
      AND (priority, id) < (?, ?) LIMIT ?`,
  nextLane: `SELECT compatibility FROM task_queue INDEXED BY ready_by_priority
    WHERE is_ready = 1 AND type = ? AND compatibility > ? ORDER BY compatibility LIMIT 1`,
} as const;

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
  const task = taskOfRow(row);
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
  const capable = handling.filter((worker) => isCapable(worker, task.compatibility));
  if (live.length === 0) return noWorker(task);
  if (handling.length === 0) return noHandler(task, live);
  if (capable.length === 0) return noCapableWorker(task, handling);
  return inLine(reader, task, { workers: capable, nowMs });
}

function noWorker(task: Task): Why {
  const summary =
    `Task ${task.id} is due, but no worker lives: none has sent a heartbeat within 60 s`;
  return { reason: "no_worker", summary, data: { type: task.type } };
}

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

function noCapableWorker(task: Task, handling: readonly WorkerRecord[]): Why {
  const lacking = handling.map((worker) => ({
    worker_id: worker.workerId,
    lacks: missingPairs(worker, task.compatibility),
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

function inLine(
  reader: Reader,
  task: Task,
  { workers, nowMs }: { readonly workers: readonly WorkerRecord[]; readonly nowMs: number },
): Why {
  const ahead = countAhead(reader, task, { workers, nowMs });
  const slots = workers.reduce((sum, { concurrency }) => sum + concurrency, 0);
  const taken = workers.reduce((sum, { leasedTasks }) => sum + leasedTasks, 0);
  const data = {
    ahead,
    slots,
    slots_taken: taken,
    workers: workers.map(({ workerId }) => workerId),
  };
  const able = workers.length === 1 ? "the worker that" : `the ${workers.length} workers that`;
  const busy = `${able} can take it ${
    workers.length === 1 ? "has" : "have"
  } ${taken} of ${slots} slots in use`;
  if (ahead > 0) {
    const tasks = ahead >= AHEAD_MAX
      ? `at least ${AHEAD_MAX} tasks are`
      : ahead === 1
      ? "1 task is"
      : `${ahead} tasks are`;
    const summary =
      `Task ${task.id} is due, and ${tasks} ahead of it in order of priority; ${busy}`;
    return { reason: "behind_others", summary, data };
  }
  if (taken >= slots) {
    const summary = `Task ${task.id} is next, but ${busy}`;
    return { reason: "workers_busy", summary, data };
  }
  const summary = `Task ${task.id} is next: ${busy}`;
  return { reason: "next", summary, data };
}

/** Tasks that the same workers could take and would take first, in order of priority. */
function countAhead(
  reader: Reader,
  task: Task,
  { workers, nowMs }: { readonly workers: readonly WorkerRecord[]; readonly nowMs: number },
): number {
  const canTake = (type: string, compatibility: string): boolean => {
    const pairs = JSON.parse(compatibility) as Record<string, unknown>;
    return workers.some((worker) => worker.types.includes(type) && isCapable(worker, pairs));
  };
  let ahead = 0;
  for (const type of new Set(workers.flatMap(({ types }) => types))) {
    for (const compatibility of compatibilitiesOf(reader, type)) {
      if (ahead >= AHEAD_MAX || !canTake(type, compatibility)) continue;
      const parameters = [type, compatibility, task.priority, task.id, AHEAD_MAX - ahead];
      ahead += reader.read(EXPLAIN_SQL.readyAhead, parameters).length;
    }
  }
  const dueParameters = [nowMs, task.priority, task.id, AHEAD_MAX - ahead];
  for (const [, type, compatibility] of reader.read(EXPLAIN_SQL.dueAhead, dueParameters)) {
    if (canTake(String(type), String(compatibility))) ahead++;
  }
  return ahead;
}

function compatibilitiesOf(reader: Reader, type: string): string[] {
  const found: string[] = [];
  for (;;) {
    const [row] = reader.read(EXPLAIN_SQL.nextLane, [type, found.at(-1) ?? ""]);
    if (row === undefined) return found;
    found.push(String(row[0]));
  }
}

function isCapable(
  worker: WorkerRecord,
  compatibility: Readonly<Record<string, unknown>>,
): boolean {
  return Object.keys(missingPairs(worker, compatibility)).length === 0;
}

function missingPairs(
  { capabilities }: WorkerRecord,
  compatibility: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(compatibility).filter(([name, value]) =>
      !Object.hasOwn(capabilities, name) ||
      canonicalJson(capabilities[name]) !== canonicalJson(value)
    ),
  );
}

// --- taken

function leased(task: Task, nowMs: number): Why {
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

function finished(task: Task, status: "completed" | "failed" | "cancelled"): Why {
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

function oneLine(text: string | null): string {
  return (text ?? "no reason given").trim().replace(/\s*\n\s*/g, " ");
}

function iso(at: Date): string {
  return at.toISOString();
}

function instant(at: Date | null): string | null {
  return at?.toISOString() ?? null;
}
