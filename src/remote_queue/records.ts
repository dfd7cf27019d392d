/**
 * Records on their way to and from a server: one table of the fields for both directions.
 */
import { PARENT_FAILURE_POLICIES } from "../domain/task.ts";
import { snakeName } from "../domain/task_body.ts";
import {
  DEPENDENCY_STATES,
  type LimitImport,
  type ParentRecord,
  type QueueRecords,
  type RecordImport,
  type RecordImportRequest,
  type RecordProblem,
  type ScheduleImport,
  type ScheduleRecord,
  type TaskRecord,
} from "../queue/records.ts";
import type { FlowRecord } from "../queue/limits.ts";
import {
  type Decode,
  field,
  type Fields,
  flag,
  ForeignAnswer,
  list,
  nullable,
  number,
  object,
  oneOf,
  pairs,
  text,
} from "./answer.ts";
import { policyFields, scheduleFields, taskFields, webhook } from "./answers.ts";
import { flowFields, withScope } from "./limit_answers.ts";
import type { Body } from "./request.ts";

const parentFields: Fields<ParentRecord> = {
  taskId: number,
  runId: text,
  onFailure: oneOf(PARENT_FAILURE_POLICIES),
  state: oneOf(DEPENDENCY_STATES),
};

const taskRecordFields: Fields<TaskRecord> = {
  ...taskFields,
  payloadText: text,
  resultText: nullable(text),
  parents: list(object(parentFields)),
  webhook: nullable(webhook),
};

const scheduleRecordFields: Fields<ScheduleRecord> = {
  ...scheduleFields,
  payloadText: text,
  lastRunId: nullable(text),
};

const flowRecord = withScope<FlowRecord>(object(flowFields));
const taskRecord = object(taskRecordFields);
const scheduleRecord = object(scheduleRecordFields);
const counts = object<Readonly<Record<keyof QueueRecords, number>>>({
  tasks: number,
  schedules: number,
  limits: number,
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
  limits: object<LimitImport>({ added: number, present: number }),
});

/** The records in the lines of an export. @throws ForeignAnswer */
export async function readRecords(lines: AsyncIterable<string>): Promise<QueueRecords> {
  const [tasks, schedules]: [TaskRecord[], ScheduleRecord[]] = [[], []];
  const limits: FlowRecord[] = [];
  let isWhole = false;
  for await (const line of lines) {
    const value = parse(line);
    if ("task" in value) tasks.push(field("task", taskRecord)(value));
    else if ("schedule" in value) schedules.push(field("schedule", scheduleRecord)(value));
    else if ("limit" in value) limits.push(field("limit", flowRecord)(value));
    else {
      const end = field("end", counts)(value);
      isWhole = end.tasks === tasks.length && end.schedules === schedules.length &&
        end.limits === limits.length;
    }
  }
  if (isWhole) return { tasks, schedules, limits };
  throw new ForeignAnswer(`${tasks.length} tasks were answered, and then nothing`);
}

/** The body that imports records. */
export function importBody(
  tasks: readonly TaskRecord[],
  { schedules = [], limits = [], dryRun, skipInvalid, renumber }: RecordImportRequest,
): Body {
  return {
    tasks: tasks.map((record) => ({
      ...encode(record, taskRecordFields),
      retry_policy: record.retryPolicy && encode(record.retryPolicy, policyFields),
      parents: record.parents.map((parent) => encode(parent, parentFields)),
    })),
    schedules: schedules.map((record) => ({
      ...encode(record, scheduleRecordFields),
      retry_policy: record.retryPolicy && encode(record.retryPolicy, policyFields),
    })),
    limits: limits.map((record) => {
      const { type = null, group = null } = record.scope;
      return { ...encode(record, flowFields), type, group };
    }),
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
