/**
 * Turns: in which order a claim takes the tasks of its lanes, and whose turn it is in a lane with groups (start-time fair queueing).
 *
 * Each start of a group puts its `tag` forward by 1 / weight, and the open group with the lowest tag comes next, with its own first
 * task in the claim's order. Between lanes the order alone decides. An engine reads rows and writes what has become of them.
 */
import type { Flow, Room } from "./flow.ts";

/** What a line needs to know of its lane. */
export interface LaneOfType {
  readonly type: string;
}

/** A group as it stands in a lane. */
export interface TurnGroup {
  readonly grp: string;
  /** Its turn: the lowest comes next. */
  readonly tag: number;
}

/** A ready task, and where it stands in its order. */
export type Head = readonly [id: number, key: number];

/** A task at the front of its line; the lowest `key` of all lines is claimed first, then the lowest id. */
export interface Candidate<L extends LaneOfType, G extends TurnGroup> {
  readonly lane: L;
  readonly grp: string;
  readonly id: number;
  readonly key: number;
  /** `undefined` in a lane without groups. */
  readonly turn?: GroupStart<G>;
}

/** A start in a group's turn. */
export interface GroupStart<G extends TurnGroup> {
  readonly group: G;
  /** The tags of this start, and of the group's next. */
  readonly tag: number;
  readonly next: number;
  /** How far the group's clocks have run; only under weighted random. */
  readonly clock?: number;
  /** Whether more of the group's tasks are ready; `undefined` when that was not read. */
  readonly hasMore: boolean | undefined;
}

/** The ready tasks of the groups of a lane, in the claim's order. */
export interface GroupHeads<G extends TurnGroup> {
  /** The task at this place of a group's own line; `undefined` when it has no more. */
  at(group: G, place: number): Head | undefined;
  /** Whether it has one at this place; `undefined` when that was not read. */
  hasAt(group: G, place: number): boolean | undefined;
}

/** The tasks of a lane, one after the other. */
export abstract class Line<L extends LaneOfType, G extends TurnGroup> {
  readonly lane: L;

  constructor(lane: L) {
    this.lane = lane;
  }

  /** The one that comes next. */
  abstract peek(): Candidate<L, G> | undefined;

  /** It is taken. */
  abstract advance(): void;
}

/** The line of a lane without groups, of its first tasks. */
export class PlainLine<L extends LaneOfType, G extends TurnGroup> extends Line<L, G> {
  readonly #heads: readonly Head[];
  readonly #clock: number;
  #taken = 0;

  /** `clock` is how far the lane's clocks have run; 0 but under weighted random. */
  constructor(lane: L, heads: readonly Head[], clock: number) {
    super(lane);
    this.#heads = heads;
    this.#clock = clock;
  }

  peek(): Candidate<L, G> | undefined {
    const head = this.#heads[this.#taken];
    return head && { lane: this.lane, grp: "", id: head[0], key: head[1] - this.#clock };
  }

  advance(): void {
    this.#taken++;
  }
}

/** What a line of groups is read with. */
export interface GroupedReading<G extends TurnGroup> {
  /** The open groups, the next first. */
  readonly groups: readonly G[];
  /** Whether there may be more open groups. */
  readonly isCut: boolean;
  readonly heads: GroupHeads<G>;
  /** How far the clocks of a group have run; `undefined` but under weighted random. */
  readonly clockOf: ((group: G) => number) | undefined;
  readonly room: Room;
  readonly flow: Flow;
}

/** A group in its line. */
interface Turn<G extends TurnGroup> {
  readonly group: G;
  readonly weight: number;
  readonly clock: number;
  tag: number;
  taken: number;
}

/** The line of a lane whose groups take turns. */
export class GroupedLine<L extends LaneOfType, G extends TurnGroup> extends Line<L, G> {
  readonly #reading: GroupedReading<G>;
  readonly #turns: Turn<G>[];
  readonly #withoutRoom: G[] = [];
  readonly #withoutTasks: G[] = [];

  constructor(lane: L, reading: GroupedReading<G>) {
    super(lane);
    this.#reading = reading;
    this.#turns = reading.groups.map((group) => this.#turnOf(group));
  }

  /** Whether this group was read for it. */
  has(group: G): boolean {
    return this.#reading.groups.includes(group);
  }

  /** The group of this name that was read for it. */
  find(grp: string): G | undefined {
    return this.#reading.groups.find((group) => group.grp === grp);
  }

