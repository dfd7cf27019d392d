/**
 * Lines: the tasks of each lane in the order in which a claim takes them. A lane without groups is read in the index of the order.
 * In one with groups the group comes next whose turn it is, with its own first task in that index; see `rows/groups.ts`.
 */
import type { ClaimOrder } from "../../domain/claim_order.ts";
import type { Reader } from "../../ledger/replica.ts";
import type { Flow, Room } from "../../queue_policy/flow.ts";
import {
  GroupedLine,
  type GroupHeads,
  type Head,
  type Line,
  PlainLine,
} from "../../queue_policy/turns.ts";
import {
  findGroup,
  type GroupRow,
  hasGroups,
  isGrouped,
  type Lane,
  nextGroups,
} from "../rows/groups.ts";
import { clockOf, findLane } from "../rows/lanes.ts";

/** How many groups a claim reads at least: as many may turn out to have no room. */
const GROUPS_MIN = 32;

/** What a line is read with. */
export interface LineReading {
  readonly order: ClaimOrder;
  readonly limit: number;
  readonly room: Room;
  readonly flow: Flow;
  readonly nowMs: number;
}

/** The statements; a test reads their plans. See `CLAIM_SQL` for `+?`. */
export const HEAD_SQL = {
  fifo: `SELECT id, id FROM task_queue INDEXED BY ready_by_id
    WHERE is_ready = 1 AND type = +? AND compatibility = +? AND grp = +? ORDER BY id LIMIT +?`,
  lifo: `SELECT id, -id FROM task_queue INDEXED BY ready_by_id
    WHERE is_ready = 1 AND type = +? AND compatibility = +? AND grp = +? ORDER BY id DESC LIMIT +?`,
  priority: `SELECT id, priority FROM task_queue INDEXED BY ready_by_priority
    WHERE is_ready = 1 AND type = +? AND compatibility = +? AND grp = +?
    ORDER BY priority, id LIMIT +?`,
  weighted_random: `SELECT id, draw_key FROM task_queue INDEXED BY ready_by_draw
    WHERE is_ready = 1 AND type = +? AND compatibility = +? AND grp = +? ORDER BY draw_key LIMIT +?`,
} as const satisfies Record<ClaimOrder, string>;

/**
 * The line of a lane. While each group is paused, the tasks without one are alone in it and take no turns: what they start meanwhile
 * is no credit of the others.
 */
export function lineOf(reader: Reader, lane: Lane, reading: LineReading): Line<Lane, GroupRow> {
  const { order, limit, room, flow } = reading;
  const groupsMax = Math.max(limit, GROUPS_MIN);
  const groups = areGroupsPaused(lane, reading) ? undefined : openGroupsOf(reader, lane, groupsMax);
  if (groups === undefined) {
    const heads = headsOf(reader, { ...lane, grp: "" }, { order, limit });
    return new PlainLine(lane, heads, laneClock(reader, lane, order));
  }
  const clockOfGroup = ({ grp, clock }: GroupRow): number =>
    grp === "" ? laneClock(reader, lane, order) : clock;
  return new GroupedLine(lane, {
    groups,
    isCut: groups.length === groupsMax,
    heads: new ReadHeads(reader, lane, order),
    clockOf: order === "weighted_random" ? clockOfGroup : undefined,
    room,
    flow,
  });
}

/** Whether the line of a lane with ready tasks has one that is not in a closed or paused group. */
export function isLineOpen(
  reader: Reader,
  lane: Lane,
  situation: Pick<LineReading, "flow" | "nowMs">,
): boolean {
  if (!areGroupsPaused(lane, situation)) return openGroupsOf(reader, lane, 1)?.length !== 0;
  if (!isGrouped(reader, lane)) return true;
  return findGroup(reader, { ...lane, grp: "" })?.isActive ?? false;
}

function areGroupsPaused(
  { type }: Lane,
  { flow, nowMs }: Pick<LineReading, "flow" | "nowMs">,
): boolean {
  return flow.eachPausedOf(type, nowMs) !== undefined;
}

/** The open groups of a lane with ready tasks, at most `limit`, the next first; `undefined` when no groups take turns in it. */
function openGroupsOf(reader: Reader, lane: Lane, limit: number): GroupRow[] | undefined {
  if (!hasGroups(reader)) return undefined;
  const groups = nextGroups(reader, lane, limit);
  return groups.length > 0 || isGrouped(reader, lane) ? groups : undefined;
}

/** What was read of a group's line. */
interface ReadLine {
  readonly heads: readonly Head[];
  readonly mayHaveMore: boolean;
}

/** The ready tasks of groups, read as they are asked for, twice as many each time. */
class ReadHeads implements GroupHeads<GroupRow> {
  readonly #reader: Reader;
  readonly #lane: Lane;
  readonly #order: ClaimOrder;
  readonly #read = new Map<GroupRow, ReadLine>();

  constructor(reader: Reader, lane: Lane, order: ClaimOrder) {
    this.#reader = reader;
    this.#lane = lane;
    this.#order = order;
  }

  at(group: GroupRow, place: number): Head | undefined {
    const known = this.#read.get(group);
    if (known !== undefined && (place < known.heads.length || !known.mayHaveMore)) {
      return known.heads[place];
    }
    const limit = 2 * place + 2;
    const { type, compatibility } = this.#lane;
    const from = { type, compatibility, grp: group.grp };
    const heads = headsOf(this.#reader, from, { order: this.#order, limit });
    this.#read.set(group, { heads, mayHaveMore: heads.length === limit });
    return heads[place];
  }

  hasAt(group: GroupRow, place: number): boolean | undefined {
    const known = this.#read.get(group);
    if (known === undefined) return undefined;
    return place < known.heads.length || (known.mayHaveMore ? undefined : false);
  }
}

function headsOf(
  reader: Reader,
  { type, compatibility, grp }: Lane & { readonly grp: string },
  { order, limit }: Pick<LineReading, "order" | "limit">,
): Head[] {
  return reader.read(HEAD_SQL[order], [type, compatibility, grp, limit])
    .map(([id, key]) => [Number(id), Number(key)]);
}

function laneClock(reader: Reader, { type, compatibility }: Lane, order: ClaimOrder): number {
  return order === "weighted_random" ? clockOf(findLane(reader, type, compatibility)) : 0;
}
