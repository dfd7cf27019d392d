/**
 * What the API takes and gives, as zod schemas: they check requests, type responses and document both.
 *
 * Every limit here is one of the queue's (`TASK_LIMITS`); each is checked before the queue is asked, so that a refusal
 * names its field. Bodies are strict: a misspelt field is refused, not ignored.
 */
import { z } from "@hono/zod-openapi";
import {
  EXPLANATION_REASONS,
  HEALTH_CODES,
  PARAMETER_TYPES,
  RUN_STATUSES,
  TASK_LIMITS,
  TASK_STATUSES,
} from "../src/mod.ts";
import { ERROR_CODES } from "./error_codes.ts";

/** Runs on one page, at most and by default. */
const RUN_PAGE_LIMITS = Object.freeze({
  limitMax: 100,
  limitDefault: 50,
  offsetMax: 1_000_000_000,
});

const EXAMPLE_INSTANT = "2026-01-31T12:00:00.000Z";
const EXAMPLE_RUN_ID = "5c2f1a3e-8d4b-4f6a-9a55-3f0f6f9f2b10";
const EXAMPLE_PAYLOAD = Object.freeze({ to: "ann@example.com" });

/** A text that can be a name: trimmed, not blank, without control characters. */
function nameSchema(maxLength: number): z.ZodString {
  return printable(z.string().trim().min(1, `1 to ${maxLength} characters are needed`), maxLength);
}

/** A text that can be an idempotency key: empty for none, not blank, without control characters. */
function keySchema(maxLength: number): z.ZodString {
  return printable(z.string().regex(/^$|\S/, "A blank key is not allowed"), maxLength);
}

function printable(schema: z.ZodString, maxLength: number): z.ZodString {
  return schema
    .max(maxLength, `At most ${maxLength} characters are allowed`)
    // deno-lint-ignore no-control-regex
    .regex(/^[^\u0000-\u001f\u007f]*$/, "Control characters are not allowed")
    .refine((text) => text.isWellFormed(), "A lone surrogate is not allowed");
}

/** A JSON object, with every name in it: zod's own objects pass over `__proto__`. */
function jsonObject(): z.ZodType<Record<string, unknown>> {
  const isObject = (value: unknown): boolean =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  return z.custom<Record<string, unknown>>(isObject, "An object is needed").openapi({
    type: "object",
  });
}

/** An integer in a path or query: decimal digits only. */
function digitsSchema(min: number, max: number): z.ZodType<number, string> {
  return z.string()
    .refine(
      (text) => /^\d{1,16}$/.test(text) && Number(text) >= min && Number(text) <= max,
      `An integer from ${min} to ${max} is needed`,
    )
    .transform(Number);
}

const instantSchema = z.iso.datetime().openapi({ example: EXAMPLE_INSTANT });

const countSchema = z.number().int().min(0);

/** Any JSON value, but not none. */
const valueSchema = z.unknown().nonoptional("Required");

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
    example: EXAMPLE_RUN_ID,
  }),
});

/** `{id}` of a task. */
export const TaskParams = z.object({
  id: digitsSchema(1, Number.MAX_SAFE_INTEGER).openapi({
    param: { name: "id", in: "path" },
    type: "integer",
    description: "The task id",
    minimum: 1,
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
    description: "How many runs to pass over",
  }),
});

const schedulingFields = {
  priority: z.number().int().min(TASK_LIMITS.priorityMin).max(TASK_LIMITS.priorityMax).optional()
    .openapi({ description: "Lower runs first; default 100", example: 50 }),
  run_after: z.iso.datetime({
    offset: true,
    error: `An RFC 3339 instant with a zone is needed, such as ${EXAMPLE_INSTANT}`,
  }).optional().openapi({
    description: "Not before this instant; default now",
    example: EXAMPLE_INSTANT,
  }),
  idempotency_key: keySchema(TASK_LIMITS.idempotencyKeyMaxLength).optional().openapi({
    description: "Same key and same content give the same task; an empty key is no key",
    example: "order-4711",
  }),
  max_attempts: z.number().int().min(TASK_LIMITS.maxAttemptsMin).max(TASK_LIMITS.maxAttemptsMax)
    .optional().openapi({ description: "Executions allowed; default 5", example: 3 }),
};

/** The body that runs a module. */
export const RunBody = z.strictObject({
  parameters: valueSchema.openapi({
    description: "The module's input, a JSON value that its schema accepts",
    example: EXAMPLE_PAYLOAD,
  }),
  ...schedulingFields,
}).openapi("RunRequest");

/** The body that enqueues a task. */
export const EnqueueBody = z.strictObject({
  type: nameSchema(TASK_LIMITS.typeMaxLength).openapi({
    description: "The task type; it need not have a handler here",
    example: "email",
  }),
  payload: z.unknown().optional().openapi({
    description: "The handler's input, a JSON value; default {}",
    example: EXAMPLE_PAYLOAD,
  }),
  ...schedulingFields,
  compatibility: jsonObject().optional().openapi({
    description: "Only workers whose capabilities contain each pair may claim the task",
    example: { region: "eu" },
  }),
  run_id: nameSchema(TASK_LIMITS.runIdMaxLength).optional().openapi({
    description: "The caller's name for the run, unique; default a random UUID",
    example: EXAMPLE_RUN_ID,
  }),
}).openapi("EnqueueRequest");

/** A run. */
export const RunSchema = z.object({
  run_id: z.string().openapi({ example: EXAMPLE_RUN_ID }),
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
  parameters: valueSchema.openapi({ example: EXAMPLE_PAYLOAD }),
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
}).openapi("RunPage");

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
  run_id: z.string().openapi({ example: EXAMPLE_RUN_ID }),
  type: z.string().openapi({ example: "email" }),
  priority: z.number().int().openapi({ description: "Lower runs first", example: 100 }),
  payload: valueSchema.openapi({ example: EXAMPLE_PAYLOAD }),
  compatibility: z.record(z.string(), z.unknown()).openapi({ example: {} }),
  status: z.enum(TASK_STATUSES).openapi({ example: "queued" }),
  attempts: countSchema.openapi({ description: "Executions started", example: 0 }),
  max_attempts: z.number().int().openapi({ description: "Executions allowed", example: 5 }),
  run_after_utc: instantSchema.openapi({ description: "Not claimed before" }),
  lease_until_utc: instantSchema.nullable().openapi({ description: "When the lease ends" }),
  reserved_at_utc: instantSchema.nullable().openapi({ description: "When it was last claimed" }),
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
export const EnqueuedSchema = TaskSchema.extend({
  created: z.boolean().openapi({
    description: "false when the idempotency key named a task that was there already",
    example: true,
  }),
}).openapi("EnqueuedTask");

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
  run_id: z.string().openapi({ example: EXAMPLE_RUN_ID }),
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
