/**
 * Task managers on this platform: settings from the environment, queues from files, logs beside them.
 */
import type { BackgroundTaskManager } from "./manager/background_task_manager.ts";
import {
  resolveTaskExecutionConfig,
  TASK_EXECUTION_DEFAULTS,
  TASK_EXECUTION_VARIABLES,
  type TaskExecutionConfig,
} from "./manager/config.ts";
import {
  createQueuedTaskManager as createQueued,
  type CreateQueuedTaskManagerOptions,
  createTaskManager as create,
  type QueuedTaskManagerParts,
} from "./manager/factory.ts";
import type { QueuedTaskManager } from "./manager/queued_task_manager.ts";
import { openLogStore, openQueue } from "./open_queue.ts";
import { readEnvironment, warnOnStandardError } from "./platform/environment.ts";

/** Which manager, and what it is made of. */
export interface CreateTaskManagerOptions
  extends Partial<TaskExecutionConfig>, QueuedTaskManagerParts {
  /** Is told when the queue could not be opened and the in-memory manager takes its place; default the standard error. */
  readonly warn?: (message: string) => void;
}

/**
 * The TaskManager that options and environment (`TASK_BACKEND`, `USE_QUEUE_SYSTEM`, `QUEUE_DB_PATH`,
 * `QUEUE_FALLBACK_ENABLED`) ask for; options go first. Handlers' logs stand beside the queue unless `logs` says otherwise.
 *
 * @throws TypeError for a setting that is not allowed.
 * @throws StorageError, CorruptionError when the queue cannot be opened and fallback is off.
 */
export function createTaskManager(
  options: CreateTaskManagerOptions = {},
): Promise<BackgroundTaskManager | QueuedTaskManager> {
  const { taskBackend, queueDbPath, queueFallbackEnabled, warn = warnOnStandardError, ...parts } =
    options;
  const given = { taskBackend, queueDbPath, queueFallbackEnabled };
  const config = resolveTaskExecutionConfig(given, readEnvironment(TASK_EXECUTION_VARIABLES));
  return create(config, { logs: openLogStore(config.queueDbPath), ...parts, openQueue, warn });
}

/** A manager on the queue at `path` (default `data/queue.db`). @throws StorageError, CorruptionError */
export function createQueuedTaskManager(
  options: CreateQueuedTaskManagerOptions = {},
): Promise<QueuedTaskManager> {
  const logs = openLogStore(options.path ?? TASK_EXECUTION_DEFAULTS.queueDbPath);
  return createQueued({ logs, ...options }, { openQueue });
}
