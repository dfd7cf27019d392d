/**
 * Rows of limits and of slots: what may start, and what holds a slot.
 *
 * Slots are counted from the leases, and kept in no counter. A process knows the limits in memory, under the number of their
 * last change; a claim compares it and starts nothing when it is an old one. What makes this exact is the gate: who starts
 * tasks holds it shared until its commit, who changes a limit holds it alone and counts the number up. So each start is
 * committed before the change, or has seen it. The number is a sequence's, since every statement sees a sequence as it is,
 * whatever its snapshot.
 */
import { Flow, type FlowKey, keyOf, Room } from "../../queue_policy/flow.ts";
import { EACH_GROUP } from "../../queue_policy/kept_fields.ts";
import type { LimitChange, ScopeKey, StoredLimit } from "../../queue_policy/limit_request.ts";
import { columnsOf, readBuckets } from "./buckets.ts";
import type { Row, Statements } from "./database.ts";

/** Which lock is the gate: the sequence's own number, apart from those of other uses. */
const GATE_KEY = "7461000000000 + '@flow_change'::regclass::oid::bigint";

/** The CTE that passes the gate, shared, until the end of the transaction. */
export const GATE =
  `gate as materialized (select pg_advisory_xact_lock_shared(${GATE_KEY})::text is not null as is_passed)`;

/** The number of the last change; in a query from `gate`, so that it is read behind it. */
export const FLOW_VERSION = "(select last_value from @flow_change where gate.is_passed)";

/** What the columns of a row of `flow_limit` are called in a record, in their order. */
const COLUMNS = [
  "type",
  "grp",
  "concurrency",
  "is_declared",
  "limit_at",
  "limit_by",
  "paused_at",
  "paused_by",
  "paused_reason",
  "paused_until",
  "weight",
  "rate_limit",
  "rate_period_ms",
  "rate_burst",
] as const satisfies readonly (keyof StoredLimit)[];

const NAMES = COLUMNS.join(", ");

/** Leases and slots of a scope of no group: `scope.type` is its type, empty for all; `now` the time. */
export function countedHeld(now: string): string {
  return `((select count(*) from @live v join @lane l using (lane_id)
      where v.state = 4 and (scope.type = '' or l.type = scope.type))
    + (select count(*) from @flow_slot s
      where s.until > ${now} and (scope.type = '' or s.type = scope.type)))`;
}

/** Leases and slots of one group, by expressions: `type` is empty for all types. */
export function slotsOf(type: string, grp: string, now: string): string {
  return `((select count(*) from @live v join @lane l using (lane_id)
      where v.state = 4 and v.grp <> '' and v.grp = ${grp} and (${type} = '' or l.type = ${type}))
    + (select count(*) from @flow_slot s where s.grp <> '' and s.grp = ${grp}
      and s.until > ${now} and (${type} = '' or s.type = ${type})))`;
}

/** Those of every group together; `scope` as above. */
function slotsOfGroups(now: string): string {
  return `((select count(*) from @live v join @lane l using (lane_id)
      where v.state = 4 and v.grp <> '' and (scope.type = '' or l.type = scope.type))
    + (select count(*) from @flow_slot s
      where s.grp <> '' and s.until > ${now} and (scope.type = '' or s.type = scope.type)))`;
}

