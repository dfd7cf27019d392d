/**
 * Claiming where groups take turns: one transaction, behind the locks of the lanes whose tasks have groups.
 *
 * The groups of a lane stand in an index by their turns. A claim reads the first of them with the first tasks of each, and the first
 * tasks of the lanes without groups, chooses among them in memory (`queue_policy/turns.ts`), leases what it has chosen by its ids, and
 * notes whose turns they were. What it reads is a few rows for each task that it may take, however many groups and tasks there are.
 *
 * Locks are taken in one order: the gate, lanes with groups, limits, lanes without groups (under weighted random). Rows of tasks are
 * passed over where others have locked them. So claims never wait for each other in a circle.
 */
import type { PreparedClaim } from "../../queue_policy/claim_request.ts";
import { nextStartsMs } from "../../queue_policy/buckets.ts";
import {
  type CountHeld,
  type Flow,
  keyOf,
  type RatedScope,
  Room,
} from "../../queue_policy/flow.ts";
import { GroupedLine, type Taken, takeWithinRoom } from "../../queue_policy/turns.ts";
import { type Buckets, readBuckets } from "../rows/buckets.ts";
import type { Statements } from "../rows/database.ts";
import { heldOf, lockedScopes, lockLimits } from "../rows/flow_rows.ts";
import {
  type GroupRow,
  type LineState,
  lineStates,
  lockLanes,
  lookAtGroups,
  OPEN_MAX,
  opensInMs,
  storeGroups,
} from "../rows/groups.ts";
import type { Lane } from "../rows/lanes.ts";
import {
  chargeRows,
  type ClaimContext,
  type ClaimedForEach,
  eligible,
  leasedRows,
  limitsOf,
  type PlacedRow,
  promote,
  shared,
  soonest,
} from "./claim.ts";
import { LEASE, mayStillStart, NOW } from "./claim_sql.ts";
import { type GroupsInTurn, readGroups } from "./group_heads.ts";
import { type FoundHeads, readPlainHeads } from "./plain_heads.ts";
import {
  clocksAfter,
  type Elapsed,
  groupsAfter,
  lineOf,
  type TurnCandidate,
  type TurnLane,
  type TurnLine,
} from "./turn_lines.ts";

/** How many rounds one claim looks for groups that have room and tasks. */
const ROUNDS_MAX = 20;

/** How many groups it reads in the first round at least, by how many times as many in each that follows, and at most. */
const GROUPS = { least: 8, times: 4, most: 1000 } as const;

const CLAIM_SQL = {
  /** `$5` are ids, `$6` their places. What is not ready any more, or locked, is left out. */
  lease: `with look as materialized (select ${NOW}),
  pick as materialized (
    select v.id, r.place from look, @live v join unnest($5::bigint[], $6::int[]) as r(id, place) using (id)
    where v.id = any($5::bigint[]) and v.state = 1 and ${mayStillStart("look.now")}
      and look.closure is null for update of v skip locked),
  ${LEASE}
  select look.closure, leased.* from look left join leased on true order by place`,
  /** `$1` are lanes, `$2` is by how much the clock of each moves. */
  runClocks: `update @lane lane set clock = lane.clock + r.elapsed
    from unnest($1::int[], $2::float8[]) as r(lane_id, elapsed) where lane.lane_id = r.lane_id`,
} as const;

/** Whether groups take turns in what is asked for, as far as is known here. */
export function takesTurns(request: PreparedClaim, lanes: Iterable<Lane>): boolean {
  return eligible(request, lanes).some(({ isGrouped }) => isGrouped);
}

/** Likewise, and what the transaction has to know. */
export interface GroupClaimContext extends ClaimContext {
  /** The time when the transaction began. */
  readonly beganMs: number;
}

/** What one look found: the lines, and what is read to choose from them. */
interface Situation {
  readonly lanes: readonly TurnLane[];
  readonly laneIds: readonly number[];
  readonly plain: FoundHeads;
  readonly groups: GroupsInTurn;
  readonly states: ReadonlyMap<number, LineState>;
  readonly held: ReadonlyMap<string, number>;
  readonly buckets: Buckets;
  /** How many groups of a lane were read at most. */
  readonly groupsMax: number;
  /** Whether more closed groups may be opened. */
  readonly isOpeningCut: boolean;
  /** Whether heads that others have locked were passed over. */
  readonly isLocking: boolean;
}

/**
 * Leases as `claim` does, where groups take turns; in a transaction. `"stale"` when the limits are not those that are known, or more
 * is to be looked at than one transaction does.
 */
