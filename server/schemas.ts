/**
 * What the API takes and gives, as zod schemas: they check requests, type responses and document both.
 *
 * Bodies are strict: a misspelt field is refused, not ignored.
 */
import { z } from "@hono/zod-openapi";
import {
  CLAIM_ORDERS,
  EXPLANATION_REASONS,
  HEALTH_CODES,
  PARAMETER_TYPES,
  PARENT_FAILURE_POLICIES,
  RETRY_LIMITS,
  RUN_STATUSES,
  TASK_LIMITS,
  TASK_STATUSES,
  TRANSITION_KINDS,
} from "../src/mod.ts";
import { ERROR_CODES } from "./error_codes.ts";
import {
  countSchema,
  digitsSchema,
  EXAMPLE,
  instantSchema,
  instantWithZone,
  jsonObject,
  keySchema,
  nameSchema,
  valueSchema,
  waitSchema,
  webhookSchema,
} from "./fields.ts";

/** Runs on one page, at most and by default. */
const RUN_PAGE_LIMITS = Object.freeze({
  limitMax: 100,
  limitDefault: 50,
  offsetMax: 1_000_000_000,
});

/** The body of every error. */
export const ErrorSchema = z.object({
  detail: z.string().openapi({
    description: "What went wrong, for people",
    example: 'Cannot find run "r1"',
  }),
  error_code: z.enum(ERROR_CODES).openapi({
    description: "What went wrong, for programs",
    example: "RUN_NOT_FOUND",
  }),
  timestamp: instantSchema.openapi({ description: "When it went wrong" }),
  errors: z.array(
    z.object({
      field: z.string().openapi({ example: "parameters.to" }),
      message: z.string().openapi({ example: "Invalid email address" }),
    }),
  ).optional().openapi({ description: "What is wrong with each field" }),
}).openapi("Error");

/** `{id}` of a module. */
export const ModuleParams = z.object({
  id: nameSchema(TASK_LIMITS.typeMaxLength).openapi({
    param: { name: "id", in: "path" },
    description: "The module: a task type with a handler",
    example: "email",
  }),
});

/** `{id}` of a run. */
export const RunParams = z.object({
  id: nameSchema(TASK_LIMITS.runIdMaxLength).openapi({
    param: { name: "id", in: "path" },
    description: "The run id. Never a task id, even when it looks like a number",
    example: EXAMPLE.runId,
  }),
});

/** `{id}` of a task. */
export const TaskParams = z.object({
  id: digitsSchema(1, Number.MAX_SAFE_INTEGER).openapi({
    param: { name: "id", in: "path", example: 1 },
    type: "integer",
    description: "The task id",
    minimum: 1,
  }),
});

/** Where the page before ended. */
const pageCursor = digitsSchema(1, Number.MAX_SAFE_INTEGER).optional().openapi({
  type: "string",
  description: "The next_cursor of the page before; what is added meanwhile moves nothing",
  example: "1000",
});

/** Where the next page begins. */
export const nextCursorSchema = z.string().nullable().openapi({
  description: "Give this as cursor for the next page; null on the last one",
  example: null,
});

/** The query of one run. */
export const RunWaitQuery = z.object({
  wait: waitSchema().optional().openapi({
    type: "string",
    description: "Answer when the run is over, or as it is after this time, at most 60s",
    example: "30s",
  }),
});

/** The header that may carry the idempotency key. */
export const IdempotencyHeaders = z.object({
  "idempotency-key": keySchema().optional().openapi({
    description: "The same as idempotency_key in the body",
    example: "order-4711",
  }),
});

/** The query of the list of runs. */
export const RunQuery = z.object({
  module_id: nameSchema(TASK_LIMITS.typeMaxLength).optional().openapi({
    description: "Only runs of this module",
    example: "email",
  }),
  status: z.enum(RUN_STATUSES).optional().openapi({
    description: "Only runs with this status",
    example: "queued",
  }),
  limit: digitsSchema(1, RUN_PAGE_LIMITS.limitMax).default(RUN_PAGE_LIMITS.limitDefault).openapi({
    type: "integer",
    minimum: 1,
    maximum: RUN_PAGE_LIMITS.limitMax,
    default: RUN_PAGE_LIMITS.limitDefault,
    description: "How many runs at most",
  }),
  offset: digitsSchema(0, RUN_PAGE_LIMITS.offsetMax).default(0).openapi({
    type: "integer",
    minimum: 0,
    maximum: RUN_PAGE_LIMITS.offsetMax,
    default: 0,
    description: "How many runs to pass over; not together with cursor",
  }),
  cursor: pageCursor,
}).refine(({ cursor, offset }) => cursor === undefined || offset === 0, {
  path: ["cursor"],
  message: "Either cursor or offset is needed",
});

