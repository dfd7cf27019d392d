/**
 * Changes of rows, and how a record of the journal writes them.
 */
import type { SqlRow } from "./sql_engine.ts";

/** What happened to a row: it was added, or some of its columns changed, or it was removed. */
export type Change =
  | { readonly table: string; readonly row: SqlRow; readonly changed?: readonly number[] }
  | { readonly table: string; readonly row: null; readonly key: SqlRow };

/**
 * A change as the journal writes it: `[table, row]` for a new row, `[table, row, positions]` for one that changed in these
 * columns, `[table, null, key]` for one that is gone. A row is whole in any case, so that a repair can do without the
 * images before it; only the nulls at its end are left out, so a column that is not used costs nothing.
 */
type Image =
  | readonly [table: string, row: SqlRow, changed?: readonly number[]]
  | readonly [table: string, row: null, key: SqlRow];

/** The longest record that one operation may make; with UTF-8's three bytes a character it stays below a frame's limit. */
const OPERATION_MAX_LENGTH = 64 * 1024 * 1024;

/** The changes that a record holds. @throws SyntaxError */
export function decodeChanges(record: string): Change[] {
  return (JSON.parse(record) as Image[]).map(changeOf);
}

/** The changes as JSON, without the brackets around a record. @throws RangeError */
export function encodeChanges(changes: readonly Change[]): string {
  const images = changes.map((change) => JSON.stringify(imageOf(change)));
  const length = images.reduce((sum, image) => sum + image.length + 1, 0);
  if (length > OPERATION_MAX_LENGTH) {
    throw new RangeError(
      `Cannot commit ${length} characters in one operation: at most ${OPERATION_MAX_LENGTH} are allowed`,
    );
  }
  return images.join(",");
}

function imageOf(change: Change): Image {
  if (change.row === null) return [change.table, null, change.key];
  const { table, row, changed } = change;
  const last = row.findLastIndex((value) => value !== null);
  const written = row.slice(0, last + 1);
  return changed === undefined ? [table, written] : [table, written, changed];
}

function changeOf([table, row, more]: Image): Change {
  return row === null
    ? { table, row, key: more as SqlRow }
    : { table, row, changed: more as readonly number[] | undefined };
}
