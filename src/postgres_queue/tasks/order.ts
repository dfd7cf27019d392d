/**
 * Order: of the tasks of one ordering key that are not final, one has its turn, the front: the one that is leased, else the first by its
 * place, which is its own id or that of the task that it has replaced. All others are behind it. A task that is behind waits for one task
 * more (`waits_for`), so it is none of those that a claim looks at.
 *
 * `Work` notes each key whose turn may have moved, and every transaction settles those at its end, behind the locks of the keys (see
 * `rows/ordering.ts`). A unique index lets no key have two fronts, whatever happens.
 */
import type { Predecessor } from "../../queue_policy/explanation.ts";
import type { KeptValues } from "../../queue_policy/kept_fields.ts";
import type { TaskStatus } from "../../domain/task.ts";
import type { PreparedTask } from "../../queue_policy/new_task.ts";
import type { Statements } from "../rows/database.ts";
import { lockKeysOf, placeIn } from "../rows/ordering.ts";
import { STATUS, type TaskRow } from "../rows/task_row.ts";
import type { Work } from "../rows/work.ts";

/** How many tasks before another are counted. */
const BEFORE_MAX = 1000;

/** The first of a key that is not final. */
const FIRST =
  `select v.id, v.ordering_place, v.is_behind, t.on_predecessor_failure = 'hold' as holds
  from @live v join @task t using (id) where v.ordering_key = r.key order by ${
    placeIn("v")
  } limit 1`;

/** Whether a failed task of the key comes before `first`, which waits for it. */
const IS_HELD = `coalesce(first.holds and exists (
  select from @task f where f.ordering_key = r.key and f.outcome = 'failed'
    and (${placeIn("f")}) < (${placeIn("first")})), false)`;

const ORDER_SQL = {
  /** `$1` are keys. */
  lock: lockKeysOf("select key from unnest($1::text[]) as r(key)"),
  /** `$1` are keys. */
  look: `select r.key, exists (select from @live v where v.ordering_key = r.key) as is_taken,
      exists (select from @task t where t.ordering_key = r.key and t.outcome = 'failed') as has_failed
    from unnest($1::text[]) as r(key)`,
  /** `$1` are keys. */
  settle:
    `select array(select v.id from @live v where v.ordering_key = r.key and v.is_behind = false) as fronts,
      exists (select from @live v where v.ordering_key = r.key and v.is_behind = false and v.state = 4) as is_leased,
      first.id as first, ${IS_HELD} as is_held
    from unnest($1::text[]) as r(key) left join lateral (${FIRST}) as first on true`,
  /** `$1` is a key. */
  isHeld: `select ${IS_HELD} and first.is_behind as is_held
    from (select $1::text as key) as r join lateral (${FIRST}) as first on true`,
  /** `$1` is a key, `$2` a place, `$3` an id. */
  predecessor:
    `select t.id, t.run_id, ${STATUS} as status, coalesce(v.attempts, t.attempts) as attempts,
      coalesce(v.run_after, t.run_after) as run_after, (
        select count(*) from (select from @live v where v.ordering_key = $1
          and (${placeIn("v")}) < ($2::bigint, $3::bigint) limit ${BEFORE_MAX}) as before) as ahead
    from @task t left join @live v on v.id = t.id where t.id = coalesce(
      (select v.id from @live v where v.ordering_key = $1 and v.is_behind = false),
      (select v.id from @live v where v.ordering_key = $1 and (${
      placeIn("v")
    }) < ($2::bigint, $3::bigint)
        order by ${placeIn("v")} limit 1),
      (select f.id from @task f where f.ordering_key = $1 and f.outcome = 'failed'
        and (${placeIn("f")}) < ($2::bigint, $3::bigint) order by ${placeIn("f")} limit 1))`,
} as const;

/** Keeps others from giving or taking turns under these keys until the transaction ends. */
export async function lockOrders(work: Work, keys: readonly string[]): Promise<void> {
  if (keys.length > 0) await work.tx.query(ORDER_SQL.lock, [keys]);
}

/** Says of new tasks, one after the other, whether they come behind another of their key. */
export type IsBehind = (kept: KeptValues) => boolean;

