/**
 * Buckets: what rates have counted of starts. Each is one number, its TAT; see `queue_policy/start_rate.ts`.
 *
 * Starts are charged in the transaction that leases their tasks, so a bucket counts neither a start too few nor one that never was.
 * One that is past says nothing, and later charges remove it. What a change of a rate or of the clock has left too far ahead is put
 * back to the fullest that a bucket can be.
 */
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import {
  type Bucket,
  countStarts,
  type FarBucket,
  farBuckets,
  nextStartsMs,
} from "../../queue_policy/buckets.ts";
import type { Flow, FlowKey, RatedScope } from "../../queue_policy/flow.ts";
import type { ScopeKey } from "../../queue_policy/limit_request.ts";
import { tatAfter } from "../../queue_policy/start_rate.ts";
import { BUCKET_TABLE } from "./schema.ts";

/** How many buckets one transaction puts back at most. */
const BACK_MAX = 1000;

/** The statements; a test reads their plans. */
export const BUCKET_SQL = {
  one: "SELECT * FROM flow_buckets WHERE type = ? AND grp = ?",
  ahead: "SELECT * FROM flow_buckets INDEXED BY buckets_by_tat WHERE tat_us > +?",
  past: `SELECT type, grp FROM flow_buckets INDEXED BY buckets_by_tat
    WHERE tat_us <= +? ORDER BY tat_us LIMIT +?`,
} as const;

/** The TAT of a scope's bucket, in µs. */
export function tatOf(reader: Reader, scope: ScopeKey): number | undefined {
  const row = findBucket(reader, scope);
  return row && bucketOf(row).tatUs;
}

/** Tasks start: each counts in each of its scopes that have a rate. */
export function charge(
  tx: Transaction,
  { flow, started, nowMs }: {
    readonly flow: Flow;
    readonly started: readonly FlowKey[];
    readonly nowMs: number;
  },
): void {
  const counts = countStarts(flow, started);
  if (counts.length === 0) return;
  for (const { scope, count } of counts) {
    const known = findBucket(tx, scope);
    const tat_us = tatAfter(scope.rate, known && bucketOf(known).tatUs, { count, nowMs });
    if (known !== undefined) tx.update(BUCKET_TABLE, known, { tat_us });
    else tx.insert(BUCKET_TABLE, { type: scope.type, grp: scope.grp, tat_us });
  }
  for (const [type, grp] of tx.read(BUCKET_SQL.past, [nowMs * 1000, 2 * counts.length])) {
    tx.remove(BUCKET_TABLE, [type!, grp!]);
  }
}

/** When each rate of these that allows no start now allows the next. */
export function nextRatesMs(
  reader: Reader,
  scopes: readonly RatedScope[],
  nowMs: number,
): number[] {
  return nextStartsMs(scopes, { tatOf: (scope) => tatOf(reader, scope), nowMs });
}

/** Whether there are buckets that are further ahead than their rates can bring them. */
export function hasFarBuckets(reader: Reader, flow: Flow, nowMs: number): boolean {
  return far(reader, flow, nowMs).length > 0;
}

/** Puts such buckets back, at most `BACK_MAX`; their scopes. */
export function putBucketsBack(tx: Transaction, flow: Flow, nowMs: number): ScopeKey[] {
  return far(tx, flow, nowMs).slice(0, BACK_MAX).map(({ scope, toUs }) => {
    tx.update(BUCKET_TABLE, findBucket(tx, scope)!, { tat_us: toUs });
    return scope;
  });
}

function far(reader: Reader, flow: Flow, nowMs: number): FarBucket[] {
  if (!flow.hasRates) return [];
  return farBuckets(reader.read(BUCKET_SQL.ahead, [nowMs * 1000]).map(bucketOf), flow, nowMs);
}

function findBucket(reader: Reader, { type, grp }: ScopeKey): SqlRow | undefined {
  return reader.read(BUCKET_SQL.one, [type, grp])[0];
}

function bucketOf([type, grp, tatUs]: SqlRow): Bucket {
  return { scope: { type: String(type), grp: String(grp) }, tatUs: Number(tatUs) };
}
