/**
 * Ids that a task has used, so that a task which was here and is gone does not come back with an old file.
 *
 * That an id was given says nothing: the sequence gives ids to tasks that are then not stored. So pruned tasks leave a bit each,
 * a block of which is one row, and an import leaves the highest id that it brought: all ids up to it count as used, as they do
 * where it came from.
 */
import type { Statements } from "./database.ts";

/** How many ids one row of `pruned` has bits for. */
const BLOCK = 2048;

const USED_SQL = {
  /** `$1` are ids. */
  pruned:
    `select r.id from unnest($1::bigint[]) as r(id) join @pruned p on p.block = r.id / ${BLOCK}
    where get_bit(p.bits, (r.id % ${BLOCK})::int) = 1`,
  /** One import after the other. */
  lock: `insert into @holdfast as h (name, value) values ('imported_up_to', '0')
    on conflict (name) do update set value = h.value returning value::bigint as id`,
  read: "select value::bigint as id from @holdfast where name = 'imported_up_to'",
  raise: `update @holdfast set value = $1::bigint::text
    where name = 'imported_up_to' and value::bigint < $1::bigint`,
  /** A new sequence has not given its `last_value` yet. What others take at this moment, the primary key tells apart. */
  goOn: `select setval('@task_id_seq', $1::bigint) from @task_id_seq
    where last_value < $1::bigint or not is_called and last_value = $1::bigint`,
} as const;

/** The table of pruned ids. */
export const PRUNED_TABLE = `create table @pruned (
    block bigint primary key,
    bits bit(${BLOCK}) not null
  )`;

/** Part of a statement that deletes tasks: notes the ids of the CTE `gone`. */
export const NOTE_GONE = `insert into @pruned as p (block, bits)
      select id / ${BLOCK}, bit_or(set_bit(repeat('0', ${BLOCK})::bit(${BLOCK}), (id % ${BLOCK})::int, 1))
      from gone group by 1 order by 1
      on conflict (block) do update set bits = p.bits | excluded.bits`;

/** Which of these ids pruned tasks had. */
export async function prunedIds(tx: Statements, ids: readonly number[]): Promise<Set<number>> {
  if (ids.length === 0) return new Set();
  return new Set((await tx.query(USED_SQL.pruned, [ids])).map(({ id }) => Number(id)));
}

/** The highest id that an import has brought; 0 without any. */
export async function importedUpTo(tx: Statements): Promise<number> {
  return Number((await tx.query(USED_SQL.read))[0]?.id ?? 0);
}

/** The same, and until the transaction ends no other import begins. */
export async function lockImports(tx: Statements): Promise<number> {
  return Number((await tx.query(USED_SQL.lock))[0]!.id);
}

/** Notes that ids up to this one are used; the queue's own ids go on behind it. */
export async function noteImported(tx: Statements, lastId: number): Promise<void> {
  await tx.query(USED_SQL.raise, [lastId]);
  await tx.query(USED_SQL.goOn, [lastId]);
}
