/**
 * Task records: tasks as they are stored, on their way from one queue to another.
 *
 * JSON stays text, so what a program once wrote (a number of twenty digits) arrives as it was.
 */
import {
  checkArray,
  checkInstant,
  checkInteger,
  checkName,
  checkOneOf,
  isPercent,
} from "../domain/check.ts";
import { toJsonText } from "../domain/json.ts";
import { clip } from "../domain/kept_text.ts";
import { shownValue } from "../domain/shown_value.ts";
import {
  isFinal,
  PARENT_FAILURE_POLICIES,
  type Task,
  TASK_LIMITS,
  TASK_STATUSES,
  type TaskStatus,
} from "../domain/task.ts";
import { UNIQUE_LIMITS } from "../domain/unique.ts";
import { type PreparedWebhook, prepareWebhook } from "../domain/webhook.ts";
import { DEPENDENCY_STATES, type ParentRecord, type TaskRecord } from "../queue/records.ts";
import { type KeptValues, keptValues } from "./kept_fields.ts";

/** A checked record, in the forms of its columns; instants are milliseconds since 1970. */
export interface PreparedRecord extends KeptValues {
  readonly id: number;
  readonly run_id: string;
  /** JSON. */
  readonly payload: string;
  readonly status: TaskStatus;
  readonly attempts: number;
  readonly run_after: number;
  readonly reserved_at: number | null;
  readonly processing_started: number | null;
  readonly finished_at: number | null;
  readonly created_at: number;
  readonly updated_at: number;
  readonly locked_by: string | null;
  readonly lease_token: number;
  readonly error_message: string | null;
  /** JSON. */
  readonly result: string | null;
  readonly progress_percent: number | null;
  readonly progress_message: string | null;
  readonly trace_parent: string | null;
  readonly unique_key: string | null;
  readonly ordering_place: number | null;
  readonly parents: readonly ParentRecord[];
  readonly webhook: PreparedWebhook | null;
}

/** Every status but `leased`: a lease holds in the queue that gave it. */
const CARRIED_STATUSES = TASK_STATUSES.filter((status) => status !== "leased");

/** Characters of a W3C `traceparent`. */
const TRACE_PARENT_MAX_LENGTH = 100;

const encoder = new TextEncoder();

/** The record of a task, with what a task does not say. */
export function recordOfTask(
  task: Task,
  stored: Pick<TaskRecord, "payloadText" | "resultText" | "parents" | "webhook">,
): TaskRecord {
  const { payload: _payload, result: _result, waitsFor: _waitsFor, ...fields } = task;
  return { ...fields, ...stored };
}

/**
 * Checks every field of a record, as strictly as if it had come about here.
 *
 * @throws TypeError, RangeError
 */
export function prepareRecord(record: TaskRecord, payloadMaxBytes: number): PreparedRecord {
  const { importedNumberMax } = TASK_LIMITS;
  const status = checkOneOf(record.status, CARRIED_STATUSES, "status");
  const kept = keptValues(record, checkExactName);
  return {
    id: checkInteger(record.id, "task id", 1, importedNumberMax),
    ...kept,
    run_id: checkExactName(record.runId, "run id", TASK_LIMITS.runIdMaxLength),
    payload: checkJsonText(record.payloadText, "payload", payloadMaxBytes),
    status,
    attempts: checkInteger(
      record.attempts,
      "attempts",
      0,
      isFinal(status) ? kept.max_attempts : kept.max_attempts - 1,
    ),
    run_after: checkDate(record.runAfter, "runAfter"),
    reserved_at: optional(record.reservedAt, (at) => checkDate(at, "reservedAt")),
    processing_started: optional(
      record.processingStarted,
      (at) => checkDate(at, "processingStarted"),
    ),
    finished_at: isFinal(status) ? checkDate(record.finishedAt, "finishedAt") : null,
    created_at: checkDate(record.createdAt, "createdAt"),
    updated_at: checkDate(record.updatedAt, "updatedAt"),
    ...outcomeOf(record),
    trace_parent: optional(
      record.traceParent,
      (trace) => checkName(trace, "trace parent", TRACE_PARENT_MAX_LENGTH),
    ),
    unique_key: optional(
      record.uniqueKey,
      (key) => checkExactName(key, "unique key", UNIQUE_LIMITS.keyMaxLength),
    ),
    ordering_place: orderingPlaceOf(record),
    parents: checkParents(record),
    webhook: optional(record.webhook, prepareWebhook),
  };
}

/** A task without an ordering key has no place under one. @throws TypeError, RangeError */
function orderingPlaceOf({ orderingKey, orderingPlace }: TaskRecord): number | null {
  if (orderingPlace === null) return null;
  const place = checkInteger(orderingPlace, "ordering place", 1, TASK_LIMITS.importedNumberMax);
  if (orderingKey !== null) return place;
  throw new TypeError(
    `Cannot use ${place} as ordering place: a task without an ordering key has none`,
  );
}

