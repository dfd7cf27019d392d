/**
 * Unique tasks: the holder of a key is the latest task of its type that was stored under it, read from the tasks themselves, so there
 * is nothing to release.
 *
 * Who enqueues under a key holds a lock of it until its transaction ends, and reads the holder in a statement after that one, so two
 * never both find none. Keys share a fixed number of locks: a batch of any size takes no more than the server has room for.
 */
import type { PreparedTask } from "../../queue_policy/new_task.ts";
import { type Joined, nameOf, takenOver, type UniqueHolder } from "../../queue_policy/unique.ts";
import type { TaskRow } from "../rows/task_row.ts";
import type { Work } from "../rows/work.ts";

/** How many locks all keys share. */
const LOCKS = 512;

const UNIQUE_SQL = {
  /** `$1` are names of keys. */
  lock: `select pg_advisory_xact_lock(hashtext('unique keys of @task'), number)
    from (select distinct (hashtext(name) & 2147483647) % ${LOCKS} as number
      from unnest($1::text[]) as r(name) order by number) as numbers`,
  /** `$1` are types, `$2` keys. */
  holders: `select holder.id from unnest($1::text[], $2::text[]) as r(type, key)
    cross join lateral (
      select t.id from @task t join @lane lane using (lane_id)
      where t.unique_key = r.key and lane.type = r.type order by t.id desc limit 1) as holder`,
} as const;

/** The keys under which tasks are enqueued, each once. */
function keysOf(tasks: readonly PreparedTask[]): ReadonlyMap<string, readonly [string, string]> {
  return new Map(tasks.flatMap(({ kept: { type }, uniqueKey }) => {
    return uniqueKey === null ? [] : [[nameOf(type, uniqueKey), [type, uniqueKey] as const]];
  }));
}

/** Finds the latest task of a type under a key. */
type FindHolder<Found> = (type: string, key: string) => Found | undefined;

/** Keeps others from enqueueing under keys with these names until the transaction ends. */
export async function lockKeys(work: Work, names: readonly string[]): Promise<void> {
  await work.tx.query(UNIQUE_SQL.lock, [names]);
}

/** The holders of the tasks' keys, locked with their keys. */
export async function lockHolders(
  work: Work,
  tasks: readonly PreparedTask[],
): Promise<FindHolder<UniqueHolder>> {
  const keys = keysOf(tasks);
  if (keys.size === 0) return () => undefined;
  await lockKeys(work, [...keys.keys()]);
  const find = await findHolders(work, tasks);
  return (type, key) => holderOfRow(find(type, key));
}

/** The holders of the tasks' keys. */
export async function findHolders(
  work: Work,
  tasks: readonly PreparedTask[],
): Promise<FindHolder<TaskRow>> {
  const keys = [...keysOf(tasks).values()];
  if (keys.length === 0) return () => undefined;
  const parameters = [keys.map(([type]) => type), keys.map(([, key]) => key)];
  const found = await work.tx.query(UNIQUE_SQL.holders, parameters);
  const rows = await work.rows(found.map(({ id }) => Number(id)));
  const byName = new Map(rows.map((row) => [nameOf(row.type, row.unique_key!), row]));
  return (type, key) => byName.get(nameOf(type, key));
}

function holderOfRow(row: TaskRow | undefined): UniqueHolder | undefined {
  return row && {
    id: row.id,
    runId: row.run_id,
    status: row.status,
    hasStarted: row.lease_token > 0,
    createdAtMs: row.created_at,
    expiresAtMs: row.expires_at,
  };
}

/** The task that stands for another. */
interface StandIn {
  readonly row: TaskRow;
  readonly created: false;
  readonly outcome: "joined" | "replaced";
}

/** The task that stands for one that joins it. A debounced one takes over its payload, and waits anew. */
export function standIn(
  work: Work,
  { task, row, dueAtMs }: Pick<Joined, "dueAtMs"> & {
    readonly task: PreparedTask;
    readonly row: TaskRow;
  },
): StandIn {
  const held = { payload: row.payload, runAfterMs: row.run_after, expiresAtMs: row.expires_at };
  const { payload, kept: { expires_at: expiresAtMs } } = task;
  const taken = dueAtMs === null ? undefined : takenOver(held, { payload, expiresAtMs, dueAtMs });
  if (taken === undefined) return { row, created: false, outcome: "joined" };
  const values = {
    payload: taken.payload,
    run_after: taken.runAfterMs,
    expires_at: taken.expiresAtMs,
    updated_at: work.context.nowMs,
  };
  return { row: work.change(row, values, { isDrawn: true }), created: false, outcome: "replaced" };
}