export async function claimInTurns(
  requests: readonly PreparedClaim[],
  context: GroupClaimContext,
): Promise<ClaimedForEach | "stale"> {
  const { statements, known, nowMs } = context;
  const [first] = requests as [PreparedClaim];
  const lanes = eligible(first, context.lanes.known());
  const laneIds = lanes.filter(({ isGrouped }) => isGrouped).map(({ id }) => id);
  const keys = first.types.map((type) => ({ type, grp: "*" }));
  await Promise.all([
    lockLanes(statements, laneIds),
    lockLimits(statements, lockedScopes(known.flow, keys)),
  ]);
  let isLocking = false;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const least = Math.min(GROUPS.least * GROUPS.times ** round, GROUPS.most);
    const situation = await look(requests, { lanes, least, isLocking }, context);
    const { plain } = situation;
    if (!plain.isCurrent) return "stale";
    if (plain.dueAtMs !== undefined) {
      await promote(statements, { nowMs, fromMs: plain.dueAtMs });
      continue;
    }
    const { rows, isCut, isLocked } = await claimFrom(requests, situation, context);
    if (rows.length > 0) await renewMarks(lanes, rows.length, context);
    if (rows.length === 0 && eligible(first, plain.added).length > 0) return "stale";
    const isAll = !isCut && !isLocked || isLocking && least === GROUPS.most;
    if (rows.length > 0) return { rows: shared(rows, requests), dueInMs: plain.dueInMs };
    if (isAll) return { rows: shared(rows, requests), dueInMs: await dueInOf(situation, context) };
    isLocking ||= isLocked;
  }
  return "stale";
}

/** How long until more may start by itself, where nothing has. */
async function dueInOf(
  { plain, laneIds, lanes, buckets: { tatOf, nowMs } }: Situation,
  { statements, known: { flow }, beganMs, nowMs: testMs }: GroupClaimContext,
): Promise<number | undefined> {
  if (!flow.hasRates) return plain.dueInMs;
  const scopes = lanes.flatMap(({ type }) => flow.ratesOf({ type, grp: "" }));
  const toStarts = nextStartsMs(scopes, { tatOf, nowMs }).map((atMs) => atMs - nowMs);
  // one that has opened since the look is due now
  const toOpening = await opensInMs(statements, { laneIds, sinceMs: beganMs, testMs });
  return soonest(plain.dueInMs, [...toStarts, ...toOpening]);
}

async function renewMarks(
  lanes: readonly Lane[],
  taken: number,
  { marks, statements }: ClaimContext,
): Promise<void> {
  await marks.renew(statements, lanes.filter(({ isGrouped }) => !isGrouped), taken);
}

/** Reads everything that a choice needs. The statements are sent together. */
async function look(
  requests: readonly PreparedClaim[],
  { lanes, least, isLocking }: {
    readonly lanes: readonly Lane[];
    readonly least: number;
    readonly isLocking: boolean;
  },
  { statements, marks, known, nowMs, beganMs, lanes: allLanes }: GroupClaimContext,
): Promise<Situation> {
  const [{ order, types }] = requests as [PreparedClaim];
  const limit = requests.reduce((sum, request) => sum + request.limit, 0);
  const groupsMax = Math.max(limit, least);
  const [plainLanes, laneIds] = [
    lanes.filter(({ isGrouped }) => !isGrouped),
    lanes.filter(({ isGrouped }) => isGrouped).map(({ id }) => id),
  ];
  const { version, flow } = known;
  const isCounted = ["", ...types].some((type) => flow.firstGroupLimit(type) !== undefined);
  const scopes = limitsOf(requests[0]!, known);
  const [opened, plain, groups, states, held] = await Promise.all([
    lookAtGroups(statements, { laneIds, nowMs: beganMs, version }),
    readPlainHeads(statements, {
      ...{ order, from: plainLanes, limit, nowMs, lanes: allLanes, marks, version },
    }),
    readGroups(statements, { order, laneIds, groupsMax, limit, isCounted, isLocking, nowMs }),
    lineStates(statements, laneIds),
    heldOf(statements, scopes, beganMs),
  ]);
  for (const [id, weight] of plain.weights) groups.weigh(id, weight);
  const isOpeningCut = opened === OPEN_MAX;
  const pairs = pairsOf(lanes);
  const buckets = await readBuckets(statements, ratedScopes(pairs, groups, flow), nowMs);
  return {
    ...{ lanes: pairs, laneIds, plain, groups, states, held, buckets, groupsMax },
    ...{ isOpeningCut, isLocking },
  };
}

/** The scopes whose rates may count starts of what was read. */
function ratedScopes(
  lanes: readonly TurnLane[],
  groups: GroupsInTurn,
  flow: Flow,
): readonly RatedScope[] {
  if (!flow.hasRates) return [];
  const keys = lanes.flatMap(({ type, groupedId }) => [
    { type, grp: "" },
    ...groups.of(groupedId ?? -1).map(({ grp }) => ({ type, grp })),
  ]);
  const scopes = keys.flatMap((key) => flow.ratesOf(key));
  return [...new Map(scopes.map((scope) => [keyOf(scope), scope])).values()];
}

