/**
 * Tasks over HTTP: bodies, parameters and answers.
 */
import { z } from "@hono/zod-openapi";
import {
  PARENT_FAILURE_POLICIES,
  RETRY_LIMITS,
  TASK_LIMITS,
  TASK_STATUSES,
  TRANSITION_KINDS,
} from "../../src/mod.ts";
import {
  countSchema,
  digitsSchema,
  EXAMPLE,
  instantSchema,
  instantWithZone,
  jsonObject,
  keySchema,
  nameSchema,
  nextCursorSchema,
  pageCursor,
  valueSchema,
  webhookSchema,
} from "../http/fields.ts";

/** `{id}` of a task. */
export const TaskParams = z.object({
  id: digitsSchema(1, Number.MAX_SAFE_INTEGER).openapi({
    param: { name: "id", in: "path", example: 1 },
    type: "integer",
    description: "The task id",
    minimum: 1,
  }),
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

/** Whether a task is new. */
export const isCreatedSchema = z.boolean().openapi({
  description: "false when the idempotency key named one that was there already",
  example: true,
});

/** The most runs or tasks in one batch. */
export const BATCH_MAX = 1000;

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

/** The fields of a task that say when and how it runs. */
export const schedulingFields = {
  priority: z.number().int().min(TASK_LIMITS.priorityMin).max(TASK_LIMITS.priorityMax).optional()
    .openapi({ description: "Lower runs first; default 100", example: 50 }),
  run_after: instantWithZone().optional().openapi({
    description: "Not before this instant; default now",
    example: EXAMPLE.instant,
  }),
  idempotency_key: keySchema().optional().openapi({
    description: "Same key and same content give the same task; an empty key counts as none",
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
      "Its parents, by task id (a number) or run id (a string): it runs once all of them are final",
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
