/**
 * Lines: the tasks of each lane in the order in which a claim takes them. A lane without groups is read in the index of the order.
 * In one with groups the group comes next whose turn it is, with its own first task in that index; see `rows/groups.ts`.
 */
import type { ClaimOrder } from "../../domain/claim_order.ts";
import type { Reader } from "../../ledger/replica.ts";
import type { Flow, Room } from "../../queue_policy/flow.ts";
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

/** A task at the front of its line; the lowest `key` of all lines is claimed first, then the lowest id. */
export interface Candidate {
  readonly lane: Lane;
  readonly grp: string;
  readonly id: number;
  readonly key: number;
  /** `undefined` in a lane without groups. */
  readonly turn?: GroupStart;
}

/** A start in a group's turn. */
export interface GroupStart {
  readonly group: GroupRow;
  /** The tags of this start, and of the group's next. */
  readonly tag: number;
  readonly next: number;
  /** How far the group's clocks have run; only under weighted random. */
  readonly clock?: number;
  /** Whether more of the group's tasks are ready; `undefined` when that was not read. */
  readonly hasMore: boolean | undefined;
}

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

/** The tasks of a lane, one after the other. */
export abstract class Line {
  readonly lane: Lane;

  constructor(lane: Lane) {
    this.lane = lane;
  }

  /** The one that comes next. */
  abstract peek(): Candidate | undefined;

  /** It is taken. */
  abstract advance(): void;
}

/**
 * The line of a lane. While each group is paused, the tasks without one are alone in it and take no turns: what they start meanwhile
 * is no credit of the others.
 */
export function lineOf(reader: Reader, lane: Lane, reading: LineReading): Line {
  const groupsMax = Math.max(reading.limit, GROUPS_MIN);
  const groups = areGroupsPaused(lane, reading) ? undefined : openGroupsOf(reader, lane, groupsMax);
  if (groups === undefined) return new PlainLine(reader, lane, reading);
  return new GroupedLine(reader, lane, { ...reading, groups, isCut: groups.length === groupsMax });
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

/** The line of a lane without groups. */
class PlainLine extends Line {
  readonly #candidates: readonly Candidate[];
  #taken = 0;

  constructor(reader: Reader, lane: Lane, { order, limit }: LineReading) {
    super(lane);
    const clock = laneClock(reader, lane, order);
    this.#candidates = reader
      .read(HEAD_SQL[order], [lane.type, lane.compatibility, "", limit])
      .map(([id, key]) => ({ lane, grp: "", id: Number(id), key: Number(key) - clock }));
  }

  peek(): Candidate | undefined {
    return this.#candidates[this.#taken];
  }

  advance(): void {
    this.#taken++;
  }
}

/** A ready task, and where it stands in its order. */
type Head = readonly [id: number, key: number];

/** A group in its line. */
interface Turn {
  readonly group: GroupRow;
  readonly weight: number;
  readonly clock: number;
  tag: number;
  heads: readonly Head[];
  hasMore: boolean;
  taken: number;
}

/** What a line of groups is read with. */
interface GroupedReading extends LineReading {
  readonly groups: readonly GroupRow[];
  /** Whether there may be more open groups. */
  readonly isCut: boolean;
}

/** The line of a lane whose groups take turns. */
export class GroupedLine extends Line {
  readonly #reader: Reader;
  readonly #reading: GroupedReading;
  readonly #turns: Turn[];
  readonly #withoutRoom: GroupRow[] = [];
  readonly #withoutTasks: GroupRow[] = [];

  constructor(reader: Reader, lane: Lane, reading: GroupedReading) {
    super(lane);
    this.#reader = reader;
    this.#reading = reading;
    this.#turns = reading.groups.map((group) => this.#turnOf(group));
  }

  /** The groups that have turned out to have no room: they are to be closed. */
  get withoutRoom(): readonly GroupRow[] {
    return this.#withoutRoom;
  }

  /** The groups that have turned out to have no ready task, though their rows say so. */
  get withoutTasks(): readonly GroupRow[] {
    return this.#withoutTasks;
  }

  /** Whether more groups may have room than were read. */
  get isCut(): boolean {
    return this.#reading.isCut;
  }

  peek(): Candidate | undefined {
    const { type } = this.lane;
    for (;;) {
      const [turn] = this.#turns;
      if (turn === undefined) return undefined;
      const head = this.#headOf(turn);
      const hasRoom = this.#reading.room.ofGroup({ type, grp: turn.group.grp }) > 0;
      if (hasRoom && head !== undefined) return this.#candidateOf(turn, head);
      if (!hasRoom) this.#withoutRoom.push(turn.group);
      else if (turn.taken === 0) this.#withoutTasks.push(turn.group);
      this.#turns.shift();
    }
  }

  advance(): void {
    const turn = this.#turns.shift()!;
    turn.taken++;
    turn.tag += 1 / turn.weight;
    const place = this.#turns.findIndex((other) => isBefore(turn, other));
    this.#turns.splice(place === -1 ? this.#turns.length : place, 0, turn);
  }

  #candidateOf(turn: Turn, [id, key]: Head): Candidate {
    const { group, tag, weight, clock } = turn;
    const ran = this.#reading.order === "weighted_random" ? key : undefined;
    const isRead = turn.taken + 1 < turn.heads.length;
    const hasMore = isRead || (turn.hasMore ? undefined : false);
    return {
      lane: this.lane,
      grp: group.grp,
      id,
      key: key - clock,
      turn: { group, tag, next: tag + 1 / weight, clock: ran, hasMore },
    };
  }

  #turnOf(group: GroupRow): Turn {
    const { flow, order } = this.#reading;
    const { grp, tag, clock } = group;
    return {
      group,
      tag,
      weight: flow.weightOf({ type: this.lane.type, grp }),
      clock: order !== "weighted_random"
        ? 0
        : grp === ""
        ? laneClock(this.#reader, this.lane, order)
        : clock,
      heads: [],
      hasMore: true,
      taken: 0,
    };
  }

  #headOf(turn: Turn): Head | undefined {
    if (turn.taken >= turn.heads.length && turn.hasMore) {
      const limit = 2 * turn.taken + 2;
      const { type, compatibility } = this.lane;
      turn.heads = this.#reader
        .read(HEAD_SQL[this.#reading.order], [type, compatibility, turn.group.grp, limit])
        .map(([id, key]) => [Number(id), Number(key)]);
      turn.hasMore = turn.heads.length === limit;
    }
    return turn.heads[turn.taken];
  }
}

function isBefore(a: Turn, b: Turn): boolean {
  return a.tag < b.tag || (a.tag === b.tag && a.group.grp < b.group.grp);
}

function laneClock(reader: Reader, { type, compatibility }: Lane, order: ClaimOrder): number {
  return order === "weighted_random" ? clockOf(findLane(reader, type, compatibility)) : 0;
}
