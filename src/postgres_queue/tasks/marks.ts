/**
 * Marks: where the ready tasks of each lane begin, so that a claim need not walk past those that are gone.
 *
 * While any transaction on the server keeps an old snapshot, no dead row can be removed, and a search for the first ready task
 * would pass every task that was claimed since. A mark is the first key that one snapshot saw. It stays right for what that
 * snapshot saw. What it did not see was written by a transaction that was under way then, or came later, and each row carries
 * the transaction that made it ready (`made`). So a claim looks at the keys from the mark on, and below it at the rows that the
 * snapshot could not see: together they are all that is ready, whichever process made it so, and when.
 *
 * Marks are kept in a process and shared with none. They are of one start of one server: after a crash it gives the numbers of
 * transactions that left no trace a second time.
 */
import type { ClaimOrder } from "../../domain/claim_order.ts";
import type { Clock } from "../../domain/clock.ts";
import type { Parameter, Row, Statements } from "../rows/database.ts";
import type { Lane } from "../rows/lanes.ts";
import { SERVER_START } from "../rows/server_start.ts";

/** How long marks are used until they are renewed, while there are claims, and after how many tasks. */
const RENEW = { afterMs: 100, afterTasks: 500 } as const;

/** How long they are used at all: a claim sorts what was made ready since. */
const USE_MAX_MS = 3000;

/** Before and after everything that has a place in an order. */
interface Ends {
  readonly first: string;
  readonly last: string;
}

const NUMBERS: Ends = { first: "-9223372036854775808", last: "9223372036854775807" };
const DRAWS: Ends = { first: "-Infinity", last: "Infinity" };

/** No priority is lower or higher. */
const PRIORITIES = { first: 0, last: 1001 } as const;

/** How many priorities of a lane have marks of their own; the last mark is also for those behind. */
const RANGES_MAX = 32;

/** How an order compares the tasks `v` with a range `m`, which has a `mark`, and by priority also `low` and `high`. */
interface Order {
  readonly sort: string;
  /** The same, of no index: what is sorted so is found by another one. */
  readonly plainSort: string;
  /** What the first tasks of several lanes are merged by. */
  readonly key: string;
  readonly isIn: string;
  readonly type: "bigint" | "float8";
  readonly ends: Ends;
  readonly mark: string;
}

const BY_ID = { type: "bigint", mark: "v.id", ends: NUMBERS } as const;

const ORDERS: Readonly<Record<ClaimOrder, Order>> = {
  fifo: { ...BY_ID, sort: "v.id", plainSort: "v.id + 0", key: "v.id", isIn: "v.id >= m.mark" },
  lifo: {
    ...BY_ID,
    sort: "v.id desc",
    plainSort: "v.id + 0 desc",
    key: "-v.id",
    isIn: "v.id <= m.mark",
    ends: { first: NUMBERS.last, last: NUMBERS.first },
  },
  priority: {
    ...BY_ID,
    sort: "v.priority, v.id",
    plainSort: "v.priority + 0, v.id",
    key: "v.priority",
    isIn: "(v.priority, v.id) >= (m.low, m.mark) and v.priority <= m.high",
  },
  weighted_random: {
    sort: "v.draw",
    plainSort: "v.draw + 0",
    key: "v.draw",
    isIn: "v.draw >= m.mark",
    type: "float8",
    ends: DRAWS,
    mark: "v.draw",
  },
};

/** The parts of a statement that goes from the marks. */
export interface MarkedSql {
  /** Whether the marks are of this server. */
  readonly isKnown: string;
  /** The ranges from marks, of which a lane may have none: `lane_id`, `low`, `mark`, `high`; `known` has `is_known`. */
  readonly ranges: string;
  /** The lanes. */
  readonly lanes: string;
  /** When the first scheduled task is due. */
  readonly nextDue: string;
  /** The ready tasks of the lane `lane` that its ranges have, in order, up to `limit`. */
  inRanges(columns: string, limit: string, lock?: string): string;
  /** Those of all lanes that no range has and that the marks' snapshot did not see; `end` comes after each part. */
  unseen(columns: string, end?: string): string;
  readonly key: string;
  readonly plainSort: string;
}

