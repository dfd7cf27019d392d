/**
 * NDJSON: one task per line with every field, named as the columns of the original are; then the schedules, then limits and pauses.
 *
 * Payloads and results are written and read digit by digit: a number that a double cannot hold arrives as it was.
 */
import { messageOf } from "../domain/errors.ts";
import { isFinal, type TaskStatus } from "../domain/task.ts";
import { snakeName } from "../domain/task_body.ts";
import { KEPT_FIELD_NAMES } from "../domain/task_fields.ts";
import type { FlowRecord } from "../queue/limits.ts";
import type { ScheduleRecord } from "../queue/records.ts";
import { makeUpRunId } from "../domain/run_id.ts";
import type { ParentRecord, TaskRecord } from "../queue/records.ts";
import {
  instantOf,
  keptFields,
  keptFieldsOf,
  optionalInstantOf,
  parseExactly,
  payloadTextOf,
  webhookOf,
} from "./line_fields.ts";
import { limitOfLine } from "./limit_line.ts";
import { scheduleOfLine } from "./schedule_line.ts";
import {
  type ReadTasks,
  returnedToQueue,
  type TransferProblem,
  type TransferProgress,
} from "./task_file.ts";

/** The fields of a line. */
const FIELDS = [
  "id",
  "run_id",
  ...KEPT_FIELD_NAMES.map(snakeName),
  "payload",
  "status",
  "attempts",
  "run_after_utc",
  "lease_until_utc",
  "reserved_at_utc",
  "processing_started_utc",
  "finished_at_utc",
  "created_at_utc",
  "updated_at_utc",
  "locked_by",
  "lease_token",
  "error_message",
  "result",
  "progress_percent",
  "progress_message",
  "trace_parent",
  "unique_key",
  "ordering_place",
  "parents",
  "webhook",
] as const;

type Field = typeof FIELDS[number];

type Line = Readonly<Partial<Record<Field, unknown>>>;

/** A task's line, or a schedule's, or a limit's. */
type AnyLine = Line & { readonly schedule?: unknown; readonly limit?: unknown };

/** How many lines lie between two reports of progress. */
const REPORT_EVERY = 1000;

/** The line of a task, without its end. */
export function lineOf(record: TaskRecord): string {
  const fields: Record<Field, unknown> = {
    id: record.id,
    run_id: record.runId,
    ...keptFields(record, KEPT_FIELD_NAMES),
    payload: parseExactly(record.payloadText),
    status: record.status,
    attempts: record.attempts,
    run_after_utc: record.runAfter,
    lease_until_utc: record.leaseUntil,
    reserved_at_utc: record.reservedAt,
    processing_started_utc: record.processingStarted,
    finished_at_utc: record.finishedAt,
    created_at_utc: record.createdAt,
    updated_at_utc: record.updatedAt,
    locked_by: record.lockedBy,
    lease_token: record.leaseToken,
    error_message: record.errorMessage,
    result: record.resultText === null ? null : parseExactly(record.resultText),
    progress_percent: record.progress,
    progress_message: record.progressMessage,
    trace_parent: record.traceParent,
    unique_key: record.uniqueKey,
    ordering_place: record.orderingPlace,
    parents: record.parents.map(({ taskId, runId, onFailure, state }) => {
      return { task_id: taskId, run_id: runId, on_failure: onFailure, state };
    }),
    webhook: record.webhook,
  };
  return JSON.stringify(fields);
}

