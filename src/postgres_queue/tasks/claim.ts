/**
 * Claiming: turns due tasks into leased ones, in one statement.
 *
 * The due tasks of a type and compatibility form a lane. A claim locks the first tasks of each lane that the worker may
 * take from, skips what others have locked, merges them and leases the best: a few index searches at any backlog.
 */
import { isCapable } from "../../domain/capability.ts";
import type { PreparedClaim } from "../../queue_policy/claim_request.ts";
import { nextStartsMs } from "../../queue_policy/buckets.ts";
import type { Flow, FlowKey, LimitedScope, RatedScope, TatOf } from "../../queue_policy/flow.ts";
import { startsNow } from "../../queue_policy/start_rate.ts";
import { type Buckets, charge, readBuckets } from "../rows/buckets.ts";
import { checkClosure } from "../rows/closure.ts";
import type { Parameter, Row, SqlValue, Statements } from "../rows/database.ts";
import { FLOW_VERSION, GATE, type KnownFlow, lockLimits } from "../rows/flow_rows.ts";
import { clocksOf, opensInMs } from "../rows/groups.ts";
import type { Lane, Lanes } from "../rows/lanes.ts";
import type { Marks } from "./marks.ts";
import { type TaskRow, taskRows } from "../rows/task_row.ts";
import { clockOf, LEASE, mayStillStart, nextRoom, NOW } from "./claim_sql.ts";
import { CLAIM_STATEMENTS } from "./claim_statement.ts";

/** What claims found, for each request; and how long until more may start by itself, in milliseconds. */
export interface ClaimedForEach {
  readonly rows: TaskRow[][];
  readonly dueInMs: number | undefined;
}

/** What a claim needs beside its request. */
export interface ClaimContext {
  /** Statements that run in their order. */
  readonly statements: Statements;
  readonly lanes: Lanes;
  readonly marks: Marks;
  /** The limits as this process knows them; where they count leases, the statements are one transaction's. */
  readonly known: KnownFlow;
  /** The time of a test; `null` for the server's. */
  readonly nowMs: number | null;
  /** How many characters of payload one claim takes at most, beside the first task's. */
  readonly budget: number;
}

/** How many tasks that became due one statement makes ready; others go on with the rest. */
const PROMOTE_MAX = 1000;

const CLAIM_SQL = {
  /** `$1` is the time of a test, `$2` the first instant to look at. */
  promote: `with due as (
      select id from @live where state = 2 and run_after >= $2 and run_after <= ${clockOf("$1")}
      order by run_after limit ${PROMOTE_MAX} for update skip locked)
    update @live v set state = 1, made = pg_current_xact_id(), updated_at = ${clockOf("$1")},
      draw = ${clocksOf("v")} - ln(1 - random()) * (v.priority + 1)
    from due, @lane lane where v.id = due.id and lane.lane_id = v.lane_id returning v.id`,
  nextDue: `select least(
      (select run_after from @live where state = 2 and run_after > ${clockOf("$1")}
        order by run_after limit 1),
      ${nextRoom(clockOf("$1"))}) - ${clockOf("$1")} as due_in`,
  /** `$5` is the task's id, `$6` the last change of a limit that is known, `$7` whether one holds the task back. */
  named: `with ${GATE},
  look as materialized (select ${NOW}, ${FLOW_VERSION} = $6::bigint as is_current from gate),
  pick as materialized (
    select id, 1 as place from @live v where id = $5 and (select closure from look) is null
      and (state = 1 or state = 2 and run_after <= (select now from look))
      and ${mayStillStart("(select now from look)")}
      and (select is_current from look) and not $7::boolean for update),
  ${LEASE}
  select look.closure, look.is_current, leased.* from look left join leased on true`,
  /** `$1` is the task's id. */
  placeOf: "select lane.type, v.grp from @live v join @lane lane using (lane_id) where v.id = $1",
} as const;

/** A leased task, and which of the places that were asked for it got. */
export type PlacedRow = TaskRow & { readonly place: number };

/**
 * Leases one task by its name, if it is due and `isHeldBack` does not say that a limit or a pause lets it not start. `"stale"` when
 * the limits are not those that are known.
 */
export async function claimNamed(
  { workerId, leaseDurationMs, taskId }: PreparedClaim,
  { statements, nowMs, known }: Pick<ClaimContext, "statements" | "nowMs" | "known">,
  isHeldBack: boolean,
): Promise<TaskRow[] | "stale"> {
  const parameters = [
    [workerId],
    [leaseDurationMs],
    nowMs,
    true,
    taskId,
    known.version,
    isHeldBack,
  ];
  const rows = await statements.query(CLAIM_SQL.named, parameters);
  const leased = leasedRows(rows);
  return rows[0]!.is_current === true ? leased : "stale";
}

