/**
 * Cells: the columns of `task_queue` in a row by position.
 */
import type { SqlRow, SqlValue } from "../../ledger/sql_engine.ts";
import { TASK_COLUMNS, type TaskColumn } from "./schema.ts";

const POSITIONS = Object.fromEntries(TASK_COLUMNS.map((column, i) => [column, i])) as Record<
  TaskColumn,
  number
>;

/** The value of `column` in a row of `task_queue`. */
export function cell(row: SqlRow, column: TaskColumn): SqlValue {
  return row[POSITIONS[column]]!;
}
