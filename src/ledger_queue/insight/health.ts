/**
 * The facts of a queue's health, from its rows.
 */
import type { Reader } from "../../ledger/replica.ts";
import { CLOCK_TOLERANCE_MS } from "../../queue_policy/clock_put_back.ts";
import type { HealthFacts } from "../../queue_policy/verdict.ts";
import { closureIn } from "../rows/notes.ts";
import { EXPIRED_SQL } from "../tasks/rescue.ts";
import { failingWebhooks } from "../../queue_policy/failing_webhooks.ts";
import { failedDeliveries } from "../tasks/webhooks.ts";
import { fullLimits, longPauses, oldestClaimableMs } from "../../queue_policy/limit_state.ts";
import { heldBack } from "./limits.ts";
import { listWorkers } from "./workers.ts";

/** Whether a lease is held. */
const HELD_SQL = `SELECT 1 FROM task_queue INDEXED BY leased_tasks
  WHERE status = 'leased' AND lease_until_utc > ? AND updated_at_utc <= ? LIMIT 1`;

/** The latest instant at which what is leased or planned was written. */
const LATEST_SQL = `SELECT max(at) FROM (
  SELECT max(updated_at_utc) AS at FROM task_queue INDEXED BY leased_tasks
    WHERE status = 'leased' AND lease_until_utc > +?
  UNION ALL SELECT max(updated_at_utc) FROM schedules INDEXED BY next_schedules
    WHERE is_paused = 0 AND next_at_utc IS NOT NULL AND next_at_utc > +?)`;

/** The facts at `nowMs`, but for those of the ledger. */
export function healthFacts(
  reader: Reader,
  { thresholds, window, nowMs }: Pick<HealthFacts, "thresholds" | "window" | "nowMs">,
): HealthFacts {
  const [expired] = reader.read(EXPIRED_SQL, [nowMs - thresholds.expiredMs, 1]);
  const due = heldBack(reader, nowMs);
  const oldestMs = oldestClaimableMs(due);
  const latestMs = reader.read(LATEST_SQL, [nowMs, nowMs])[0]![0]!;
  return {
    nowMs,
    thresholds,
    oldestDueAgeMs: oldestMs === null ? null : nowMs - oldestMs,
    longPauses: longPauses(due),
    fullLimits: fullLimits(due),
    workers: listWorkers(reader, nowMs),
    isLeaseHeld: reader.read(HELD_SQL, [nowMs, nowMs + CLOCK_TOLERANCE_MS]).length > 0,
    window,
    expiredTaskId: expired === undefined ? null : Number(expired[0]),
    latestWriteMs: latestMs === null ? null : Number(latestMs),
    closure: closureIn(reader),
    failingWebhooks: failingWebhooks(failedDeliveries(reader, nowMs - thresholds.failureWindowMs)),
  };
}
