/**
 * Lines: the tasks of each lane in the order in which a claim takes them. A lane without groups is read in the index of the order.
 * In one with groups the group comes next whose turn it is, with its own first task in that index; see `rows/groups.ts`.
 */
import type { ClaimOrder } from "../../domain/claim_order.ts";
import type { Reader } from "../../ledger/replica.ts";
import type { Flow, Room } from "../../queue_policy/flow.ts";
import { findGroup, type GroupRow, isGrouped, type Lane, nextGroups } from "../rows/groups.ts";
import { clockOf, findLane } from "../rows/lanes.ts";

/** A task at the front of its line; the lowest `key` of all lines is claimed first, then the lowest id. */
export interface Candidate {
  readonly lane: Lane;
  readonly grp: string;
  readonly id: number;
  readonly key: number;
  /** The tags of this start and of the group's next; `undefined` in a lane without groups. */
  readonly turn?: { readonly tag: number; readonly next: number; readonly clock?: number };
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

/** The line of a lane. */
export function lineOf(reader: Reader, lane: Lane, reading: LineReading): Line {
  return isGrouped(reader, lane)
    ? new GroupedLine(reader, lane, reading)
    : new PlainLine(reader, lane, reading);
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

/** How many groups a claim reads at least: as many may turn out to have no room. */
const GROUPS_MIN = 32;

/** A group in its line. */
interface Turn {
  readonly grp: string;
  readonly weight: number;
  readonly clock: number;
  tag: number;
  heads: readonly (readonly [id: number, key: number])[];
  hasMore: boolean;
  taken: number;
}

/** The line of a lane whose groups take turns. */
export class GroupedLine extends Line {
  readonly #reader: Reader;
  readonly #reading: LineReading;
  readonly #turns: Turn[];
  readonly #withoutRoom: string[] = [];
  readonly #withoutTasks: string[] = [];
  readonly #isCut: boolean;

  constructor(reader: Reader, lane: Lane, reading: LineReading) {
    super(lane);
    this.#reader = reader;
    this.#reading = reading;
    const groupsMax = Math.max(reading.limit, GROUPS_MIN);
    const groups = this.#groups(groupsMax);
    this.#isCut = groups.length === groupsMax;
    this.#turns = groups.map((group) => this.#turnOf(group));
  }

  /** The groups that have turned out to have no room: they are to be closed. */
  get withoutRoom(): readonly string[] {
    return this.#withoutRoom;
  }

  /** The groups that have turned out to have no ready task, though their rows say so. */
  get withoutTasks(): readonly string[] {
    return this.#withoutTasks;
  }

  /** Whether more groups may have room than were read. */
  get isCut(): boolean {
    return this.#isCut;
  }

  peek(): Candidate | undefined {
    const { type } = this.lane;
    for (;;) {
      const [turn] = this.#turns;
      if (turn === undefined) return undefined;
      const { grp, tag, weight, clock } = turn;
      const head = this.#headOf(turn);
      const hasRoom = this.#reading.room.ofGroup({ type, grp }) > 0;
      if (hasRoom && head !== undefined) {
        const [id, key] = head;
        const next = tag + 1 / weight;
        const ran = this.#reading.order === "weighted_random" ? key : undefined;
        return { lane: this.lane, grp, id, key: key - clock, turn: { tag, next, clock: ran } };
      }
      if (!hasRoom) this.#withoutRoom.push(grp);
      else if (turn.taken === 0) this.#withoutTasks.push(grp);
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

  /** While each group is paused, only the tasks without one take part. */
  #groups(limit: number): GroupRow[] {
    const { flow, nowMs } = this.#reading;
    if (flow.eachPausedOf(this.lane.type, nowMs) === undefined) {
      return nextGroups(this.#reader, this.lane, limit);
    }
    const ungrouped = findGroup(this.#reader, { ...this.lane, grp: "" });
    return ungrouped?.isActive ? [ungrouped] : [];
  }

  #turnOf({ grp, tag, clock }: GroupRow): Turn {
    const { flow, order } = this.#reading;
    return {
      grp,
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

  #headOf(turn: Turn): readonly [id: number, key: number] | undefined {
    if (turn.taken >= turn.heads.length && turn.hasMore) {
      const limit = 2 * turn.taken + 1;
      const { type, compatibility } = this.lane;
      turn.heads = this.#reader
        .read(HEAD_SQL[this.#reading.order], [type, compatibility, turn.grp, limit])
        .map(([id, key]) => [Number(id), Number(key)]);
      turn.hasMore = turn.heads.length === limit;
    }
    return turn.heads[turn.taken];
  }
}

function isBefore(a: Turn, b: Turn): boolean {
  return a.tag < b.tag || (a.tag === b.tag && a.grp < b.grp);
}

function laneClock(reader: Reader, { type, compatibility }: Lane, order: ClaimOrder): number {
  return order === "weighted_random" ? clockOf(findLane(reader, type, compatibility)) : 0;
}
