/**
 * Metrics: how the queue goes, now and over a window.
 *
 * What happened in the window is read from the transition log. Its transactions are numbered in the order in which they
 * began to write, so the window's beginning is found by bisection; no index on the time is needed, and a transition costs
 * nothing for it. The server adds up, so a window of any length is one small answer.
 */
import type { DurationSummary, QueueMetrics, WindowMetrics } from "../../queue/metrics.ts";
import type { TransitionKind } from "../../queue/task_transition.ts";
import { METRICS_LIMITS, noTransitions, ratesOf } from "../../queue_policy/rates.ts";
import { countByState } from "../../queue_policy/worker_beat.ts";
import type { Row, Statements } from "../rows/database.ts";
import { totalsIn } from "../rows/totals.ts";
import { dueSplit, limitMetrics } from "../../queue_policy/limit_state.ts";
import { flowNow } from "../rows/flow_rows.ts";
import { heldBackOf } from "./limits.ts";
import { liveCounts, statsWith } from "./stats.ts";
import { workerStates } from "./workers.ts";

const { transitionsMax } = METRICS_LIMITS;

/** Numbers of transactions as integers, which can be halved. */
const NUMBER = "p.tx::text::bigint";

/** The statements; a test reads their plans. */
export const METRICS_SQL = {
  /**
   * `$1` is since when, for each window; `$2` the earliest of them, so that all are made of one reading. The search leads
   * behind the last transaction that began before, which may have gone on after it. The last one of all is named, too: the
   * planner takes a range between two unknowns for small, and so goes by the index. Then, for each window in which something
   * happened, one row for each kind, one for waits, one for runs (`is_wait`), and one for all.
   */
  windows: `with recursive
    ends as materialized (select
      (select ${NUMBER} from @transition p order by p.tx, p.step limit 1) as first,
      (select ${NUMBER} from @transition p order by p.tx desc, p.step desc limit 1) as last),
    search(low, high) as (
      select first, last + 1 from ends
      union all
      select case when found.at < $2 then found.number + 1 else low end,
        case when found.at < $2 then high else low + (high - low) / 2 end
      from search left join lateral (
        select ${NUMBER} as number, p.at from @transition p
        where p.tx >= (low + (high - low) / 2)::text::xid8 order by p.tx, p.step limit 1
      ) as found on true
      where low < high),
    recent as materialized (
      select kind, at, duration_ms, row_number() over (order by tx desc, step desc) as place
      from @transition where tx >= (select (max(low) - 1)::text::xid8 from search)
        and tx <= (select last::text::xid8 from ends) and at >= $2
      order by tx desc, step desc limit ${transitionsMax + 1})
    select since, kind, is_wait, count(*) as n, count(duration_ms) as durations,
      min(at) as first_at,
      since <= (select at from recent where place = ${transitionsMax + 1}) as is_truncated,
      percentile_disc(0.5) within group (order by duration_ms) as p50,
      percentile_disc(0.95) within group (order by duration_ms) as p95,
      percentile_disc(0.99) within group (order by duration_ms) as p99,
      max(duration_ms) as max
    from (select since, kind, kind = 'leased' as is_wait, at, duration_ms
      from recent join unnest($1::bigint[]) as since on at >= since
      where place <= ${transitionsMax}) as counted
    group by grouping sets ((since, kind), (since, is_wait), (since))`,
} as const;

/** Everything that can be measured in the tables, for each of several windows: what is the same for all is counted once. */
export async function measure(
  tx: Statements,
  windowsMs: readonly number[],
  nowMs: number,
): Promise<QueueMetrics[]> {
  const flow = await flowNow(tx);
  const live = await liveCounts(tx, nowMs, flow.hasGroups);
  const due = live.filter(({ stage }) => stage === "due");
  const [counted, windows, totals, workers, held] = await Promise.all([
    statsWith(tx, live),
    measureWindows(tx, windowsMs, nowMs),
    totalsIn(tx),
    workerStates(tx, nowMs),
    heldBackOf(tx, { flow, due, nowMs }),
  ]);
  const { byStatus, byType, scheduled, waitingForParents, oldestDueAt } = counted;
  return windows.map((window) => ({
    at: new Date(nowMs),
    byStatus,
    byType,
    scheduled,
    waitingForParents,
    due: byStatus.queued - scheduled - waitingForParents,
    dueSplit: dueSplit(held),
    limits: limitMetrics(held),
    oldestDueAgeMs: oldestDueAt === null ? null : nowMs - oldestDueAt.getTime(),
    window,
    totals,
    workers: countByState(workers),
  }));
}

/** What happened since `windowMs` ago. */
export async function measureWindow(
  tx: Statements,
  windowMs: number,
  nowMs: number,
): Promise<WindowMetrics> {
  return (await measureWindows(tx, [windowMs], nowMs))[0]!;
}

/** What happened in each of these windows. */
async function measureWindows(
  tx: Statements,
  windowsMs: readonly number[],
  nowMs: number,
): Promise<WindowMetrics[]> {
  const since = [...new Set(windowsMs)].map((windowMs) => nowMs - windowMs);
  const rows = await tx.query(METRICS_SQL.windows, [since, Math.min(...since)]);
  const bySince = Map.groupBy(rows, (row) => Number(row.since));
  return windowsMs.map((windowMs) =>
    windowOf(bySince.get(nowMs - windowMs) ?? [], { windowMs, nowMs })
  );
}

function windowOf(
  rows: readonly Row[],
  { windowMs, nowMs }: { readonly windowMs: number; readonly nowMs: number },
): WindowMetrics {
  const counts = noTransitions();
  for (const { kind, n } of rows) if (kind !== null) counts[kind as TransitionKind] = Number(n);
  const all = rows.find(({ kind, is_wait }) => kind === null && is_wait === null);
  const isTruncated = Boolean(all?.is_truncated);
  const firstAtMs = Math.min(nowMs, Number(all?.first_at));
  return {
    ...ratesOf(counts, isTruncated ? Math.max(1, nowMs - firstAtMs) : windowMs),
    isTruncated,
    waitMs: summaryOf(rows.find(({ is_wait }) => is_wait === true)),
    runMs: summaryOf(rows.find(({ is_wait }) => is_wait === false)),
  };
}

function summaryOf(row: Row | undefined): DurationSummary {
  if (row === undefined) return { count: 0, p50: null, p95: null, p99: null, max: null };
  const { durations, p50, p95, p99, max } = row;
  const duration = (value: unknown): number | null => value === null ? null : Number(value);
  return {
    count: Number(durations),
    p50: duration(p50),
    p95: duration(p95),
    p99: duration(p99),
    max: duration(max),
  };
}
