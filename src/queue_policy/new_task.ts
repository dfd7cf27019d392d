/**
 * New tasks: what a caller gives, checked before any effect, in the form in which it is stored.
 */
import {
  checkArray,
  checkBoolean,
  checkInstant,
  checkInteger,
  checkLeaseDuration,
  checkName,
  checkOneOf,
} from "../domain/check.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { toJsonText } from "../domain/json.ts";
import { shownValue } from "../domain/shown_value.ts";
import {
  type NewTask,
  PARENT_FAILURE_POLICIES,
  type ParentFailurePolicy,
  TASK_LIMITS,
  type TaskReference,
} from "../domain/task.ts";
import { TASK_OPTIONS } from "../domain/task_fields.ts";
import { type PreparedWebhook, prepareWebhook, WEBHOOK_TYPE } from "../domain/webhook.ts";
import type { EnqueueOptions } from "../queue/task_queue.ts";
import { type KeptValues, keptValues } from "./kept_fields.ts";
import { type PreparedUnique, prepareUnique } from "./unique.ts";

/** The largest payload that any queue takes, in bytes; a queue's own limit may be lower. */
export const PAYLOAD_LIMIT_BYTES = 16 * 1024 * 1024;

/** What a task says of itself alone, checked, in the forms of its columns. */
export interface StorableTask {
  /** `null` for one that the queue makes. */
  readonly runId: string | null;
  readonly payload: string;
  /** `null` for now. */
  readonly runAfterMs: number | null;
  readonly uniqueKey: string | null;
  /** Its place under its ordering key, where it is to stand before tasks that are there; default its own id. */
  readonly orderingPlace?: number | null;
  readonly kept: KeptValues;
}

/** A checked `NewTask`. */
export interface PreparedTask extends StorableTask {
  readonly dependsOn: readonly TaskReference[];
  readonly onParentFailure: ParentFailurePolicy;
  readonly webhook: PreparedWebhook | null;
  /** What makes it unique; its key is `uniqueKey`. */
  readonly unique: PreparedUnique | null;
  /** The worker that the task is leased to from the start. */
  readonly leaseTo: FirstLease | null;
  /** Whether it is cancelled from the start. */
  readonly isCancelled: boolean;
}

const ENQUEUE_OPTIONS = optionNames<EnqueueOptions>({ leaseTo: true, cancelled: true, tx: true });

const LEASE_OPTIONS = optionNames<NonNullable<EnqueueOptions["leaseTo"]>>({
  workerId: true,
  leaseDurationMs: true,
});

/** Whether the task may be claimed as soon as it is stored, as far as it can tell. */
export function isDueOnceStored(
  { leaseTo, isCancelled, dependsOn, runAfterMs }: PreparedTask,
  nowMs: number,
): boolean {
  return leaseTo === null && !isCancelled && dependsOn.length === 0 && (runAfterMs ?? 0) <= nowMs;
}

/** Checks every field, before any effect. @throws TypeError, RangeError */
export function prepareTask(
  task: NewTask,
  payloadMaxBytes: number,
  options: EnqueueOptions = {},
): PreparedTask {
  if (typeof task !== "object" || task === null) {
    throw new TypeError(`Cannot enqueue ${shownValue(task)}: a task is needed`);
  }
  checkOptions(task, TASK_OPTIONS, "a task");
  checkOptions(options, ENQUEUE_OPTIONS, "enqueue");
  if (options.tx !== undefined) {
    throw new TypeError(
      "Cannot enqueue within a transaction of the caller's: tx is for a queue on PostgreSQL, which this one is not",
    );
  }
  const kept = keptValues(task);
  checkUnreserved(kept.type);
  const runAfterMs = optional(task.runAfter, (runAfter) => checkInstant(runAfter, "runAfter"));
  checkExpiry(kept.expires_at, runAfterMs);
  const unique = prepareUnique(task);
  return {
    runId: optional(task.runId, checkRunId),
    payload: toJsonText(task.payload === undefined ? {} : task.payload, "payload", payloadMaxBytes),
    kept,
    runAfterMs,
    uniqueKey: unique?.key ?? null,
    unique,
    dependsOn: checkReferences(task.dependsOn ?? []),
    onParentFailure: checkOneOf(
      task.onParentFailure ?? "fail",
      PARENT_FAILURE_POLICIES,
      "onParentFailure",
    ),
    webhook: optional(task.webhook, prepareWebhook),
    leaseTo: optional(options.leaseTo, (leaseTo) => checkFirstLease(leaseTo, task)),
    isCancelled: checkCancelled(options),
  };
}

