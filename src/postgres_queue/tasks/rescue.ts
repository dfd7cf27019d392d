/**
 * Rescue: tasks whose worker stopped renewing its lease go back to the queue, or fail when attempts are used up, so that
 * a task that kills its workers comes to an end.
 */
import { silentWorkerMessage } from "../../queue_policy/attempt_end.ts";
import { KEYS_ARE_LOCKED, orderGate } from "../rows/ordering.ts";
import { attemptsOf, runMsOf, type TaskRow } from "../rows/task_row.ts";
import type { Work } from "../rows/work.ts";
import { countOpenParents } from "./dependencies.ts";
import { markFailed } from "./lease.ts";
import { propagate } from "./propagate.ts";
import { requeueBehind } from "./requeue.ts";

/** How many tasks one transaction rescues at most; the earliest expired first. */
export const RESCUE_MAX = 200;

const RESCUE_SQL = {
  /** Leased tasks are few, so they are looked through: an index on `lease_until` would have to follow every renewal. */
  expired: `with ${
    orderGate("select ordering_key as key from @live where state = 4 and lease_until <= $1")
  }
    select id from @live where state = 4 and lease_until <= $1 and ${KEYS_ARE_LOCKED}
    order by lease_until, id limit ${RESCUE_MAX} for update skip locked`,
} as const;

/** Ends expired leases, as many as one transaction may; the rows as they are now. */
export async function rescue(work: Work): Promise<TaskRow[]> {
  const { nowMs } = work.context;
  const expired = await work.tx.query(RESCUE_SQL.expired, [nowMs]);
  const ids = expired.map(({ id }) => Number(id));
  const rescued: TaskRow[] = [];
  if (ids.length === 0) return [];
  const open = await countOpenParents(work, ids);
  for (const row of await work.rows(ids)) {
    rescued.push(rescueTask(work, row, open.get(row.id) ?? 0));
  }
  await propagate(work, rescued.filter(({ status }) => status === "failed"));
  await work.flush();
  // one that went back may have been ended by a parent that failed
  return rescued.map(({ id }) => work.held(id)!);
}

function rescueTask(work: Work, row: TaskRow, waitsFor: number): TaskRow {
  const { attempts, maxAttempts } = attemptsOf(row);
  const message = silentWorkerMessage(row.locked_by, { attempts, maxAttempts });
  if (attempts >= maxAttempts) return markFailed(work, row, { message, result: null });
  work.note(row.id, "rescued", {
    worker: row.locked_by!,
    attempt: attempts,
    durationMs: runMsOf(row, work.context.nowMs),
  });
  return requeueBehind(work, row, { delayMs: 0, attempts, message }, waitsFor);
}
