/**
 * What a snapshot's database says of itself, in a table of its own: whose it is, and which records it includes.
 */
import { CorruptionError, StorageError } from "../domain/errors.ts";
import type { SnapshotIdentity } from "../storage/footer.ts";
import type { SnapshotContent } from "../storage/snapshot.ts";
import type { SqlDatabase } from "./sql_engine.ts";

const META_TABLE =
  "CREATE TABLE IF NOT EXISTS holdfast_meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID";

/** The identity that the database was given; `undefined` for none. */
export function readIdentity(database: SqlDatabase): SnapshotIdentity | undefined {
  const rows = database.all("SELECT key, value FROM holdfast_meta");
  const meta = new Map(rows.map(([key, value]) => [key, value]));
  if (meta.size === 0) return undefined;
  return { queueId: String(meta.get("queue_id")), sequence: Number(meta.get("sequence")) };
}

/** Gives the database an identity, in place of the one that it has. */
export function writeIdentity(
  database: SqlDatabase,
  { queueId, sequence }: SnapshotIdentity,
): void {
  const put = "INSERT OR REPLACE INTO holdfast_meta (key, value) VALUES (?, ?)";
  database.all(put, ["queue_id", queueId]);
  database.all(put, ["sequence", sequence]);
}

/**
 * Sees to it that the database is one of ours, empty or a whole snapshot, and has the table.
 *
 * @throws StorageError when it is another program's.
 * @throws CorruptionError when it was cut or changed, or its identity is none.
 */
export function checkMeta(
  database: SqlDatabase,
  snapshot: SnapshotContent | undefined,
  path: string,
): void {
  const named = database.all("SELECT name FROM sqlite_schema WHERE type = 'table'");
  if (snapshot !== undefined && !named.some(([name]) => name === "holdfast_meta")) {
    throw new StorageError("open", path, "it is a SQLite database of another program");
  }
  if (snapshot?.isVerified === false) {
    const reason = "the snapshot's checksum is missing: it was cut, or another program changed it";
    throw new CorruptionError(path, snapshot.bytes.length, reason);
  }
  database.run(META_TABLE);
  const identity = readIdentity(database);
  if (identity !== undefined && !isIdentity(identity)) {
    const reason = "it does not say whose it is and which records it includes";
    throw new CorruptionError(path, 0, reason);
  }
}

function isIdentity({ queueId, sequence }: SnapshotIdentity): boolean {
  return /^[0-9a-f]{32}$/.test(queueId) && Number.isSafeInteger(sequence) && sequence >= 0;
}
