/**
 * Limits and pauses: what a person or a program changes of them. Each is one row of its scope, and holds from the commit on.
 */
import type { Transaction } from "../../ledger/replica.ts";
import {
  type LimitChange,
  type PreparedLimit,
  type PreparedPause,
  type ScopeKey,
  withLimit,
  withoutPause,
  withPause,
} from "../../queue_policy/limit_request.ts";
import { putBucketsBack } from "../rows/buckets.ts";
import { findLimit, flowOf, storeLimit } from "../rows/flow_rows.ts";
import { noteGroupLimitChange } from "../rows/group_room.ts";
import { checkOpen } from "../rows/notes.ts";

/** Sets or removes a limit; whether that is a change. What an older rate has counted is put back to what this one can. */
export function setLimit(tx: Transaction, limit: PreparedLimit, nowMs: number): boolean {
  const isChange = store(tx, limit.key, withLimit(findLimit(tx, limit.key), limit, nowMs));
  if (isChange) putBucketsBack(tx, flowOf(tx), nowMs);
  return isChange;
}

/** Puts buckets back that are too far ahead; whether there may be more. Closed groups are then tried again. */
export function mendBuckets(tx: Transaction, nowMs: number): boolean {
  const scopes = putBucketsBack(tx, flowOf(tx), nowMs);
  if (scopes.some(({ grp }) => grp !== "")) noteGroupLimitChange(tx);
  return scopes.length > 0;
}

/** Pauses; whether that is a change. @throws RangeError */
export function pause(tx: Transaction, wanted: PreparedPause, nowMs: number): boolean {
  return store(tx, wanted.key, withPause(findLimit(tx, wanted.key), wanted, nowMs));
}

/** Resumes; whether it was paused. */
export function resume(tx: Transaction, key: ScopeKey, nowMs: number): boolean {
  return store(tx, key, withoutPause(findLimit(tx, key), nowMs));
}

function store(tx: Transaction, key: ScopeKey, change: LimitChange): boolean {
  checkOpen(tx);
  storeLimit(tx, key, change);
  if (change.isChange && key.grp !== "") noteGroupLimitChange(tx);
  return change.isChange;
}
