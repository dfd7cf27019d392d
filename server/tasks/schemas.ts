/**
 * Tasks over HTTP: bodies, parameters and answers.
 */
import { z } from "@hono/zod-openapi";
import {
  ENQUEUE_OUTCOMES,
  TASK_FIELD_NAMES,
  type TASK_FIELDS,
  TASK_LIMITS,
  TASK_STATUSES,
  TRANSITION_KINDS,
} from "../../src/core.ts";
import {
  countSchema,
  digitsSchema,
  EXAMPLE,
  instantSchema,
  leaseDurationSchema,
  nameSchema,
  nextCursorSchema,
  pageCursor,
  valueSchema,
} from "../http/fields.ts";
import { type BodyOf, type BodyShape, keptShape, taskBodyShape } from "../http/task_fields.ts";

/** `{id}` of a task. */
export const TaskParams = z.object({
  id: digitsSchema(0, Number.MAX_SAFE_INTEGER).openapi({
    param: { name: "id", in: "path", example: 1 },
    type: "integer",
    description: "The task id; no task has 0",
    minimum: 0,
  }),
});

/** The query of the list of tasks. */
export const TaskQuery = z.object({
  type: nameSchema(TASK_LIMITS.typeMaxLength).optional().openapi({
    description: "Only tasks of this type",
    example: "email",
  }),
  group: nameSchema(TASK_LIMITS.groupMaxLength).optional().openapi({
    description: "Only tasks of this group",
    example: "acme",
  }),
  tag: nameSchema(TASK_LIMITS.tagMaxLength).optional().openapi({
    description: "Only tasks with this tag",
    example: "customer-17",
  }),
  status: z.enum(TASK_STATUSES).optional().openapi({
    description: "Only tasks with this status",
    example: "queued",
  }),
  run_id: nameSchema(TASK_LIMITS.runIdMaxLength).optional().openapi({
    description: "Only the task with this run id",
    example: EXAMPLE.runId,
  }),
  limit: digitsSchema(1, TASK_LIMITS.listMax).default(TASK_LIMITS.listDefault).openapi({
    type: "integer",
    minimum: 1,
    maximum: TASK_LIMITS.listMax,
    default: TASK_LIMITS.listDefault,
    description: "How many tasks at most",
  }),
  offset: digitsSchema(0, Number.MAX_SAFE_INTEGER).default(0).openapi({
    type: "integer",
    minimum: 0,
    default: 0,
    description: "How many tasks to pass over, after cursor",
  }),
  cursor: pageCursor,
});

/** Which tasks to count. */
export const CountQuery = TaskQuery.pick({ type: true, group: true, tag: true, status: true });

/** How many there are. */
export const CountSchema = z.object({ count: countSchema.openapi({ example: 1 }) })
  .openapi("Count");

/** When the next task becomes due. */
export const NextDueSchema = z.object({
  next_due_at: instantSchema.nullable().openapi({
    description: "null when no task is scheduled for later",
  }),
}).openapi("NextDue");

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
export const PartQuery = z.object({
  limit: wholePageLimit,
  cursor: pageCursor,
  last: digitsSchema(1, Number.MAX_SAFE_INTEGER).optional().openapi({
    type: "integer",
    minimum: 1,
    description: "Begin with so many before the end, in place of cursor; there is no next_cursor",
  }),
}).refine(({ cursor, last }) => cursor === undefined || last === undefined, {
  path: ["last"],
  message: "Either cursor or last is needed",
});

/** Whether a task is new. */
export const isCreatedSchema = z.boolean().openapi({
  description: "false when another one stands for it",
  example: true,
});

/** Which task it is that is answered. */
export const outcomeSchema = z.enum(ENQUEUE_OUTCOMES).openapi({
  description:
    "created: a new task; existing: the one under its idempotency key; joined, replaced: the one under its unique key, unchanged or with the new payload",
  example: "created",
});

/** The most runs in one batch. */
export const RUN_BATCH_MAX = 1000;

/** The fields that a run does not take, or takes under another name. */
const NOT_OF_RUNS = ["type", "payload", "compatibility", "runId"] as const;