/** The query of the list of tasks. */
export const TaskQuery = z.object({
  type: nameSchema(TASK_LIMITS.typeMaxLength).optional().openapi({
    description: "Only tasks of this type",
    example: "email",
  }),
  status: z.enum(TASK_STATUSES).optional().openapi({
    description: "Only tasks with this status",
    example: "queued",
  }),
  limit: digitsSchema(1, TASK_LIMITS.listMax).default(TASK_LIMITS.listDefault).openapi({
    type: "integer",
    minimum: 1,
    maximum: TASK_LIMITS.listMax,
    default: TASK_LIMITS.listDefault,
    description: "How many tasks at most",
  }),
  cursor: pageCursor,
});

/** How many a page may have that has as many as may be by default. */
export const wholePageLimit = digitsSchema(1, TASK_LIMITS.listMax).default(TASK_LIMITS.listMax)
  .openapi({
    type: "integer",
    minimum: 1,
    maximum: TASK_LIMITS.listMax,
    default: TASK_LIMITS.listMax,
    description: "How many at most",
  });

/** The query of a list that only grows at its end. */
export const PartQuery = z.object({ limit: wholePageLimit, cursor: pageCursor });

const isCreatedSchema = z.boolean().openapi({
  description: "false when the idempotency key named one that was there already",
  example: true,
});

/** The most runs or tasks in one batch. */
const BATCH_MAX = 1000;

/** How failures are retried. */
const retryPolicySchema = z.strictObject({
  initial_delay_ms: z.number().min(0).max(RETRY_LIMITS.delayMaxMs).optional().openapi({
    description: "The delay after the first failure; default 1000",
    example: 1000,
  }),
  multiplier: z.number().min(1).max(RETRY_LIMITS.multiplierMax).optional().openapi({
    description: "The factor from one failure to the next; default 2",
    example: 2,
  }),
  max_delay_ms: z.number().min(0).max(RETRY_LIMITS.delayMaxMs).optional().openapi({
    description: "The longest delay; default 300000",
    example: 300_000,
  }),
});

const schedulingFields = {
  priority: z.number().int().min(TASK_LIMITS.priorityMin).max(TASK_LIMITS.priorityMax).optional()
    .openapi({ description: "Lower runs first; default 100", example: 50 }),
  run_after: instantWithZone().optional().openapi({
    description: "Not before this instant; default now",
    example: EXAMPLE.instant,
  }),
  idempotency_key: keySchema().optional().openapi({
    description: "Same key and same content give the same task; an empty key is no key",
    example: "order-4711",
  }),
  max_attempts: z.number().int().min(TASK_LIMITS.maxAttemptsMin).max(TASK_LIMITS.maxAttemptsMax)
    .optional().openapi({ description: "Executions allowed; default 5", example: 3 }),
  retry_policy: retryPolicySchema.optional().openapi({
    description: "How failures are retried; default the handler's policy, then the queue's",
  }),
  timeout_ms: z.number().int().min(1).max(TASK_LIMITS.timeoutMaxMs).optional().openapi({
    description:
      "How long an attempt may take, in milliseconds; default the handler's, then no limit",
    example: 60_000,
  }),
  depends_on: z.array(
    z.union([
      z.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
      nameSchema(TASK_LIMITS.runIdMaxLength),
    ]),
  ).max(TASK_LIMITS.parentsMax).optional().openapi({
    description:
      "Its parents, by task id (a number) or run id (a text): it runs once all of them are final",
    example: [],
  }),
  on_parent_failure: z.enum(PARENT_FAILURE_POLICIES).optional().openapi({
    description: "What becomes of it when a parent fails or is cancelled; default fail",
    example: "fail",
  }),
  webhook: webhookSchema.optional().openapi({
    description: "Tells a URL when the task has ended; a worker must allow its host",
  }),
};

