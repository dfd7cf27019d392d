/**
 * Task managers on this platform: settings from the environment, queues from files, logs beside them.
 */
import { checkOptions, optionNames } from "../domain/options.ts";
import { checkPath } from "../domain/check_path.ts";
import type { BackgroundTaskManager } from "../manager/background_task_manager.ts";
import {
  resolveTaskExecutionConfig,
  TASK_EXECUTION_DEFAULTS,
  type TaskExecutionConfig,
  variablesBeside,
} from "../manager/config.ts";
import {
  createQueuedTaskManager as createQueued,
  type CreateQueuedTaskManagerOptions,
  createTaskManager as create,
  type QueuedTaskManagerParts,
} from "../manager/factory.ts";
import type { QueuedTaskManager } from "../manager/queued_task_manager.ts";
import { RUN_HISTORY_SETTINGS, type RunHistorySettings } from "../manager/run_history.ts";
import {
  REGISTRY_SETTINGS,
  RunRegistry,
  type RunRegistryOptions,
} from "../manager/run_registry.ts";
import { warnOnStandardError } from "./background_warning.ts";
import { openLogStore, openQueue } from "./open_queue.ts";
import { QUEUE_SETTINGS } from "../queue/queue_settings.ts";
import { DiskHistoryFile } from "../platform/disk_history_file.ts";
import { readEnvironment } from "../platform/environment.ts";

/** How to open a registry. */
export interface OpenRunRegistryOptions extends RunRegistryOptions, RunHistorySettings {
  /**
   * The file that its runs are kept in, for one process at a time; missing folders are made. It is replaced atomically, at
   * most once in `historyDelayMs`, and when the registry is flushed or its manager closed. Default: runs are kept in
   * memory only.
   */
  readonly historyPath?: string;
}

const REGISTRY_OPTIONS = optionNames<OpenRunRegistryOptions>({
  ...REGISTRY_SETTINGS,
  ...RUN_HISTORY_SETTINGS,
  historyPath: true,
});

/** Which manager, and what it is made of. */
export interface CreateTaskManagerOptions
  extends Partial<TaskExecutionConfig>, QueuedTaskManagerParts {
  /**
   * Keeps the registry's runs in this file; see `openRunRegistry`, which takes more options. Not together with `registry`.
   * Default: in memory only.
   */
  readonly historyPath?: string;
  /**
   * Is told in one line when the queue cannot be opened and the in-memory manager takes its place, and when the history
   * file is damaged or cannot be used; default the standard error.
   */
  readonly warn?: (message: string) => void;
}

/**
 * A registry, with the runs of its history file if it has one. A damaged file is not an error: a warning says what is
 * wrong and where it is kept; the runs that are left are there. One that cannot be read is left alone.
 *
 * @throws TypeError, RangeError for an option out of its range.
 * @throws StorageError for a file that is not a history, or one of a newer version: it is left as it is.
 */
export async function openRunRegistry(options: OpenRunRegistryOptions = {}): Promise<RunRegistry> {
  checkOptions(options, REGISTRY_OPTIONS, "openRunRegistry");
  const { historyPath, onHistoryProblem = warnOnStandardError, ...settings } = options;
  const { clock, maxRuns } = settings;
  if (historyPath === undefined) return new RunRegistry({ clock, maxRuns });
  const history = new DiskHistoryFile(checkPath(historyPath, "path of a run history"));
  return await RunRegistry.open({ ...settings, history, onHistoryProblem });
}

/**
 * The TaskManager that options and environment (`TASK_BACKEND`, `USE_QUEUE_SYSTEM`, `QUEUE_DB_PATH`,
 * `QUEUE_FALLBACK_ENABLED`) ask for; options go first. Handlers' logs stand beside the queue unless `logs` says otherwise.
 *
 * A variable whose option is given is not looked at, and needs no permission.
 *
 * @throws TypeError, RangeError for an option or a setting that is not allowed.
 * @throws StorageError, CorruptionError when the queue cannot be opened and fallback is off.
 */
export async function createTaskManager(
  options: CreateTaskManagerOptions = {},
): Promise<BackgroundTaskManager | QueuedTaskManager> {
  checkOptions(options, TASK_MANAGER_OPTIONS, "createTaskManager");
  const { taskBackend, queueDbPath, queueFallbackEnabled, warn = warnOnStandardError, ...parts } =
    options;
  const given = { taskBackend, queueDbPath, queueFallbackEnabled };
  const config = resolveTaskExecutionConfig(given, readEnvironment(variablesBeside(given)));
  const registry = await registryOf(options, warn);
  const logs = openLogStore(config.queueDbPath);
  return await create(config, { logs, ...parts, registry, openQueue, warn });
}

async function registryOf(
  { registry, historyPath, clock }: CreateTaskManagerOptions,
  warn: (message: string) => void,
): Promise<RunRegistry> {
  if (registry === undefined) {
    return await openRunRegistry({ historyPath, clock, onHistoryProblem: warn });
  }
  if (historyPath === undefined) return registry;
  throw new TypeError("Cannot use historyPath together with a registry: it has its own history");
}

/**
 * A manager on the queue at `path`, with handlers' logs beside it unless `logs` says otherwise.
 *
 * @throws StorageError, CorruptionError when the queue cannot be opened or read.
 */
export async function createQueuedTaskManager(
  options: CreateQueuedTaskManagerOptions = {},
): Promise<QueuedTaskManager> {
  checkOptions(options, QUEUED_MANAGER_OPTIONS, "createQueuedTaskManager");
  const logs = openLogStore(options.path ?? TASK_EXECUTION_DEFAULTS.queueDbPath);
  return await createQueued({ logs, ...options }, { openQueue });
}

const PARTS = {
  registry: true,
  handlers: true,
  worker: true,
  logs: true,
  onLog: true,
  clock: true,
  ownsQueue: true,
  ...QUEUE_SETTINGS,
} as const;

const QUEUED_MANAGER_OPTIONS = optionNames<CreateQueuedTaskManagerOptions>({
  path: true,
  ...PARTS,
});

const TASK_MANAGER_OPTIONS = optionNames<CreateTaskManagerOptions>({
  taskBackend: true,
  queueDbPath: true,
  queueFallbackEnabled: true,
  historyPath: true,
  warn: true,
  ...PARTS,
});
