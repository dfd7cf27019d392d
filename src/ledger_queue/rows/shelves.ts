/**
 * Shelves: tasks of one status and type stand together in the index `tasks_by_status`, in order of their ids.
 */
import type { TaskStatus } from "../../domain/task.ts";
import type { Reader } from "../../ledger/replica.ts";

/** Tasks of one status and type. */
export interface Shelf {
  readonly status: TaskStatus;
  readonly type: string;
}

/** The types that tasks of a status have, one index search each; `undefined` for more than `max`. */
export function typesOf(reader: Reader, status: TaskStatus, max: number): string[] | undefined {
  const select =
    `SELECT type FROM task_queue INDEXED BY tasks_by_status WHERE status = ? AND type > ?
    ORDER BY type LIMIT 1`;
  const found: string[] = [];
  for (;;) {
    const [row] = reader.read(select, [status, found.at(-1) ?? ""]);
    if (row === undefined) return found;
    if (found.length === max) return undefined;
    found.push(String(row[0]));
  }
}

/** Where tasks of these statuses stand; of one type, or of all; `undefined` for more than `max` of a status. */
export function shelvesOf(
  reader: Reader,
  statuses: readonly TaskStatus[],
  { type, max = Infinity }: { readonly type: string | null; readonly max?: number },
): Shelf[] | undefined {
  const shelves: Shelf[] = [];
  for (const status of statuses) {
    const types = type === null ? typesOf(reader, status, max) : [type];
    if (types === undefined) return undefined;
    for (const each of types) shelves.push({ status, type: each });
  }
  return shelves;
}