/** The body that runs a module. */
export const RunBody = z.strictObject({
  parameters: valueSchema.openapi({
    description: "The module's input, a JSON value that its schema accepts",
    example: EXAMPLE.payload,
  }),
  ...schedulingFields,
}).openapi("RunRequest");

/** The body that runs several modules at once. */
export const RunBatchBody = z.strictObject({
  runs: z.array(
    z.strictObject({
      module_id: nameSchema(TASK_LIMITS.typeMaxLength).openapi({
        description: "The module to run",
        example: "email",
      }),
      parameters: valueSchema.openapi({
        description: "The module's input, a JSON value that its schema accepts",
        example: EXAMPLE.payload,
      }),
      ...schedulingFields,
    }),
  ).min(1).max(BATCH_MAX),
}).openapi("RunBatchRequest");

/** A task to enqueue. */
const enqueueFields = {
  type: nameSchema(TASK_LIMITS.typeMaxLength).openapi({
    description: "The task type; it need not have a handler here",
    example: "email",
  }),
  payload: z.unknown().optional().openapi({
    description: "The handler's input, a JSON value; default {}",
    example: EXAMPLE.payload,
  }),
  ...schedulingFields,
  compatibility: jsonObject().optional().openapi({
    description: "Only workers whose capabilities contain each pair may claim the task",
    example: { region: "eu" },
  }),
  run_id: nameSchema(TASK_LIMITS.runIdMaxLength).optional().openapi({
    description: "The caller's name for the run, unique; default a random UUID",
    example: EXAMPLE.runId,
  }),
};

/** The body that enqueues a task. */
export const EnqueueBody = z.strictObject(enqueueFields).openapi("EnqueueRequest");

/** The body that enqueues several tasks, which may depend on each other. */
export const EnqueueBatchBody = z.strictObject({
  tasks: z.array(z.strictObject(enqueueFields)).min(1).max(BATCH_MAX),
}).openapi("EnqueueBatchRequest");

/** A run. */
export const RunSchema = z.object({
  run_id: z.string().openapi({ example: EXAMPLE.runId }),
  module_id: z.string().openapi({ example: "email" }),
  module_name: z.string().openapi({ example: "email" }),
  status: z.enum(RUN_STATUSES).openapi({ example: "completed" }),
  created_at: instantSchema,
  started_at: instantSchema.nullable().openapi({
    description: "When its latest execution started",
  }),
  completed_at: instantSchema.nullable().openapi({
    description: "When it reached its final status",
  }),
  duration_seconds: z.number().nullable().openapi({ example: 1.25 }),
  progress_percent: z.number().nullable().openapi({ description: "0–100", example: 100 }),
  exit_code: z.number().int().nullable().openapi({
    description: "What the handler told; else 0 when completed",
    example: 0,
  }),
  error_message: z.string().nullable().openapi({ example: null }),
  parameters: valueSchema.openapi({ example: EXAMPLE.payload }),
  result: valueSchema.openapi({
    description: "What the handler returned",
    example: { sent: true },
  }),
  attempts: countSchema.openapi({ description: "Executions started", example: 1 }),
  priority: z.number().int().openapi({ description: "Lower runs first", example: 100 }),
}).openapi("Run");

/** One page of runs, newest first. */
export const RunPageSchema = z.object({
  runs: z.array(RunSchema),
  total: countSchema.openapi({ description: "Runs that match, on all pages", example: 1 }),
  limit: z.number().int().openapi({ example: RUN_PAGE_LIMITS.limitDefault }),
  offset: z.number().int().openapi({ example: 0 }),
  next_cursor: nextCursorSchema,
}).openapi("RunPage");

/** The runs of a batch: what is small of each, since a key may name the same large one a thousand times. */
export const RunBatchSchema = z.object({
  runs: z.array(
    RunSchema.pick({ run_id: true, module_id: true, status: true }).extend({
      created: isCreatedSchema,
    }).openapi("BatchedRun"),
  ).openapi({ description: "In the order of the request, without parameters and results" }),
  created: countSchema.openapi({
    description: "How many are new; the others were named by their idempotency keys already",
    example: 1,
  }),
}).openapi("RunBatch");