/** The tasks and schedules in a string; blank lines are passed over. */
export function readNdjson(
  text: string,
  onProgress: (progress: TransferProgress) => void,
): ReadTasks {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const records: TaskRecord[] = [];
  const schedules: ScheduleRecord[] = [];
  const limits: FlowRecord[] = [];
  const problems: TransferProblem[] = [];
  const unknown = new Set<string>();
  let [found, returned] = [0, 0];
  for (const [i, line] of lines.entries()) {
    const done = i + 1;
    if (done % REPORT_EVERY === 0) onProgress({ phase: "read", done, total: lines.length });
    if (line.trim() === "") continue;
    const read = readLine(line, unknown);
    if ("firings" in read) {
      schedules.push(read);
      continue;
    }
    if ("scope" in read) {
      limits.push(read);
      continue;
    }
    found++;
    if ("reason" in read) {
      problems.push({ id: read.id, reason: `line ${done}: ${read.reason}` });
      continue;
    }
    if (read.status === "leased") returned++;
    records.push(read.status === "leased" ? returnedToQueue(read) : read);
  }
  const notes = [...unknown].map((field) => `field ${field} is unknown and is not carried over`);
  return { found, records, schedules, limits, problems, returned, notes };
}

function readLine(
  text: string,
  unknown: Set<string>,
): TaskRecord | ScheduleRecord | FlowRecord | TransferProblem {
  let id: number | null = null;
  try {
    const line = parseLine(text);
    const exact = parseExactly(text) as AnyLine;
    if (line.schedule !== undefined) return scheduleOfLine(line.schedule, exact.schedule);
    if (line.limit !== undefined) return limitOfLine(line.limit);
    if (typeof line.id === "number") id = line.id;
    for (const name of Object.keys(line)) if (!isField(name)) unknown.add(name);
    return recordOf(line, exact);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    return { id, reason: messageOf(error) };
  }
}

function parseLine(text: string): AnyLine {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch (cause) {
    throw new TypeError(`it is not JSON (${messageOf(cause)})`, { cause });
  }
  if (typeof line === "object" && line !== null && !Array.isArray(line)) return line;
  throw new TypeError("it is not a JSON object");
}

function isField(name: string): name is Field {
  return (FIELDS as readonly string[]).includes(name);
}

/** What is missing has the value that a new task has; the queue checks the rest. */
function recordOf(line: Line, exact: Line): TaskRecord {
  const status = line.status as TaskStatus;
  const createdAt = instantOf(line, "created_at_utc");
  const updatedAt = optionalInstantOf(line, "updated_at_utc") ?? createdAt;
  return {
    id: line.id as number,
    runId: (line.run_id ?? makeUpRunId(line.id)) as string,
    ...keptFieldsOf(line, KEPT_FIELD_NAMES),
    payloadText: payloadTextOf(exact),
    status,
    attempts: (line.attempts ?? 0) as number,
    runAfter: optionalInstantOf(line, "run_after_utc") ?? createdAt,
    leaseUntil: optionalInstantOf(line, "lease_until_utc"),
    reservedAt: optionalInstantOf(line, "reserved_at_utc"),
    processingStarted: optionalInstantOf(line, "processing_started_utc"),
    finishedAt: isFinal(status) ? optionalInstantOf(line, "finished_at_utc") ?? updatedAt : null,
    createdAt,
    updatedAt,
    lockedBy: (line.locked_by ?? null) as string | null,
    leaseToken: (line.lease_token ?? 0) as number,
    errorMessage: (line.error_message ?? null) as string | null,
    resultText: exact.result === undefined || exact.result === null
      ? null
      : JSON.stringify(exact.result),
    progress: (line.progress_percent ?? null) as number | null,
    progressMessage: (line.progress_message ?? null) as string | null,
    traceParent: (line.trace_parent ?? null) as string | null,
    uniqueKey: (line.unique_key ?? null) as string | null,
    orderingPlace: (line.ordering_place ?? null) as number | null,
    parents: parentsOf(line.parents ?? []),
    webhook: webhookOf(line.webhook ?? null),
  };
}

function parentsOf(value: unknown): readonly ParentRecord[] {
  if (!Array.isArray(value)) throw new TypeError("parents: an array is needed");
  return value.map((parent: unknown) => {
    if (typeof parent !== "object" || parent === null) {
      throw new TypeError("parents: JSON objects are needed");
    }
    const fields = parent as Readonly<Record<string, unknown>>;
    return {
      taskId: fields.task_id,
      runId: fields.run_id,
      onFailure: fields.on_failure,
      state: fields.state,
    } as ParentRecord;
  });
}
