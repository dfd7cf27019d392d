/**
 * Lines of lanes where groups take turns, as a claim has read them, and what becomes of the groups by it.
 *
 * The tasks without a group are in a lane of their own, and take turns with the groups as one. Whether there are any is seen when they
 * are read, so their row tells their turn alone.
 */
import { nextStartsMs } from "../../queue_policy/buckets.ts";
import type { Flow, Room, TatOf } from "../../queue_policy/flow.ts";
import {
  type Candidate,
  GroupedLine,
  lastStarts,
  type Line,
  PlainLine,
  type Taken,
} from "../../queue_policy/turns.ts";
import type { Closing, GroupRow, GroupState, LineState } from "../rows/groups.ts";
import type { GroupsInTurn } from "./group_heads.ts";
import type { FoundHeads, PlainHeads } from "./plain_heads.ts";

/** The lanes of one type and compatibility: of tasks without a group, and of those with one. */
export interface TurnLane {
  readonly type: string;
  readonly plainId?: number;
  readonly groupedId?: number;
}

/** A line of them. */
export type TurnLine = Line<TurnLane, GroupRow>;
/** A task at the front of one. */
export type TurnCandidate = Candidate<TurnLane, GroupRow>;

/** By how much the clocks of a lane move under weighted random. */
export type Elapsed = (lane: TurnLane) => number;

/** What lines are made of. */
export interface LineParts {
  readonly plain: FoundHeads;
  readonly groups: GroupsInTurn;
  readonly states: ReadonlyMap<number, LineState>;
  readonly groupsMax: number;
  readonly limit: number;
  readonly room: Room;
  readonly flow: Flow;
  readonly nowMs: number;
  readonly isWeighted: boolean;
}

const NO_HEADS: PlainHeads = Object.freeze({ heads: [], clock: 0 });

/**
 * The line of a lane. While each group is paused, the tasks without one are alone in it and take no turns: what they start meanwhile
 * is no credit of the others.
 */
export function lineOf(lane: TurnLane, parts: LineParts): TurnLine {
  const { plain, groups, states, flow, nowMs, room, isWeighted } = parts;
  const found = plain.ofLane.get(lane.plainId ?? -1) ?? NO_HEADS;
  const state = states.get(lane.groupedId ?? -1);
  if (!state?.hasGroups || flow.eachPausedOf(lane.type, nowMs) !== undefined) {
    return new PlainLine(lane, found.heads, found.clock);
  }
  const open = groups.of(lane.groupedId!);
  const ungrouped = found.heads.length === 0 ? [] : [ungroupedOf(lane.groupedId!, state)];
  for (const group of ungrouped) {
    groups.know(group, { heads: found.heads, isAll: found.heads.length < parts.limit });
  }
  return new GroupedLine(lane, {
    groups: [...ungrouped, ...open].sort((a, b) => a.tag - b.tag),
    isCut: open.length === parts.groupsMax,
    heads: groups,
    clockOf: isWeighted ? ({ grp, clock }) => grp === "" ? found.clock : clock : undefined,
    room,
    flow,
  });
}

/** The tasks without a group as one that takes turns: no earlier than virtual time when there were none until now. */
function ungroupedOf(laneId: number, { served, ungrouped }: LineState): GroupRow {
  if (ungrouped === undefined) return { laneId, grp: "", tag: served, served: 0, clock: 0 };
  const { isActive, ...row } = ungrouped;
  return isActive ? row : { ...row, tag: Math.max(row.tag, served) };
}

/** By how much clocks move: as far as the last that rang, or where a type had no room any more. */
export function clocksAfter(
  { chosen, filledAt }: Pick<Taken<TurnLane, GroupRow>, "chosen" | "filledAt">,
): Elapsed {
  const lastKey = chosen.at(-1)!.key;
  return ({ type }) => filledAt.get(type) ?? lastKey;
}

/** What a claim did. */
export interface Outcome {
  /** The tasks that have started. */
  readonly started: readonly TurnCandidate[];
  readonly states: ReadonlyMap<number, LineState>;
  /** Whether tasks that others have locked were passed over: then it is not known which groups have none. */
  readonly isLocking: boolean;
  /** What is left of it. */
  readonly room: Room;
  readonly flow: Flow;
  /** The buckets as the starts have left them. */
  readonly tatOf: TatOf;
  readonly nowMs: number;
  readonly elapsed: Elapsed | undefined;
}

/** The groups that have had their turns, or turned out to have no room or no tasks, as they are to be stored. */
export function groupsAfter(lines: readonly TurnLine[], outcome: Outcome): GroupState[] {
  const last = lastStarts(outcome.started);
  return lines.flatMap((line) => {
    const states = new Map<GroupRow, GroupState>();
    const { type } = line.lane;
    noteUngrouped(line, outcome, states);
    if (!(line instanceof GroupedLine)) return [...states.values()];
    for (const group of outcome.isLocking ? [] : line.withoutTasks) {
      states.set(group, { ...group, isActive: false, closing: null });
    }
    for (const group of line.withoutRoom) {
      const closing = closingOf({ type, grp: group.grp }, outcome);
      if (closing !== null) states.set(group, { ...group, isActive: true, closing });
    }
    noteClock(line, outcome, states);
    for (const [group, { tag, next, clock, hasMore }] of last) {
      if (!line.has(group)) continue;
      states.set(group, {
        ...group,
        tag: next,
        served: tag,
        clock: clock ?? group.clock,
        isActive: outcome.isLocking || (hasMore ?? true),
        closing: closingOf({ type, grp: group.grp }, outcome),
      });
    }
    return [...states.values()];
  });
}

/** The tasks without a group have a turn as soon as they are seen, and none any more when there are none. */
function noteUngrouped(
  line: TurnLine,
  { states: known }: Outcome,
  states: Map<GroupRow, GroupState>,
): void {
  const before = known.get(line.lane.groupedId ?? -1)?.ungrouped;
  const now = line instanceof GroupedLine ? line.find("") : undefined;
  if (now !== undefined && !before?.isActive) {
    states.set(now, { ...now, isActive: true, closing: null });
  } else if (now === undefined && before?.isActive && line instanceof GroupedLine) {
    states.set(before, { ...before, isActive: false, closing: null });
  }
}

/** Under weighted random the clocks of the group whose turn it is have run, too. */
function noteClock(
  line: TurnLine,
  { elapsed }: Outcome,
  states: Map<GroupRow, GroupState>,
): void {
  const group = elapsed === undefined ? undefined : line.peek()?.turn?.group;
  if (group === undefined) return;
  const clock = group.clock + elapsed!(line.lane);
  states.set(group, {
    ...(states.get(group) ?? { ...group, isActive: true, closing: null }),
    clock,
  });
}

/** How a group closes that has no room by its own limits, rates and pauses. */
function closingOf(
  key: { readonly type: string; readonly grp: string },
  { room, flow, tatOf, nowMs }: Outcome,
): Closing | null {
  if (room.ofGroup(key) > 0) return null;
  const pause = flow.groupPauseOf(key, nowMs);
  if (pause !== undefined) return { by: "pause", opensAtMs: pause.paused_until };
  const spent = nextStartsMs(flow.groupRatesOf(key), { tatOf, nowMs });
  if (spent.length > 0) return { by: "rate", opensAtMs: Math.max(...spent) };
  return { by: "limit", opensAtMs: null };
}
