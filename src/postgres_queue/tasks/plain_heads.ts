/**
 * Heads of lanes without groups, for a claim that chooses in memory: locked, and read from their marks as `claim.ts` does.
 */
import { CLAIM_ORDERS, type ClaimOrder } from "../../domain/claim_order.ts";
import type { Head } from "../../queue_policy/turns.ts";
import { checkClosure } from "../rows/closure.ts";
import type { Row, Statements } from "../rows/database.ts";
import type { Lane, Lanes } from "../rows/lanes.ts";
import { dueIn } from "./claim.ts";
import { headsOf, lookFrom, mayStillStart, nextRoom } from "./claim_sql.ts";
import { markedSql, type Marks } from "./marks.ts";

/**
 * `$1` is the time of a test, `$2` how many of each lane, `$3` the last lane that is known, from `$4` on come the lanes with their
 * marks, and `$13` is the last change of a limit that is known. The first row tells what comes first, and then there are no tasks.
 */
function headsStatement(order: ClaimOrder): string {
  const marked = markedSql(order, 4, `and ${mayStillStart("look.now")}`);
  const isWeighted = order === "weighted_random";
  const columns = `v.lane_id, v.id, v.weight, ${marked.key} as key, ${
    isWeighted ? "lane.clock" : "0::float8"
  } as clock`;
  return `with ${lookFrom(marked, { testTime: "$1", lastLane: "$3", version: "$13" })},
  lanes as materialized (${
    isWeighted
      ? "select lane_id, clock from @lane where lane_id = any($4) order by lane_id for no key update"
      : marked.lanes
  }),
  ${headsOf(marked, { columns, limit: "$2", most: "$2" })}
  select look.now, look.closure, look.is_current, look.is_due, look.next_due,
    least(look.next_due, ${nextRoom("look.now")}) - look.now as due_in, look.new_lanes, heads.*
  from look left join heads on true order by heads.key, heads.id`;
}

const HEADS: Readonly<Record<ClaimOrder, string>> = Object.fromEntries(
  CLAIM_ORDERS.map((order) => [order, headsStatement(order)]),
) as Record<ClaimOrder, string>;

/** The first tasks of a lane, and how far its clocks have run. */
export interface PlainHeads {
  readonly heads: readonly Head[];
  readonly clock: number;
}

/** What was found. */
export interface FoundHeads {
  /** Whether the limits are those that are known. */
  readonly isCurrent: boolean;
  /** When the first of the scheduled tasks was due that are to be made ready first; `undefined` when there are none. */
  readonly dueAtMs: number | undefined;
  readonly dueInMs: number | undefined;
  /** Lanes that were not known. */
  readonly added: readonly Lane[];
  readonly ofLane: ReadonlyMap<number, PlainHeads>;
  /** The characters of their payloads. */
  readonly weights: ReadonlyMap<number, number>;
}

/** Reads and locks the first tasks of lanes without groups. @throws QueueError `queue_moving`, `queue_moved`. */
export async function readPlainHeads(
  tx: Statements,
  { order, from, limit, nowMs, lanes, marks, version }: {
    readonly order: ClaimOrder;
    readonly from: readonly Lane[];
    readonly limit: number;
    readonly nowMs: number | null;
    readonly lanes: Lanes;
    readonly marks: Marks;
    readonly version: number;
  },
): Promise<FoundHeads> {
  const parameters = [nowMs, limit, lanes.lastId, ...marks.parametersFor(from), version];
  const rows = await tx.query(HEADS[order], parameters);
  const { closure, is_current, is_due, next_due, due_in, new_lanes } = rows[0]!;
  checkClosure(closure);
  const found = rows.filter(({ id }) => id !== null);
  return {
    isCurrent: is_current === true,
    dueAtMs: is_due ? Number(next_due) : undefined,
    dueInMs: dueIn(due_in),
    added: new_lanes === null ? [] : lanes.learn(JSON.parse(String(new_lanes))),
    ofLane: byLane(found, limit),
    weights: new Map(found.map(({ id, weight }) => [Number(id), Number(weight)])),
  };
}

function byLane(rows: readonly Row[], limit: number): ReadonlyMap<number, PlainHeads> {
  const found = new Map<number, { readonly heads: Head[]; readonly clock: number }>();
  for (const { lane_id, id, key, clock } of rows) {
    const head: Head = [Number(id), Number(key)];
    const known = found.get(Number(lane_id));
    if (known === undefined) found.set(Number(lane_id), { heads: [head], clock: Number(clock) });
    else if (known.heads.length < limit) known.heads.push(head);
  }
  return found;
}
