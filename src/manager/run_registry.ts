/**
 * RunRegistry: the runs that a TaskManager knows, in memory.
 *
 * It holds the very objects it was given, so whoever holds a run sees it change. Adding, updating and finding a run
 * cost the same at any number of runs; queries look at each run once.
 */
import { type Clock, systemClock } from "../domain/clock.ts";
import { QueueError } from "../domain/errors.ts";
import { isActive, type Run, type RunStatus } from "../domain/run.ts";
import { checkInteger } from "../domain/task.ts";

const RECENT_LIMIT_DEFAULT = 50;
const RECENT_LIMIT_MAX = 1_000_000;
const RETENTION_DEFAULT_DAYS = 30;
const DAY_MS = 24 * 3_600_000;

/** How to make a registry. */
export interface RunRegistryOptions {
  /** The time that `cleanupOldRuns` counts from; default the system's. */
  readonly clock?: Clock;
}

/** Knows each run by its id. */
export class RunRegistry {
  readonly #runs = new Map<string, Run>();
  readonly #clock: Clock;

  constructor(options: RunRegistryOptions = {}) {
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * Adds a run. Adding the same object again changes nothing.
   *
   * @throws QueueError `run_id_conflict` when another run has this id.
   */
  addRun(run: Run): void {
    const known = this.#runs.get(run.runId);
    if (known !== undefined && known !== run) {
      throw new QueueError(
        "run_id_conflict",
        `Cannot add run ${JSON.stringify(run.runId)}: a ${known.status} run has this id`,
      );
    }
    this.#runs.set(run.runId, run);
  }

  /**
   * Says that a run has changed. Another object with the same id takes the place of the one before.
   *
   * @throws QueueError `task_not_found` when no run has this id.
   */
  updateRun(run: Run): void {
    if (!this.#runs.has(run.runId)) {
      throw new QueueError(
        "task_not_found",
        `Cannot update run ${JSON.stringify(run.runId)}: it was never added, or cleaned up`,
      );
    }
    this.#runs.set(run.runId, run);
  }

  /** The run with this id. */
  getRun(runId: string): Run | undefined {
    return this.#runs.get(runId);
  }

  /** The runs that are queued or running, in the order in which they were added. */
  getActiveRuns(): Run[] {
    return this.#select((run) => isActive(run.status));
  }

  /** The runs of a module, in the order in which they were added. */
  getRunsByModule(moduleId: string): Run[] {
    return this.#select((run) => run.moduleId === moduleId);
  }

  /** The runs with a status, in the order in which they were added. */
  getRunsByStatus(status: RunStatus): Run[] {
    return this.#select((run) => run.status === status);
  }

  /**
   * The runs created last, newest first.
   *
   * @param limit How many at most, 1–1,000,000; default 50.
   * @throws TypeError, RangeError for a limit out of its range.
   */
  getRecentRuns(limit = RECENT_LIMIT_DEFAULT): Run[] {
    checkInteger(limit, "limit", 1, RECENT_LIMIT_MAX);
    // Runs are added about in the order of their creation, which makes this sort nearly linear.
    const oldestFirst = [...this.#runs.values()]
      .sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime());
    return oldestFirst.slice(-limit).reverse();
  }

  /**
   * Forgets runs that finished more than `days` days ago; active runs always stay.
   *
   * @param days 0 or more, fractions allowed; default 30.
   * @returns How many were forgotten.
   * @throws RangeError for a negative number of days, or none.
   */
  cleanupOldRuns(days = RETENTION_DEFAULT_DAYS): number {
    if (!(days >= 0)) {
      throw new RangeError(`Cannot use ${days} as days: a number of at least 0 is needed`);
    }
    const beforeMs = this.#clock.nowMs() - days * DAY_MS;
    const old = this.#select((run) =>
      !isActive(run.status) && (run.completedAt ?? run.createdAt).getTime() < beforeMs
    );
    for (const run of old) this.#runs.delete(run.runId);
    return old.length;
  }

  #select(wanted: (run: Run) => boolean): Run[] {
    const selected: Run[] = [];
    for (const run of this.#runs.values()) if (wanted(run)) selected.push(run);
    return selected;
  }
}