/** What a run came to. */
export const RunResultSchema = RunSchema.pick({
  run_id: true,
  status: true,
  exit_code: true,
  result: true,
  error_message: true,
  completed_at: true,
  duration_seconds: true,
}).openapi("RunResult");

const parameterValueSchema = z.union([z.number(), z.string(), z.boolean()]);

/** A parameter of a module, said so that a form can be made of it. */
const ParameterSchema = z.object({
  name: z.string().openapi({ example: "copies" }),
  type: z.enum(PARAMETER_TYPES).openapi({ example: "number" }),
  label: z.string().openapi({ example: "Copies" }),
  description: z.string().openapi({ example: "How many to print" }),
  required: z.boolean(),
  default: parameterValueSchema.nullable().openapi({ example: 1 }),
  min: z.number().nullable().openapi({ example: 1 }),
  max: z.number().nullable().openapi({ example: 100 }),
  integer: z.boolean(),
  min_length: z.number().nullable(),
  max_length: z.number().nullable(),
  pattern: z.string().nullable().openapi({ description: "All of the text must match it" }),
  options: z.array(z.union([z.string(), z.number()])).nullable(),
  visible_when: z.object({
    parameter: z.string().openapi({ description: "The name of an earlier parameter" }),
    one_of: z.array(parameterValueSchema),
  }).nullable().openapi({ description: "It may be given only when this holds; null for always" }),
}).openapi("ModuleParameter");

/** A module. */
export const ModuleSchema = z.object({
  id: z.string().openapi({ example: "email" }),
  name: z.string().openapi({ example: "email" }),
  description: z.string().openapi({ example: "Sends an email" }),
  parameters_schema: z.record(z.string(), z.unknown()).nullable().openapi({
    description: "JSON Schema of the parameters; null when anything is accepted",
    example: { type: "object", properties: { to: { type: "string" } }, required: ["to"] },
  }),
  parameters: z.array(ParameterSchema).nullable().openapi({
    description: "The parameters one by one, for a form; null when the module does not define them",
    example: null,
  }),
}).openapi("Module");

/** All modules. */
export const ModuleListSchema = z.object({ modules: z.array(ModuleSchema) }).openapi("ModuleList");

/** A task. */
export const TaskSchema = z.object({
  id: z.number().int().openapi({ example: 1 }),
  run_id: z.string().openapi({ example: EXAMPLE.runId }),
  type: z.string().openapi({ example: "email" }),
  priority: z.number().int().openapi({ description: "Lower runs first", example: 100 }),
  payload: valueSchema.openapi({ example: EXAMPLE.payload }),
  compatibility: z.record(z.string(), z.unknown()).openapi({ example: {} }),
  status: z.enum(TASK_STATUSES).openapi({ example: "queued" }),
  attempts: countSchema.openapi({ description: "Executions started", example: 0 }),
  max_attempts: z.number().int().openapi({
    description: "Executions that the task allows; its handler may allow fewer, as explain tells",
    example: 5,
  }),
  waits_for: countSchema.openapi({
    description: "How many of its parents are not final yet",
    example: 0,
  }),
  run_after_utc: instantSchema.openapi({ description: "Not claimed before" }),
  lease_until_utc: instantSchema.nullable().openapi({ description: "When the lease ends" }),
  reserved_at_utc: instantSchema.nullable().openapi({
    description: "When it was last claimed; null while its own task manager runs it, in no slot",
  }),
  processing_started_utc: instantSchema.nullable(),
  finished_at_utc: instantSchema.nullable(),
  created_at_utc: instantSchema,
  updated_at_utc: instantSchema,
  locked_by: z.string().nullable().openapi({
    description: "The worker that holds the lease, or held the last one",
    example: null,
  }),
  error_message: z.string().nullable().openapi({ example: null }),
  idempotency_key: z.string().nullable().openapi({ example: "order-4711" }),
  result: valueSchema.openapi({ description: "What the handler returned", example: null }),
  progress_percent: z.number().nullable().openapi({ description: "0–100", example: null }),
  progress_message: z.string().nullable().openapi({ example: null }),
}).openapi("Task");

/** What enqueue answers. */
export const EnqueuedSchema = TaskSchema.extend({ created: isCreatedSchema })
  .openapi("EnqueuedTask");

