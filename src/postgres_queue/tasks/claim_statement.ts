/**
 * The statement of a claim: locks the first tasks of each lane, chooses among them and leases.
 */
import type { ClaimOrder } from "../../domain/claim_order.ts";
import { countedHeld } from "../rows/flow_rows.ts";
import { markedSql } from "./marks.ts";
import { headsOf, LEASE, lookFrom, mayStillStart, nextRoom } from "./claim_sql.ts";

/** How a claim reads lanes and chooses, where limits or pauses hold something back and where none do. */
interface ClaimParts {
  /** The CTEs between `ranges` and `heads`; `lanes` is one. */
  readonly lanes: string;
  /** A column of a task, `v`, in a lane, `lane`. */
  readonly column: string;
  /** How many heads of a lane are read. */
  readonly limit: string;
  /** The CTEs between `heads` and `ranked`, which ranks what `chosen` names. */
  readonly narrowing: string;
  readonly chosen: string;
  readonly placeMax: string;
  /** When there is more to start without a change of a task. */
  readonly nextDue: string;
  /** By how much the clock of lane `l` moves, and which lanes take part. */
  readonly elapsed: string;
  readonly inRace: string;
}

/** Makes the parts; `plainLanes` are the lanes of an order without clocks. */
type PartsOf = (isWeighted: boolean, plainLanes: string) => ClaimParts;

const freeParts: PartsOf = (isWeighted, plainLanes) => ({
  lanes: `lanes as materialized (${
    isWeighted
      ? "select lane_id, clock from @lane where lane_id = any($8) order by lane_id for update"
      : plainLanes
  })`,
  column: "",
  limit: "$5",
  narrowing: "",
  chosen: "heads",
  placeMax: "$5",
  nextDue: "look.next_due",
  elapsed: "(select max(key) from pick)",
  inRace: "l.lane_id = any($8)",
});

/**
 * `$18` is for each lane when its pause ends, 0 without one; `$19` its type. `$20` are the scopes whose leases or starts are counted,
 * by type, `$21` how many leases each may have, and `$22` how many starts its rate allows now; null where that has no limit. A lane whose scope is full takes no part; a type that fills up stops its lanes' clocks there.
 */
const governedParts: PartsOf = (isWeighted) => {
  const isOpen = `r.opens_at <= look.now
      and not exists (select from room where room.type in ('', r.type) and room.free <= 0)`;
  const given = "unnest($8::int[], $18::bigint[], $19::text[]) as r(lane_id, opens_at, type)";
  const lanes = isWeighted
    ? `select lane.lane_id, r.type, lane.clock from look, ${given} join @lane lane using (lane_id)
      where ${isOpen} order by lane.lane_id for update of lane`
    : `select r.lane_id, r.type from look, ${given} where ${isOpen}`;
  return {
    lanes: `room as materialized (
    select scope.type, least(scope.starts, case when scope.concurrency is not null
      then scope.concurrency - ${countedHeld("look.now")} end) as free
    from look, unnest($20::text[], $21::int[], $22::int[]) as scope(type, concurrency, starts)),
  lanes as materialized (${lanes})`,
    column: ", lane.type",
    limit: "least($5, (select min(free) from room where room.type in ('', lane.type)))",
    narrowing: `typed as (
    select heads.*, row_number() over (partition by type order by key, id) as nth from heads),
  allowed as (
    select id, key, weight from typed
    where not exists (select from room where room.type = typed.type and typed.nth > room.free)),
  `,
    chosen: "allowed",
    placeMax: "least($5, (select free from room where type = ''))",
    nextDue: `least(look.next_due, ${nextRoom("look.now")})`,
    elapsed: `coalesce(
      (select max(pick.key) from pick join heads using (id) join room on room.type = heads.type
        where heads.type = l.type having count(*) >= min(room.free)),
      (select max(key) from pick))`,
    inRace: "l.lane_id in (select lane_id from lanes)",
  };
};

/**
 * `$5` is how many at most, `$6` the budget, `$7` the last lane that is known, from `$8` on come the lanes with their marks, and
 * `$17` is the last change of a limit that is known. The first row tells of newer lanes, whether scheduled tasks have become due,
 * and whether limits have changed: those come first, so nothing is leased then.
 */
function claimStatement(order: ClaimOrder, partsOf: PartsOf): string {
  const marked = markedSql(order, 8, `and ${mayStillStart("look.now")}`);
  const isWeighted = order === "weighted_random";
  const parts = partsOf(isWeighted, marked.lanes);
  const turn = `, clocks as (
    update @lane l set clock = l.clock + ${parts.elapsed}
    where ${parts.inRace} and exists (select from pick))`;
  const key = isWeighted ? "v.draw - lane.clock" : marked.key;
  const columns = `v.id, v.weight, ${key} as key${parts.column}`;
  return `with ${lookFrom(marked, { testTime: "$3", lastLane: "$7", version: "$17" })},
  ${parts.lanes},
  ${headsOf(marked, { columns, limit: parts.limit, most: "$5" })},
  ${parts.narrowing}ranked as (
    select id, key, row_number() over w as place, sum(weight) over w as total
    from ${parts.chosen} window w as (order by key, id)),
  pick as materialized (
    select id, key, place from ranked where place <= ${parts.placeMax} and (place = 1 or total <= $6))${
    isWeighted ? turn : ""
  },
  ${LEASE}
  select look.closure, look.is_current, look.is_due, look.next_due,
    ${parts.nextDue} - look.now as due_in, look.new_lanes, leased.*
  from look left join leased on true order by place`;
}

/** The statement for each order. */
function inEachOrder(partsOf: PartsOf): Readonly<Record<ClaimOrder, string>> {
  return {
    fifo: claimStatement("fifo", partsOf),
    lifo: claimStatement("lifo", partsOf),
    priority: claimStatement("priority", partsOf),
    weighted_random: claimStatement("weighted_random", partsOf),
  };
}

/** The statements of a claim in each order, where limits or pauses hold something back and where none do. */
export const CLAIM_STATEMENTS = {
  free: inEachOrder(freeParts),
  governed: inEachOrder(governedParts),
} as const;
