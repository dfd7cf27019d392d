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
import { findLimit, storeLimit } from "../rows/flow_rows.ts";
import { noteGroupLimitChange } from "../rows/group_room.ts";
import { checkOpen } from "../rows/notes.ts";

/** Sets or removes a limit; whether that is a change. */
export function setLimit(tx: Transaction, limit: PreparedLimit, nowMs: number): boolean {
  return store(tx, limit.key, withLimit(findLimit(tx, limit.key), limit, nowMs));
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
