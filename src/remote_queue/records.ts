/**
 * Records on their way to and from a server: one table of the fields for both directions.
 */
import { PARENT_FAILURE_POLICIES, TASK_STATUSES } from "../domain/task.ts";
import { snakeName } from "../domain/task_fields.ts";
import type { RetryPolicy } from "../domain/backoff.ts";
import {
  DEPENDENCY_STATES,
  type ParentRecord,
  type QueueRecords,
  type RecordImport,
  type RecordImportRequest,
  type RecordProblem,
  type ScheduleImport,
  type ScheduleRecord,
  type TaskRecord,
} from "../queue/records.ts";
import { CATCH_UP_POLICIES } from "../queue/schedule.ts";
import {
  type Decode,
  field,
  type Fields,
  flag,
  ForeignAnswer,
  instant,
  list,
  nullable,
  number,
  object,
  oneOf,
  pairs,
  text,
} from "./answer.ts";
import { retryPolicy, webhook } from "./answers.ts";
import type { Body } from "./request.ts";

const parentFields: Fields<ParentRecord> = {
  taskId: number,
  runId: text,
  onFailure: oneOf(PARENT_FAILURE_POLICIES),
  state: oneOf(DEPENDENCY_STATES),
};

const taskFields: Fields<TaskRecord> = {
  id: number,
  runId: text,
  type: text,
  priority: number,
  payloadText: text,
  resultText: nullable(text),
  compatibility: pairs,
  status: oneOf(TASK_STATUSES),
  attempts: number,
  maxAttempts: number,
  runAfter: ["run_after_utc", instant],
  leaseUntil: ["lease_until_utc", nullable(instant)],
  reservedAt: ["reserved_at_utc", nullable(instant)],
  processingStarted: ["processing_started_utc", nullable(instant)],
  finishedAt: ["finished_at_utc", nullable(instant)],
  createdAt: ["created_at_utc", instant],
  updatedAt: ["updated_at_utc", instant],
  lockedBy: nullable(text),
  leaseToken: number,
  errorMessage: nullable(text),
  idempotencyKey: nullable(text),
  progress: ["progress_percent", nullable(number)],
  progressMessage: nullable(text),
  retryPolicy: nullable(retryPolicy),
  timeoutMs: nullable(number),
  traceParent: nullable(text),
  parents: list(object(parentFields)),
  webhook: nullable(webhook),
};

const scheduleFields: Fields<ScheduleRecord> = {
  id: text,
  type: text,
  payloadText: text,
  priority: number,
  compatibility: pairs,
  maxAttempts: number,
  retryPolicy: nullable(retryPolicy),
  timeoutMs: nullable(number),
  everyMs: nullable(number),
  cron: nullable(text),
  timeZone: text,
  catchUp: oneOf(CATCH_UP_POLICIES),
  catchUpMax: number,
  overlap: flag,
  paused: flag,
  webhook: nullable(webhook),
  nextAt: nullable(instant),
  lastFiredAt: nullable(instant),
  lastRunId: nullable(text),
  firings: number,
  createdAt: instant,
  updatedAt: instant,
};

const policyFields: Fields<RetryPolicy> = {
  initialDelayMs: number,
  multiplier: number,
  maxDelayMs: number,
};

const taskRecord = object(taskFields);
const scheduleRecord = object(scheduleFields);
const counts = object<{ readonly tasks: number; readonly schedules: number }>({
  tasks: number,
  schedules: number,
});
const problems = list(object<RecordProblem>({ id: nullable(number), reason: text }));

/** What came of an import. */
export const imported: Decode<RecordImport> = object<RecordImport>({
  stored: flag,
  additions: list(number),
  storedIds: list(number),
  present: list(number),
  gone: list(number),
  problems,
  conflicts: problems,
  schedules: object<ScheduleImport>({ additions: list(text), present: list(text) }),
});

/** The records in the lines of an export. @throws ForeignAnswer */
export async function readRecords(lines: AsyncIterable<string>): Promise<QueueRecords> {
  const [tasks, schedules]: [TaskRecord[], ScheduleRecord[]] = [[], []];
  let isWhole = false;
  for await (const line of lines) {
    const value = parse(line);
    if ("task" in value) tasks.push(field("task", taskRecord)(value));
    else if ("schedule" in value) schedules.push(field("schedule", scheduleRecord)(value));
    else {
      const end = field("end", counts)(value);
      isWhole = end.tasks === tasks.length && end.schedules === schedules.length;
    }
  }
  if (isWhole) return { tasks, schedules };
  throw new ForeignAnswer(`${tasks.length} tasks were answered, and then nothing`);
}

/** The body that imports records. */
export function importBody(
  tasks: readonly TaskRecord[],
  { schedules = [], dryRun, skipInvalid, renumber }: RecordImportRequest,
): Body {
  return {
    tasks: tasks.map((record) => ({
      ...encode(record, taskFields),
      retry_policy: record.retryPolicy && encode(record.retryPolicy, policyFields),
      parents: record.parents.map((parent) => encode(parent, parentFields)),
    })),
    schedules: schedules.map((record) => ({
      ...encode(record, scheduleFields),
      retry_policy: record.retryPolicy && encode(record.retryPolicy, policyFields),
    })),
    ...{ dry_run: dryRun, skip_invalid: skipInvalid, renumber },
  };
}

/** An object under the names of its fields in JSON; instants become ISO 8601 when that is written. */
function encode<T extends object>(value: T, fields: Fields<T>): Body {
  const names = Object.keys(fields) as (keyof T & string)[];
  return Object.fromEntries(names.map((name) => {
    const known = fields[name];
    return [Array.isArray(known) ? known[0] : snakeName(name), value[name]];
  }));
}

function parse(line: string): Record<string, unknown> {
  try {
    return pairs(JSON.parse(line));
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    throw new ForeignAnswer("a line was answered that is not JSON");
  }
}
