/**
 * Verifying: the files, read anew, must give the rows that memory holds.
 */
import { messageOf } from "../domain/errors.ts";
import { recover, type RecoverySource, replicaVisitor } from "./recovery.ts";
import type { Reader, Replica } from "./replica.ts";
import type { TableDefinition } from "./schema.ts";
import type { SqlRow } from "./sql_engine.ts";

/** How often the files are read again because another process wrote meanwhile. */
const ATTEMPTS_MAX = 5;

/** How many rows are compared at once. */
const PAGE_ROWS = 1000;

/**
 * The problems of `replica` or the files; none when all is well.
 *
 * @param follow Brings the replica up to the journal's end and gives the last record's number; `undefined` when it has
 * been overtaken by a checkpoint.
 */
export async function verifyReplica(
  replica: Replica,
  source: RecoverySource,
  follow: () => number | undefined,
): Promise<string[]> {
  const problems = integrityProblems(replica);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    try {
      const found = await compareOnce(replica, source, follow);
      if (found !== undefined) return [...problems, ...found];
    } catch (error) {
      return [...problems, messageOf(error)];
    }
  }
  return [...problems, "memory could not be compared with the files: others write all the time"];
}

/** What SQLite finds wrong within a database. */
export function integrityProblems(reader: Reader): string[] {
  return reader.read("PRAGMA integrity_check").map(([text]) => String(text)).filter((text) =>
    text !== "ok"
  );
}

async function compareOnce(
  replica: Replica,
  source: RecoverySource,
  follow: () => number | undefined,
): Promise<string[] | undefined> {
  const fresh = await recover(source);
  try {
    const sequence = follow();
    const outcome = fresh.journal.read(replicaVisitor(fresh.replica, source, () => {}));
    if (outcome !== "current" || fresh.journal.sequence !== sequence) return undefined;
    return source.schema.tables.flatMap((table) => differences(replica, fresh.replica, table));
  } finally {
    fresh.journal.close();
    fresh.replica.close();
  }
}

function differences(ours: Reader, files: Reader, table: TableDefinition): string[] {
  let after: SqlRow | undefined;
  for (;;) {
    const [mine, theirs] = [pageOf(ours, table, after), pageOf(files, table, after)];
    if (JSON.stringify(mine) !== JSON.stringify(theirs)) {
      return [`the rows of ${table.name} in memory are not those in the files`];
    }
    if (mine.length < PAGE_ROWS) return [];
    after = mine.at(-1)!.slice(0, table.key.length);
  }
}

/** The rows after a key; each begins with its own. */
function pageOf(reader: Reader, { name, key }: TableDefinition, after?: SqlRow): SqlRow[] {
  const columns = key.join(", ");
  const where = after === undefined
    ? ""
    : `WHERE (${columns}) > (${key.map(() => "?").join(", ")})`;
  const select =
    `SELECT ${columns}, * FROM ${name} ${where} ORDER BY ${columns} LIMIT ${PAGE_ROWS}`;
  return reader.read(select, after);
}