/** One page of tasks, newest first. */
export const TaskPageSchema = z.object({
  tasks: z.array(TaskSchema),
  next_cursor: nextCursorSchema,
}).openapi("TaskPage");

const batchedTaskFields = {
  id: true,
  run_id: true,
  type: true,
  status: true,
  waits_for: true,
} as const;

/** What enqueueing several answers: what is small of each. */
export const EnqueuedBatchSchema = z.object({
  tasks: z.array(
    TaskSchema.pick(batchedTaskFields).extend({ created: isCreatedSchema }).openapi("BatchedTask"),
  ).openapi({ description: "In the order of the request, without payloads and results" }),
  created: countSchema.openapi({ description: "How many of them are new", example: 1 }),
}).openapi("EnqueuedBatch");

/** What became of a task's parents. */
export const ParentListSchema = z.object({
  task_id: z.number().int().openapi({ example: 1 }),
  parents: z.array(
    z.object({
      task_id: z.number().int().openapi({ example: 1 }),
      run_id: z.string().openapi({ example: EXAMPLE.runId }),
      status: z.enum([...TASK_STATUSES, "pruned"]).openapi({ example: "completed" }),
      result: valueSchema.openapi({ description: "What its handler returned", example: null }),
      error_message: z.string().nullable().openapi({ example: null }),
    }).openapi("Parent"),
  ).openapi({ description: "In the order of depends_on" }),
  next_cursor: nextCursorSchema,
}).openapi("ParentList");

/** One step of a task's life. */
const transitionFields = {
  at: instantSchema,
  level: z.enum(["info", "warn", "error"]).openapi({ example: "info" }),
  kind: z.enum(TRANSITION_KINDS).openapi({ description: "What happened", example: "leased" }),
  worker: z.string().nullable().openapi({
    description: "The worker that took it or lost it",
    example: "w1",
  }),
  attempt: z.number().int().nullable().openapi({
    description: "Which attempt began or ended",
    example: 1,
  }),
  error: z.string().nullable().openapi({ description: "Why the attempt failed", example: null }),
  delay_ms: z.number().nullable().openapi({
    description: "How long the next attempt had to wait",
    example: null,
  }),
  duration_ms: z.number().nullable().openapi({
    description: "How long it waited since it was due, or ran",
    example: 12,
  }),
};

/** A task's life. */
export const TransitionListSchema = z.object({
  task_id: z.number().int().openapi({ example: 1 }),
  transitions: z.array(z.object(transitionFields).openapi("Transition")).openapi({
    description: "In order",
  }),
  next_cursor: nextCursorSchema,
}).openapi("TransitionList");

/** The data of an event `transition`. */
export const TransitionEventSchema = z.object({
  task_id: z.number().int().openapi({ example: 1 }),
  run_id: z.string().openapi({ example: EXAMPLE.runId }),
  type: z.string().openapi({ example: "email" }),
  ...transitionFields,
}).openapi("TransitionEvent");

/** The workers. */
export const WorkerListSchema = z.object({
  workers: z.array(
    z.object({
      worker_id: z.string().openapi({ example: EXAMPLE.workerId }),
      state: z.enum(["active", "limbo", "stale"]).openapi({
        description: "By the age of its last heartbeat",
        example: "active",
      }),
      types: z.array(z.string()).openapi({ example: ["email"] }),
      capabilities: z.record(z.string(), z.unknown()).openapi({ example: {} }),
      concurrency: z.number().int().openapi({ example: 1 }),
      strategy: z.enum(CLAIM_ORDERS).openapi({
        description: "Which due task it takes first",
        example: "priority",
      }),
      type_limits: z.record(z.string(), z.number().int()).openapi({
        description: "How many tasks of single types it runs at the same time at most",
        example: { email: 1 },
      }),
      started_at: instantSchema,
      heartbeat_at: instantSchema,
      leased_tasks: countSchema.openapi({ example: 0 }),
      slots_in_use: countSchema.openapi({
        description:
          "How many of its slots are in use; what a task manager was given to run itself takes none",
        example: 0,
      }),
      type_slots_in_use: z.record(z.string(), countSchema).openapi({
        description: "How many of them by each type in `type_limits`",
        example: { email: 0 },
      }),
    }).openapi("Worker"),
  ),
}).openapi("WorkerList");

