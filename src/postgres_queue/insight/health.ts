/**
 * The health of a queue on a database: the facts from its rows, and from what the server says of itself.
 *
 * A snapshot that is held keeps every row that was deleted or changed since: claims walk past them. For how long it has done
 * so says the queue's own history, by what happened first after it was taken; for not longer than its transaction is there,
 * but when that one began may be seen only with the right to.
 */
import { WEBHOOK_TYPE } from "../../domain/webhook.ts";
import type { DatabaseState, SnapshotHolder } from "../../queue/database_state.ts";
import type { HealthThresholds, QueueHealth } from "../../queue/operator.ts";
import type { FailingDuty } from "../../queue_policy/background_failures.ts";
import {
  DELIVERIES_MAX,
  DELIVERY_FAILURES_MIN,
  type FailingWebhook,
  failingWebhooks,
} from "../../queue_policy/failing_webhooks.ts";
import type { UnplannableSchedule } from "../../queue_policy/schedule_firing.ts";
import { CLOCK_TOLERANCE_MS } from "../../queue_policy/clock_put_back.ts";
import { type HealthFacts, verdictOf } from "../../queue_policy/verdict.ts";
import { WORKER_AGES } from "../../queue_policy/worker_beat.ts";
import { closureIn } from "../rows/closure.ts";
import type { Row, Statements } from "../rows/database.ts";
import { fullLimits, longPauses, oldestClaimableMs } from "../../queue_policy/limit_state.ts";
import { heldBack } from "./limits.ts";
import { measureWindow } from "./metrics.ts";
import { workerStates } from "./workers.ts";

/** Of the tasks whose time has not come, so many are looked at for deliveries. */
const SCHEDULED_MAX = 1000;

/** What is to be judged, and how. */
export interface Assessment {
  readonly thresholds: HealthThresholds;
  /** Whether no notification reaches this process. */
  readonly isDeaf: boolean;
  /** What the queue fails to do by itself in this process. */
  readonly failingDuties: readonly FailingDuty[];
  /** The schedules that this process cannot plan. */
  readonly unplannable: readonly UnplannableSchedule[];
  readonly nowMs: number;
}

/** The statements; a test reads their plans. */
export const HEALTH_SQL = {
  /** `$1` is now, `$2` when a lease must have expired, `$3` how far in the future a clock may have written. */
  leases: `select
      exists (select from @live where state = 4 and lease_until > $1 and updated_at <= $3) as is_held,
      (select id from @live where state = 4 and lease_until < $2 order by lease_until, id limit 1)
        as expired,
      greatest((select max(updated_at) from @live where state = 4 and lease_until > $1),
        (select max(updated_at) from @schedule where not is_paused and next_at > $1)) as latest`,
  /** `$1` is since when one failed for good. Of those that wait for their time, the ones among the next to come. */
  failedDeliveries: `with target as materialized (
      select lane_id from @lane where type = '${WEBHOOK_TYPE}'),
    failed as (
      (select ready.* from target cross join lateral (
          select id, attempts, error_message, updated_at from @live v
          where v.lane_id = target.lane_id and state = 1 and grp = ''
          order by id limit ${DELIVERIES_MAX}) as ready
        order by id limit ${DELIVERIES_MAX})
      union all
      (select id, attempts, error_message, updated_at from (
        select * from @live where state = 2 order by run_after limit ${SCHEDULED_MAX}) as next
        where lane_id in (select lane_id from target) limit ${DELIVERIES_MAX}))
    select payload, f.error_message, f.updated_at from failed f join @task using (id)
      where f.attempts >= ${DELIVERY_FAILURES_MIN}
    union all
    select payload, error_message, updated_at from (
      select ended.* from target cross join lateral (
          select id, payload, error_message, updated_at from @task t
          where t.outcome = 'failed' and t.lane_id = target.lane_id
          order by id desc limit ${DELIVERIES_MAX}) as ended
        order by id desc limit ${DELIVERIES_MAX}) as ended where updated_at >= $1`,
  /** The tables whose rows come and go, or change, all the time. */
  deadRows: `select relname as name, pg_stat_get_dead_tuples(oid) as count
    from pg_class where oid = any(array['@live', '@worker', '@unsettled', '@schedule']::regclass[])
    order by count desc limit 1`,
  /**
   * The session, prepared transaction or replication slot whose snapshot or transaction is the oldest. Sessions of other databases count where they have written: theirs
   * is in the snapshots of this one. A vacuum holds up no other. The number of a transaction has 64 bits in the history and
   * 32 bits here, so it is counted from the newest.
   */
  holder: `with holder as (
      select 'session' as kind, pid::text as name, application_name as program, state,
        age(backend_xid) as written,
        (extract(epoch from clock_timestamp() - xact_start) * 1000)::bigint as open_ms,
        case when datname = current_database() or backend_type = 'walsender'
          then greatest(age(backend_xmin), age(backend_xid)) else age(backend_xid) end as held
      from pg_stat_activity a where pid <> pg_backend_pid()
        and not exists (select from pg_stat_progress_vacuum v where v.pid = a.pid)
      union all
      select 'prepared transaction', gid, '', '', age(transaction),
        (extract(epoch from clock_timestamp() - prepared) * 1000)::bigint, age(transaction)
      from pg_prepared_xacts
      union all
      select 'replication slot', slot_name, coalesce(plugin, ''),
        case when active then 'active' else 'inactive' end, null, null, age(xmin)
      from pg_replication_slots)
    select kind, name, program, state, open_ms, (select at from @transition
      where tx >= greatest(0, pg_snapshot_xmax(pg_current_snapshot())::text::bigint - held)::text::xid8
      order by tx, step limit 1) as since
    from holder where held is not null order by held desc, written desc nulls last, name limit 1`,
} as const;

