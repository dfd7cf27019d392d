/**
 * The record that closes a queue, and the lock that makes it hold.
 *
 * Every statement that a closed queue refuses changes `live`, and looks for the record under the lock that this takes: PostgreSQL
 * locks the tables of a statement before it takes the statement's snapshot. Who closes the queue locks `live` against all
 * changes first. So each of them is over when the queue is closed, or sees that it is.
 */
import type { QueueClosure } from "../../queue/closure.ts";
import { closureOf, MOVE_NOTES, refuseIfClosed } from "../../queue_policy/closure.ts";
import type { SqlValue, Statements } from "./database.ts";

/** The closure's text, as a subquery; null for an open queue. */
export const CLOSURE = `(select h.value from @holdfast h where h.name = '${MOVE_NOTES.closure}')`;

const CLOSURE_SQL = {
  read: `select ${CLOSURE} as closure`,
  /** It deletes nothing, and takes the lock of a change. */
  guard: `with none as (delete from @live where false) select ${CLOSURE} as closure`,
} as const;

/** Why the queue is closed; `null` when it is open. */
export async function closureIn(statements: Statements): Promise<QueueClosure | null> {
  const [row] = await statements.query(CLOSURE_SQL.read);
  return closureOf(textOf(row!.closure));
}

/** The queue is open until this transaction has ended. @throws QueueError `queue_moving`, `queue_moved` when it is closed. */
export async function checkOpen(tx: Statements): Promise<void> {
  const [row] = await tx.query(CLOSURE_SQL.guard);
  checkClosure(row!.closure);
}

/** @throws QueueError `queue_moving`, `queue_moved` when a statement has found a closure. */
export function checkClosure(found: SqlValue | undefined): void {
  refuseIfClosed(closureOf(textOf(found)));
}

function textOf(value: SqlValue | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}
