/**
 * Totals of transitions: the log is counted into one row for each type, up to a place in it that is noted; reading adds what comes behind.
 * So a transition costs nothing when it happens.
 *
 * It is counted once: the log is counted in the order of transactions, and only up to the oldest one that is still under way. What is
 * deleted behind the place goes into `uncounted` with its own place, by the statement that deletes it; so nobody waits for who counts.
 * Where the place has moved on meanwhile, it was counted before it was deleted, and is passed over.
 */
import type { TypeTotals } from "../../queue/metrics.ts";
import type { TransitionKind } from "../../queue/task_transition.ts";
import { TransitionTotals } from "../../queue_policy/transition_totals.ts";
import type { Row, Statements } from "./database.ts";

/** How many transitions one transaction counts, and one statement reads. */
export const COUNT_MAX = 2000;

/** Part of a statement that deletes transitions: keeps those of the CTE `transitions` that have yet to be counted. */
export const KEEP_UNCOUNTED = `insert into @uncounted (tx, step, type, kind, duration_ms)
      select p.tx, p.step, lane.type, p.kind, p.duration_ms
      from @counted c join transitions p on (p.tx, p.step) > (c.tx, c.step)
        join @lane lane using (lane_id)`;

const BEHIND = "(p.tx, p.step) > ($1::xid8, $2) and p.tx < pg_snapshot_xmin(pg_current_snapshot())";

const COLUMNS = "tx::text as tx, step, type, kind, duration_ms";

/** The statements; a test reads their plans. */
export const TOTALS_SQL = {
  place: "select tx::text as tx, step from @counted",
  /** One process counts. */
  lock: "select tx::text as tx, step from @counted for update skip locked",
  /** `$1` and `$2` are the place, `$3` how many. */
  after: `select ${COLUMNS} from (
      (select p.tx, p.step, lane.type, p.kind, p.duration_ms
        from @transition p join @task t on t.id = p.task_id join @lane lane using (lane_id)
        where ${BEHIND} order by p.tx, p.step limit $3)
      union all
      (select p.tx, p.step, p.type, p.kind, p.duration_ms from @uncounted p
        where ${BEHIND} order by p.tx, p.step limit $3)) as found
    order by found.tx, found.step limit $3`,
  stored: "select type, totals from @transition_totals",
  store: `insert into @transition_totals (type, totals) values ($1, $2)
    on conflict (type) do update set totals = excluded.totals`,
  moveOn: "update @counted set tx = $1::xid8, step = $2",
  forget: "delete from @uncounted where (tx, step) <= ($1::xid8, $2)",
} as const;

/** The totals as they are in this snapshot, without what was still under way; in slices, so that other work goes on in between. */
export async function totalsIn(tx: Statements): Promise<Record<string, TypeTotals>> {
  const totals = await storedIn(tx);
  let [place] = await tx.query(TOTALS_SQL.place);
  for (;;) {
    const { tx: number, step } = place!;
    const rows = await tx.query(TOTALS_SQL.after, [String(number), Number(step), COUNT_MAX]);
    addAll(totals, rows);
    if (rows.length < COUNT_MAX) return totals.values();
    place = rows.at(-1)!;
  }
}

/** Counts the next transitions; how many. None while another process counts. */
export async function countTransitions(tx: Statements): Promise<number> {
  const [place] = await tx.query(TOTALS_SQL.lock);
  if (place === undefined) return 0;
  const rows = await tx.query(TOTALS_SQL.after, [String(place.tx), Number(place.step), COUNT_MAX]);
  const last = rows.at(-1);
  if (last === undefined) return 0;
  const totals = await storedIn(tx);
  addAll(totals, rows);
  for (const [type, text] of totals.texts()) await tx.query(TOTALS_SQL.store, [type, text]);
  const end = [String(last.tx), Number(last.step)];
  await tx.query(TOTALS_SQL.moveOn, end);
  await tx.query(TOTALS_SQL.forget, end);
  return rows.length;
}

async function storedIn(tx: Statements): Promise<TransitionTotals> {
  const rows = await tx.query(TOTALS_SQL.stored);
  return new TransitionTotals(rows.map(({ type, totals }) => [String(type), String(totals)]));
}

function addAll(totals: TransitionTotals, rows: readonly Row[]): void {
  for (const { type, kind, duration_ms } of rows) {
    totals.add({
      type: String(type),
      kind: kind as TransitionKind,
      durationMs: duration_ms === null ? null : Number(duration_ms),
    });
  }
}
