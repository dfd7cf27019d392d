/**
 * Claiming: turns due tasks into leased ones, in one statement.
 *
 * The due tasks of a type and compatibility form a lane. A claim locks the first tasks of each lane that the worker may
 * take from, skips what others have locked, merges them and leases the best: a few index searches at any backlog.
 */
import { isCapable } from "../../domain/capability.ts";
import type { ClaimOrder } from "../../domain/claim_order.ts";
import type { PreparedClaim } from "../../queue_policy/claim_request.ts";
import { checkClosure, CLOSURE } from "../rows/closure.ts";
import type { Row, SqlValue, Statements } from "../rows/database.ts";
import type { Lane, Lanes } from "../rows/lanes.ts";
import { markedSql, type Marks } from "./marks.ts";
import { selectTasks, type TaskRow, taskRows } from "../rows/task_row.ts";

/** What a claim needs beside its request. */
export interface ClaimContext {
  /** Statements that run in their order. */
  readonly statements: Statements;
  readonly lanes: Lanes;
  readonly marks: Marks;
  /** The time of a test; `null` for the server's. */
  readonly nowMs: number | null;
  /** How many characters of payload one claim takes at most, beside the first task's. */
  readonly budget: number;
}

/**
 * The server's clock in milliseconds, or the time that a test gives as `parameter`. It is read once, before the rows: a clock
 * that may differ for each row is no bound of an index search.
 */
export function clockOf(parameter: string): string {
  return `(select coalesce(${parameter}::bigint, floor(extract(epoch from clock_timestamp()) * 1000)::bigint))`;
}

/** How many tasks that became due one statement makes ready; others go on with the rest. */
const PROMOTE_MAX = 1000;

/**
 * Leases the tasks of the CTE `pick`, whose columns are `id` and `place`: the first place is for the first of the workers `$1`,
 * with the first of the durations `$2`, and so on. A claim of one task by name takes no slot, `$4`.
 */
const LEASE = `held as (
    update @live v set state = 4, attempts = v.attempts + 1, lease_token = v.lease_token + 1,
      locked_by = ($1::text[])[pick.place], lease_until = look.now + ($2::bigint[])[pick.place],
      reserved_at = case when $4::boolean then null else look.now end,
      processing_started = look.now, updated_at = look.now,
      progress_percent = null, progress_message = null
    from pick, look where v.id = pick.id and v.id = any(array(select id from pick)) returning v.*, pick.place),
  told as (
    insert into @transition (task_id, at, kind, details, duration_ms)
    select held.id, held.processing_started, 'leased',
      json_build_object('worker', held.locked_by, 'attempt', held.attempts)::text,
      greatest(0, held.processing_started - greatest(held.created_at, held.run_after))
    from held),
  leased as (${selectTasks({ live: "join held", more: ", v.place" })})`;

/** `$3` is the time of a test. */
const NOW = `${clockOf("$3")} as now, ${CLOSURE} as closure`;

/**
 * `$5` is how many at most, `$6` the budget, `$7` the last lane that is known, and from `$8` on come the lanes with their marks.
 * The first row tells of newer lanes and whether scheduled tasks have become due: those come first, so nothing is leased then.
 */
function claimStatement(order: ClaimOrder): string {
  const marked = markedSql(order, 8);
  const isWeighted = order === "weighted_random";
  const lanes = isWeighted
    ? "select lane_id, clock from @lane where lane_id = any($8) order by lane_id for update"
    : marked.lanes;
  const turn = `, clocks as (
    update @lane l set clock = l.clock + (select max(key) from pick)
    where l.lane_id = any($8) and exists (select from pick))`;
  const columns = `v.id, v.weight, ${isWeighted ? "v.draw - lane.clock" : marked.key} as key`;
  const lock = "for update of v skip locked";
  return `with known as materialized (select ${marked.isKnown}),
  times as materialized (select ${NOW}, ${marked.nextDue} as next_due),
  look as materialized (
    select times.*, coalesce(next_due <= now, false) as is_due,
      (select json_agg(lane order by lane_id)::text from @lane lane where lane_id > $7) as new_lanes
    from times),
  ranges as materialized (${marked.ranges}),
  lanes as materialized (${lanes}),
  heads as materialized (
    select head.* from look, lanes as lane cross join lateral (
      ${marked.inRanges(columns, "limit $5", lock)}) as head
    where not look.is_due and look.closure is null
    union all
    select head.* from look cross join lateral (
      ${marked.unseen(columns, `order by ${marked.plainSort} limit $5 ${lock}`)}) as head
    where not look.is_due and look.closure is null),
  ranked as (
    select id, key, row_number() over w as place, sum(weight) over w as total
    from heads window w as (order by key, id)),
  pick as materialized (
    select id, key, place from ranked where place <= $5 and (place = 1 or total <= $6))${
    isWeighted ? turn : ""
  },
  ${LEASE}
  select look.closure, look.is_due, look.next_due, look.next_due - look.now as due_in, look.new_lanes, leased.*
  from look left join leased on true order by place`;
}

