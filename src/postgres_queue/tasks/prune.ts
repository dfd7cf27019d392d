/**
 * Pruning: finished tasks go for good, with their transitions and logs; a few hundred in each transaction. One with a child that
 * is not final stays: the child may ask for its result.
 *
 * A transaction locks the tasks first, and looks at their children after that: a child is enqueued under its parents' locks,
 * so none can come in between.
 */
import type { FinalStatus } from "../../domain/final_status.ts";
import type { PruneReport } from "../../queue/operator.ts";
import type { PreparedPrune } from "../../queue_policy/prune_request.ts";
import { tagsOfText } from "../../queue_policy/tags.ts";
import type { Statements } from "../rows/database.ts";
import { KEEP_UNCOUNTED } from "../rows/totals.ts";
import { NOTE_GONE } from "../rows/used_ids.ts";
import { TAG_SQL, tagParameters, tagRows } from "../rows/tags.ts";
import type { Work } from "../rows/work.ts";

/** The transactions that a prune needs. */
export interface PruneAccess {
  read<T>(run: (tx: Statements, nowMs: number) => Promise<T>): Promise<T>;
  writeIfOpen<T>(run: (work: Work) => Promise<T>): Promise<T>;
}

/** A place in the order in which tasks finished. */
interface Place {
  readonly finishedAtMs: number;
  readonly id: number;
}

/** Which tasks of one status go. */
interface Range {
  readonly status: FinalStatus;
  /** Only those that finished before. */
  readonly beforeMs: number;
  /** The last one; all that come later stay. */
  readonly last: Place;
}

/** How many tasks one transaction deletes at most. */
export const PRUNE_MAX = 500;

const FIRST: Place = { finishedAtMs: Number.MIN_SAFE_INTEGER, id: 0 };

/** The statements; a test reads their plans. */
export const PRUNE_SQL = {
  /** `$1` is a status, `$2` how many stay. */
  last: `select finished_at, id from @task where outcome = $1
    order by finished_at desc, id desc limit 1 offset $2`,
  /** `$2` is before when, `$3` and `$4` the last to go, `$5` and `$6` the one before the first. What is locked is left out. */
  lock: `select finished_at, id from @task where outcome = $1 and finished_at < $2
      and (finished_at, id) <= ($3, $4) and (finished_at, id) > ($5, $6)
    order by finished_at, id limit ${PRUNE_MAX} for update skip locked`,
  /** `$1` are ids. `offset 0` makes the planner look for the children of each, and not read all that live. */
  remove: `with gone as (
      delete from @task t where t.id = any($1) and not exists (
        select from @dependency d join @live v on v.id = d.child_id
        where d.parent_id = t.id offset 0)
      returning t.id, t.lane_id, t.tags,
        case when t.outcome = 'failed' then t.ordering_key end as failed_under),
    transitions as (delete from @transition p using gone where p.task_id = gone.id
      returning p.tx, p.step, gone.lane_id, p.kind, p.duration_ms),
    uncounted as (${KEEP_UNCOUNTED}),
    parents as (delete from @dependency d using gone where d.child_id = gone.id),
    webhooks as (delete from @webhook w using gone where w.task_id = gone.id),
    logs as (delete from @log l using gone where l.task_id = gone.id),
    log_ends as (delete from @log_end e using gone where e.task_id = gone.id),
    noted as (${NOTE_GONE})
    select id, failed_under, tags from gone order by id`,
} as const;

/** Deletes these final tasks, but those that others wait for; the ids of those that are gone. What a failed one held up goes on. */
export async function removeTasks(work: Work, ids: readonly number[]): Promise<number[]> {
  const gone = await work.tx.query(PRUNE_SQL.remove, [ids]);
  for (const { failed_under: key } of gone) if (key !== null) work.unsettled.add(String(key));
  const tags = gone.flatMap(({ id, tags }) =>
    tagRows(Number(id), tagsOfText(tags as string | null))
  );
  if (tags.length > 0) await work.tx.query(TAG_SQL.removeTags, tagParameters(tags));
  return gone.map(({ id }) => Number(id));
}

/** Deletes what `request` says; calls `onPruned` with the tasks of each transaction, once it is durable. */
export async function pruneAll(
  access: PruneAccess,
  { statuses, keep, olderThanMs }: PreparedPrune,
  onPruned: (taskIds: readonly number[]) => void,
): Promise<PruneReport> {
  const byStatus = { completed: 0, failed: 0, cancelled: 0 };
  for (const status of statuses) {
    const range = await access.read(async (tx, nowMs) => {
      const last = await lastToGo(tx, status, keep);
      return last && { status, beforeMs: finite(nowMs - olderThanMs), last };
    });
    if (range !== undefined) byStatus[status] = await pruneRange(access, range, onPruned);
  }
  return { pruned: byStatus.completed + byStatus.failed + byStatus.cancelled, byStatus };
}

/** `undefined` when all stay. */
async function lastToGo(
  tx: Statements,
  status: FinalStatus,
  keep: number,
): Promise<Place | undefined> {
  const [row] = await tx.query(PRUNE_SQL.last, [status, keep]);
  return row && placeOf(row);
}

/** One transaction after the other, so that other work goes on in between. */
async function pruneRange(
  access: PruneAccess,
  range: Range,
  onPruned: (taskIds: readonly number[]) => void,
): Promise<number> {
  let after = FIRST;
  for (let pruned = 0;;) {
    const { locked, ids } = await access.writeIfOpen((work) => pruneSome(work, range, after));
    if (ids.length > 0) onPruned(ids);
    pruned += ids.length;
    if (locked.length < PRUNE_MAX) return pruned;
    after = locked.at(-1)!; // what is gone is still in the index: it is not walked past again
  }
}

async function pruneSome(
  work: Work,
  { status, beforeMs, last }: Range,
  after: Place,
): Promise<{ readonly locked: readonly Place[]; readonly ids: readonly number[] }> {
  const places = [last, after].flatMap(({ finishedAtMs, id }) => [finishedAtMs, id]);
  const locked = (await work.tx.query(PRUNE_SQL.lock, [status, beforeMs, ...places])).map(placeOf);
  if (locked.length === 0) return { locked, ids: [] };
  return { locked, ids: await removeTasks(work, locked.map(({ id }) => id)) };
}

function placeOf({ finished_at, id }: Readonly<Record<string, unknown>>): Place {
  return { finishedAtMs: Number(finished_at), id: Number(id) };
}

function finite(atMs: number): number {
  return Math.min(atMs, Number.MAX_SAFE_INTEGER);
}
