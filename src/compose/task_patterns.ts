/**
 * The six task patterns on this platform: its processes, its clock, and the task manager that the environment asks for.
 */
import { createTaskManager, type CreateTaskManagerOptions } from "./task_managers.ts";
import { type Clock, systemClock } from "../domain/clock.ts";
import { ConcurrentModules, MAX_CONCURRENT_DEFAULT } from "../patterns/concurrent_executor.ts";
import {
  executeLongRunning as executeLong,
  executeModule as execute,
  type LongRunningOptions,
  type LongRunningResult,
  type ModuleResult,
  requestOf,
  type ScriptOptions,
} from "../patterns/execute_module.ts";
import { PeriodicTasks } from "../patterns/periodic_task_manager.ts";
import type { Resources } from "../patterns/resource_pool.ts";
import { Orchestrator } from "../patterns/task_orchestrator.ts";
import { denoProcesses } from "../platform/deno_processes.ts";

/** The clock of a `PeriodicTaskManager`. */
export interface PeriodicTaskManagerOptions {
  /** Time and timers; default the system's. */
  readonly clock?: Clock;
}

/** How a `TaskOrchestrator` works. */
export interface TaskOrchestratorOptions {
  /** How many scripts of its batches run at the same time, 1–10,000; default 10. */
  readonly maxConcurrent?: number;
  /** How many places its pool has, 1–10,000; default 4. */
  readonly maxWorkers?: number;
  /** The options of its task manager, which is made at first need; default: the environment's (`TASK_BACKEND`). */
  readonly taskManager?: CreateTaskManagerOptions;
  /** Time and timers of its periodic tasks; default the system's. */
  readonly clock?: Clock;
}

/** How many places an orchestrator's pool has unless said otherwise. */
const MAX_WORKERS_DEFAULT = 4;

/**
 * Runs a script to its end and resolves to its exit code, which is never an error, and everything that it wrote.
 *
 * @throws TypeError when the script, its program or its working directory is not there; nothing has started then. What
 * `signal` was aborted with.
 */
export async function executeModule(
  script: string,
  args: readonly string[] = [],
  options: ScriptOptions = {},
): Promise<ModuleResult> {
  return await execute(denoProcesses, requestOf(script, args, options), options);
}

/**
 * Runs a script and hands on each of its lines while it runs. Errors as in `executeModule`, and what `onLine` throws: the
 * script is ended then.
 */
export async function executeLongRunning(
  runId: string,
  script: string,
  options: LongRunningOptions = {},
): Promise<LongRunningResult> {
  const request = requestOf(script, options.args ?? [], options);
  return await executeLong(denoProcesses, runId, request, options);
}

/** Runs batches of scripts, up to `maxConcurrent` at a time. The limit holds over all batches of one executor. */
export class ConcurrentExecutor extends ConcurrentModules {
  /**
   * Runs nothing yet.
   *
   * @param maxConcurrent How many scripts run at the same time, 1–10,000; default 10.
   * @param resources Is asked for a place before each script starts, such as a `ResourcePool` that others use too; default none.
   * @throws TypeError, RangeError when `maxConcurrent` is out of its range.
   */
  constructor(maxConcurrent: number = MAX_CONCURRENT_DEFAULT, resources?: Resources) {
    super(denoProcesses, maxConcurrent, resources);
  }
}

/** Does work at once and then every interval after it has ended, in this process. */
export class PeriodicTaskManager extends PeriodicTasks {
  /** Nothing runs before `start`. */
  constructor(options: PeriodicTaskManagerOptions = {}) {
    super(options.clock ?? systemClock);
  }
}

/** One door to the six patterns; see `execute`. */
export class TaskOrchestrator extends Orchestrator {
  /** Opens nothing before it is needed. @throws TypeError, RangeError for an option out of its range. */
  constructor(options: TaskOrchestratorOptions = {}) {
    super({
      processes: denoProcesses,
      clock: options.clock ?? systemClock,
      createTaskManager: () => createTaskManager(options.taskManager),
      maxConcurrent: options.maxConcurrent ?? MAX_CONCURRENT_DEFAULT,
      maxWorkers: options.maxWorkers ?? MAX_WORKERS_DEFAULT,
    });
  }
}
