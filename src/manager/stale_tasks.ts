/**
 * The tasks that are to be read again, one entry for each run, in the order in which they became stale.
 *
 * All that wait for the same run's next state are answered by one read, and nothing that waits is lost when it fails.
 */
import type { Task } from "../domain/task.ts";
import type { TaskChange } from "../queue/task_queue.ts";

/** A task to be read again. */
export interface StaleTask {
  readonly runId: string;
  /** `null` when only the run is known. */
  readonly taskId: number | null;
  /** The last change seen, if there was one: all that is left when the task is gone. */
  readonly change: TaskChange | null;
  /** Called once a state read after now was applied. */
  readonly whenApplied: readonly (() => void)[];
}

/** What is known of a task that becomes stale. */
export type NewlyStale = Pick<StaleTask, "runId" | "taskId"> & Partial<StaleTask>;

/** Knows which tasks are stale. */
export class StaleTasks {
  readonly #byRun = new Map<string, StaleTask>();

  /** How many there are. */
  get size(): number {
    return this.#byRun.size;
  }

  /** A task is stale, perhaps again: its place in the order stays. */
  add({ runId, taskId, change = null, whenApplied = [] }: NewlyStale): void {
    const known = this.#byRun.get(runId);
    this.#byRun.set(runId, {
      runId,
      taskId: known === undefined ? taskId : known.taskId,
      change: change ?? known?.change ?? null,
      whenApplied: [...known?.whenApplied ?? [], ...whenApplied],
    });
  }

  /** Takes the first ones, `max` at most; what is taken is stale no more. */
  take(max: number): StaleTask[] {
    const taken: StaleTask[] = [];
    for (const stale of this.#byRun.values()) {
      if (taken.length >= max) break;
      taken.push(stale);
    }
    for (const { runId } of taken) this.#byRun.delete(runId);
    return taken;
  }

  /** Puts back what was taken and could not be read; a newer change counts. */
  restore(stale: StaleTask): void {
    const newer = this.#byRun.get(stale.runId);
    if (newer === undefined) this.#byRun.set(stale.runId, stale);
    else this.add({ ...stale, change: null });
  }

  /** `task` was applied unread: it need not be read when it is as its last change said. */
  forgetApplied(task: Task): void {
    const stale = this.#byRun.get(task.runId);
    if (stale !== undefined && isShownBy(task, stale)) this.#byRun.delete(task.runId);
  }

  /** Nothing is read any more: answers all that wait. */
  clear(): void {
    for (const stale of this.#byRun.values()) tellApplied(stale);
    this.#byRun.clear();
  }
}

/** Answers all that wait for this read. */
export function tellApplied({ whenApplied }: StaleTask): void {
  for (const tell of whenApplied) tell();
}

function isShownBy(task: Task, { change, whenApplied }: StaleTask): boolean {
  return change !== null && whenApplied.length === 0 && change.status === task.status &&
    change.leaseToken === task.leaseToken && change.attempts === task.attempts &&
    change.progress === task.progress;
}
