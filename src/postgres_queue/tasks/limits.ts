/**
 * Limits and pauses: what a person or a program changes of them. Each is one row of its scope, and holds from the commit on.
 */
import {
  type LimitChange,
  type PreparedLimit,
  type PreparedPause,
  type ScopeKey,
  type StoredLimit,
  withLimit,
  withoutPause,
  withPause,
} from "../../queue_policy/limit_request.ts";
import { checkOpen } from "../rows/closure.ts";
import { putBucketsBack } from "../rows/buckets.ts";
import { changeLimits, flowNow, freeSlotsUntil } from "../rows/flow_rows.ts";
import { openTimedGroups } from "../rows/groups.ts";
import type { Work } from "../rows/work.ts";

/** Sets or removes limits; whether each is a change. */
export async function setLimits(work: Work, limits: readonly PreparedLimit[]): Promise<boolean[]> {
  const { nowMs } = work.context;
  return await change(
    work,
    limits.map((limit) => ({
      key: limit.key,
      change: (known: StoredLimit | undefined) => withLimit(known, limit, nowMs),
    })),
  );
}

/** Pauses; whether that is a change. @throws RangeError */
export async function pause(work: Work, wanted: PreparedPause): Promise<boolean> {
  const { nowMs } = work.context;
  const [isChange] = await change(work, [{
    key: wanted.key,
    change: (known) => withPause(known, wanted, nowMs),
  }]);
  return isChange!;
}

/** Resumes; whether it was paused. */
export async function resume(work: Work, key: ScopeKey): Promise<boolean> {
  const { nowMs } = work.context;
  const [isChange] = await change(work, [{ key, change: (known) => withoutPause(known, nowMs) }]);
  return isChange!;
}

/** Stores limits and pauses of scopes that have none. */
export async function addLimits(work: Work, rows: readonly StoredLimit[]): Promise<void> {
  if (rows.length === 0) return;
  await change(
    work,
    rows.map((row) => ({
      key: row,
      change: (known: StoredLimit | undefined) => ({
        row: known ?? row,
        isChange: known === undefined,
      }),
    })),
  );
}

async function change(
  work: Work,
  changes: readonly {
    readonly key: ScopeKey;
    readonly change: (known: StoredLimit | undefined) => LimitChange;
  }[],
): Promise<boolean[]> {
  await checkOpen(work.tx);
  const made = await changeLimits(work.tx, changes);
  if (!made.includes(true)) return made;
  await putBucketsBack(work.tx, await flowNow(work.tx), work.context.testMs);
  work.makeRoom();
  return made;
}

/** Puts buckets of rates back that are too far ahead. Groups that are closed until an instant are then tried again. */
export async function mendBuckets(work: Work): Promise<void> {
  const { tx, context: { nowMs, testMs } } = work;
  const scopes = await putBucketsBack(tx, await flowNow(tx), testMs);
  if (scopes.some(({ grp }) => grp !== "")) await openTimedGroups(tx, nowMs);
  if (scopes.length > 0) work.makeRoom();
}

/** Frees the slots of cancelled tasks whose leases have ended. */
export async function freeExpiredSlots(work: Work): Promise<void> {
  if (await freeSlotsUntil(work.tx, work.context.nowMs)) work.makeRoom();
}