/** The verdict, with every reason. */
export async function assess(
  tx: Statements,
  { thresholds, isDeaf, failingDuties, unplannable, nowMs }: Assessment,
): Promise<QueueHealth> {
  const [due, window, workers, leases, database, closure, failing] = await Promise.all([
    heldBack(tx, nowMs),
    measureWindow(tx, thresholds.failureWindowMs, nowMs),
    workerStates(tx, nowMs, nowMs - WORKER_AGES.limboMs),
    leaseFacts(tx, thresholds, nowMs),
    databaseFacts(tx, nowMs),
    closureIn(tx),
    unreachedWebhooks(tx, nowMs - thresholds.failureWindowMs),
  ]);
  const oldestMs = oldestClaimableMs(due);
  return verdictOf({
    nowMs,
    thresholds,
    oldestDueAgeMs: oldestMs === null ? null : nowMs - oldestMs,
    longPauses: longPauses(due),
    fullLimits: fullLimits(due),
    window,
    workers,
    closure,
    ...leases,
    failingDuties,
    unplannable,
    failingWebhooks: failing,
    database: { ...database, isDeaf },
  });
}

async function leaseFacts(
  tx: Statements,
  { expiredMs }: HealthThresholds,
  nowMs: number,
): Promise<Pick<HealthFacts, "isLeaseHeld" | "expiredTaskId" | "latestWriteMs">> {
  const parameters = [nowMs, nowMs - expiredMs, nowMs + CLOCK_TOLERANCE_MS];
  const [row] = await tx.query(HEALTH_SQL.leases, parameters);
  return {
    isLeaseHeld: Boolean(row!.is_held),
    expiredTaskId: numberOrNull(row!.expired),
    latestWriteMs: numberOrNull(row!.latest),
  };
}

async function unreachedWebhooks(tx: Statements, sinceMs: number): Promise<FailingWebhook[]> {
  const rows = await tx.query(HEALTH_SQL.failedDeliveries, [sinceMs]);
  return failingWebhooks(rows.map(({ payload, error_message, updated_at }) => ({
    payload: String(payload),
    errorMessage: error_message as string | null,
    updatedAtMs: Number(updated_at),
  })));
}

/** What the server says of itself. */
export async function databaseFacts(
  tx: Statements,
  nowMs: number,
): Promise<Pick<DatabaseState, "deadRows" | "oldestSnapshot">> {
  const [[dead], [holder]] = await Promise.all([
    tx.query(HEALTH_SQL.deadRows),
    tx.query(HEALTH_SQL.holder),
  ]);
  return {
    deadRows: { table: String(dead!.name), count: Number(dead!.count) },
    oldestSnapshot: holder === undefined ? null : snapshotOf(holder, nowMs),
  };
}

/** One that began after all that happened holds up nothing. */
function snapshotOf(
  { kind, name, program, state, open_ms, since }: Row,
  nowMs: number,
): SnapshotHolder | null {
  if (since === null) return null;
  return {
    kind: kind as SnapshotHolder["kind"],
    name: String(name),
    program: String(program ?? ""),
    state: String(state ?? ""),
    ageMs: Math.min(nowMs - Number(since), Number(open_ms ?? Infinity)),
  };
}

function numberOrNull(value: unknown): number | null {
  return value === null ? null : Number(value);
}
