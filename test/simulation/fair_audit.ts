/**
 * Looks at each start in the journal: whether the groups of a lane take turns. While two groups can both start, their starts divided
 * by their weights differ by no more than 1/w1 + 1/w2; a weight that has changed counts as the lowest that it was.
 *
 * What is ready is counted from the tasks, and not from the rows by which the queue remembers turns.
 */
import type { Task } from "../../src/domain/task.ts";
import type { EventLog } from "./event_log.ts";
import { describe } from "./facts.ts";

/** What is known of limits and pauses. */
export interface GroupRules {
  /** Whether the group's own limits and pauses let a task of it start. */
  mayStart(type: string, grp: string, atMs: number): boolean;
  weightOf(type: string, grp: string): number;
}

/** The groups of one type and compatibility. */
interface Lane {
  readonly type: string;
  /** The ready tasks of each group. */
  readonly ready: Map<string, Set<number>>;
  /** For two groups, how far the first is ahead of the second since both can start. */
  readonly ahead: Map<string, number>;
  /** The longest step of each group. */
  readonly steps: Map<string, number>;
}

/** Rounding of sums of steps. */
const EPSILON = 1e-6;

/** Keeps account of turns. */
export class FairAudit {
  readonly #log: EventLog;
  readonly #rules: GroupRules;
  readonly #lanes = new Map<string, Lane>();

  constructor(log: EventLog, rules: GroupRules) {
    this.#log = log;
    this.#rules = rules;
  }

  /** A task as it is now, and whether it stands in a line. */
  note(task: Task, isReady: boolean): void {
    const { ready } = this.#laneOf(task);
    const grp = task.group ?? "";
    const ids = ready.get(grp) ?? new Set();
    ready.set(grp, ids);
    if (isReady) ids.add(task.id);
    else ids.delete(task.id);
  }

  /** A task has started in its group's turn. */
  start(task: Task): void {
    const lane = this.#laneOf(task);
    const own = task.group ?? "";
    const atMs = task.processingStarted!.getTime();
    const step = this.#stepOf(lane, own);
    for (const [other, ids] of lane.ready) {
      if (other === own) continue;
      const canStart = ids.size > 0 && this.#rules.mayStart(lane.type, other, atMs);
      if (!canStart) this.#part(lane, own, other);
      else this.#compare(task, { lane, own, other, step });
    }
  }

  #part({ ahead }: Lane, own: string, other: string): void {
    ahead.delete(pair(own, other));
    ahead.delete(pair(other, own));
  }

  #compare(task: Task, { lane, own, other, step }: {
    readonly lane: Lane;
    readonly own: string;
    readonly other: string;
    readonly step: number;
  }): void {
    this.#stepOf(lane, other);
    const ahead = (lane.ahead.get(pair(own, other)) ?? 0) + step;
    lane.ahead.set(pair(own, other), ahead);
    lane.ahead.set(pair(other, own), -ahead);
    const bound = lane.steps.get(own)! + lane.steps.get(other)!;
    this.#log.count("starts beside another group");
    if (ahead <= bound + EPSILON) return;
    this.#log.violate(
      `${
        describe(task)
      } of group "${own}" is ${ahead} ahead of group "${other}", which can start too: at most ${bound}`,
    );
  }

  /** How far a start puts a group's turn. */
  #stepOf({ type, steps }: Lane, grp: string): number {
    const step = 1 / this.#rules.weightOf(type, grp);
    steps.set(grp, Math.max(step, steps.get(grp) ?? 0));
    return step;
  }

  #laneOf({ type, compatibility }: Task): Lane {
    const key = JSON.stringify([type, compatibility]);
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    const lane = { type, ready: new Map(), ahead: new Map(), steps: new Map() };
    this.#lanes.set(key, lane);
    return lane;
  }
}

function pair(first: string, second: string): string {
  return JSON.stringify([first, second]);
}
