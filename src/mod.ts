/**
 * Holdfast: a durable background-task queue that needs no native code.
 *
 * @module
 */
import "./platform/needs_deno.ts"; // first: nothing else can be evaluated where there is no Deno

export * from "./core.ts";
export {
  type BackupFile,
  cleanupBackups,
  listBackups,
  restoreBackup,
  type RestoreOptions,
  type RestoreReport,
} from "./compose/backups.ts";
export {
  type IntegrationCheck,
  type IntegrationReport,
  validateQueueIntegration,
} from "./compose/check_queue.ts";
export { exportTasks } from "./compose/export_tasks.ts";
export { importAsNewQueue, importTasks, readTaskFile } from "./compose/import_tasks.ts";
export {
  type MigrateOptions,
  migrateQueue,
  type MigrationReport,
} from "./compose/migrate_queue.ts";
export { cancelQueueMove, moveQueue } from "./compose/move_queue.ts";
export { openEmbeddedQueue } from "./compose/open_embedded.ts";
export { getOrCreateQueue, openLogStore, openQueue } from "./compose/open_queue.ts";
export type { QueueOptions } from "./compose/queue_options.ts";
export { type RepairOptions, repairQueue, type RepairReport } from "./compose/repair.ts";
export {
  createQueuedTaskManager,
  createTaskManager,
  type CreateTaskManagerOptions,
  openRunRegistry,
  type OpenRunRegistryOptions,
} from "./compose/task_managers.ts";
export {
  ConcurrentExecutor,
  executeLongRunning,
  executeModule,
  PeriodicTaskManager,
  type PeriodicTaskManagerOptions,
  TaskOrchestrator,
  type TaskOrchestratorOptions,
} from "./compose/task_patterns.ts";
export { registerWebhooks } from "./compose/webhooks.ts";
export { serveProcessWatcher } from "./platform/deno_processes.ts";
export { isolated } from "./platform/deno_threads.ts";
export {
  type DefinedHandlerPlace,
  defineHandler,
  type HandlerModuleEntry,
  loadHandlers,
  type LoadHandlersOptions,
} from "./platform/load_handlers.ts";
export { loadModules } from "./platform/load_modules.ts";
export {
  readWebhookOptions,
  WEBHOOK_SECRET_VARIABLE,
  type WebhookConfig,
} from "./platform/read_webhook_options.ts";
export {
  openProject,
  type OpenProjectOptions,
  type Project,
  PROJECT_FILES,
  readProject,
} from "./platform/open_project.ts";
export { sqliteVersion } from "./platform/sqljs_engine.ts";
export type { ProjectConfig } from "./project/project_config.ts";
export {
  PROJECT_VARIABLES,
  projectSchema,
  type ProjectSources,
  type ResolvedProject,
  resolveProject,
  type SettingSource,
} from "./project/resolve_project.ts";
export { parseRetention, RETENTION_DEFAULT } from "./project/retention_rules.ts";
export { type Setting, SETTINGS } from "./project/settings.ts";