const FLOW_SQL = {
  version: `with ${GATE} select ${FLOW_VERSION} as version from gate`,
  limits: `select ${NAMES} from @flow_limit order by type, grp`,
  close: `select pg_advisory_xact_lock(${GATE_KEY})`,
  count: "select setval('@flow_change', last_value + 1) from @flow_change",
  /** `$1` is a type, `$2` a group. */
  limit: `select ${NAMES} from @flow_limit where type = $1 and grp = $2`,
  remove: "delete from @flow_limit where type = $1 and grp = $2",
  /** The parameters are the columns. */
  store: `insert into @flow_limit (${NAMES}) values (${
    COLUMNS.map((_, i) => `$${i + 1}`).join(", ")
  })
    on conflict (type, grp) do update set (${NAMES}) = row(${
    COLUMNS.map((name) => `excluded.${name}`).join(", ")
  })`,
  /** `$1` are types, `$2` groups. Who counts leases of a scope waits for others who do, in the order of the rows. */
  lockLimits: `with ${GATE} select f.type from gate, @flow_limit f
    where (f.concurrency is not null or f.rate_limit is not null) and (f.type, f.grp) in (select * from unnest($1::text[], $2::text[]))
    order by f.type, f.grp for update of f`,
  /** `$1` are types, `$2` groups, `$3` is now. */
  held: `select scope.type, scope.grp, case scope.grp when '' then ${countedHeld("$3")}
      when '${EACH_GROUP}' then ${slotsOfGroups("$3")}
      else ${slotsOf("scope.type", "scope.grp", "$3")} end as held
    from unnest($1::text[], $2::text[]) as scope(type, grp)`,
  /** `$1` is the task, `$2` its token, `$3` its type, `$4` its group, `$5` the worker, `$6` since and `$7` until when. */
  keepSlot: `insert into @flow_slot (task_id, lease_token, type, grp, worker_id, since, until)
    select $1::bigint, $2::bigint, $3::text, $4::text, $5::text, $6::bigint, $7::bigint
    where exists (select from @flow_limit where concurrency is not null and type in ('', $3::text)
      and (grp in ('', $4::text) or grp = '${EACH_GROUP}' and $4::text <> ''))`,
  /** `$1` is the task, `$2` its token, `$3` the worker. */
  freeSlot: `delete from @flow_slot where task_id = $1 and lease_token = $2 and worker_id = $3
    returning task_id`,
  /** `$1` is now. */
  freeExpired: "delete from @flow_slot where until <= $1 returning task_id",
} as const;

/** The limits and pauses, and the number of their last change. */
export interface KnownFlow {
  readonly version: number;
  readonly flow: Flow;
}

/** What this process knows of the limits. */
export class FlowKnowledge {
  #known: KnownFlow | undefined;

  /** The limits as they were last known; for what need not be exact. */
  get latest(): Flow | undefined {
    return this.#known?.flow;
  }

  /** The limits as they are known, or as they are. */
  async known(statements: Statements): Promise<KnownFlow> {
    return this.#known ?? await this.read(statements);
  }

  /** The limits of this change: those that are known, or as they are. */
  async ofVersion(version: number, statements: Statements): Promise<KnownFlow> {
    return this.#known?.version === version ? this.#known : await this.read(statements);
  }

