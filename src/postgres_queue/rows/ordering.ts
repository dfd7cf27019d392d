/**
 * Locks of ordering keys. Who gives a task under a key a turn or takes it away holds a lock of that key until its transaction ends, got
 * before the rows that it changes: so two never both find the turn free, and none waits for a row of another that waits for the key.
 *
 * Keys share a fixed number of locks: a batch of any size takes no more than the server has room for.
 */

/** How many locks all keys share. */
const LOCKS = 512;

/** Locks the keys that `select` gives as `key`, always in the same order. */
export function lockKeysOf(select: string): string {
  return `select pg_advisory_xact_lock(hashtext('ordering keys of @task'), number)
    from (select distinct (hashtext(key) & 2147483647) % ${LOCKS} as number
      from (${select}) as keys where key is not null order by number) as numbers`;
}

/** A CTE that locks the keys that `select` gives as `key`; `KEYS_ARE_LOCKED` makes a statement wait for it. */
export function orderGate(select: string): string {
  return `order_gate as materialized (${lockKeysOf(select)})`;
}

/** True once the keys are locked. */
export const KEYS_ARE_LOCKED = "(select count(*) from order_gate) >= 0";

/** The place of a row of `live` or `task` under its key, and its id: what comes first is lower. */
export function placeIn(row: string): string {
  return `coalesce(${row}.ordering_place, ${row}.id), ${row}.id`;
}
