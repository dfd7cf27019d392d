/**
 * What a move brings, checked as strictly as any import before it is stored; each record keeps its id.
 */
import { messageOf } from "../domain/errors.ts";
import type { ParentRecord } from "../queue/records.ts";
import type { FillingPart } from "../queue/move_end.ts";
import { type PreparedScheduleRecord, prepareScheduleRecords } from "./schedule_record.ts";
import { type PreparedRecord, prepareRecord } from "./task_record.ts";

/** How many tasks one part has at most, and how many characters of payloads and results, beside the first task's. */
export const TASK_PART = Object.freeze({ count: 1000, length: 4 * 1024 * 1024 });

/** How many transitions one part has at most. */
export const TRANSITION_PART = 5000;

/** A queue that could hold them gave them away, so only the largest payload is bounded. */
const PAYLOAD_LIMIT_BYTES = 16 * 1024 * 1024;

/** The records of a part, in the forms of their columns. */
export interface PreparedPart {
  readonly tasks: readonly PreparedRecord[];
  readonly schedules: readonly PreparedScheduleRecord[];
}

/** A dependency, as both engines name its columns. */
export interface MovedDependency {
  readonly child_id: number;
  readonly parent_id: number;
  readonly parent_run_id: string;
  readonly position: number;
  readonly on_failure: ParentRecord["onFailure"];
  readonly state: ParentRecord["state"];
}

/** @throws TypeError, RangeError for a record that a queue cannot hold. */
export function prepareFilling({ tasks = [], schedules = [] }: FillingPart): PreparedPart {
  const prepared = prepareScheduleRecords(schedules, PAYLOAD_LIMIT_BYTES);
  if (prepared.problems.length > 0) throw new TypeError(prepared.problems.join("; "));
  return {
    tasks: tasks.map((task) => {
      try {
        return prepareRecord(task, PAYLOAD_LIMIT_BYTES);
      } catch (cause) {
        throw new TypeError(`Cannot move task ${task.id}: ${messageOf(cause)}`, { cause });
      }
    }),
    schedules: prepared.schedules,
  };
}

/** The dependencies of a task: ids mean the same in both queues. */
export function movedDependencies({ id, parents }: PreparedRecord): MovedDependency[] {
  return parents.map(({ taskId, runId, onFailure, state }, position) => ({
    child_id: id,
    parent_id: taskId,
    parent_run_id: runId,
    position,
    on_failure: onFailure,
    state,
  }));
}
