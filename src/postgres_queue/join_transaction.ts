/**
 * Work within a transaction of the caller's: committed with it, or not at all.
 *
 * A savepoint lies before it, so that a refusal undoes this work alone and leaves the caller's transaction as it was.
 */
import type { PostgresAccess } from "./postgres_access.ts";
import { DatabaseError, type Statements } from "./rows/database.ts";
import { RunAgainError, type Work } from "./rows/work.ts";
import { storageErrorOf } from "./storage_errors.ts";
import { settleOrders } from "./tasks/order.ts";
import { channelOf, messageOfTasks } from "./wake_up.ts";

const JOIN_SQL = {
  begin: "savepoint holdfast",
  look: `select current_setting('transaction_isolation') as isolation,
    floor(extract(epoch from clock_timestamp()) * 1000)::bigint as now`,
  /** The server sends it when the transaction is committed. */
  tell: "select pg_notify($1, $2)",
  end: "release savepoint holdfast",
  undo: "rollback to savepoint holdfast",
} as const;

/** SAVEPOINT outside of a transaction. */
const NO_TRANSACTION = "25P01";

/** How often work is run that others keep undoing. */
const TRIES_MAX = 20;

/**
 * Does `run` within the transaction of `tx`.
 *
 * @throws TypeError when there is no transaction, or one that does not see what others commit meanwhile.
 */
export async function joinTransaction<T>(
  access: PostgresAccess,
  tx: object,
  run: (work: Work) => Promise<T>,
): Promise<T> {
  const { statements, work: workAt } = access.joined(tx);
  for (let tries = 1;; tries++) {
    try {
      return await runBehindSavepoint(statements, async (nowMs) => {
        const work = workAt(nowMs);
        const value = await run(work);
        await settleOrders(work);
        const ids = [...work.changes].map(({ id }) => id);
        const message = [channelOf(access.schema), messageOfTasks(ids)];
        if (ids.length > 0) await statements.query(JOIN_SQL.tell, message);
        return value;
      });
    } catch (error) {
      if (error instanceof RunAgainError && tries < TRIES_MAX) continue;
      throw storageErrorOf(error, access.location);
    }
  }
}

async function runBehindSavepoint<T>(
  statements: Statements,
  run: (nowMs: number) => Promise<T>,
): Promise<T> {
  const nowMs = await begin(statements);
  try {
    const value = await run(nowMs);
    await statements.query(JOIN_SQL.end);
    return value;
  } catch (error) {
    await statements.query(JOIN_SQL.undo).catch(() => {}); // a lost connection has undone everything
    throw error;
  }
}

async function begin(statements: Statements): Promise<number> {
  try {
    await statements.query(JOIN_SQL.begin);
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.code !== NO_TRANSACTION) throw error;
    throw new TypeError("Cannot use tx: no transaction was begun on it", { cause: error });
  }
  const [found] = await statements.query(JOIN_SQL.look);
  if (found!.isolation === "read committed") return Number(found!.now);
  await statements.query(JOIN_SQL.end);
  throw new TypeError(
    `Cannot use tx: its transaction is ${found!.isolation}, read committed is needed`,
  );
}