  /** The groups that have turned out to have no room: they are to be closed. */
  get withoutRoom(): readonly G[] {
    return this.#withoutRoom;
  }

  /** The groups that have turned out to have no ready task, though their rows say so. */
  get withoutTasks(): readonly G[] {
    return this.#withoutTasks;
  }

  /** Whether more groups may have room than were read. */
  get isCut(): boolean {
    return this.#reading.isCut;
  }

  peek(): Candidate<L, G> | undefined {
    const { type } = this.lane;
    for (;;) {
      const [turn] = this.#turns;
      if (turn === undefined) return undefined;
      const { group, taken } = turn;
      const head = this.#reading.heads.at(group, taken);
      const hasRoom = this.#reading.room.ofGroup({ type, grp: group.grp }) > 0;
      if (hasRoom && head !== undefined) return this.#candidateOf(turn, head);
      if (!hasRoom) this.#withoutRoom.push(group);
      else if (taken === 0) this.#withoutTasks.push(group);
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

  #candidateOf(turn: Turn<G>, [id, key]: Head): Candidate<L, G> {
    const { group, tag, weight, clock, taken } = turn;
    const { heads, clockOf } = this.#reading;
    const hasMore = heads.hasAt(group, taken + 1);
    const ran = clockOf === undefined ? undefined : key;
    return {
      lane: this.lane,
      grp: group.grp,
      id,
      key: key - clock,
      turn: { group, tag, next: tag + 1 / weight, clock: ran, hasMore },
    };
  }

  #turnOf(group: G): Turn<G> {
    const { flow, clockOf } = this.#reading;
    const weight = flow.weightOf({ type: this.lane.type, grp: group.grp });
    return { group, tag: group.tag, weight, clock: clockOf?.(group) ?? 0, taken: 0 };
  }
}

function isBefore<G extends TurnGroup>(a: Turn<G>, b: Turn<G>): boolean {
  return a.tag < b.tag || (a.tag === b.tag && a.group.grp < b.group.grp);
}

/** What a claim takes of its lines. */
export interface Taken<L extends LaneOfType, G extends TurnGroup> {
  readonly chosen: readonly Candidate<L, G>[];
  /** At which key a type had no room left: from there on its clocks stand still. */
  readonly filledAt: ReadonlyMap<string, number>;
}

/** Takes the first tasks of the lines that may start. */
export function takeWithinRoom<L extends LaneOfType, G extends TurnGroup>(
  lines: readonly Line<L, G>[],
  { limit, room, isLimited }: {
    readonly limit: number;
    readonly room: Room;
    readonly isLimited: boolean;
  },
): Taken<L, G> {
  const filledAt = new Map<string, number>();
  const types = new Set(lines.map(({ lane }) => lane.type));
  const chosen: Candidate<L, G>[] = [];
  while (chosen.length < limit) {
    const line = nextLine(lines.filter(({ lane }) => !filledAt.has(lane.type)));
    if (line === undefined) break;
    const candidate = line.peek()!;
    chosen.push(candidate);
    if (isLimited) room.take({ type: line.lane.type, grp: candidate.grp });
    line.advance();
    if (!isLimited) continue;
    for (const type of types) {
      if (room.of({ type, grp: "" }) === 0 && !filledAt.has(type)) {
        filledAt.set(type, candidate.key);
      }
    }
  }
  return { chosen, filledAt };
}

/** The line whose first task comes first. */
function nextLine<L extends LaneOfType, G extends TurnGroup>(
  lines: readonly Line<L, G>[],
): Line<L, G> | undefined {
  let [best, first]: [Line<L, G> | undefined, Candidate<L, G> | undefined] = [undefined, undefined];
  for (const line of lines) {
    const candidate = line.peek();
    if (candidate === undefined) continue;
    if (first !== undefined && (candidate.key - first.key || candidate.id - first.id) > 0) continue;
    [best, first] = [line, candidate];
  }
  return best;
}

/** The last start of each group that had one. */
export function lastStarts<L extends LaneOfType, G extends TurnGroup>(
  started: readonly Candidate<L, G>[],
): ReadonlyMap<G, GroupStart<G>> {
  const last = new Map<G, GroupStart<G>>();
  for (const { turn } of started) if (turn !== undefined) last.set(turn.group, turn);
  return last;
}
