/**
 * Task files: what was read of a file that tasks are imported from.
 */
import type { FlowRecord } from "../queue/limits.ts";
import type { ScheduleRecord } from "../queue/records.ts";
import type { TaskRecord } from "../queue/records.ts";

/** The formats that tasks are carried in. */
export const TRANSFER_FORMATS = ["original", "ndjson"] as const;

/** `original`: a SQLite database of the Python system. `ndjson`: one task, schedule or limit per line with every field. */
export type TransferFormat = typeof TRANSFER_FORMATS[number];

/** Why a row, a line or a task cannot be carried. */
export interface TransferProblem {
  /** The id of the task; `null` when it could not be read. */
  readonly id: number | null;
  /** The problem, for people. */
  readonly reason: string;
}

/** How far something is. */
export interface TransferProgress {
  /** What is being done. */
  readonly phase: "read" | "store" | "verify" | "write";
  /** How many tasks of `total` it was done with. */
  readonly done: number;
  /** Tasks in all. */
  readonly total: number;
}

/** The tasks and schedules of a file. */
export interface TaskFile {
  /** Where it is. */
  readonly path: string;
  /** What it is. */
  readonly format: TransferFormat;
  /** How many rows or lines it has, those of schedules not counted. */
  readonly found: number;
  /** The tasks that could be read. */
  readonly records: readonly TaskRecord[];
  /** The schedules that could be read. */
  readonly schedules: readonly ScheduleRecord[];
  /** The limits and pauses that could be read. */
  readonly limits: readonly FlowRecord[];
  /** Those that could not. */
  readonly problems: readonly TransferProblem[];
  /** How many tasks were leased or in progress, and come in as queued. */
  readonly returned: number;
  /** What the file has and the tasks do not, one sentence each. */
  readonly notes: readonly string[];
}

/** What a reader of one format gives. */
export type ReadTasks = Omit<TaskFile, "path" | "format">;

/**
 * A task whose lease holds elsewhere, as one that waits. The attempt that was under way is given back when it was the last:
 * a queued task has one left.
 */
export function returnedToQueue(record: TaskRecord): TaskRecord {
  return {
    ...record,
    status: "queued",
    leaseUntil: null,
    attempts: Math.min(record.attempts, record.maxAttempts - 1),
  };
}

/** The same for a task of this system, where the attempt under way counts already: as `release`, it gives that one back. */
export function returnedFromLease(record: TaskRecord): TaskRecord {
  if (record.status !== "leased") return record;
  return returnedToQueue({ ...record, attempts: record.attempts - 1 });
}
