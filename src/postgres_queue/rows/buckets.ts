/**
 * Buckets: what rates have counted of starts. Each is one number, its TAT; see `queue_policy/start_rate.ts`.
 *
 * Who starts tasks of a scope holds the row of its limit locked, and reads its bucket in a later statement, so it sees what those have
 * charged who had the lock before. Starts are charged by the time that their leases say, in the same transaction. A bucket that is
 * past says nothing, and later charges remove it.
 */
import { type Bucket, countStarts, farBuckets } from "../../queue_policy/buckets.ts";
import { type Flow, type FlowKey, keyOf, type TatOf } from "../../queue_policy/flow.ts";
import type { ScopeKey } from "../../queue_policy/limit_request.ts";
import { tatAfter } from "../../queue_policy/start_rate.ts";
import type { Row, Statements } from "./database.ts";

/** The server's clock after the rows were chosen, or `parameter`, the time of a test. */
export const now = (parameter: string): string =>
  `coalesce(${parameter}::bigint, floor(extract(epoch from clock_timestamp()) * 1000)::bigint) as now`;

const BUCKET_SQL = {
  /** `$1` are types, `$2` groups, `$3` is the time of a test. */
  some: `select scope.type, scope.grp, b.tat_us, ${now("$3")}
    from unnest($1::text[], $2::text[]) as scope(type, grp) left join @flow_bucket b using (type, grp)`,
  /** `$1` is the time of a test. */
  all: `select type, grp, tat_us, ${now("$1")} from @flow_bucket`,
  /** `$1` are types, `$2` groups, `$3` their TATs. */
  store: `insert into @flow_bucket (type, grp, tat_us)
    select * from unnest($1::text[], $2::text[], $3::bigint[])
    on conflict (type, grp) do update set tat_us = excluded.tat_us`,
  /** `$1` is now in µs, `$2` how many at most; those that another transaction charges are passed over. */
  removePast: `delete from @flow_bucket where (type, grp) in (
    select type, grp from @flow_bucket where tat_us <= $1 order by tat_us limit $2
    for update skip locked)`,
  /** Only where it has not changed meanwhile: `$1` is its type, `$2` its group, `$3` the TAT as it was, `$4` as it is to be. */
  putBack: `update @flow_bucket set tat_us = $4
    where type = $1 and grp = $2 and tat_us = $3 returning type`,
} as const;

/** The buckets of some scopes. */
export interface Buckets {
  readonly tatOf: TatOf;
  /** The time when they were read. */
  readonly nowMs: number;
}

/** Reads the buckets of these scopes; `testMs` is the time of a test. */
export async function readBuckets(
  tx: Statements,
  scopes: readonly ScopeKey[],
  testMs: number | null,
): Promise<Buckets> {
  if (scopes.length === 0) return { tatOf: () => undefined, nowMs: testMs ?? 0 };
  const rows = await tx.query(BUCKET_SQL.some, [...columnsOf(scopes), testMs]);
  const tats = tatsIn(rows);
  return { tatOf: (scope) => tats.get(keyOf(scope)), nowMs: Number(rows[0]!.now) };
}

/** Tasks have started, at `nowMs`: each counts in each of its scopes that have a rate. Their buckets as they are now. */
export async function charge(
  tx: Statements,
  { flow, started, nowMs }: {
    readonly flow: Flow;
    readonly started: readonly FlowKey[];
    readonly nowMs: number;
  },
): Promise<TatOf> {
  const counts = countStarts(flow, started);
  if (counts.length === 0) return () => undefined;
  const scopes = counts.map(({ scope }) => scope);
  const { tatOf } = await readBuckets(tx, scopes, nowMs);
  const after = counts.map(({ scope, count }) =>
    tatAfter(scope.rate, tatOf(scope), { count, nowMs })
  );
  await tx.query(BUCKET_SQL.store, [...columnsOf(scopes), after]);
  await tx.query(BUCKET_SQL.removePast, [nowMs * 1000, 2 * counts.length]);
  const tats = new Map(scopes.map((scope, i) => [keyOf(scope), after[i]!]));
  return (scope) => tats.get(keyOf(scope));
}

/** Puts buckets back whose TATs are further ahead than their rates can bring them; their scopes. */
export async function putBucketsBack(
  tx: Statements,
  flow: Flow,
  testMs: number | null,
): Promise<ScopeKey[]> {
  const rows = flow.hasRates ? await tx.query(BUCKET_SQL.all, [testMs]) : [];
  if (rows.length === 0) return [];
  const buckets = rows.map(bucketOf);
  const put: ScopeKey[] = [];
  for (const { scope, tatUs, toUs } of farBuckets(buckets, flow, Number(rows[0]!.now))) {
    const made = await tx.query(BUCKET_SQL.putBack, [scope.type, scope.grp, tatUs, toUs]);
    if (made.length > 0) put.push(scope);
  }
  return put;
}

/** Scopes as two parameters: their types and their groups. */
export function columnsOf(scopes: readonly ScopeKey[]): [string[], string[]] {
  return [scopes.map(({ type }) => type), scopes.map(({ grp }) => grp)];
}

function tatsIn(rows: readonly Row[]): ReadonlyMap<string, number> {
  const stored = rows.filter(({ tat_us }) => tat_us !== null).map(bucketOf);
  return new Map(stored.map(({ scope, tatUs }) => [keyOf(scope), tatUs]));
}

function bucketOf({ type, grp, tat_us }: Row): Bucket {
  return { scope: { type: String(type), grp: String(grp) }, tatUs: Number(tat_us) };
}
