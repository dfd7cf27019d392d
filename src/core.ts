/**
 * Holdfast without a platform: nothing in what this file imports names `Deno` or `node:`, so it runs in Node, in a worker of
 * Cloudflare's and in a browser's tab. What differs there is passed in: SQLite, storage, time, chance.
 *
 * @module
 */
export { openQueueWith, type QueueParts } from "./compose/compose_queue.ts";
export { DEFAULT_RETRY_POLICY, RETRY_LIMITS, type RetryPolicy } from "./domain/backoff.ts";
export { checkInstant, checkInteger, checkName } from "./domain/check.ts";
export { CLAIM_ORDERS, type ClaimOrder, isClaimOrder } from "./domain/claim_order.ts";
export { type CancelTimer, type Clock, sleep, systemClock } from "./domain/clock.ts";
export { type Deferred, deferred } from "./domain/deferred.ts";
export type { Durability } from "./domain/durability.ts";
export { FINAL_STATUSES, type FinalStatus } from "./domain/final_status.ts";
export {
  CorruptionError,
  ExitCodeError,
  type ExitCodeErrorOptions,
  messageOf,
  PermanentError,
  QueueError,
  type QueueErrorCode,
  QueueFullError,
  quotePath,
  RetryAfterError,
  SnoozeError,
  StorageError,
  WaitTimeoutError,
} from "./domain/errors.ts";
export { decodeText, decodeUtf8, type RoundedNumber, roundedNumber } from "./domain/given_text.ts";
export { fromHex, toBase64Url, toHex } from "./domain/hex.ts";
export { MEMORY_LIMITS } from "./domain/memory_limits.ts";
export {
  type ModuleParameter,
  PARAMETER_TYPES,
  type ParameterCondition,
  type ParameterType,
  type ParameterValue,
} from "./domain/module_parameter.ts";
export { checkOptions, optionNames } from "./domain/options.ts";
export { isDatabaseAddress, shownPath } from "./domain/queue_address.ts";
export type { Random } from "./domain/random.ts";
export {
  createRun,
  exitCodeOf,
  type GivenRun,
  isActive,
  type NewRun,
  type Run,
  RUN_STATUSES,
  runOfTask,
  type RunStatus,
  runStatusOf,
  taskStatusOf,
} from "./domain/run.ts";
export {
  type InputOf,
  jsonSchemaOf,
  type OutputOf,
  pathOf,
  type SchemaIssue,
  type SchemaVerdict,
  type StandardSchema,
} from "./domain/standard_schema.ts";
export type { CheckpointReport, MemoryUsage, StorageStats } from "./domain/storage_stats.ts";
export {
  isFinal,
  isTaskStatus,
  type Lease,
  type LeaseLike,
  type NewTask,
  PARENT_FAILURE_POLICIES,
  type ParentFailurePolicy,
  PREDECESSOR_FAILURE_POLICIES,
  type PredecessorFailurePolicy,
  type Task,
  TASK_LIMITS,
  TASK_STATUSES,
  type TaskLimits,
  type TaskReference,
  type TaskStatus,
} from "./domain/task.ts";
export { defaultText, helpText, rangeText } from "./domain/field_text.ts";
export {
  type RetryPolicyBody,
  type SnakeName,
  snakeName,
  type TaskBody,
  toNewTask,
  toRetryPolicy,
  toRetryPolicyBody,
  toTaskBody,
  toUnique,
  toUniqueBody,
  type UniqueBody,
} from "./domain/task_body.ts";
export {
  type FieldTable,
  KEPT_FIELD_NAMES,
  type KeptFieldName,
  RETRY_POLICY_FIELDS,
  SCHEDULED_FIELD_NAMES,
  type ScheduledFieldName,
  TASK_FIELD_NAMES,
  TASK_FIELDS,
  type TaskField,
  type TaskFieldKind,
} from "./domain/task_fields.ts";
export {
  ENQUEUE_OUTCOMES,
  type EnqueueOutcome,
  type Unique,
  UNIQUE_LIMITS,
  UNIQUE_MODES,
  type UniqueMode,
} from "./domain/unique.ts";
export { checkWebhookUrl, type Webhook, WEBHOOK_EVENTS, WEBHOOK_TYPE } from "./domain/webhook.ts";
export { withoutRepeats } from "./domain/without_repeats.ts";
export { WORKER_LIMITS, type WorkerLimits } from "./domain/worker_limits.ts";
export type { SqlDatabase, SqlEngine, SqlFile, SqlRow, SqlValue } from "./ledger/sql_engine.ts";
export { loadSqlEngine, type SqlJsLoader } from "./ledger/sqljs_engine.ts";
export type { LostPart } from "./ledger/salvage.ts";
export { checkNewSchedule } from "./queue_policy/new_schedule.ts";
export { BackgroundTaskManager } from "./manager/background_task_manager.ts";
export type {
  BackgroundTaskManagerOptions,
  QueuedTaskManagerOptions,
} from "./manager/manager_options.ts";
export {
  resolveTaskExecutionConfig,
  TASK_BACKENDS,
  TASK_EXECUTION_DEFAULTS,
  TASK_EXECUTION_VARIABLES,
  type TaskBackend,
  type TaskExecutionConfig,
} from "./manager/config.ts";
export type { CreateQueuedTaskManagerOptions, QueuedTaskManagerParts } from "./manager/factory.ts";
export type { LogListener } from "./manager/heard_logs.ts";
export type { HistoryFile } from "./manager/history_file.ts";
export { QueuedTaskManager } from "./manager/queued_task_manager.ts";
export type { ScheduleOptions } from "./manager/schedule_options.ts";
export type { TaskStatusReport } from "./manager/task_status_report.ts";
export { RUN_HISTORY_DEFAULTS, type RunHistorySettings } from "./manager/run_history.ts";
export {
  type OpenRegistryOptions,
  RunRegistry,
  type RunRegistryOptions,
} from "./manager/run_registry.ts";
export type { CloseOptions, TaskManager, TaskWork } from "./manager/task_manager.ts";
export type {
  ConcurrentModules,
  ConcurrentOutcome,
  ScriptJob,
} from "./patterns/concurrent_executor.ts";
export {
  EXECUTION_MODES,
  type ExecutionMode,
  type LongRunningOptions,
  type LongRunningResult,
  type ModuleResult,
  type OutputLine,
  type OutputStream,
  type ScriptOptions,
} from "./patterns/execute_module.ts";
export {
  PatternAdvisor,
  type PatternDescription,
  type PatternRecommendation,
  TASK_PATTERNS,
  type TaskNeeds,
  type TaskPattern,
} from "./patterns/pattern_advisor.ts";
export {
  PERIODIC_LIMITS,
  type PeriodicStatistics,
  type PeriodicTasks,
  type PeriodicWork,
} from "./patterns/periodic_task_manager.ts";
export type { ProgramEnvironment } from "./patterns/processes.ts";
export { ResourcePool, type Resources } from "./patterns/resource_pool.ts";
export type {
  ExecuteOptions,
  ExecuteResult,
  Orchestrator,
  OwnedTaskManager,
} from "./patterns/task_orchestrator.ts";
export {
  type BackupReport,
  type EmbeddedQueue,
  type IntegrityReport,
  maintenanceOf,
  type QueueMaintenance,
} from "./queue/maintenance.ts";
export { databaseOf, type DatabaseQueue } from "./queue/database_state.ts";
export type { DatabaseState, SnapshotHolder } from "./queue/database_state.ts";
export {
  BULK_ACTIONS,
  BULK_LIMITS,
  BULK_STATUSES,
  type BulkAction,
  type BulkFilter,
  type BulkReport,
  type BulkRequest,
} from "./queue/bulk.ts";
export {
  type QueueSearch,
  SEARCH_LIMITS,
  type SearchFilter,
  type SearchPage,
  type SearchRequest,
} from "./queue/search.ts";
export { isFoundShown } from "./queue_policy/search_request.ts";
export type { QueueChanges, TaskReplacement, TaskUpdate, UpdateOptions } from "./queue/changes.ts";
export {
  type ChangedBy,
  type DeclaredLimit,
  FLOW_LIMITS,
  type FlowRecord,
  type Limit,
  type LimitRecord,
  type LimitScope,
  type PauseOptions,
  type PauseState,
  type QueueLimits,
  type RateLimit,
  scopeText,
  type SlotHolder,
} from "./queue/limits.ts";
export {
  type Explanation,
  EXPLANATION_REASONS,
  type ExplanationReason,
  HEALTH_CODES,
  HEALTH_SEVERITIES,
  type HealthReason,
  type HealthThresholds,
  type PruneReport,
  type PruneRequest,
  type QueueHealth,
  type QueueOperator,
  type Verdict,
} from "./queue/operator.ts";
export type {
  DueSplit,
  DurationSummary,
  DurationTotals,
  LimitMetrics,
  MetricsRequest,
  QueueMetrics,
  TypeTotals,
  WindowMetrics,
} from "./queue/metrics.ts";
export type { WorkerBeat, WorkerRecord, WorkerState } from "./queue/workers.ts";
export type { ChildrenRequest, ChildTask } from "./queue/children.ts";
export type { PartRequest } from "./queue/page_request.ts";
export type { QueueSettings } from "./queue/queue_settings.ts";
export type {
  DependencyState,
  LimitImport,
  ParentRecord,
  QueueRecords,
  RecordImport,
  RecordImportOptions,
  RecordImportRequest,
  RecordProblem,
  RecordRequest,
  ScheduleImport,
  ScheduleRecord,
  TaskRecord,
} from "./queue/records.ts";
export {
  type AddScheduleResult,
  CATCH_UP_POLICIES,
  type CatchUpPolicy,
  type NewSchedule,
  type Schedule,
  SCHEDULE_LIMITS,
  type ScheduleListRequest,
  type ScheduleRun,
  type ScheduleRunsRequest,
} from "./queue/schedule.ts";
export { openRemoteQueue } from "./remote_queue/open_remote_queue.ts";
export type { RemoteQueue } from "./remote_queue/remote_queue.ts";
export { REMOTE_DEFAULTS, type RemoteQueueOptions } from "./remote_queue/remote_options.ts";
export {
  type DefinedParentResult,
  type DefinedTask,
  defineTask,
  type EnqueueTarget,
  type ParentDefinitions,
  type ParentResultsOf,
  TaskDefinition,
  type TaskDefinitionOptions,
  type TaskOptions,
  type WithResult,
} from "./queue/task_definition.ts";
export type {
  ClaimRequest,
  CompleteOptions,
  EnqueueOptions,
  EnqueueResult,
  FailOptions,
  IsWanted,
  ListRequest,
  ParentResult,
  QueueStats,
  ReleaseOptions,
  TaskChange,
  TaskChanges,
  TaskQueue,
  WaitOptions,
} from "./queue/task_queue.ts";
export {
  type FieldChange,
  type HistoryEntry,
  type HistoryPage,
  type HistoryRequest,
  type TaskTransition,
  TRANSITION_KINDS,
  type TransitionKind,
} from "./queue/task_transition.ts";
export { HEALTH_THRESHOLDS } from "./queue_policy/health_thresholds.ts";
export { type CronTime, nextInstant } from "./queue_policy/cron.ts";
export { checkNewTask } from "./queue_policy/new_task.ts";
export { METRICS_LIMITS } from "./queue_policy/rates.ts";
export { WORKER_AGES } from "./queue_policy/worker_beat.ts";
export { MemoryDisk, MemoryStorage } from "./storage/memory_storage.ts";
export type {
  FileName,
  FileWatch,
  Lock,
  LockName,
  Storage,
  StorageFile,
} from "./storage/storage.ts";
export {
  type ExportOptions,
  ExportRefusedError,
  type ExportReport,
} from "./transfer/export_rules.ts";
export {
  type ImportOptions,
  ImportRefusedError,
  type ImportReport,
  type ReadTaskFileOptions,
} from "./transfer/import_report.ts";
export {
  type HeldTask,
  type MoveCancelReport,
  type MovedContents,
  type MoveOptions,
  type MoveProgress,
  MoveRefusedError,
  type MoveReport,
} from "./transfer/move_report.ts";
export {
  type TaskFile,
  TRANSFER_FORMATS,
  type TransferFormat,
  type TransferProblem,
  type TransferProgress,
} from "./transfer/task_file.ts";
export type { ExecutionEnd, ExecutionReport } from "./worker/execution.ts";
export {
  type DefinedContext,
  type DefinedHandler,
  type DefinedHandlerOptions,
  type Handler,
  type HandlerEntry,
  type HandlerOptions,
  HandlerRegistry,
  type Middleware,
  type MiddlewareContext,
  type TaskContext,
} from "./worker/handler_registry.ts";
export {
  type HandlerPermissions,
  type HandlerSource,
  type Isolation,
  ISOLATIONS,
  PERMISSION_NAMES,
} from "./worker/isolated_handler.ts";
export { LOG_LEVELS } from "./worker/log_store.ts";
export { LOG_LIMITS } from "./worker/log_limits.ts";
export type {
  LogLevel,
  LogLimits,
  LogLine,
  LogPage,
  LogStore,
  TailRequest,
} from "./worker/log_store.ts";
export { MemoryLogStore } from "./worker/memory_log_store.ts";
export type { WebhookOptions } from "./worker/webhook_handler.ts";
export { Worker } from "./worker/worker.ts";
export {
  type StopOptions,
  WORKER_DEFAULTS,
  type WorkerDefaults,
  type WorkerOptions,
} from "./worker/worker_options.ts";
export type { WorkerEvent } from "./worker/worker_log.ts";