/** The type and group of a task that is not final. */
export async function placeOfTask(
  statements: Statements,
  taskId: number,
): Promise<FlowKey | undefined> {
  const [row] = await statements.query(CLAIM_SQL.placeOf, [taskId]);
  return row && { type: String(row.type), grp: String(row.grp) };
}

/** Whether a claim counts leases or starts, so that its statements must be one transaction's. */
export function countsLeases({ types }: PreparedClaim, { flow }: KnownFlow): boolean {
  return !flow.isEmpty && types.some((type) => flow.isLimited(type) || flow.isRated(type));
}

/**
 * Leases up to `limit` due tasks for each of these requests, which ask for the same tasks in the same order (see `kindOf`):
 * fewer when they are large. Who asked first is served first. `"stale"` when the limits are not those that are known, or a lane with
 * groups has become known.
 */
export async function claim(
  requests: readonly PreparedClaim[],
  context: ClaimContext,
): Promise<ClaimedForEach | "stale"> {
  const [first] = requests as [PreparedClaim];
  const { statements, nowMs: testMs, known: { flow } } = context;
  const rates = ratesOf(first, flow);
  await lockLimits(statements, [...limitsOf(first, context.known), ...rates]);
  const { tatOf, nowMs } = await readBuckets(statements, rates, testMs);
  const toNextStarts = nextStartsMs(rates, { tatOf, nowMs }).map((atMs) => atMs - nowMs);
  for (;;) {
    const known = eligible(first, context.lanes.known());
    const claimed = await claimFrom(known, requests, {
      ...context,
      rates: { rates, tatOf, nowMs },
    });
    if (claimed === "stale") return claimed;
    const { rows, dueAtMs, dueInMs, added } = claimed;
    const isDue = dueAtMs !== undefined;
    if (isDue) await promote(context.statements, { nowMs: context.nowMs, fromMs: dueAtMs });
    await context.marks.renew(context.statements, known, rows.length);
    const more = eligible(first, added);
    const isAll = !isDue && more.length === 0;
    if (rows.length > 0) await chargeRows(statements, flow, rows);
    if (rows.length > 0 || isAll) {
      return { rows: shared(rows, requests), dueInMs: soonest(dueInMs, toNextStarts) };
    }
    if (more.some(({ isGrouped }) => isGrouped)) return "stale";
  }
}

/** The rates that count the starts of what is asked for, without those of groups. */
function ratesOf({ types }: PreparedClaim, flow: Flow): readonly RatedScope[] {
  const rates = types.flatMap((type) => flow.ratesOf({ type, grp: "" }));
  return [...new Map(rates.map((rate) => [rate.type, rate])).values()];
}

/** The rates of leased tasks count them; their buckets as they are then. */
export async function chargeRows(
  tx: Statements,
  flow: Flow,
  rows: readonly TaskRow[],
): Promise<TatOf> {
  if (rows.length === 0 || !flow.hasRates) return () => undefined;
  return await charge(tx, { flow, started: rows, nowMs: rows[0]!.processing_started! });
}