type NotOfRuns = typeof NOT_OF_RUNS[number];

/** The names of the fields that say when and how a task or a run is executed. */
type SchedulingName = Exclude<keyof typeof TASK_FIELDS, NotOfRuns>;

/** When and how a task or a run is executed, as a body says it. */
export type SchedulingBody = BodyOf<SchedulingName>;

/** The fields that say it. */
export const schedulingFields: BodyShape<SchedulingBody> = taskBodyShape(
  TASK_FIELD_NAMES.filter((name): name is SchedulingName => {
    return !NOT_OF_RUNS.includes(name as NotOfRuns);
  }),
);

/** Every field of a task to enqueue. */
const enqueueFields = taskBodyShape(TASK_FIELD_NAMES);

/** The body that enqueues a task. */
export const EnqueueBody = z.strictObject({
  ...enqueueFields,
  lease_to: z.strictObject({
    worker_id: nameSchema(TASK_LIMITS.workerIdMaxLength),
    lease_duration_ms: leaseDurationSchema,
  }).optional().openapi({
    description: "Gives a new task to this worker at once, so that no other one can take it",
  }),
  cancelled: z.boolean().optional().openapi({
    description: "Cancels a new task at once, so that no worker can begin it; default false",
  }),
}).openapi("EnqueueRequest");

/** Tasks to enqueue together. */
export const taskBodiesSchema = z.array(z.strictObject(enqueueFields));

/** The body that enqueues several tasks, which may depend on each other. */
export const EnqueueBatchBody = z.strictObject({
  tasks: taskBodiesSchema.min(1).max(TASK_LIMITS.batchMax),
  whole: z.boolean().optional().openapi({
    description: "Answer with every field of each task; default false",
  }),
}).openapi("EnqueueBatchRequest");

/** A task. */
export const TaskSchema = z.object({
  id: z.number().int().openapi({ example: 1 }),
  run_id: z.string().openapi({ example: EXAMPLE.runId }),
  ...keptShape(),
  payload: valueSchema.openapi({ example: EXAMPLE.payload }),
  status: z.enum(TASK_STATUSES).openapi({ example: "queued" }),
  attempts: countSchema.openapi({ description: "Executions started", example: 0 }),
  waits_for: countSchema.openapi({
    description:
      "How many tasks it waits for: parents that are not final, and one more when another's turn comes first under its ordering key",
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
  lease_token: countSchema.openapi({
    description: "Counts its leases; who holds the lease presents it",
    example: 0,
  }),
  trace_parent: z.string().nullable().openapi({
    description: "Its place in a distributed trace, a W3C traceparent",
    example: null,
  }),
  unique_key: z.string().nullable().openapi({
    description: "The key that makes it unique among the tasks of its type",
    example: null,
  }),
  ordering_place: z.number().int().nullable().openapi({
    description:
      "Its place under its ordering key, where that is another task's: it has replaced it",
    example: null,
  }),
  error_message: z.string().nullable().openapi({ example: null }),
  result: valueSchema.openapi({ description: "What the handler returned", example: null }),
  progress_percent: z.number().nullable().openapi({ description: "0–100", example: null }),
  progress_message: z.string().nullable().openapi({ example: null }),
}).openapi("Task");

/** The answer of `enqueue`. */
export const EnqueuedSchema = TaskSchema.extend({
  created: isCreatedSchema,
  outcome: outcomeSchema,
}).openapi("EnqueuedTask");

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
    TaskSchema.partial().required(batchedTaskFields)
      .extend({ created: isCreatedSchema, outcome: outcomeSchema })
      .openapi("BatchedTask"),
  ).openapi({
    description: "In the order of the request, without payloads and results unless whole",
  }),
  created: countSchema.openapi({ description: "How many of them are new", example: 1 }),
}).openapi("EnqueuedBatch");