/** How tasks `v` are sorted in an order, and what those of several lanes are merged by. */
export function sortOf(order: ClaimOrder): { readonly sort: string; readonly key: string } {
  return ORDERS[order];
}

/** The same for all statements: their parameters are `parametersFor`, from `$n` on; `only` is a condition on tasks, with its `and`. */
export function markedSql(order: ClaimOrder, n: number, only = ""): MarkedSql {
  const { sort, plainSort, key, isIn, type, ends } = ORDERS[order];
  const [lanes, places, lows, marks, highs, next, underWay, due, server] = Array.from(
    { length: 9 },
    (_, i) => `$${n + i}`,
  );
  // conditions of no other index than the one over `made`: the planner would walk through another's dead rows
  const unseen = [`v.made >= ${next}::text::xid8`, `v.made = any(${underWay}::text[]::xid8[])`];
  const known = "select is_known from known";
  return {
    key,
    plainSort,
    isKnown: `${SERVER_START} = ${server}::text as is_known`,
    lanes: `select lane_id from unnest(${lanes}::int[]) as r(lane_id)`,
    ranges: `select lane_id, low, mark, high
        from unnest(${places}::int[], ${lows}::int[], ${marks}::${type}[], ${highs}::int[])
          as r(lane_id, low, mark, high) where (${known})
      union all select lane_id, ${PRIORITIES.first}, '${ends.first}'::${type}, ${PRIORITIES.last}
        from unnest(${lanes}::int[]) as r(lane_id) where not (${known})`,
    nextDue: `least(
      (select run_after from @live v where state = 2 and run_after >=
        case when (${known}) then ${due}::bigint else '${NUMBERS.first}'::bigint end
        order by run_after limit 1),
      ${
      unseen.map((isUnseen) =>
        `(select min(run_after) from (
          select run_after from @live v where state <= 2 and state + 0 = 2 and ${isUnseen} offset 0) as r)`
      ).join(", ")
    })`,
    inRanges: (columns, limit, lock = "") =>
      `select * from (select part.*
        from (select * from ranges where lane_id = lane.lane_id order by low) as m
          cross join lateral (select ${columns} from @live v
            where v.lane_id = m.lane_id and v.state = 1 and v.grp = '' and ${isIn} ${only}
            order by ${sort} ${limit} ${lock}) as part ${limit}) as part`,
    unseen: (columns, end = "") =>
      unseen.map((isUnseen) =>
        `select * from (select ${columns}
          from @live v join lanes as lane on lane.lane_id = v.lane_id + 0
          where v.state <= 2 and v.state + 0 = 1 and ${isUnseen} and (${known}) ${only}
            and not exists (select from ranges m where m.lane_id = v.lane_id and ${isIn}) ${end}) as part`
      ).join(" union all "),
  };
}

/** A row for each lane with its first key. */
function firstOfEach(order: Exclude<ClaimOrder, "priority">): string {
  const { mark } = ORDERS[order];
  const { inRanges, unseen } = markedSql(order, 1);
  const column = `${mark} as mark`;
  return `select lane_id, ${PRIORITIES.first} as low, ${
    order === "lifo" ? "max" : "min"
  }(mark) as mark
    from (
      select lane.lane_id, head.mark from lanes as lane cross join lateral (
        ${inRanges(column, "limit 1")}) as head
      union all ${unseen(`v.lane_id, ${column}`)}) as found group by 1, 2`;
}

/** A row for each priority of each lane: from one to the next by a search of the index. */
function firstOfPriorities(): string {
  return `with recursive step as (
      select m.lane_id, first.priority as low, first.id as mark, m.high
      from ranges m cross join lateral (
        select priority, id from @live v where v.lane_id = m.lane_id and v.state = 1 and v.grp = ''
          and ${ORDERS.priority.isIn} order by priority, id limit 1) as first
      union all
      select step.lane_id, next.priority, next.id, step.high
      from step cross join lateral (
        select priority, id from @live v where v.lane_id = step.lane_id and v.state = 1 and v.grp = ''
          and v.priority > step.low and v.priority <= step.high order by priority, id limit 1) as next)
    select lane_id, low, min(mark) as mark from (
      select lane_id, low, mark from step
      union all
      ${markedSql("priority", 1).unseen("v.lane_id, v.priority as low, v.id as mark")}) as found
    group by 1, 2`;
}

