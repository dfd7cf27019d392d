/**
 * Tallies: what is counted once over all rows of a table and then follows each row that changes, whoever changes it.
 *
 * Nothing is counted before somebody asks, so a process in which nobody does pays nothing. Where the rows may be others than were
 * followed (a transaction that is gone, another replica), a tally is forgotten and made anew for who asks next.
 */
import type { Change } from "./change.ts";
import type { RowTable } from "./row_table.ts";
import type { SqlDatabase, SqlRow } from "./sql_engine.ts";

/** Follows the rows of one table. */
export interface Tally {
  /** The columns that it goes by. */
  readonly columns: readonly string[];
  /** A row was `before` and is `after`, in those columns; `undefined` where it was not there, or is not any more. */
  move(before: SqlRow | undefined, after: SqlRow | undefined): void;
}

/** A change that a tally has yet to be told. */
export interface Move {
  readonly tally: Tally;
  readonly before: SqlRow | undefined;
  readonly after: SqlRow | undefined;
}

/** The tallies of one replica, one for a table at most. */
export class Tallies {
  readonly #byTable = new Map<string, Tally>();

  /** The tally of a table, made by `make` when there is none. */
  keep<T extends Tally>(table: string, make: () => T): T {
    const known = this.#byTable.get(table);
    if (known !== undefined) return known as T;
    const tally = make();
    this.#byTable.set(table, tally);
    return tally;
  }

  /** What the table's tally has to know of a change that is about to be made, if there is one and the change is any of its concern. */
  moveOf(
    change: Change,
    table: RowTable,
    { database, before }: { readonly database: SqlDatabase; readonly before: SqlRow | undefined },
  ): Move | undefined {
    const tally = this.#byTable.get(table.name);
    if (tally === undefined) return undefined;
    const places = tally.columns.map((column) => table.positions.get(column)!);
    const pick = (row: SqlRow): SqlRow => places.map((place) => row[place]!);
    if (change.row === null) {
      return { tally, before: rowBefore(database, table, tally, change.key), after: undefined };
    }
    const { row, changed } = change;
    if (changed === undefined) return { tally, before: undefined, after: pick(row) };
    if (!changed.some((place) => places.includes(place))) return undefined;
    const key = table.key.map((place) => row[place]!);
    const known = before === undefined ? rowBefore(database, table, tally, key) : pick(before);
    return { tally, before: known, after: pick(row) };
  }

  /** Tells what has happened for good. */
  tell(moves: readonly Move[]): void {
    for (const { tally, before, after } of moves) tally.move(before, after);
  }

  /** What was counted may be wrong. */
  forget(): void {
    this.#byTable.clear();
  }
}

function rowBefore(
  database: SqlDatabase,
  { name, columns, key: places }: RowTable,
  tally: Tally,
  key: SqlRow,
): SqlRow | undefined {
  const where = places.map((place) => `${columns[place]} = ?`).join(" AND ");
  return database.all(`SELECT ${tally.columns.join(", ")} FROM ${name} WHERE ${where}`, key)[0];
}
