/**
 * TaskManager: the port through which an application runs work in the background.
 *
 * Two managers implement it and substitute for each other: `BackgroundTaskManager` keeps runs in this process,
 * `QueuedTaskManager` on the durable queue. One contract suite runs against both.
 */
import type { GivenRun } from "../domain/run.ts";
import type { TaskContext } from "../worker/handler_registry.ts";

/** What a run does: a function that is called when the run starts, or a promise already under way. */
export type TaskWork = ((context: TaskContext) => Promise<unknown>) | Promise<unknown>;

/** Runs work in the background and knows which runs are active: queued or running. */
export interface TaskManager {
  /**
   * Starts a run and returns its id at once; the run is active from then on. `run` itself shows how it goes, so its fields
   * must be settable; what it leaves out gets its default.
   *
   * @param work What the run does. Its value must be JSON (`undefined` counts as `null`), at most 1 MiB.
   * @throws TypeError, RangeError when `run` or `work` cannot be used; nothing has happened then.
   * @throws QueueError `run_id_conflict` when a run with this id was started before; `queue_closed` after closing.
   */
  startTask(run: GivenRun, work?: TaskWork): string;
  /**
   * Cancels an active run: it becomes `cancelled` with the message `Cancelled by user`, its `context.signal` fires, and
   * what its work still does is ignored. Work that has not begun never does.
   *
   * @returns `false` when the run is unknown or finished already.
   */
  cancelTask(runId: string): Promise<boolean>;
  /** Resolves when no run is active, those started meanwhile included, or when the manager is closed. Never rejects. */
  waitAll(): Promise<void>;
  /** How many runs are active. */
  getActiveTaskCount(): number;
  /** The ids of the active runs, in the order in which this manager came to know them. */
  getActiveTaskIds(): string[];
  /** Whether a run with this id is active. */
  isTaskActive(runId: string): boolean;
}

/** How to close a manager. */
export interface CloseOptions {
  /** How long active runs of this process may go on, in milliseconds, 0 or more; default 10,000. */
  readonly graceMs?: number;
}
