/**
 * How many tasks of each type there are: counted from indexes when somebody asks first, then kept by what changes.
 */
import { TASK_STATUSES, type TaskStatus } from "../../domain/task.ts";
import type { Reader } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type { Tally } from "../../ledger/tallies.ts";
import { TASK_TABLE } from "../rows/schema.ts";

/** The tasks of a type. */
export interface CountsOfType {
  readonly byStatus: Record<TaskStatus, number>;
  /** Queued tasks that are known to be due. */
  ready: number;
  /** Queued tasks that wait for parents. */
  waiting: number;
}

/** The statements; each walks through one index and no row. A test reads their plans. */
export const COUNT_SQL = {
  byStatus: `SELECT type, status, count(*) FROM task_queue INDEXED BY tasks_by_status
    GROUP BY status, type`,
  ready: `SELECT type, count(*) FROM task_queue INDEXED BY ready_by_due
    WHERE is_ready = 1 GROUP BY type`,
  waiting: `SELECT type, count(*) FROM task_queue INDEXED BY waiting_tasks
    WHERE waits_for > 0 GROUP BY type`,
} as const;

/** The counts as they are now. */
export function taskCounts(reader: Reader): ReadonlyMap<string, CountsOfType> {
  return reader.tally(TASK_TABLE, countTasks).byType;
}

/** Counts all. */
export function countTasks(reader: Reader): TaskCounts {
  const counts = new TaskCounts();
  for (const [type, status, n] of reader.read(COUNT_SQL.byStatus)) {
    counts.of(String(type)).byStatus[status as TaskStatus] = Number(n);
  }
  for (const [type, n] of reader.read(COUNT_SQL.ready)) counts.of(String(type)).ready = Number(n);
  for (const [type, n] of reader.read(COUNT_SQL.waiting)) {
    counts.of(String(type)).waiting = Number(n);
  }
  return counts;
}

/** Counts that follow the tasks. A type without tasks is not in them. */
export class TaskCounts implements Tally {
  readonly columns = ["type", "status", "is_ready", "waits_for"];
  readonly byType: Map<string, CountsOfType> = new Map();

  /** The counts of a type, which are there from now on. */
  of(type: string): CountsOfType {
    const known = this.byType.get(type);
    if (known !== undefined) return known;
    const counts: CountsOfType = { byStatus: noTasks(), ready: 0, waiting: 0 };
    this.byType.set(type, counts);
    return counts;
  }

  move(before: SqlRow | undefined, after: SqlRow | undefined): void {
    if (after !== undefined) this.#add(after, 1);
    if (before !== undefined) this.#add(before, -1);
  }

  #add([type, status, isReady, waitsFor]: SqlRow, by: 1 | -1): void {
    const counts = this.of(String(type));
    counts.byStatus[status as TaskStatus] += by;
    if (isReady === 1) counts.ready += by;
    if (Number(waitsFor) > 0) counts.waiting += by;
    if (by === -1 && TASK_STATUSES.every((each) => counts.byStatus[each] === 0)) {
      this.byType.delete(String(type));
    }
  }
}

/** A count of 0 for each status. */
export function noTasks(): Record<TaskStatus, number> {
  return { queued: 0, leased: 0, completed: 0, failed: 0, cancelled: 0 };
}
