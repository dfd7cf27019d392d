/**
 * Expiry: a task that has not started by its `expiresAt` is cancelled by itself, whatever holds it back.
 *
 * A task that was ever leased has started, and has a lease token. No claim takes one that has expired; a duty ends it.
 */
import { expiredMessage } from "../../domain/task.ts";
import { KEYS_ARE_LOCKED, orderGate } from "../rows/ordering.ts";
import type { TaskRow } from "../rows/task_row.ts";
import type { Work } from "../rows/work.ts";
import { markCancelled } from "./cancel_retry.ts";
import { propagate } from "./propagate.ts";

/** How many tasks one transaction ends at most; the earliest expired first. */
export const EXPIRE_MAX = 1000;

/** Tasks that have expired by `moment.now`. */
export const EXPIRED_TASKS =
  "select from @live where expires_at is not null and lease_token = 0 and expires_at <= moment.now";

/** `$1` is now. */
const LOCK_EXPIRED = `with ${
  orderGate(`select ordering_key as key from @live
    where expires_at is not null and lease_token = 0 and expires_at <= $1`)
}
  select id from @live
  where expires_at is not null and lease_token = 0 and expires_at <= $1 and ${KEYS_ARE_LOCKED}
  order by expires_at, id limit ${EXPIRE_MAX} for update skip locked`;

/** Ends tasks that have expired, as many as one transaction may; how many. */
export async function expireTasks(work: Work): Promise<number> {
  const expired = await work.tx.query(LOCK_EXPIRED, [work.context.nowMs]);
  const rows = await work.rows(expired.map(({ id }) => Number(id)));
  await propagate(work, rows.map((row) => markExpired(work, row)));
  await work.flush();
  return rows.length;
}

function markExpired(work: Work, row: TaskRow): TaskRow {
  work.note(row.id, "expired");
  return markCancelled(work, row, expiredMessage(row.expires_at!));
}
