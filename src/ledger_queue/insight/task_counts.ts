/**
 * How many tasks of each type there are: counted from indexes when somebody asks first, then kept by what changes.
 *
 * Counting goes in slices, and tasks may change between two: each index is walked from its beginning to its end, and of what changes
 * counts what stands, or stood, before the place that the walk has come to. The rest is counted when the walk comes to it.
 */
import { TASK_STATUSES, type TaskStatus } from "../../domain/task.ts";
import { compareText } from "../../domain/text_order.ts";
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

/** How many entries of an index one slice counts. */
export const COUNT_SLICE = 2000;

/** The columns that counts go by. */
const COLUMNS = ["id", "type", "status", "is_ready", "waits_for", "compatibility", "grp"] as const;

/** Entries of an index behind a place in it: those with the same names and higher ids, then those with other names. */
function entriesBehind(names: readonly string[], index: string, where: string): string {
  const [id, limit] = [`?${names.length + 1}`, `?${names.length + 2}`];
  const entries = `SELECT ${
    names.join(", ")
  }, id FROM task_queue INDEXED BY ${index} WHERE ${where}`;
  const same = names.map((name, i) => `${name} = ?${i + 1}`).join(" AND ");
  const place = names.map((_, i) => `?${i + 1}`).join(", ");
  return `SELECT * FROM (${entries} AND ${same} AND id > ${id} ORDER BY id LIMIT ${limit})
    UNION ALL SELECT * FROM (${entries} AND (${names.join(", ")}) > (${place})
      ORDER BY ${names.join(", ")}, id LIMIT ${limit}) LIMIT ${limit}`;
}

/** They are counted by their names, each with its highest id. */
function countBehind(names: readonly string[], index: string, where = "true"): string {
  const by = names.join(", ");
  return `SELECT count(*), ${by}, max(id) FROM (${entriesBehind(names, index, where)})
    GROUP BY ${by} ORDER BY ${by}`;
}

/**
 * The statements: a slice from behind a place, of so many entries; each gives how many, and then what the place is made of, in the
 * order of the index. Each walks through one index and reads no row, but for those that wait. A test reads their plans.
 */
export const COUNT_SQL = {
  byStatus: countBehind(["status", "type"], "tasks_by_status"),
  ready: countBehind(["type", "compatibility", "grp"], "ready_by_id", "is_ready = 1"),
  waiting: `SELECT 1, id, type FROM task_queue INDEXED BY waiting_tasks
    WHERE waits_for > 0 AND id > ?1 ORDER BY id LIMIT ?2`,
} as const;

/** The counts as they are now; what has yet to be counted is counted at once. */
export function taskCounts(reader: Reader): ReadonlyMap<string, CountsOfType> {
  const counts = keptCounts(reader);
  while (!counts.isWhole) counts.countOn(reader);
  return counts.byType;
}

/** Counts a slice of what has yet to be counted; whether that was the last one. */
export function countOn(reader: Reader): boolean {
  const counts = keptCounts(reader);
  if (!counts.isWhole) counts.countOn(reader);
  return counts.isWhole;
}

function keptCounts(reader: Reader): TaskCounts {
  return reader.tally(TASK_TABLE, () => new TaskCounts());
}

/** Counts all. */
export function countTasks(reader: Reader): TaskCounts {
  const counts = new TaskCounts();
  while (!counts.isWhole) counts.countOn(reader);
  return counts;
}

/** The values of `COLUMNS` in a row. */
type Counted = Readonly<Record<typeof COLUMNS[number], SqlRow[number]>>;

/** A walk through one index. */
interface Walk {
  readonly sql: string;
  /** Before its first entry. */
  readonly beginning: SqlRow;
  /** Where a task stands in the index, `undefined` where it does not; in the columns of the statement, but for the type of `waiting`. */
  readonly placeOf: (task: Counted) => SqlRow | undefined;
  /** Counts `n` tasks at a place. */
  readonly count: (counts: TaskCounts, place: SqlRow, n: number) => void;
}