/** Finds the marks anew. */
function findStatement(order: ClaimOrder): string {
  const sql = markedSql(order, 1);
  return `with known as materialized (select ${sql.isKnown}),
  ranges as materialized (${sql.ranges}),
  lanes as materialized (${sql.lanes}),
  firsts as (${order === "priority" ? firstOfPriorities() : firstOfEach(order)})
  select pg_snapshot_xmax(pg_current_snapshot())::text as next,
    (select json_agg(xid::text) from pg_snapshot_xip(pg_current_snapshot()) as xid)::text as under_way,
    (${sql.nextDue})::text as due, ${SERVER_START} as server,
    (select json_agg(json_build_array(lane_id, low, mark::text) order by lane_id, low) from firsts)::text
      as firsts`;
}

const FIND: Readonly<Record<ClaimOrder, string>> = {
  fifo: findStatement("fifo"),
  lifo: findStatement("lifo"),
  priority: findStatement("priority"),
  weighted_random: findStatement("weighted_random"),
};

/** The tasks of a lane from a key on. */
interface Range {
  readonly low: number;
  readonly mark: string;
  readonly high: number;
}

/** What one snapshot saw. */
interface Seen {
  readonly atMs: number;
  readonly ranges: ReadonlyMap<number, readonly Range[]>;
  /** The first transaction that it knew nothing of, and those that were under way. */
  readonly next: string;
  readonly underWay: readonly string[];
  readonly due: string;
  readonly server: string;
}

/** The marks of one kind of claims. */
export class Marks {
  readonly #order: ClaimOrder;
  readonly #clock: Clock;
  #seen: Seen | undefined;
  #taken = 0;

  constructor(order: ClaimOrder, clock: Clock) {
    this.#order = order;
    this.#clock = clock;
  }

  /** The parameters for these lanes: see `markedSql`. */
  parametersFor(lanes: readonly Lane[]): Parameter[] {
    const seen = this.#ageMs() < USE_MAX_MS ? this.#seen : undefined;
    const ranges = lanes.flatMap(({ id }) =>
      (seen === undefined ? [this.#all] : seen.ranges.get(id) ?? [this.#all]).map((range) => ({
        id,
        ...range,
      }))
    );
    return [
      lanes.map(({ id }) => id),
      ranges.map(({ id }) => id),
      ranges.map(({ low }) => low),
      ranges.map(({ mark }) => mark),
      ranges.map(({ high }) => high),
      seen?.next ?? null,
      seen?.underWay ?? [],
      seen?.due ?? NUMBERS.first,
      seen?.server ?? "",
    ];
  }

  /** Finds the marks of these lanes anew when it is time to, after a claim that took so many tasks. */
  async renew(statements: Statements, lanes: readonly Lane[], taken: number): Promise<void> {
    this.#taken += taken;
    if (this.#ageMs() < RENEW.afterMs && this.#taken < RENEW.afterTasks) return;
    this.#taken = 0;
    const parameters = this.parametersFor(lanes);
    const [row] = await statements.query(FIND[this.#order], parameters);
    this.#seen = this.#seenIn(row!, lanes);
  }

  #seenIn({ next, under_way, due, server, firsts }: Row, lanes: readonly Lane[]): Seen {
    const ranges = new Map<number, Range[]>(lanes.map(({ id }) => [id, []]));
    const found: [number, number, string][] = JSON.parse(String(firsts ?? "[]"));
    for (const [lane, low, mark] of found) {
      const known = ranges.get(lane)!;
      if (known.length === RANGES_MAX) known.push({ ...known.pop()!, high: PRIORITIES.last });
      else known.push({ low, mark, high: this.#order === "priority" ? low : PRIORITIES.last });
    }
    return {
      atMs: this.#clock.nowMs(),
      ranges,
      next: String(next),
      underWay: JSON.parse(String(under_way ?? "[]")),
      due: String(due ?? NUMBERS.last),
      server: String(server),
    };
  }

  get #all(): Range {
    const { first, last } = PRIORITIES;
    return { low: first, mark: ORDERS[this.#order].ends.first, high: last };
  }

  #ageMs(): number {
    return this.#seen === undefined ? Infinity : Math.abs(this.#clock.nowMs() - this.#seen.atMs);
  }
}