/** Which finished tasks to delete. */
export const PruneBody = z.strictObject({
  older_than_ms: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional().openapi({
    description: "Only tasks that finished longer ago than this",
    example: 86_400_000,
  }),
  keep: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional().openapi({
    description: "How many of each status stay, those that finished last",
    example: 1000,
  }),
  statuses: z.array(z.enum(["completed", "failed", "cancelled"])).min(1).max(3).optional().openapi({
    description: "Only these; default all three",
    example: ["completed"],
  }),
}).refine(({ older_than_ms, keep }) => older_than_ms !== undefined || keep !== undefined, {
  message: "older_than_ms or keep is needed",
}).openapi("PruneRequest");

/** What was deleted. */
export const PruneSchema = z.object({
  pruned: countSchema.openapi({ example: 0 }),
  by_status: z.object({ completed: countSchema, failed: countSchema, cancelled: countSchema }),
}).openapi("PruneReport");

const countsSchema = z.object({
  queued: countSchema.openapi({ example: 1 }),
  leased: countSchema.openapi({ example: 0 }),
  completed: countSchema.openapi({ example: 0 }),
  failed: countSchema.openapi({ example: 0 }),
  cancelled: countSchema.openapi({ example: 0 }),
}).openapi("Counts");

/** The ledger's files and work. */
export const StorageSchema = z.object({
  location: z.string().openapi({ example: "memory" }),
  sequence: countSchema,
  journal_bytes: countSchema,
  snapshot_bytes: countSchema,
  memory_used_bytes: countSchema,
  memory_max_bytes: countSchema,
  torn_tails: countSchema,
  commits: countSchema,
  syncs: countSchema,
}).openapi("Storage");

/** The queue in numbers. */
export const StatsSchema = z.object({
  total: countSchema.openapi({ example: 1 }),
  by_status: countsSchema,
  by_type: z.record(z.string(), countsSchema),
  scheduled: countSchema.openapi({ description: "Queued tasks that wait for their run_after" }),
  waiting_for_parents: countSchema.openapi({ description: "Queued tasks that wait for others" }),
  oldest_due_created_at: instantSchema.nullable(),
  storage: z.union([StorageSchema, z.null()]),
}).openapi("QueueStats");

/** Something that is not as it should be. */
const healthReasonSchema = z.object({
  code: z.enum(HEALTH_CODES).openapi({ example: "oldest_due_waits" }),
  severity: z.enum(["degraded", "unhealthy"]).openapi({ example: "degraded" }),
  message: z.string().openapi({ example: "A task has been due for 6 min 3 s" }),
}).openapi("HealthReason");

/** The queue works, perhaps not as well as it should. */
export const HealthSchema = z.object({
  status: z.enum(["healthy", "degraded"]).openapi({ example: "healthy" }),
  version: z.string().optional().openapi({ example: "0.1.0" }),
  reasons: z.array(healthReasonSchema).openapi({ description: "Empty when healthy" }),
  queue: z.object({ total: countSchema.openapi({ example: 1 }), by_status: countsSchema }),
}).openapi("Health");

/** An unhealthy answer: an error with the verdict beside it. */
export const UnhealthySchema = ErrorSchema.extend({
  status: z.literal("unhealthy"),
  version: z.string().optional().openapi({ example: "0.1.0" }),
  reasons: z.array(healthReasonSchema).optional().openapi({
    description: "Given when the queue answers",
  }),
}).openapi("Unhealthy");

/** Why a run is where it is. */
export const ExplanationSchema = z.object({
  run_id: z.string().openapi({ example: EXAMPLE.runId }),
  task_id: z.number().int().openapi({ example: 1 }),
  status: z.enum(RUN_STATUSES).openapi({ example: "queued" }),
  reason: z.enum(EXPLANATION_REASONS).openapi({ example: "no_handler" }),
  summary: z.string().openapi({
    description: "One sentence, for people",
    example: 'Task 1 is due, but no live worker has a handler for "email" (of 2)',
  }),
  data: z.record(z.string(), z.unknown()).openapi({
    description: "What the sentence says, for programs; its fields depend on the reason",
    example: { type: "email" },
  }),
}).openapi("Explanation");