  /** Reads the limits. The number first, behind the gate: the rows are then no older than it. */
  async read(statements: Statements): Promise<KnownFlow> {
    const [first] = await statements.query(FLOW_SQL.version);
    const known = {
      version: Number(first!.version),
      flow: new Flow((await statements.query(FLOW_SQL.limits)).map(limitOfRow)),
    };
    if (known.version >= (this.#known?.version ?? 0)) this.#known = known;
    return known;
  }
}

/** The limits as a transaction sees them. */
export async function flowNow(tx: Statements): Promise<Flow> {
  return new Flow((await tx.query(FLOW_SQL.limits)).map(limitOfRow));
}

/**
 * Waits until no other transaction counts the leases or starts of these scopes. The next statement sees what those have done.
 */
export async function lockLimits(tx: Statements, scopes: readonly ScopeKey[]): Promise<void> {
  if (scopes.length === 0) return;
  await tx.query(FLOW_SQL.lockLimits, columnsOf(scopes));
}

/** The rows to lock for what counts the leases of such tasks; for groups one row stands for all of its type's, or of all types. */
export function lockedScopes(flow: Flow, keys: readonly FlowKey[]): ScopeKey[] {
  const types = [...new Set(keys.map(({ type }) => type))];
  const wide = types.flatMap((type) => {
    const key = { type, grp: "" };
    return [...flow.limitsOf(key), ...flow.ratesOf(key)];
  });
  const ofGroups = keys.some(({ grp }) => grp !== "")
    ? ["", ...types].flatMap((type) => flow.firstGroupLimit(type) ?? [])
    : [];
  return uniqueScopes([...wide, ...ofGroups]);
}

function uniqueScopes(scopes: readonly ScopeKey[]): ScopeKey[] {
  return [...new Map(scopes.map((scope) => [keyOf(scope), scope])).values()];
}

/** How many of such tasks may start, counted behind the locks of their limits. */
export async function lockedRoom(
  tx: Statements,
  { flow, keys, nowMs }: {
    readonly flow: Flow;
    readonly keys: readonly FlowKey[];
    readonly nowMs: number;
  },
): Promise<Room> {
  await lockLimits(tx, lockedScopes(flow, keys));
  const held = await heldOf(tx, keys.flatMap((key) => flow.limitsOf(key)), nowMs);
  const { tatOf } = await readBuckets(tx, keys.flatMap((key) => flow.ratesOf(key)), nowMs);
  return new Room(flow, {
    countHeld: (scope) => held.get(keyOf(scope))!,
    tatOf,
    nowMs,
  });
}

/** How many slots of each scope are held, by `keyOf`; of each group, by all groups together. */
export async function heldOf(
  tx: Statements,
  scopes: readonly ScopeKey[],
  nowMs: number,
): Promise<Map<string, number>> {
  const unique = uniqueScopes(scopes);
  if (unique.length === 0) return new Map();
  const rows = await tx.query(FLOW_SQL.held, [...columnsOf(unique), nowMs]);
  return new Map(rows.map(({ type, grp, held }) => [
    keyOf({ type: String(type), grp: String(grp) }),
    Number(held),
  ]));
}

/** Changes limits, one after the other: from the commit on every claim sees it. Whether each is a change. */
export async function changeLimits(
  tx: Statements,
  changes: readonly {
    readonly key: ScopeKey;
    readonly change: (known: StoredLimit | undefined) => LimitChange;
  }[],
): Promise<boolean[]> {
  if (changes.length === 0) return [];
  await tx.query(FLOW_SQL.close);
  const made: boolean[] = [];
  for (const { key, change } of changes) {
    const [known] = await tx.query(FLOW_SQL.limit, [key.type, key.grp]);
    const { row, isChange } = change(known && limitOfRow(known));
    made.push(isChange);
    if (row !== undefined && isChange) {
      await tx.query(FLOW_SQL.store, COLUMNS.map((name) => row[name]));
    } else if (row === undefined && known !== undefined) {
      await tx.query(FLOW_SQL.remove, [key.type, key.grp]);
    }
  }
  await tx.query(FLOW_SQL.count);
  return made;
}

/** A lease whose slot is meant. */
interface SlotLease {
  readonly taskId: number;
  readonly leaseToken: number;
  readonly workerId: string;
}

/** A task is cancelled while it runs: where a limit counts it, it keeps its slot. */
export async function keepSlot(
  tx: Statements,
  { taskId, leaseToken, workerId, type, grp, sinceMs, untilMs }: SlotLease & FlowKey & {
    readonly sinceMs: number;
    readonly untilMs: number;
  },
): Promise<void> {
  await tx.query(FLOW_SQL.keepSlot, [
    ...[taskId, leaseToken, type, grp, workerId, sinceMs, untilMs],
  ]);
}

/** Frees the slot that a cancelled task holds under this lease; whether there was one. */
export async function freeSlot(
  tx: Statements,
  { taskId, leaseToken, workerId }: SlotLease,
): Promise<boolean> {
  return (await tx.query(FLOW_SQL.freeSlot, [taskId, leaseToken, workerId])).length > 0;
}

/** Frees the slots whose leases have ended; whether there were any. */
export async function freeSlotsUntil(tx: Statements, nowMs: number): Promise<boolean> {
  return (await tx.query(FLOW_SQL.freeExpired, [nowMs])).length > 0;
}

function limitOfRow(row: Row): StoredLimit {
  const number = (value: unknown): number | null => value === null ? null : Number(value);
  return {
    type: String(row.type),
    grp: String(row.grp),
    concurrency: number(row.concurrency),
    is_declared: row.is_declared === true,
    limit_at: number(row.limit_at),
    limit_by: row.limit_by as string | null,
    paused_at: number(row.paused_at),
    paused_by: row.paused_by as string | null,
    paused_reason: row.paused_reason as string | null,
    paused_until: number(row.paused_until),
    weight: number(row.weight),
    rate_limit: number(row.rate_limit),
    rate_period_ms: number(row.rate_period_ms),
    rate_burst: number(row.rate_burst),
  };
}