/** A batch has an end. @throws TypeError, RangeError */
export function checkBatch(tasks: readonly NewTask[]): void {
  checkArray(tasks, "a batch", "tasks");
  checkInteger(tasks.length, "number of tasks in a batch", 0, TASK_LIMITS.batchMax);
}

/** A run id; URLs cannot name `.` and `..`: every client takes them for steps in the path. @throws TypeError */
export function checkRunId(runId: string): string {
  const checked = checkName(runId, "run id", TASK_LIMITS.runIdMaxLength);
  if (checked !== "." && checked !== "..") return checked;
  throw new TypeError(`Cannot use run id ${JSON.stringify(checked)}: no URL can name it`);
}

function checkCancelled({ cancelled = false, leaseTo }: EnqueueOptions): boolean {
  checkBoolean(cancelled, "cancelled");
  if (cancelled && leaseTo !== undefined) {
    throw new TypeError("Cannot use leaseTo together with cancelled: such a task never runs");
  }
  return cancelled;
}

function checkFirstLease(
  leaseTo: NonNullable<EnqueueOptions["leaseTo"]>,
  { runAfter, dependsOn = [], unique }: NewTask,
): FirstLease {
  checkOptions(leaseTo, LEASE_OPTIONS, "leaseTo");
  const { workerId, leaseDurationMs } = leaseTo;
  const obstacle = runAfter
    ? "runAfter"
    : dependsOn.length > 0
    ? "dependsOn"
    : unique?.mode === "debounce"
    ? "debounce"
    : undefined;
  if (obstacle !== undefined) {
    throw new TypeError(`Cannot use leaseTo together with ${obstacle}: such a task has to wait`);
  }
  return {
    workerId: checkName(workerId, "worker id", TASK_LIMITS.workerIdMaxLength),
    leaseDurationMs: checkLeaseDuration(leaseDurationMs),
  };
}

/** A task that would never run is a mistake. @throws RangeError */
export function checkExpiry(expiresAtMs: number | null, runAfterMs: number | null): void {
  if (expiresAtMs === null || runAfterMs === null || expiresAtMs > runAfterMs) return;
  const [expiresAt, runAfter] = [expiresAtMs, runAfterMs].map((ms) => new Date(ms).toISOString());
  throw new RangeError(
    `Cannot use expiresAt ${expiresAt} with runAfter ${runAfter}: it must be later, or the task would never run`,
  );
}

/** Only the queue makes deliveries: a worker signs their content. */
function checkUnreserved(type: string): void {
  if (type !== WEBHOOK_TYPE) return;
  throw new TypeError(
    `Cannot use ${
      JSON.stringify(type)
    } as task type: it is reserved, give a task a webhook instead`,
  );
}

function checkReferences(references: unknown): readonly TaskReference[] {
  const array = checkArray(
    references as readonly TaskReference[],
    "dependsOn",
    "task ids and run ids",
  );
  const { parentsMax, runIdMaxLength } = TASK_LIMITS;
  checkInteger(array.length, "number of parents", 0, parentsMax);
  return array.map((reference, i) =>
    typeof reference === "string"
      ? checkName(reference, `run id in dependsOn[${i}]`, runIdMaxLength)
      : checkInteger(reference, `task id in dependsOn[${i}]`, 1, Number.MAX_SAFE_INTEGER)
  );
}

/**
 * Checks a task as `enqueue` will, without a queue; its payload may have `payloadMaxBytes` bytes, by default 256 KiB.
 *
 * @throws TypeError, RangeError for a field out of its range.
 */
export function checkNewTask(
  task: NewTask,
  payloadMaxBytes: number = TASK_LIMITS.payloadMaxBytes,
): void {
  prepareTask(task, payloadMaxBytes);
}

function optional<T, R>(value: T | null | undefined, check: (value: T) => R): R | null {
  return value === undefined || value === null ? null : check(value);
}

/** A lease that begins with its task. */
export interface FirstLease {
  readonly workerId: string;
  readonly leaseDurationMs: number;
}
