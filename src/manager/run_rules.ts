/**
 * The rules of both managers for a run and its work, so that one can take the place of the other.
 */
import { resolveRetryPolicy } from "../domain/backoff.ts";
import { QueueError } from "../domain/errors.ts";
import { toJsonText } from "../domain/json.ts";
import { checkSettable, completeRun, type GivenRun, type Run } from "../domain/run.ts";
import { checkInteger, checkName } from "../domain/check.ts";
import { TASK_LIMITS } from "../domain/task.ts";
import { WEBHOOK_TYPE } from "../domain/webhook.ts";
import type { TaskContext } from "../worker/handler_registry.ts";
import type { RunRegistry } from "./run_registry.ts";
import type { TaskWork } from "./task_manager.ts";

/** The message of a run that was active when its process ended, and of which nothing else is known. */
export const PROCESS_ENDED = "The process ended before this run did";

/** What else decides whether a run can be started. */
export interface NewRunRules {
  /** Whether a run with its id is active in this manager. */
  readonly active: boolean;
  /** How large its parameters may be; default 256 KiB. */
  readonly payloadMaxBytes?: number;
  /** Refuses what the handler of its type would refuse. */
  readonly checkParameters?: (type: string, parameters: unknown) => void;
}

/** The runs that a manager has taken: no other may start the same object again. */
const taken = new WeakSet<Run>();

/**
 * Takes a run that can be started: its fields are in range and can be set, and no manager has started it, or one with this id,
 * before. What it leaves out gets its default.
 *
 * @throws TypeError, RangeError for a field out of its range, or one that cannot be set.
 * @throws QueueError `run_id_conflict`.
 */
export function takeNewRun(
  run: GivenRun,
  registry: RunRegistry,
  rules: NewRunRules,
): asserts run is Run {
  completeRun(run);
  if (checkName(run.runId, "run id", TASK_LIMITS.runIdMaxLength) !== run.runId) {
    throw new TypeError(
      `Cannot use ${JSON.stringify(run.runId)} as run id: surrounding blanks are not allowed`,
    );
  }
  checkOwnType(checkName(run.moduleId, "module id", TASK_LIMITS.typeMaxLength));
  checkYear(run.createdAt);
  checkInteger(run.priority, "priority", TASK_LIMITS.priorityMin, TASK_LIMITS.priorityMax);
  if (run.maxAttempts !== undefined) {
    const { maxAttemptsMin, maxAttemptsMax } = TASK_LIMITS;
    checkInteger(run.maxAttempts, "maxAttempts", maxAttemptsMin, maxAttemptsMax);
  }
  resolveRetryPolicy(run.retryPolicy);
  toJsonText(run.parameters, "parameters", rules.payloadMaxBytes ?? TASK_LIMITS.payloadMaxBytes);
  rules.checkParameters?.(run.moduleId, run.parameters);
  checkSettable(run);
  const known = registry.getRun(run.runId) ?? run;
  if (rules.active || known !== run || known.status !== "queued" || taken.has(run)) {
    throw new QueueError(
      "run_id_conflict",
      `Cannot start run ${
        JSON.stringify(run.runId)
      }: a run with this id is ${known.status} already`,
    );
  }
  taken.add(run);
}

/** Refuses the type of the queue's own tasks. @throws TypeError */
export function checkOwnType(type: string): void {
  if (type !== WEBHOOK_TYPE) return;
  throw new TypeError(`Cannot use ${JSON.stringify(type)} as task type: it is reserved`);
}

/** A history could not read any other back. */
function checkYear(createdAt: Date): void {
  const year = createdAt.getUTCFullYear();
  if (year >= 0 && year <= 9999) return;
  throw new RangeError(`Cannot use a createdAt in the year ${year}: 0 to 9999 are allowed`);
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
  // The caller awaits the promise itself; this only covers the time until then.
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

/** Work that was given to a manager is done once: there is nothing that could be done again later. @throws TypeError */
export function refuseSnooze(runId: string): never {
  throw new TypeError(
    `Cannot snooze run ${
      JSON.stringify(runId)
    }: its work was given to the task manager itself, a registered handler can be snoozed`,
  );
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

/** The error of a closed manager that is asked to start something. */
export function closedError(what: string): QueueError {
  return new QueueError("queue_closed", `Cannot ${what}: the task manager is closed`);
}
