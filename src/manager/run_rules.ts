/**
 * What both managers demand of a run and of its work, so that one can take the place of the other.
 */
import { resolveRetryPolicy } from "../domain/backoff.ts";
import { messageOf, QueueError } from "../domain/errors.ts";
import { toJsonText } from "../domain/json.ts";
import type { Run } from "../domain/run.ts";
import { checkInteger, checkName, TASK_LIMITS } from "../domain/task.ts";
import type { TaskContext } from "../worker/handler_registry.ts";
import type { RunRegistry } from "./run_registry.ts";
import type { TaskWork } from "./task_manager.ts";

/** The message of a run that was cancelled. */
export const CANCELLED_BY_USER = "Cancelled by user";

/** The message of a run that was active when its process ended, and of which nothing else is known. */
export const PROCESS_ENDED = "The process ended before this run did";

/** How long closing waits for active runs unless told otherwise, in milliseconds. */
export const GRACE_DEFAULT_MS = 10_000;

/** What else decides whether a run can be started. */
export interface NewRunRules {
  /** Whether a run with its id is active in this manager. */
  readonly active: boolean;
  /** How large its parameters may be; default 256 KiB. */
  readonly payloadMaxBytes?: number;
}

/**
 * Checks that `run` can be started: its fields are in range, and nobody started a run with this id before.
 *
 * @throws TypeError, RangeError for a field out of its range.
 * @throws QueueError `run_id_conflict`.
 */
export function checkNewRun(run: Run, registry: RunRegistry, rules: NewRunRules): void {
  if (checkName(run.runId, "run id", TASK_LIMITS.runIdMaxLength) !== run.runId) {
    throw new TypeError(
      `Cannot use ${JSON.stringify(run.runId)} as run id: surrounding blanks are not allowed`,
    );
  }
  checkName(run.moduleId, "module id", TASK_LIMITS.typeMaxLength);
  checkInteger(run.priority, "priority", TASK_LIMITS.priorityMin, TASK_LIMITS.priorityMax);
  if (run.maxAttempts !== undefined) {
    const { maxAttemptsMin, maxAttemptsMax } = TASK_LIMITS;
    checkInteger(run.maxAttempts, "maxAttempts", maxAttemptsMin, maxAttemptsMax);
  }
  resolveRetryPolicy(run.retryPolicy);
  toJsonText(run.parameters, "parameters", rules.payloadMaxBytes ?? TASK_LIMITS.payloadMaxBytes);
  const known = registry.getRun(run.runId) ?? run;
  if (rules.active || known !== run || known.status !== "queued") {
    throw new QueueError(
      "run_id_conflict",
      `Cannot start run ${
        JSON.stringify(run.runId)
      }: a run with this id is ${known.status} already`,
    );
  }
}

/**
 * Checks that `work` is a function or a promise.
 *
 * A promise is taken over at once: whatever becomes of the run, its rejection is never unhandled.
 *
 * @throws TypeError when it is neither.
 */
export function takeWork(work: unknown): asserts work is TaskWork {
  if (typeof work === "function") return;
  if (!(work instanceof Promise)) {
    throw new TypeError(
      `Cannot run ${
        work === null ? "null" : typeof work
      } as work: a function or a promise is needed`,
    );
  }
  // Who runs the work awaits the promise itself; this only covers the time until then.
  work.catch(() => {});
}

/**
 * Does the work and resolves to its value as JSON; `undefined` counts as `null`.
 *
 * @throws TypeError, RangeError when the value is not JSON or too large; otherwise whatever the work throws.
 */
export async function perform(work: TaskWork, context: TaskContext): Promise<unknown> {
  const value = await (typeof work === "function" ? work(context) : work);
  return JSON.parse(toJsonText(value ?? null, "result", TASK_LIMITS.resultMaxBytes));
}

/** The message of a run whose work threw `thrown`: never blank, at most 4,000 characters. */
export function failureMessage(thrown: unknown): string {
  const message = messageOf(thrown) || "failed without a message";
  return message.slice(0, TASK_LIMITS.errorMessageMaxLength);
}

/**
 * A grace time in milliseconds, or its default.
 *
 * @throws RangeError when it is negative or no number.
 */
export function resolveGraceMs(graceMs: number | undefined): number {
  const resolved = graceMs ?? GRACE_DEFAULT_MS;
  if (resolved >= 0) return resolved;
  throw new RangeError(`Cannot use ${resolved} as graceMs: a number of at least 0 is needed`);
}

/** The run with this id. @throws QueueError `task_not_found`. */
export function knownRun(registry: RunRegistry, runId: string): Run {
  const run = registry.getRun(runId);
  if (run !== undefined) return run;
  throw new QueueError(
    "task_not_found",
    `Cannot find run ${JSON.stringify(runId)}: it was never started, or cleaned up`,
  );
}

/** What a manager throws when it is asked to start something after closing. */
export function closedError(what: string): QueueError {
  return new QueueError("queue_closed", `Cannot ${what}: the task manager is closed`);
}
