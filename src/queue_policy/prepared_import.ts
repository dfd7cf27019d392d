/**
 * What an import brings, checked before the queue is touched: each record alone, and all of them beside each other.
 */
import { checkArray, checkOneOf } from "../domain/check.ts";
import { messageOf } from "../domain/errors.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { TASK_LIMITS, TASK_STATUSES, type TaskStatus } from "../domain/task.ts";
import { FLOW_LIMITS, type FlowRecord } from "../queue/limits.ts";
import type {
  RecordImportRequest,
  RecordProblem,
  RecordRequest,
  ScheduleRecord,
  TaskRecord,
} from "../queue/records.ts";
import { keyOf } from "./flow.ts";
import { prepareFlowRecord, type StoredLimit } from "./limit_request.ts";
import { type PreparedScheduleRecord, prepareScheduleRecords } from "./schedule_record.ts";
import { type PreparedRecord, prepareRecord } from "./task_record.ts";

/** Checked records, in order of their ids. */
export interface PreparedImport {
  readonly records: readonly PreparedRecord[];
  readonly schedules: readonly PreparedScheduleRecord[];
  readonly limits: readonly StoredLimit[];
  readonly problems: readonly RecordProblem[];
}

const RECORD_OPTIONS = optionNames<RecordRequest>({ statuses: true });

/** The statuses that are asked for. @throws TypeError */
export function prepareRecordRequest(request: RecordRequest): TaskStatus[] {
  checkOptions(request, RECORD_OPTIONS, "exportRecords");
  const statuses = checkArray(request.statuses ?? TASK_STATUSES, "statuses", "statuses");
  return statuses.map((status) => checkOneOf(status, TASK_STATUSES, { doing: "export status" }));
}

const IMPORT_OPTIONS = optionNames<RecordImportRequest>({
  ...{ schedules: true, limits: true, dryRun: true, skipInvalid: true, renumber: true },
});

/** Checks what is to be imported as a whole. @throws TypeError */
export function checkImport(records: readonly TaskRecord[], request: RecordImportRequest): void {
  checkArray(records, "records", "tasks");
  checkOptions(request, IMPORT_OPTIONS, "importRecords");
  const { schedules = [], limits = [] } = request;
  checkArray(schedules, "schedules", "schedules");
  checkArray(limits, "limits", "limits");
}

/** Checks every record, alone and beside the others. @throws RangeError when there are too many. */
export function prepareImport(
  records: readonly TaskRecord[],
  { schedules = [], limits = [] }: {
    readonly schedules?: readonly ScheduleRecord[];
    readonly limits?: readonly FlowRecord[];
  },
  payloadMaxBytes: number,
): PreparedImport {
  if (records.length > TASK_LIMITS.importMax) {
    throw new RangeError(
      `Cannot import ${records.length} tasks at once: at most ${TASK_LIMITS.importMax} are allowed`,
    );
  }
  const problems: RecordProblem[] = [];
  const taken = new Map<string, number>();
  const prepared = [...records].sort((a, b) => a.id - b.id).flatMap((record) => {
    try {
      const checked = prepareRecord(record, payloadMaxBytes);
      claimNames(taken, checked);
      return [checked];
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
      problems.push({ id: record.id, reason: messageOf(error) });
      return [];
    }
  });
  const waiting = idsInCycles(prepared);
  const checkedLimits = prepareLimits(limits);
  const checkedSchedules = prepareScheduleRecords(schedules, payloadMaxBytes);
  return {
    schedules: checkedSchedules.schedules,
    limits: checkedLimits.limits,
    records: prepared.filter(({ id }) => !waiting.has(id)),
    problems: [
      ...problems,
      ...[...checkedSchedules.problems, ...checkedLimits.problems].map((reason) => {
        return { id: null, reason };
      }),
      ...[...waiting].map((id) => ({ id, reason: "It waits for itself, by way of its parents" })),
    ],
  };
}

/** Checks limits and pauses, alone and beside each other. @throws RangeError when there are too many. */
function prepareLimits(
  records: readonly FlowRecord[],
): { readonly limits: StoredLimit[]; readonly problems: string[] } {
  if (records.length > FLOW_LIMITS.declaredMax) {
    throw new RangeError(
      `Cannot import ${records.length} limits at once: at most ${FLOW_LIMITS.declaredMax} are allowed`,
    );
  }
  const limits = new Map<string, StoredLimit>();
  const problems: string[] = [];
  for (const record of records) {
    try {
      const limit = prepareFlowRecord(record);
      if (limits.has(keyOf(limit))) throw new TypeError("another one has this scope");
      limits.set(keyOf(limit), limit);
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
      problems.push(`Limit of ${JSON.stringify(record.scope)}: ${messageOf(error)}`);
    }
  }
  return { limits: [...limits.values()], problems };
}

/** The tasks that would wait for ever: what is left when all that wait for none of the others have gone. */
function idsInCycles(records: readonly PreparedRecord[]): ReadonlySet<number> {
  const ids = new Set(records.map(({ id }) => id));
  const children = new Map<number, number[]>();
  const waitsFor = new Map<number, number>();
  for (const { id, parents } of records) {
    const open = parents.filter(({ taskId, state }) => state === "open" && ids.has(taskId));
    if (open.length > 0) waitsFor.set(id, open.length);
    for (const { taskId } of open) {
      const known = children.get(taskId) ?? [];
      children.set(taskId, known);
      known.push(id);
    }
  }
  const free = records.map(({ id }) => id).filter((id) => !waitsFor.has(id));
  for (let i = 0; i < free.length; i++) {
    for (const child of children.get(free[i]!) ?? []) {
      const left = waitsFor.get(child)! - 1;
      if (left > 0) waitsFor.set(child, left);
      else if (waitsFor.delete(child)) free.push(child);
    }
  }
  return new Set(waitsFor.keys());
}

/** Ids, run ids and keys stand once in a file. @throws TypeError */
function claimNames(taken: Map<string, number>, record: PreparedRecord): void {
  const names = [
    `id ${record.id}`,
    `run id ${JSON.stringify(record.run_id)}`,
    ...(record.idempotency_key === null
      ? []
      : [`idempotency key ${JSON.stringify(record.idempotency_key)}`]),
  ];
  const twice = names.find((name) => taken.has(name));
  if (twice !== undefined) {
    throw new TypeError(`Cannot use ${twice} twice: record ${taken.get(twice)} has it already`);
  }
  for (const name of names) taken.set(name, record.id);
}
