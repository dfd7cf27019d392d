/**
 * MoveEnd: one end of a move of everything from one queue to another. A queue that another machine holds has none.
 *
 * A queue that is moved from is closed first, and at rest: then nothing in it changes any more, and parts of it that are read one
 * after the other go together. One that is moved to stays closed until all is there.
 */
import type { QueueClosure, QueueClosureState } from "./closure.ts";
import type { FlowRecord } from "./limits.ts";
import type { ParentRecord, ScheduleRecord, TransitionRecord } from "./records.ts";
import type { TaskQueue } from "./task_queue.ts";

/** What a queue notes of moves. */
export interface MoveNotes {
  /** Why it is closed; `null` when it is open. */
  readonly closure: QueueClosure | null;
  /** The move that has filled it; `null` for none. */
  readonly received: string | null;
}

/** A closure, as far as it must be the one that is there. */
export interface ExpectedClosure {
  readonly state: QueueClosureState;
  readonly moveId: string;
}

/** A change of a queue's closure. */
export interface ClosureChange {
  /** What must be there; `null`: the queue must be open. */
  readonly expected: ExpectedClosure | null;
  /** What is there then; `null` opens the queue. */
  readonly next: QueueClosure | null;
  /** Whether the queue must be new, too; default false. */
  readonly ifNew?: boolean;
}

/** Some of the tasks, in order of their ids. */
export interface TaskSpan {
  /** Only tasks with a higher id. */
  readonly after: number;
  /** The last id; default as many as one transaction takes. */
  readonly upTo?: number;
}

/** A value of a column: an instant is milliseconds since 1970, JSON is text. */
export type MovedValue = string | number | null;

/** A task that another waits for, or has waited for. */
export type MovedParent = readonly [
  id: number,
  runId: string,
  onFailure: ParentRecord["onFailure"],
  state: ParentRecord["state"],
];

/** A task that no lease holds, as it is stored. */
export interface MovedTask {
  readonly id: number;
  /** Its columns, in the order of `MOVED_COLUMNS` (`queue_policy/moved_records.ts`). */
  readonly values: readonly MovedValue[];
  /** Its parents, in its order. */
  readonly parents: readonly MovedParent[];
  /** Where to report that it has ended; `null` for nowhere. */
  readonly webhook: readonly [url: string, events: string] | null;
}

/** Some of the transitions, in their order. */
export interface TransitionPart {
  readonly transitions: readonly TransitionRecord[];
  /** Where the next part begins; an opaque string. */
  readonly cursor: string;
}

/** What one transaction adds to a queue that is being filled. */
export interface FillingPart {
  readonly moveId: string;
  /** The cursor that must be there: where this part begins. */
  readonly from: string;
  /** The cursor that is there then. */
  readonly to: string;
  readonly tasks?: readonly MovedTask[];
  readonly transitions?: readonly TransitionRecord[];
  readonly schedules?: readonly ScheduleRecord[];
  readonly limits?: readonly FlowRecord[];
}

/** One end of a move. */
export interface MoveEnd {
  /** Names the queue for ever, by whatever address it is opened. */
  queueId(): Promise<string>;
  /** What it notes of moves. */
  notes(): Promise<MoveNotes>;
  /** Whether it has no schedule, limit or pause, and never had a task. */
  isNew(): Promise<boolean>;
  /**
   * Changes the closure, after every operation that is under way; those that come later see it. `false`, and nothing is changed,
   * when something else is there than what must be.
   */
  setClosure(change: ClosureChange): Promise<boolean>;
  /** Whether no task is leased, and every child has heard of its parents. */
  isAtRest(): Promise<boolean>;
  /** The highest id that a task has, or had. */
  usedUpTo(): Promise<number>;
  /** Tasks with what belongs to them; none behind the last. */
  readTasks(span: TaskSpan): Promise<MovedTask[]>;
  /** Transitions from a cursor on, `null` for the beginning; none behind the last. */
  readTransitions(after: string | null): Promise<TransitionPart>;
  /** Every schedule, by its id. */
  readSchedules(): Promise<ScheduleRecord[]>;
  /** Every limit and pause, by its scope. */
  readLimits(): Promise<FlowRecord[]>;
  /**
   * Adds a part to a queue that this move fills. `false`, and nothing is added, when it is not where the part begins.
   *
   * @throws TypeError for a schedule that the queue cannot hold.
   */
  fill(part: FillingPart): Promise<boolean>;
  /** Opens the queue that this move has filled; ids up to `usedUpTo` are used. `false` when it is not filled by this move. */
  open(moveId: string, usedUpTo: number): Promise<boolean>;
}

/** A queue that can be moved from, and to. */
export interface MovableQueue extends TaskQueue {
  /** What a move needs of it. */
  readonly moveEnd: MoveEnd;
}

/** What a move needs of a queue; `null` for one that another machine holds. */
export function moveEndOf(queue: TaskQueue): MoveEnd | null {
  return "moveEnd" in queue ? (queue as MovableQueue).moveEnd : null;
}