/** Locks the ordering keys of new tasks, and finds whose turns are free. Ids are taken after it, so they follow the order. */
export async function lockTurns(work: Work, tasks: readonly PreparedTask[]): Promise<IsBehind> {
  const keys = [...new Set(tasks.flatMap(({ kept }) => kept.ordering_key ?? []))];
  if (keys.length === 0) return () => false;
  await lockOrders(work, [...keys, ...work.unsettled]);
  const found = await work.tx.query(ORDER_SQL.look, [keys]);
  const taken = new Set(found.flatMap((row) => row.is_taken ? String(row.key) : []));
  const failed = new Set(found.flatMap((row) => row.has_failed ? String(row.key) : []));
  return ({ ordering_key: key, on_predecessor_failure: policy }) => {
    if (key === null) return false;
    const isBehind = taken.has(key) || policy === "hold" && failed.has(key);
    taken.add(key);
    return isBehind;
  };
}

/** Gives the turns of the keys that this transaction has touched to whom they belong. */
export async function settleOrders(work: Work): Promise<void> {
  while (work.unsettled.size > 0) {
    const keys = [...work.unsettled];
    work.unsettled.clear();
    await lockOrders(work, keys);
    await work.flush();
    const found = await work.tx.query(ORDER_SQL.settle, [keys]);
    await moveTurns(work, found.flatMap(moveOf));
    await work.flush();
  }
}

/** A turn that goes to another task, or to none. */
interface Move {
  readonly from: readonly number[];
  readonly to: number | null;
}

function moveOf(row: Readonly<Record<string, unknown>>): Move[] {
  const fronts = (row.fronts as readonly unknown[]).map(Number);
  if (row.is_leased) return [];
  const next = row.first === null || row.is_held ? null : Number(row.first);
  const from = fronts.filter((id) => id !== next);
  const to = next === null || fronts.includes(next) ? null : next;
  return from.length > 0 || to !== null ? [{ from, to }] : [];
}

/** A front that a claim has leased meanwhile keeps its turn. */
async function moveTurns(work: Work, moves: readonly Move[]): Promise<void> {
  if (moves.length === 0) return;
  await work.rows(moves.flatMap(({ from, to }) => to === null ? from : [...from, to]));
  const open = moves.filter(({ from }) => from.every((id) => work.held(id)!.status === "queued"));
  for (const id of open.flatMap(({ from }) => from)) fallBack(work, work.held(id)!);
  await work.flush();
  for (const { to } of open) if (to !== null) comeForward(work, work.held(to)!);
}

function fallBack(work: Work, row: TaskRow): void {
  work.change(row, { is_behind: true, waits_for: row.waits_for + 1 });
}

/** One that was due waits from now on. */
function comeForward(work: Work, row: TaskRow): void {
  const { nowMs } = work.context;
  const waits_for = row.waits_for - 1;
  const run_after = waits_for === 0 ? Math.max(nowMs, row.run_after) : row.run_after;
  const values = { is_behind: false, waits_for, run_after, updated_at: nowMs };
  work.change(row, values, { isDrawn: true });
}

/** Whether a failed task holds up others of its ordering key. */
export async function holdsUpOthers(work: Work, { ordering_key: key }: TaskRow): Promise<boolean> {
  if (key === null) return false;
  const [found] = await work.tx.query(ORDER_SQL.isHeld, [key]);
  return found?.is_held === true;
}

/** What comes before a task that is behind: whose turn it is, or the failed one that holds it up; how many come first. */
export async function predecessorOf(
  tx: Statements,
  { id, ordering_key, ordering_place }: TaskRow,
): Promise<{ readonly predecessor: Predecessor; readonly ahead: number } | undefined> {
  const [row] = await tx.query(ORDER_SQL.predecessor, [ordering_key, ordering_place ?? id, id]);
  return row && {
    predecessor: {
      taskId: Number(row.id),
      runId: String(row.run_id),
      status: row.status as TaskStatus,
      attempts: Number(row.attempts),
      runAfterMs: Number(row.run_after),
    },
    ahead: Number(row.ahead),
  };
}
