/**
 * What a move may do, how it tells of itself, and what it came to.
 */
import type { Clock } from "../domain/clock.ts";
import type { TaskStatus } from "../domain/task.ts";
import type { MoveEnd } from "../queue/move_end.ts";
import type { TaskQueue } from "../queue/task_queue.ts";

/** One of the two queues of a move. */
export interface MoveSide {
  readonly queue: TaskQueue;
  readonly end: MoveEnd;
  /** Its path or its address, without a password. */
  readonly place: string;
  /** Its `queueId`. */
  readonly id: string;
}

/** A task that is leased while its queue waits to be moved. */
export interface HeldTask {
  /** The task's id. */
  readonly taskId: number;
  /** Its type. */
  readonly type: string;
  /** The worker that holds it. */
  readonly worker: string;
  /** Until when, unless the worker renews. */
  readonly leaseUntil: Date;
}

/** How far a move is. */
export type MoveProgress =
  | {
    /** The queue is closed, and waits for what is leased. */
    readonly phase: "wait";
    /** How many tasks are leased. */
    readonly leased: number;
    /** The first of them. */
    readonly held: readonly HeldTask[];
  }
  | {
    /** What is being copied, or compared. */
    readonly phase: "tasks" | "transitions" | "verify";
    /** How many of them it was done with. */
    readonly done: number;
    /** How many there are; `null` for transitions, which nothing counts. */
    readonly total: number | null;
  };

/** How to move. */
export interface MoveOptions {
  /** How long to wait for tasks that are leased, in milliseconds, 0 to 7 days; default 10 minutes. */
  readonly waitMs?: number;
  /** Called with the progress. Default: none. */
  readonly onProgress?: (progress: MoveProgress) => void;
  /** Default the system's. */
  readonly clock?: Clock;
}

/** What both queues of a move were found to hold. */
export interface MovedContents {
  /** How many tasks. */
  readonly tasks: number;
  /** How many of them have each status. */
  readonly byStatus: Readonly<Record<TaskStatus, number>>;
  /** The same for each type. */
  readonly byType: Readonly<Record<string, Readonly<Record<TaskStatus, number>>>>;
  /** How many transitions. */
  readonly transitions: number;
  /** How many schedules. */
  readonly schedules: number;
  /** SHA-256 over all of it, in hexadecimal. */
  readonly checksum: string;
}

/** What a move came to. */
export interface MoveReport {
  /** The path or the address of the queue that was moved, without a password. It stays closed. */
  readonly from: string;
  /** The path or the address of the queue that has its tasks now, without a password. */
  readonly to: string;
  /** What both hold; `null` when an earlier run had done all of it, so that nothing was read. */
  readonly contents: MovedContents | null;
}

/** What calling a move off came to. */
export interface MoveCancelReport {
  /** The queue that is open again. */
  readonly from: string;
  /** The queue that was to have its tasks. */
  readonly to: string;
  /** Whether that one is closed for good: it has some of the tasks, or none. `false` when it could not be reached, or knew nothing of the move. */
  readonly isClosed: boolean;
}

/** The move cannot be made, or not yet; what to do is in the message. No task is in two queues that give it out. */
export class MoveRefusedError extends Error {
  /** `MoveRefusedError`. */
  override readonly name = "MoveRefusedError";
}