/** What became of a task's parents. */
export const ParentListSchema = z.object({
  task_id: z.number().int().openapi({ example: 1 }),
  parents: z.array(
    z.object({
      task_id: z.number().int().openapi({ example: 1 }),
      run_id: z.string().openapi({ example: EXAMPLE.runId }),
      type: z.string().nullable().openapi({
        description: "null when it has been deleted",
        example: "email",
      }),
      status: z.enum([...TASK_STATUSES, "pruned"]).openapi({ example: "completed" }),
      result: valueSchema.openapi({ description: "What its handler returned", example: null }),
      error_message: z.string().nullable().openapi({ example: null }),
    }).openapi("Parent"),
  ).openapi({ description: "In the order of depends_on" }),
  next_cursor: nextCursorSchema,
}).openapi("ParentList");

/** The query of the children of a task. */
export const ChildrenQuery = z.object({ limit: wholePageLimit, cursor: pageCursor });

/** The tasks that depend on a task. */
export const ChildListSchema = z.object({
  task_id: z.number().int().openapi({ example: 1 }),
  children: z.array(
    z.object({
      task_id: z.number().int().openapi({ example: 2 }),
      run_id: z.string().openapi({ example: EXAMPLE.runId }),
      type: z.string().openapi({ example: "email" }),
      status: z.enum(TASK_STATUSES).openapi({ example: "queued" }),
    }).openapi("Child"),
  ).openapi({ description: "By their ids" }),
  next_cursor: nextCursorSchema,
}).openapi("ChildList");

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
  handler_max_attempts: z.number().int().nullable().openapi({
    description: "How many attempts the handler allowed when it failed, where the task allows more",
    example: null,
  }),
  error: z.string().nullable().openapi({ description: "Why the attempt failed", example: null }),
  delay_ms: z.number().nullable().openapi({
    description: "How long the next attempt had to wait",
    example: null,
  }),
  by: z.string().nullable().openapi({ description: "Who did it by hand", example: null }),
  changes: z.record(
    z.string(),
    z.object({
      from: z.union([z.string(), z.number(), z.null()]),
      to: z.union([z.string(), z.number(), z.null()]),
    }),
  ).nullable().openapi({
    description: "What is different since, by the names of fields",
    example: null,
  }),
  caused_by: z.string().nullable().openapi({
    description: "The run whose completion stored it",
    example: null,
  }),
  enqueued_count: z.number().int().nullable().openapi({
    description: "How many tasks its completion stored",
    example: null,
  }),
  enqueued_runs: z.array(z.string()).openapi({
    description: "The runs of the first 20 of them",
    example: [],
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

/** Which part of the history to read. */
export const HistoryQuery = z.object({
  after: z.string().max(1000).optional().openapi({
    description: "Only steps after this cursor; default none: the answer says where it ends",
    example: "0",
  }),
  limit: digitsSchema(1, TASK_LIMITS.listMax).default(TASK_LIMITS.listDefault).openapi({
    type: "integer",
    minimum: 1,
    maximum: TASK_LIMITS.listMax,
    default: TASK_LIMITS.listDefault,
    description: "How many steps at most",
  }),
});

/** A part of the history of all tasks. */
export const HistorySchema = z.object({
  entries: z.array(
    TransitionEventSchema.extend({ cursor: z.string().openapi({ example: "1" }) })
      .openapi("HistoryEntry"),
  ).openapi({ description: "In order" }),
  cursor: z.string().openapi({ description: "Give this as after to go on", example: "1" }),
}).openapi("History");

/** The data of an event `changes`: what became of tasks, in order. */
export const ChangesEventSchema = z.array(
  z.object({
    task_id: z.number().int().openapi({ example: 1 }),
    run_id: z.string().openapi({ example: EXAMPLE.runId }),
    type: z.string().openapi({ example: "email" }),
    status: z.enum(TASK_STATUSES).openapi({ example: "leased" }),
    attempts: countSchema.openapi({ example: 1 }),
    lease_token: countSchema.openapi({ example: 1 }),
    locked_by: z.string().nullable().openapi({ example: "w1" }),
    progress_percent: z.number().nullable().openapi({ example: null }),
  }).openapi("TaskChange"),
).openapi("ChangesEvent");

/** Some tasks. */
export const TaskListSchema = z.object({ tasks: z.array(TaskSchema) }).openapi("TaskList");