/** The lanes of the same type and compatibility together. */
function pairsOf(lanes: readonly Lane[]): TurnLane[] {
  const pairs = new Map<string, { type: string; plainId?: number; groupedId?: number }>();
  for (const { id, type, compatibility, isGrouped } of lanes) {
    const name = JSON.stringify([type, compatibility]);
    const pair = pairs.get(name) ?? { type };
    pairs.set(name, { ...pair, ...(isGrouped ? { groupedId: id } : { plainId: id }) });
  }
  return [...pairs.values()];
}

/** Chooses, leases, and notes whose turns they were. */
async function claimFrom(
  requests: readonly PreparedClaim[],
  situation: Situation,
  context: GroupClaimContext,
): Promise<{
  readonly rows: PlacedRow[];
  readonly isCut: boolean;
  /** Whether all that was chosen is locked by others. */
  readonly isLocked: boolean;
}> {
  const { statements } = context;
  const choice = await choose(requests, situation, context);
  const picked = withinBudget(choice.taken.chosen, situation.groups, context.budget);
  const rows = picked.length === 0 ? [] : await lease(requests, picked, context);
  const leased = new Set(rows.map(({ id }) => id));
  const { flow } = context.known;
  const charged = await chargeRows(statements, flow, rows);
  const isWeighted = requests[0]!.order === "weighted_random";
  const elapsed = isWeighted && picked.length > 0
    ? clocksAfter({ ...choice.taken, chosen: picked })
    : undefined;
  const states = groupsAfter(choice.lines, {
    started: picked.filter(({ id }) => leased.has(id)),
    states: situation.states,
    isLocking: situation.isLocking,
    room: choice.room,
    flow,
    tatOf: (scope) => charged(scope) ?? situation.buckets.tatOf(scope),
    nowMs: context.beganMs,
    elapsed,
  });
  const { laneIds } = situation;
  await Promise.all([
    storeGroups(statements, states, { laneIds, version: context.known.version }),
    ...(elapsed === undefined ? [] : [runClocks(statements, choice.lines, elapsed)]),
  ]);
  const isCut = situation.isOpeningCut ||
    choice.lines.some((line) => line instanceof GroupedLine && line.isCut);
  return { rows, isCut, isLocked: picked.length > 0 && rows.length === 0 };
}

/** What was chosen, and from what. */
interface Choice {
  readonly lines: readonly TurnLine[];
  readonly room: Room;
  readonly taken: Taken<TurnLane, GroupRow>;
}

/** Chooses, again while more heads of groups have to be read for it. */
async function choose(
  requests: readonly PreparedClaim[],
  situation: Situation,
  { statements, known: { flow }, beganMs }: GroupClaimContext,
): Promise<Choice> {
  const limit = requests.reduce((sum, request) => sum + request.limit, 0);
  const { groups, held, buckets } = situation;
  const isWeighted = requests[0]!.order === "weighted_random";
  for (;;) {
    const countHeld: CountHeld = (scope) =>
      scope.grp === "" ? held.get(keyOf(scope))! : groups.countHeld(scope);
    const room = new Room(flow, { countHeld, tatOf: buckets.tatOf, nowMs: beganMs });
    const lines = situation.lanes
      .filter(({ type }) => room.of({ type, grp: "" }) > 0)
      .map((lane) => lineOf(lane, { ...situation, room, flow, isWeighted, nowMs: beganMs, limit }));
    const taken = takeWithinRoom(lines, { limit, room, isLimited: !flow.isEmpty });
    if (!await groups.readMissing(statements)) return { lines, room, taken };
  }
}

/** As many of the first as have no more payload than one claim may take; one at least. */
function withinBudget(
  chosen: readonly TurnCandidate[],
  groups: GroupsInTurn,
  budget: number,
): readonly TurnCandidate[] {
  let total = 0;
  const end = chosen.findIndex(({ id }, i) => (total += groups.weightOf(id)) > budget && i > 0);
  return end === -1 ? chosen : chosen.slice(0, end);
}

async function lease(
  requests: readonly PreparedClaim[],
  picked: readonly TurnCandidate[],
  { statements, nowMs }: GroupClaimContext,
): Promise<PlacedRow[]> {
  const slots = requests.flatMap((request) => Array<PreparedClaim>(request.limit).fill(request));
  const found = await statements.query(CLAIM_SQL.lease, [
    slots.map(({ workerId }) => workerId),
    slots.map(({ leaseDurationMs }) => leaseDurationMs),
    nowMs,
    false,
    picked.map(({ id }) => id),
    picked.map((_, i) => i + 1),
  ]);
  return leasedRows(found) as PlacedRow[];
}

/** The clocks of lanes without groups have run. */
async function runClocks(
  tx: Statements,
  lines: readonly TurnLine[],
  elapsed: Elapsed,
): Promise<void> {
  const lanes = lines.map(({ lane }) => lane).filter(({ plainId }) => plainId !== undefined);
  await tx.query(CLAIM_SQL.runClocks, [lanes.map(({ plainId }) => plainId!), lanes.map(elapsed)]);
}
