/**
 * TaskOrchestrator: one door to the six patterns.
 *
 * It chooses by what is asked for, in the advisor's order. What it starts in the background is kept by the task manager
 * that it was given a maker of, so `TASK_BACKEND` decides for all callers whether that is durable.
 */
import { type Clock, sleep, systemClock } from "../domain/clock.ts";
import { resolveGraceMs } from "../domain/grace_time.ts";
import { createRun } from "../domain/run.ts";
import type { RunRegistry } from "../manager/run_registry.ts";
import type { CloseOptions, TaskManager } from "../manager/task_manager.ts";
import { ConcurrentModules, type ConcurrentOutcome } from "./concurrent_executor.ts";
import {
  checkMode,
  executeLongRunning,
  executeModule,
  type LongRunningResult,
  type ModuleResult,
  type OutputLine,
  requestOf,
  type ScriptOptions,
} from "./execute_module.ts";
import { checkPattern, PatternAdvisor, type TaskPattern } from "./pattern_advisor.ts";
import { PeriodicTasks } from "./periodic_task_manager.ts";
import type { Processes, ProgramRequest } from "./processes.ts";
import { ResourcePool } from "./resource_pool.ts";
import { type ProgramResult, runAsTask } from "./run_as_task.ts";

/** How a script is to be executed. Which options are given decides the pattern, unless `pattern` does. */
export interface ExecuteOptions extends ScriptOptions {
  /** The pattern; default by the precedence periodic, streaming, concurrent, fire-and-forget, pooled, simple. */
  readonly pattern?: TaskPattern;
  /** The script's arguments; default none. */
  readonly args?: readonly string[];
  /** Makes it periodic: milliseconds from the end of one time to the beginning of the next, 1 ms to 24 days; default none. */
  readonly intervalMs?: number;
  /** The name of the periodic task; default the script's path. */
  readonly name?: string;
  /** Called with the result of each time of a periodic task. Default: none. */
  readonly onResult?: (result: ModuleResult) => void | Promise<void>;
  /** Makes it streaming: called with every line while the script runs. Default: none. */
  readonly onLine?: (line: OutputLine) => void | Promise<void>;
  /** Makes it concurrent: the script runs once with each of these lists, after `args`; default none. */
  readonly argsList?: readonly (readonly string[])[];
  /** `false` makes it fire-and-forget; default true. */
  readonly waitForResult?: boolean;
  /** `true` makes it wait for a place of the orchestrator's pool; default false. */
  readonly pooled?: boolean;
  /** The id of the run, for streaming and fire-and-forget; default a random UUID. */
  readonly runId?: string;
  /** The module that a fire-and-forget run belongs to: its task type on the queue; default the script's file name. */
  readonly moduleId?: string;
  /** The parameters that a fire-and-forget run shows, a JSON value; default the script and its arguments. */
  readonly parameters?: unknown;
}

/** What became of `execute`, by pattern. */
export type ExecuteResult =
  | { readonly pattern: "periodic"; readonly name: string }
  | ({ readonly pattern: "streaming" } & LongRunningResult)
  | { readonly pattern: "concurrent"; readonly results: readonly ConcurrentOutcome[] }
  | { readonly pattern: "fire-and-forget"; readonly runId: string }
  | ({ readonly pattern: "pooled" | "simple" } & ModuleResult);

/** A task manager that can be flushed and closed, as both are. */
export type OwnedTaskManager = TaskManager & {
  /** Knows the runs. */
  readonly registry: RunRegistry;
  /** Resolves when this run is as durable as the manager can make it. @throws what keeps it from that. */
  whenStored(runId: string): Promise<void>;
  /** Ends it. */
  close(options?: CloseOptions): Promise<void>;
};

/** What an orchestrator is made of. */
export interface OrchestratorParts {
  readonly processes: Processes;
  readonly clock: Clock;
  /** Makes the task manager when it is needed first. */
  readonly createTaskManager: () => Promise<OwnedTaskManager>;
  readonly maxConcurrent: number;
  readonly maxWorkers: number;
}