/** What attempts have left behind. */
function outcomeOf(record: TaskRecord): Pick<
  PreparedRecord,
  | "locked_by"
  | "lease_token"
  | "error_message"
  | "result"
  | "progress_percent"
  | "progress_message"
> {
  return {
    locked_by: optional(
      record.lockedBy,
      (worker) => checkExactName(worker, "worker id", TASK_LIMITS.workerIdMaxLength),
    ),
    lease_token: checkInteger(
      record.leaseToken,
      "lease token",
      0,
      TASK_LIMITS.importedNumberMax,
    ),
    error_message: optional(
      record.errorMessage,
      (text) => checkText(text, "error message", TASK_LIMITS.errorMessageMaxLength),
    ),
    result: optional(
      record.resultText,
      (text) => checkJsonText(text, "result", TASK_LIMITS.resultMaxBytes),
    ),
    progress_percent: optional(record.progress, checkPercent),
    progress_message: optional(
      record.progressMessage,
      (text) => checkText(text, "progress message", TASK_LIMITS.progressMessageMaxLength),
    ),
  };
}

function checkParents({ id, parents }: TaskRecord): readonly ParentRecord[] {
  checkArray(parents, "parents", "parents");
  checkInteger(parents.length, "number of parents", 0, TASK_LIMITS.parentsMax);
  for (const parent of parents as readonly ParentRecord[]) checkParent(parent);
  const ids = new Set(parents.map(({ taskId }) => taskId).concat(id));
  if (ids.size === parents.length + 1) return parents;
  throw new TypeError(`Cannot use the parents of task ${id}: one of them is there twice or itself`);
}

function checkParent({ taskId, runId, onFailure, state }: ParentRecord): void {
  const { parentsMax, importedNumberMax } = TASK_LIMITS;
  checkInteger(taskId, "task id of a parent", -parentsMax, importedNumberMax);
  checkExactName(runId, "run id of a parent", TASK_LIMITS.runIdMaxLength);
  if (!PARENT_FAILURE_POLICIES.includes(onFailure) || !DEPENDENCY_STATES.includes(state)) {
    throw new TypeError(
      `Cannot use parent ${taskId}, ${shownValue(state)} with policy ${
        shownValue(onFailure)
      }: allowed are ${DEPENDENCY_STATES.join(", ")} with ${PARENT_FAILURE_POLICIES.join(", ")}`,
    );
  }
}

/** A name that stays as it is: one that would be trimmed is refused. */
function checkExactName(value: unknown, what: string, maxLength: number): string {
  const name = checkName(value, what, maxLength);
  if (name === value) return name;
  throw new TypeError(
    `Cannot use ${JSON.stringify(value)} as ${what}: blanks around it are not allowed`,
  );
}

/** A JSON text that stays as it is. @throws TypeError, RangeError */
export function checkJsonText(text: unknown, what: string, maxBytes: number): string {
  if (typeof text !== "string") {
    throw new TypeError(`Cannot use ${shownValue(text)} as ${what}: a JSON text is needed`);
  }
  const bytes = text.length * 3 <= maxBytes ? text.length : encoder.encode(text).length;
  if (bytes > maxBytes) {
    throw new RangeError(
      `Cannot accept ${what} of ${bytes} bytes: at most ${maxBytes} are allowed`,
    );
  }
  if (!text.isWellFormed()) {
    throw new TypeError(`Cannot use ${shortened(text)} as ${what}: half a character is not stored`);
  }
  toJsonText(parseJson(text, what), what, Infinity);
  return text;
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TypeError(`Cannot use ${shortened(text)} as ${what}: it is not JSON`, { cause });
  }
}

function shortened(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40).toWellFormed()}…` : text);
}

/** The milliseconds of a valid date. @throws TypeError, RangeError */
export function checkDate(value: unknown, what: string): number {
  if (value instanceof Date) return checkInstant(value, what);
  throw new TypeError(`Cannot use ${value} as ${what}: a valid Date is needed`);
}

function checkText(text: unknown, what: string, maxLength: number): string {
  if (typeof text === "string") return clip(text, maxLength);
  throw new TypeError(`Cannot use ${shownValue(text)} as ${what}: a string is needed`);
}

function checkPercent(percent: unknown): number {
  if (isPercent(percent)) return percent;
  throw new RangeError(`Cannot use ${percent} as progress: a number from 0 to 100 is needed`);
}

function optional<T, R>(value: T | null, check: (value: T) => R): R | null {
  return value === null ? null : check(value);
}
