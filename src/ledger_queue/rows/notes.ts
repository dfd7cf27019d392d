/**
 * What a queue notes of itself: strings, each under a name. The one that closes it is read by every operation that a closed queue
 * refuses, in its transaction.
 */
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { QueueClosure } from "../../queue/closure.ts";
import { closureOf, MOVE_NOTES, refuseIfClosed } from "../../queue_policy/closure.ts";
import { NOTE_TABLE } from "./schema.ts";

const NOTE_SQL = "SELECT * FROM queue_notes WHERE name = ?";

/** What is noted under a name; `null` for nothing. */
export function noteIn(reader: Reader, name: string): string | null {
  const [row] = reader.read(NOTE_SQL, [name]);
  return row === undefined ? null : String(row[1]);
}

/** Notes a string under a name; `null` removes it. */
export function setNote(tx: Transaction, name: string, value: string | null): void {
  const [row] = tx.read(NOTE_SQL, [name]);
  if (row !== undefined && value !== null) tx.update(NOTE_TABLE, row, { value });
  else if (row !== undefined) tx.remove(NOTE_TABLE, [name]);
  else if (value !== null) tx.insert(NOTE_TABLE, { name, value });
}

/** Why the queue is closed; `null` when it is open. */
export function closureIn(reader: Reader): QueueClosure | null {
  return closureOf(noteIn(reader, MOVE_NOTES.closure));
}

/** @throws QueueError `queue_moving`, `queue_moved` when the queue is closed. */
export function checkOpen(reader: Reader): void {
  refuseIfClosed(closureIn(reader));
}