/** Executes scripts by the pattern that fits. */
export class Orchestrator {
  /** Which pattern fits what. */
  readonly advisor: PatternAdvisor = new PatternAdvisor();
  /** The periodic tasks that were started here. */
  readonly periodic: PeriodicTasks;
  /** The places for pooled scripts. */
  readonly pool: ResourcePool;
  readonly #parts: OrchestratorParts;
  readonly #concurrent: ConcurrentModules;
  /** What has been asked for and has not ended, also fire-and-forget: a task manager does not wait for what it has cancelled. */
  readonly #started = new Set<Promise<unknown>>();
  /** Fires when scripts are to end because the orchestrator is closed. */
  readonly #closing = new AbortController();
  #manager: Promise<OwnedTaskManager> | undefined;
  #isClosed = false;

  /** Makes nothing before it is needed. @throws TypeError, RangeError for a limit out of its range. */
  constructor(parts: OrchestratorParts) {
    this.#parts = parts;
    this.periodic = new PeriodicTasks(parts.clock);
    this.pool = new ResourcePool(parts.maxWorkers);
    this.#concurrent = new ConcurrentModules(parts.processes, parts.maxConcurrent);
  }

  /**
   * Executes a script. What is missing is refused before anything starts; an exit code is a result and no error.
   *
   * @throws TypeError, RangeError when the script, its program or its folder is not there, or an option cannot be used;
   * what `signal` was aborted with.
   * @throws StorageError, QueueError when a fire-and-forget run cannot be kept; Error after `close`.
   */
  async execute(script: string, options: ExecuteOptions = {}): Promise<ExecuteResult> {
    if (this.#isClosed) throw new Error("Cannot execute a script: the orchestrator is closed");
    const request = requestOf(script, options.args ?? [], options);
    checkMode(options.mode);
    const pattern = this.choose(options);
    options.signal?.throwIfAborted();
    return await this.#untilEnded(this.#execute(script, request, { ...options, pattern }));
  }

  async #execute(
    script: string,
    request: ProgramRequest,
    options: ExecuteOptions & { readonly pattern: TaskPattern },
  ): Promise<ExecuteResult> {
    const { pattern } = options;
    const { signal } = this.#closing;
    // Work in the background is ended by its periodic task or its task manager.
    const awaited = {
      ...options,
      signal: options.signal ? AbortSignal.any([options.signal, signal]) : signal,
    };
    switch (pattern) {
      case "periodic":
        return await this.#repeat(script, request, options);
      case "streaming":
        return { pattern, ...await this.#stream(request, awaited) };
      case "concurrent":
        return { pattern, results: await this.#batch(script, awaited) };
      case "fire-and-forget":
        return { pattern, runId: await this.#start(request, script, options) };
      case "pooled":
        return {
          pattern,
          ...await this.pool.run(() => this.#run(request, awaited), awaited.signal),
        };
      case "simple":
        return { pattern, ...await this.#run(request, awaited) };
    }
  }

  /** The pattern that `execute` takes for these options. @throws TypeError for one that does not exist. */
  choose(options: ExecuteOptions): TaskPattern {
    if (options.pattern !== undefined) return checkPattern(options.pattern);
    return this.advisor.recommend({
      isPeriodic: options.intervalMs !== undefined,
      wantsOutput: options.onLine !== undefined,
      isBatch: options.argsList !== undefined,
      wantsResult: options.waitForResult ?? true,
      sharesResources: options.pooled ?? false,
    }).pattern;
  }

  /** The task manager that keeps fire-and-forget runs: made now, when none has been needed yet. */
  taskManager(): Promise<OwnedTaskManager> {
    if (this.#isClosed) throw new Error("Cannot make a task manager: the orchestrator is closed");
    return this.#ownedManager();
  }

  /**
   * Stops the periodic tasks, lets what runs end within the grace time, ends the rest, and closes the task manager; resolves
   * when no script that it started runs any more.
   *
   * @throws RangeError, StorageError as the manager's `close`.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    const graceMs = resolveGraceMs(options, "close");
    this.#isClosed = true;
    const timely = new AbortController();
    const late = sleep(systemClock, graceMs, timely.signal).then(() => {
      if (!timely.signal.aborted) this.#closing.abort(closed());
    });
    try {
      await Promise.all([
        this.periodic.stop(),
        this.pool.cleanup(),
        this.#manager?.then((manager) => manager.close({ graceMs }), () => {}),
      ]);
      while (this.#started.size > 0) await Promise.allSettled(this.#started);
    } finally {
      timely.abort();
      await late;
    }
  }

  #ownedManager(): Promise<OwnedTaskManager> {
    const manager = this.#manager ??= this.#parts.createTaskManager();
    // One that could not be made is tried again.
    manager.catch(() => this.#manager = undefined);
    return manager;
  }

  #run(request: ProgramRequest, options: ExecuteOptions): Promise<ModuleResult> {
    return executeModule(this.#parts.processes, request, options);
  }

  async #repeat(
    script: string,
    request: ProgramRequest,
    options: ExecuteOptions,
  ): Promise<{ readonly pattern: "periodic"; readonly name: string }> {
    const { intervalMs, name = script, onResult } = options;
    if (intervalMs === undefined) throw missing("periodic", "intervalMs");
    await this.#parts.processes.find(request);
    options.signal?.throwIfAborted();
    this.periodic.register(name, intervalMs, async (signal) => {
      const result = await this.#run(request, { ...options, signal });
      await onResult?.(result);
    });
    const end = (): void => void this.periodic.unregister(name);
    options.signal?.addEventListener("abort", end, { once: true });
    this.periodic.start(name);
    return { pattern: "periodic", name };
  }

  #stream(request: ProgramRequest, options: ExecuteOptions): Promise<LongRunningResult> {
    const runId = options.runId ?? crypto.randomUUID();
    return executeLongRunning(this.#parts.processes, runId, request, options);
  }

  async #batch(script: string, options: ExecuteOptions): Promise<ConcurrentOutcome[]> {
    const { argsList, args = [] } = options;
    if (argsList === undefined) throw missing("concurrent", "argsList");
    const jobs = argsList.map((more) => ({ ...options, script, args: [...args, ...more] }));
    return await this.#concurrent.executeBatch(jobs);
  }

  /** Starts a run and resolves to its id when the manager has it for good. */
  async #start(request: ProgramRequest, script: string, options: ExecuteOptions): Promise<string> {
    const { processes } = this.#parts;
    await processes.find(request);
    const { mode, signal, args = [], parameters = { script, args } } = options;
    const runId = options.runId ?? crypto.randomUUID();
    const run = createRun({ runId, moduleId: options.moduleId ?? nameOf(script), parameters });
    const manager = await this.#ownedManager();
    manager.startTask(run, (context) => {
      if (mode === "dry-run") return dryRun(processes, request);
      const either = signal ? AbortSignal.any([signal, context.signal]) : context.signal;
      const log: typeof context.log = (...line) => context.log(...line);
      return this.#untilEnded(runAsTask(processes, request, { signal: either, log }));
    });
    await manager.whenStored(runId);
    return runId;
  }

  async #untilEnded<T>(work: Promise<T>): Promise<T> {
    this.#started.add(work);
    try {
      return await work;
    } finally {
      this.#started.delete(work);
    }
  }
}

/** What a run leaves that runs nothing. */
async function dryRun(processes: Processes, request: ProgramRequest): Promise<ProgramResult> {
  const { exitCode, stdout } = await executeModule(processes, request, { mode: "dry-run" });
  return { exit_code: exitCode, stdout_tail: stdout.trimEnd() };
}

function closed(): DOMException {
  return new DOMException("The orchestrator was closed", "AbortError");
}

function missing(pattern: TaskPattern, option: string): TypeError {
  return new TypeError(`Cannot execute as ${pattern}: the option ${option} is needed`);
}

/** The last part of a path, whatever its separators. */
function nameOf(script: string): string {
  return script.split(/[\\/]/).at(-1)!;
}