/** The soonest of these times from now. */
export function soonest(
  first: number | undefined,
  others: readonly number[],
): number | undefined {
  const times = first === undefined ? others : [first, ...others];
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Makes tasks ready that have become due, from this instant on. */
export async function promote(
  statements: Statements,
  { nowMs, fromMs }: { readonly nowMs: number | null; readonly fromMs: number },
): Promise<void> {
  await statements.query(CLAIM_SQL.promote, [nowMs, fromMs]);
}

/** Requests of one kind can be served by one statement. */
export function kindOf({ types, capabilities, order }: PreparedClaim): string {
  return JSON.stringify([order, types, [...capabilities]]);
}

/** What one statement found. */
interface Claimed {
  readonly rows: readonly PlacedRow[];
  /** How long until the next scheduled task becomes due, in milliseconds. */
  readonly dueInMs: number | undefined;
  /** When the first of the scheduled tasks was due that are to be made ready first; `undefined` when there are none. */
  readonly dueAtMs: number | undefined;
  /** Lanes that were not known. */
  readonly added: readonly Lane[];
}

/** The scopes that count the leases of what is asked for, without those of groups. */
export function limitsOf({ types }: PreparedClaim, { flow }: KnownFlow): readonly LimitedScope[] {
  const limits = types.flatMap((type) => flow.limitsOf({ type, grp: "" }));
  return [...new Map(limits.map((limit) => [limit.type, limit])).values()];
}

/** What the statement needs where limits or pauses may hold something back. */
function governing(
  from: readonly Lane[],
  request: PreparedClaim,
  { known, rates: { rates, tatOf, nowMs } }: Pick<RatedContext, "known" | "rates">,
): Parameter[] {
  const limits = new Map(limitsOf(request, known).map((limit) => [limit.type, limit.concurrency]));
  const starts = new Map(
    rates.map((scope) => [scope.type, startsNow(scope.rate, tatOf(scope), nowMs)]),
  );
  const types = [...new Set([...limits.keys(), ...starts.keys()])];
  const never = Number.MAX_SAFE_INTEGER;
  const opensAt = from.map(({ type }) =>
    Math.max(
      0,
      ...known.flow.pausesOf({ type, grp: "" }).map(({ paused_until }) => paused_until ?? never),
    )
  );
  return [
    opensAt,
    from.map(({ type }) => type),
    types,
    types.map((type) => limits.get(type) ?? null),
    types.map((type) => starts.get(type) ?? null),
  ];
}

/** Likewise, and what rates have counted. */
interface RatedContext extends ClaimContext {
  readonly rates: Buckets & { readonly rates: readonly RatedScope[] };
}

async function claimFrom(
  from: readonly Lane[],
  requests: readonly PreparedClaim[],
  { statements, lanes, marks, nowMs, budget, known, rates }: RatedContext,
): Promise<Claimed | "stale"> {
  const { order } = requests[0]!;
  const slots = requests.flatMap((request) => Array<PreparedClaim>(request.limit).fill(request));
  const isGoverned = !known.flow.isEmpty;
  const found = await statements.query(CLAIM_STATEMENTS[isGoverned ? "governed" : "free"][order], [
    slots.map(({ workerId }) => workerId),
    slots.map(({ leaseDurationMs }) => leaseDurationMs),
    nowMs,
    false,
    slots.length,
    budget,
    lanes.lastId,
    ...marks.parametersFor(from),
    known.version,
    ...(isGoverned ? governing(from, requests[0]!, { known, rates }) : []),
  ]);
  const rows = leasedRows(found) as PlacedRow[];
  if (found[0]!.is_current !== true) return "stale";
  const { is_due, next_due, due_in, new_lanes } = found[0]!;
  const added = new_lanes === null ? [] : lanes.learn(JSON.parse(String(new_lanes)));
  return { rows, dueAtMs: is_due ? Number(next_due) : undefined, dueInMs: dueIn(due_in), added };
}

/** The rows of leased tasks; the first row is there without any. @throws QueueError `queue_moving`, `queue_moved`. */
export function leasedRows(found: readonly Row[]): TaskRow[] {
  checkClosure(found[0]!.closure);
  return taskRows(found.filter(({ id }) => id !== null));
}

/** To each request the rows of its places. */
export function shared(
  rows: readonly PlacedRow[],
  requests: readonly PreparedClaim[],
): TaskRow[][] {
  let end = 0;
  return requests.map(({ limit }) => {
    const begin = end;
    end += limit;
    return rows.filter(({ place }) => place > begin && place <= end);
  });
}

/** How long until the first scheduled task becomes due, in milliseconds; `undefined` without any. */
export async function nextDueInMs(
  statements: Statements,
  flow: Flow,
  testMs: number | null,
): Promise<number | undefined> {
  const [first] = await statements.query(CLAIM_SQL.nextDue, [testMs]);
  const dueInMs = dueIn(first?.due_in ?? null);
  if (!flow.hasRates) return dueInMs;
  const { tatOf, nowMs } = await readBuckets(statements, flow.wideRates, testMs);
  const toStarts = nextStartsMs(flow.wideRates, { tatOf, nowMs }).map((atMs) => atMs - nowMs);
  const toOpening = await opensInMs(statements, { laneIds: [], sinceMs: null, testMs });
  return soonest(dueInMs, [...toStarts, ...toOpening]);
}

/** How long until something is due, as a statement tells it. */
export function dueIn(value: SqlValue | undefined): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}

/** The lanes that the worker may take from. */
export function eligible({ types, capabilities }: PreparedClaim, lanes: Iterable<Lane>): Lane[] {
  return [...lanes].filter(({ type, compatibility }) =>
    types.includes(type) && isCapable(capabilities, JSON.parse(compatibility))
  );
}
