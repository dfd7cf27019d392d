/**
 * Tables by row: the statements that add, change and remove a row by its key.
 */
import type { TableDefinition } from "./schema.ts";
import type { SqlRow } from "./sql_engine.ts";

/** A statement and the places in a row of its parameters. */
export interface RowStatement {
  readonly sql: string;
  readonly parameters: readonly number[];
}

/** A table as it is now, and how its rows change. */
export interface RowTable {
  readonly name: string;
  readonly columns: readonly string[];
  /** Where each column stands in a row. */
  readonly positions: ReadonlyMap<string, number>;
  /** Where the key stands in a row. */
  readonly key: readonly number[];
  readonly insert: string;
  readonly remove: string;
  /** The UPDATE for each set of columns. */
  readonly updates: Map<string, RowStatement>;
}

/** @throws Error when a row has more or fewer columns than its table. */
export function checkLength(row: SqlRow, { name, columns }: RowTable): void {
  if (row.length === columns.length) return;
  throw new Error(`a row of ${name} has ${row.length} columns, ${columns.length} are known`);
}

/** The table that has these columns, in order. */
export function rowTable({ name, key }: TableDefinition, columns: readonly string[]): RowTable {
  const marks = columns.map(() => "?").join(", ");
  return {
    name,
    columns,
    positions: new Map(columns.map((column, i) => [column, i])),
    key: key.map((column) => columns.indexOf(column)),
    insert: `INSERT INTO ${name} (${columns.join(", ")}) VALUES (${marks})`,
    remove: `DELETE FROM ${name} WHERE ${equalities(key, " AND ")}`,
    updates: new Map(),
  };
}

/** The statement that changes the columns at these places. @throws Error when there is no such column. */
export function updateFor(table: RowTable, changed: readonly number[]): RowStatement {
  const id = changed.join();
  const known = table.updates.get(id);
  if (known !== undefined) return known;
  const namesAt = (places: readonly number[]): string[] => places.map((at) => columnAt(table, at));
  const sql = `UPDATE ${table.name} SET ${equalities(namesAt(changed), ", ")}
    WHERE ${equalities(namesAt(table.key), " AND ")}`;
  const statement = { sql, parameters: [...changed, ...table.key] };
  table.updates.set(id, statement);
  return statement;
}

function columnAt({ columns }: RowTable, place: number): string {
  const column = columns[place];
  if (column === undefined) throw new Error(`there is no column ${JSON.stringify(place)}`);
  return column;
}

function equalities(columns: readonly string[], separator: string): string {
  return columns.map((column) => `${column} = ?`).join(separator);
}
