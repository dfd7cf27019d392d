/**
 * RunRegistry: the runs that a TaskManager knows, in memory and, if wanted, in a history file.
 *
 * It holds the very objects it was given, so every holder of a run sees it change. Adding, updating and finding a run
 * cost the same at any number of runs; queries look at each run once.
 */
import { type Clock, systemClock } from "../domain/clock.ts";
import { QueueError } from "../domain/errors.ts";
import { completeRun, type GivenRun, isActive, type Run, type RunStatus } from "../domain/run.ts";
import { checkInteger } from "../domain/check.ts";
import type { HistoryFile } from "./history_file.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { RUN_HISTORY_SETTINGS, RunHistory, type RunHistorySettings } from "./run_history.ts";

const RECENT_LIMIT_DEFAULT = 50;
const RECENT_LIMIT_MAX = 1_000_000;
const RETENTION_DEFAULT_DAYS = 30;
const DAY_MS = 24 * 3_600_000;
const MAX_RUNS_DEFAULT = 100_000;
const MAX_RUNS_LIMIT = 10_000_000;

/** By how much the bound may be passed before finished runs are forgotten, so that adding one stays cheap. */
const TRIM_FACTOR = 1.1;

/** How to make a registry. */
export interface RunRegistryOptions {
  /** The time that `cleanupOldRuns` counts from; default the system's. */
  readonly clock?: Clock;
  /**
   * How many runs to know about, 1 to 10,000,000; default 100,000. Once there are a tenth more, finished ones are forgotten,
   * the earliest added first, also in the history file; active ones always stay.
   */
  readonly maxRuns?: number;
}

/** How to open a registry with a history. */
export interface OpenRegistryOptions extends RunRegistryOptions, RunHistorySettings {
  /** Where its runs are kept; this process alone may use the file. */
  readonly history: HistoryFile;
}

/** The names of a registry's own options. */
export const REGISTRY_SETTINGS: { readonly [Name in keyof RunRegistryOptions]-?: true } = Object
  .freeze({ clock: true, maxRuns: true });

const REGISTRY_OPTIONS = optionNames<RunRegistryOptions>(REGISTRY_SETTINGS);

const OPEN_OPTIONS = optionNames<OpenRegistryOptions>({
  ...REGISTRY_SETTINGS,
  ...RUN_HISTORY_SETTINGS,
  history: true,
});

/** Knows each run by its id. */
export class RunRegistry {
  readonly #runs = new Map<string, Run>();
  readonly #clock: Clock;
  #history: RunHistory | null = null;
  readonly #interrupted = new Set<Run>();
  readonly #maxRuns: number;
  #trimAt: number;

  /**
   * A registry that keeps nothing when this process ends; `open` makes one that does.
   *
   * @throws TypeError, RangeError for an unknown option, or one out of its range.
   */
  constructor(options: RunRegistryOptions = {}) {
    checkOptions(options, REGISTRY_OPTIONS, "a run registry");
    this.#clock = options.clock ?? systemClock;
    const maxRuns = options.maxRuns ?? MAX_RUNS_DEFAULT;
    this.#maxRuns = checkInteger(maxRuns, "maxRuns", 1, MAX_RUNS_LIMIT);
    this.#trimAt = this.#maxRuns * TRIM_FACTOR;
  }

  /**
   * A registry with the runs of its history file, which is written anew after changes: at most once in `historyDelayMs`,
   * and when `flush` is called. A damaged file is not an error: what is left of it is read, and the rest is kept aside.
   *
   * @throws TypeError, RangeError for an option out of its range.
   * @throws StorageError for a file that is not a history, or one of a newer version: it is left as it is.
   */
  static async open(options: OpenRegistryOptions): Promise<RunRegistry> {
    checkOptions(options, OPEN_OPTIONS, "a run registry");
    const { maxRuns } = options;
    const registry = new RunRegistry({ clock: options.clock, maxRuns });
    const clock = registry.#clock;
    const runs = (): Iterable<Run> => registry.#runs.values();
    const history = new RunHistory(options.history, { ...options, clock, runs });
    for (const run of await history.load()) registry.#remember(run);
    registry.#history = history;
    return registry;
  }

  /**
   * Adds a run; what it leaves out gets its default. Adding the same object again changes nothing.
   *
   * @throws TypeError for a field of another type, or one that is missing and cannot be added.
   * @throws QueueError `run_id_conflict` when another run has this id.
   */
  addRun(run: GivenRun): void {
    completeRun(run);
    const known = this.#runs.get(run.runId);
    if (known !== undefined && known !== run) {
      throw new QueueError(
        "run_id_conflict",
        `Cannot add run ${JSON.stringify(run.runId)}: a ${known.status} run has this id`,
      );
    }
    if (this.#runs.size >= this.#trimAt) this.#trim();
    this.#runs.set(run.runId, run);
    this.#history?.changed();
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
    this.#history?.changed();
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
   * Forgets runs that finished more than `days` days ago, also in the history file; active runs always stay.
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
    if (old.length > 0) this.#history?.changed();
    return old.length;
  }

  /**
   * The active runs that no manager follows any more: those that were active when an earlier process last wrote the history,
   * or when their manager was closed. The next manager that is made takes them and finds out what became of them.
   */
  getInterruptedRuns(): Run[] {
    return [...this.#interrupted].filter((run) => isActive(run.status));
  }

  /** Takes the interrupted runs: what becomes of them is the caller's concern from now on. */
  takeInterruptedRuns(): Run[] {
    const runs = this.getInterruptedRuns();
    this.#interrupted.clear();
    return runs;
  }

  /** Leaves runs that are still active to the next manager. */
  leaveInterrupted(runs: Iterable<Run>): void {
    for (const run of runs) this.#interrupted.add(run);
  }

  /** Resolves when every change so far is in the history file, if there is one. @throws StorageError */
  async flush(): Promise<void> {
    await this.#history?.flush();
  }

  /** Makes room before a run is added, so that the one just added always stays. */
  #trim(): void {
    for (const [runId, run] of this.#runs) {
      if (this.#runs.size <= this.#maxRuns) break;
      if (!isActive(run.status)) this.#runs.delete(runId);
    }
    this.#trimAt = Math.max(this.#maxRuns, this.#runs.size) * TRIM_FACTOR;
  }

  #remember(run: Run): void {
    if (this.#runs.has(run.runId)) return;
    this.#runs.set(run.runId, run);
    if (isActive(run.status)) this.#interrupted.add(run);
  }

  #select(wanted: (run: Run) => boolean): Run[] {
    const selected: Run[] = [];
    for (const run of this.#runs.values()) if (wanted(run)) selected.push(run);
    return selected;
  }
}