const WALKS: readonly Walk[] = [
  {
    sql: COUNT_SQL.byStatus,
    beginning: ["", "", 0],
    placeOf: ({ status, type, id }) => [status, type, id],
    count: (counts, [status, type], n) => {
      counts.of(String(type)).byStatus[status as TaskStatus] += n;
    },
  },
  {
    sql: COUNT_SQL.ready,
    beginning: ["", "", "", 0],
    placeOf: ({ is_ready, type, compatibility, grp, id }) =>
      is_ready === 1 ? [type, compatibility, grp, id] : undefined,
    count: (counts, [type], n) => {
      counts.of(String(type)).ready += n;
    },
  },
  {
    sql: COUNT_SQL.waiting,
    beginning: [0],
    placeOf: ({ waits_for, id, type }) => Number(waits_for) > 0 ? [id, type] : undefined,
    count: (counts, [, type], n) => {
      counts.of(String(type)).waiting += n;
    },
  },
];

/** Counts that follow the tasks. A type without tasks is not in them. */
export class TaskCounts implements Tally {
  readonly columns = COLUMNS;
  readonly byType: Map<string, CountsOfType> = new Map();
  /** How many walks are over, and up to where the next one has come. */
  #over = 0;
  #place: SqlRow = WALKS[0]!.beginning;

  /** Whether everything is counted. */
  get isWhole(): boolean {
    return this.#over === WALKS.length;
  }

  /** The counts of a type, which are there from now on. */
  of(type: string): CountsOfType {
    const known = this.byType.get(type);
    if (known !== undefined) return known;
    const counts: CountsOfType = { byStatus: noTasks(), ready: 0, waiting: 0 };
    this.byType.set(type, counts);
    return counts;
  }

  /** Counts the next slice: so many entries at most. */
  countOn(reader: Reader, most: number = COUNT_SLICE): void {
    for (let left = most; left > 0 && !this.isWhole;) left -= this.#walkOn(reader, left);
  }

  /** Counts so many entries of one index, or those that are left; how many that were. */
  #walkOn(reader: Reader, most: number): number {
    const { sql, beginning, count } = WALKS[this.#over]!;
    let counted = 0;
    for (
      const [n, ...reached] of reader.read(sql, [...this.#place.slice(0, beginning.length), most])
    ) {
      count(this, reached, Number(n));
      counted += Number(n);
      this.#place = reached;
    }
    if (counted < most) {
      this.#over++;
      this.#place = WALKS[this.#over]?.beginning ?? [];
    }
    return counted;
  }

  move(before: SqlRow | undefined, after: SqlRow | undefined): void {
    if (after !== undefined) this.#add(after, 1);
    if (before !== undefined) this.#add(before, -1);
  }

  #add(row: SqlRow, n: 1 | -1): void {
    const task = Object.fromEntries(COLUMNS.map((column, i) => [column, row[i]!])) as Counted;
    for (const [i, { placeOf, count }] of WALKS.entries()) {
      const place = placeOf(task);
      if (place !== undefined && this.#isCounted(i, place)) count(this, place, n);
    }
    const type = String(task.type);
    const counts = this.byType.get(type);
    if (n === 1 || counts === undefined) return;
    if (TASK_STATUSES.every((status) => counts.byStatus[status] === 0)) this.byType.delete(type);
  }

  /** Whether a walk has come by a place. */
  #isCounted(walk: number, place: SqlRow): boolean {
    if (walk !== this.#over) return walk < this.#over;
    return compare(place, this.#place, WALKS[walk]!.beginning.length) <= 0;
  }
}

/** The order of two places in an index, by so many columns. */
function compare(a: SqlRow, b: SqlRow, columns: number): number {
  for (let i = 0; i < columns; i++) {
    const [one, other] = [a[i]!, b[i]!];
    const order = typeof one === "number"
      ? one - Number(other)
      : compareText(String(one), String(other));
    if (order !== 0) return order;
  }
  return 0;
}

/** A count of 0 for each status. */
export function noTasks(): Record<TaskStatus, number> {
  return { queued: 0, leased: 0, completed: 0, failed: 0, cancelled: 0 };
}
