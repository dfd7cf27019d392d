/**
 * The factory: makes the TaskManager that a configuration asks for.
 *
 * What opens queues and prints warnings is passed in, so this file knows no platform.
 */
import type { Clock } from "../domain/clock.ts";
import { quotePath, StorageError } from "../domain/errors.ts";
import { QUEUE_SETTINGS, type QueueSettings } from "../queue/queue_settings.ts";
import type { TaskQueue } from "../queue/task_queue.ts";
import { BackgroundTaskManager } from "./background_task_manager.ts";
import { TASK_EXECUTION_DEFAULTS, type TaskExecutionConfig } from "./config.ts";
import { QUEUED_OPTIONS, type QueuedTaskManagerOptions } from "./manager_options.ts";
import { QueuedTaskManager } from "./queued_task_manager.ts";
import { RunRegistry } from "./run_registry.ts";

/** The parts of a queued manager, and the settings of its queue. */
export interface QueuedTaskManagerParts extends QueuedTaskManagerOptions, QueueSettings {
  /** How large a run's parameters and a task's payload may be, 1 to 16 MiB in bytes; default 256 KiB. */
  readonly payloadMaxBytes?: number;
  /** Knows the runs; default a new one. */
  readonly registry?: RunRegistry;
}

/** Opens the queue at a path. */
export interface QueueOpener {
  /** @throws StorageError, CorruptionError when the queue cannot be opened; TypeError, RangeError for a wrong setting. */
  openQueue(options: OpenQueueRequest): Promise<TaskQueue>;
}

/** Which queue is to be opened, and how it behaves. */
export interface OpenQueueRequest extends QueueSettings {
  readonly path: string;
  readonly clock?: Clock;
}

/** The dependencies of `createTaskManager`. */
export interface TaskManagerDeps extends QueuedTaskManagerParts, QueueOpener {
  /** Tells people about a fallback; one line, no final line break. */
  warn(message: string): void;
}

/** How to make a queued manager. */
export interface CreateQueuedTaskManagerOptions extends QueuedTaskManagerParts {
  /** The queue's file; default `data/queue.db`. */
  readonly path?: string;
}

/**
 * The manager that `config` asks for. When the queue cannot be opened and fallback is on, that is the in-memory one, after a
 * warning that says why. A caller's mistake does not cause a fallback.
 *
 * @throws TypeError, RangeError for an option out of its range.
 * @throws StorageError, CorruptionError, QueueError when the queue cannot be opened and fallback is off.
 */
export async function createTaskManager(
  config: TaskExecutionConfig,
  deps: TaskManagerDeps,
): Promise<BackgroundTaskManager | QueuedTaskManager> {
  if (config.taskBackend === "in-memory") return createBackgroundTaskManager(deps);
  try {
    return await createQueuedTaskManager({ ...deps, path: config.queueDbPath }, deps);
  } catch (error) {
    if (!config.queueFallbackEnabled || !(error instanceof StorageError)) throw error;
    deps.warn(
      `Cannot open the task queue ${quotePath(config.queueDbPath)}, so runs are kept in ` +
        `memory and end with this process: ${error.message}`,
    );
    return createBackgroundTaskManager(deps);
  }
}

/**
 * A queued manager that already knows the active runs of its queue.
 *
 * @throws StorageError, CorruptionError, QueueError when the queue cannot be opened or read.
 */
export async function createQueuedTaskManager(
  options: CreateQueuedTaskManagerOptions,
  deps: QueueOpener,
): Promise<QueuedTaskManager> {
  const { path = TASK_EXECUTION_DEFAULTS.queueDbPath, registry, ...rest } = options;
  const queue = await deps.openQueue({ path, clock: rest.clock, ...settingsOf(rest) });
  try {
    return await QueuedTaskManager.open(
      queue,
      registry ?? new RunRegistry(),
      managerOptionsOf(rest),
    );
  } catch (error) {
    // Why it could not be read matters more than whether it could then be closed.
    if (options.ownsQueue ?? true) await Promise.allSettled([queue.close()]);
    throw error;
  }
}

function createBackgroundTaskManager(parts: QueuedTaskManagerParts): BackgroundTaskManager {
  const { clock, registry, onLog, payloadMaxBytes } = parts;
  const options = { clock, onLog, payloadMaxBytes };
  return new BackgroundTaskManager(registry ?? new RunRegistry({ clock }), options);
}

/** What of it is for the manager. */
function managerOptionsOf(parts: QueuedTaskManagerOptions): QueuedTaskManagerOptions {
  return Object.fromEntries(Object.entries(parts).filter(([name]) => QUEUED_OPTIONS.has(name)));
}

function settingsOf(parts: QueueSettings): QueueSettings {
  const names = Object.keys(QUEUE_SETTINGS) as (keyof QueueSettings)[];
  const given = names.filter((name) => parts[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, parts[name]]));
}
