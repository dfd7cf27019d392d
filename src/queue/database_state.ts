/**
 * DatabaseQueue: what a queue on a database says of the server that keeps it. A queue that keeps its own files has none.
 */
import type { TaskQueue } from "./task_queue.ts";

/** What holds a snapshot, or has a transaction open. */
export interface SnapshotHolder {
  /** What it is. */
  readonly kind: "session" | "prepared transaction" | "replication slot";
  /** A session's pid; the name of another one. */
  readonly name: string;
  /** The name that a session has given itself, a slot's plugin; empty without one. */
  readonly program: string;
  /** Such as `idle in transaction`; empty when it may not be seen. */
  readonly state: string;
  /** For how long it has held up what died since. */
  readonly ageMs: number;
}

/** What a database server says of itself, and how this process hears of others. */
export interface DatabaseState {
  /** Where the queue is: server, database and schema, and no secret. */
  readonly location: string;
  /** The table with the most dead rows. */
  readonly deadRows: { readonly table: string; readonly count: number };
  /** What keeps dead rows from being removed: what holds the oldest snapshot; `null` when nothing does. */
  readonly oldestSnapshot: SnapshotHolder | null;
  /** Whether notifications of other processes reach this one; otherwise it looks each second for what they have changed. */
  readonly isListening: boolean;
}

/** A queue on a database. */
export interface DatabaseQueue extends TaskQueue {
  /** The state of the database. @throws StorageError */
  databaseState(): Promise<DatabaseState>;
}

/** A queue that is on a database; `null` for any other, also one that another server keeps. */
export function databaseOf(queue: TaskQueue): DatabaseQueue | null {
  return "databaseState" in queue ? queue as DatabaseQueue : null;
}