const CLAIM_SQL = {
  /** `$1` is the time of a test, `$2` the first instant to look at. */
  promote: `with due as (
      select id from @live where state = 2 and run_after >= $2 and run_after <= ${clockOf("$1")}
      order by run_after limit ${PROMOTE_MAX} for update skip locked)
    update @live v set state = 1, made = pg_current_xact_id(), updated_at = ${clockOf("$1")},
      draw = lane.clock - ln(1 - random()) * (v.priority + 1)
    from due, @lane lane where v.id = due.id and lane.lane_id = v.lane_id returning v.id`,
  nextDue: `select run_after - ${clockOf("$1")} as due_in from @live
    where state = 2 and run_after > ${clockOf("$1")} order by run_after limit 1`,
  /** `$5` is the task's id. */
  named: `with look as materialized (select ${NOW}),
  pick as materialized (
    select id, 1 as place from @live where id = $5 and (select closure from look) is null
      and (state = 1 or state = 2 and run_after <= (select now from look)) for update),
  ${LEASE}
  select look.closure, leased.* from look left join leased on true`,
  inOrder: {
    fifo: claimStatement("fifo"),
    lifo: claimStatement("lifo"),
    priority: claimStatement("priority"),
    weighted_random: claimStatement("weighted_random"),
  } satisfies Record<ClaimOrder, string>,
} as const;

/** A leased task, and which of the places that were asked for it got. */
type PlacedRow = TaskRow & { readonly place: number };

/** Leases one task by its name, if it is due. */
export async function claimNamed(
  { workerId, leaseDurationMs, taskId }: PreparedClaim,
  { statements, nowMs }: Pick<ClaimContext, "statements" | "nowMs">,
): Promise<TaskRow[]> {
  const parameters = [[workerId], [leaseDurationMs], nowMs, true, taskId];
  return leasedRows(await statements.query(CLAIM_SQL.named, parameters));
}

/**
 * Leases up to `limit` due tasks for each of these requests, which ask for the same tasks in the same order (see `kindOf`):
 * fewer when they are large. Who asked first is served first.
 */
export async function claim(
  requests: readonly PreparedClaim[],
  context: ClaimContext,
): Promise<{ readonly rows: TaskRow[][]; readonly dueInMs: number | undefined }> {
  const [first] = requests as [PreparedClaim];
  for (;;) {
    const known = eligible(first, context.lanes.known());
    const { rows, dueAtMs, dueInMs, added } = await claimFrom(known, requests, context);
    const isDue = dueAtMs !== undefined;
    if (isDue) await context.statements.query(CLAIM_SQL.promote, [context.nowMs, dueAtMs]);
    await context.marks.renew(context.statements, known, rows.length);
    const isAll = !isDue && eligible(first, added).length === 0;
    if (rows.length > 0 || isAll) return { rows: shared(rows, requests), dueInMs };
  }
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

async function claimFrom(
  from: readonly Lane[],
  requests: readonly PreparedClaim[],
  { statements, lanes, marks, nowMs, budget }: ClaimContext,
): Promise<Claimed> {
  const { order } = requests[0]!;
  const slots = requests.flatMap((request) => Array<PreparedClaim>(request.limit).fill(request));
  const found = await statements.query(CLAIM_SQL.inOrder[order], [
    slots.map(({ workerId }) => workerId),
    slots.map(({ leaseDurationMs }) => leaseDurationMs),
    nowMs,
    false,
    slots.length,
    budget,
    lanes.lastId,
    ...marks.parametersFor(from),
  ]);
  const rows = leasedRows(found) as PlacedRow[];
  const { is_due, next_due, due_in, new_lanes } = found[0]!;
  const added = new_lanes === null ? [] : lanes.learn(JSON.parse(String(new_lanes)));
  return { rows, dueAtMs: is_due ? Number(next_due) : undefined, dueInMs: dueIn(due_in), added };
}

/** The rows of leased tasks; the first row is there without any. @throws QueueError `queue_moving`, `queue_moved`. */
function leasedRows(found: readonly Row[]): TaskRow[] {
  checkClosure(found[0]!.closure);
  return taskRows(found.filter(({ id }) => id !== null));
}

/** To each request the rows of its places. */
function shared(rows: readonly PlacedRow[], requests: readonly PreparedClaim[]): TaskRow[][] {
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
  nowMs: number | null,
): Promise<number | undefined> {
  const [first] = await statements.query(CLAIM_SQL.nextDue, [nowMs]);
  return dueIn(first?.due_in ?? null);
}

function dueIn(value: SqlValue | undefined): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}

/** The lanes that the worker may take from. */
function eligible({ types, capabilities }: PreparedClaim, lanes: Iterable<Lane>): Lane[] {
  return [...lanes].filter(({ type, compatibility }) =>
    types.includes(type) && isCapable(capabilities, JSON.parse(compatibility))
  );
}
