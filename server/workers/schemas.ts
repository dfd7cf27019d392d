/**
 * The worker protocol: what a program in any language sends to work on tasks, and what it gets.
 *
 * A lease is three fields, `task_id`, `worker_id` and `lease_token`; whoever presents one that is no longer current changes
 * nothing and is answered 409 `LEASE_LOST`.
 */
import { z } from "@hono/zod-openapi";
import { CLAIM_ORDERS, LOG_LEVELS, TASK_LIMITS, WORKER_LIMITS } from "../../src/core.ts";
import {
  countSchema,
  DELAY_MAX_MS,
  EXAMPLE,
  instantSchema,
  jsonObject,
  leaseDurationSchema,
  nameOrBlankSchema,
  nameSchema,
  WAIT_MAX_MS,
} from "../http/fields.ts";
import { taskBodyShape } from "../http/task_fields.ts";
import { taskBodiesSchema, TaskSchema } from "../tasks/schemas.ts";

/** The bounds of what a worker logs at once. */
const WORKER_LOG_LIMITS = Object.freeze({ lines: 1000, message: 64 * 1024 });

/** A worker's id. */
function workerIdSchema(): z.ZodString {
  return nameSchema(TASK_LIMITS.workerIdMaxLength).openapi({
    description: "The worker's name, its own among all workers of the queue",
    example: EXAMPLE.workerId,
  });
}

/** What a worker says of the version of something. */
function versionSchema(): z.ZodString {
  return nameSchema(WORKER_LIMITS.versionMaxLength);
}

const typesSchema = z.array(nameSchema(TASK_LIMITS.typeMaxLength)).max(WORKER_LIMITS.typesMax);

const capabilitiesSchema = jsonObject().optional().openapi({
  description: "What the worker can do; a task's compatibility pairs must be among them",
  example: { region: "eu" },
});

/** No task has the id 0, as no lease has the token 0 or a blank worker: such a one is not found, or lost. */
const taskIdSchema = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

const leaseFields = {
  task_id: taskIdSchema.openapi({ description: "The id of the claimed task", example: 1 }),
  worker_id: nameOrBlankSchema(TASK_LIMITS.workerIdMaxLength).openapi({
    description: "The worker's name, as in the claim",
    example: EXAMPLE.workerId,
  }),
  lease_token: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).openapi({
    description: "As the claim gave it",
    example: 1,
  }),
};

const retryPolicySchema = taskBodyShape(["retryPolicy"]).retry_policy;

/** Asks for tasks. */
export const ClaimBody = z.strictObject({
  worker_id: workerIdSchema(),
  types: typesSchema.openapi({
    description: "The task types that the worker can execute; at least one, except with task_id",
    example: ["email"],
  }),
  task_id: taskIdSchema.optional().openapi({
    description: "Only this task, whatever its type and compatibility; default any",
  }),
  limit: z.number().int().min(1).max(TASK_LIMITS.claimMax).optional().openapi({
    description: "How many tasks at most; default 1",
    example: 1,
  }),
  lease_duration_ms: leaseDurationSchema,
  strategy: z.enum(CLAIM_ORDERS).optional().openapi({
    description: "Which due task comes first; default priority",
    example: "priority",
  }),
  capabilities: capabilitiesSchema,
  wait_ms: z.number().int().min(0).max(WAIT_MAX_MS).optional().openapi({
    description: "How long to wait for a task when none is due; default 0",
    example: 0,
  }),
}).refine(({ types, task_id }) => types.length > 0 || task_id !== undefined, {
  path: ["types"],
  message: "At least one type is needed",
}).openapi("ClaimRequest");

/** Holds a lease. */
export const LeaseBody = z.strictObject(leaseFields).openapi("Lease");

/** Asks for more time. */
export const RenewBody = z.strictObject({
  ...leaseFields,
  lease_duration_ms: leaseDurationSchema,
}).openapi("RenewRequest");

/** Says that the task is done. */
export const CompleteBody = z.strictObject({
  ...leaseFields,
  result: z.unknown().optional().openapi({
    description: "A JSON value of at most 1 MiB; default null",
    example: { sent: true },
  }),
  enqueue: taskBodiesSchema.max(TASK_LIMITS.enqueuedByTaskMax).optional().openapi({
    description:
      "Tasks to store in the same commit: all of them with the completion, or nothing at all; default none",
    example: [{ type: "email", payload: { to: "ann@example.com" } }],
  }),
}).openapi("CompleteRequest");

/** Gives the task back. */
export const ReleaseBody = z.strictObject({
  ...leaseFields,
  delay_ms: z.number().int().min(0).max(DELAY_MAX_MS).optional().openapi({
    description: "How long until it is due again; default 0",
    example: 0,
  }),
}).openapi("ReleaseRequest");

/** Says that the attempt failed. */
export const FailBody = z.strictObject({
  ...leaseFields,
  error: z.string().min(1).openapi({
    description: "Why, for people; the first 4,000 characters are kept",
    example: "mailbox full",
  }),
  permanent: z.boolean().optional().openapi({
    description: "Whether no further attempt can help; default false",
    example: false,
  }),
  retry_after_ms: z.number().int().min(0).max(DELAY_MAX_MS).optional().openapi({
    description: "When to try again, instead of the usual backoff",
  }),
  max_attempts: z.number().int().min(TASK_LIMITS.maxAttemptsMin).max(TASK_LIMITS.maxAttemptsMax)
    .optional().openapi({
      description: "After how many attempts the handler gives up, when the task allows more",
    }),
  retry_policy: retryPolicySchema.openapi({
    description: "The handler's retry policy, where the task has none of its own",
  }),
  exit_code: z.number().int().min(Number.MIN_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER).optional()
    .openapi({ description: "With which exit code what the handler ran has ended" }),
}).refine(({ permanent, retry_after_ms }) => !permanent || retry_after_ms === undefined, {
  path: ["retry_after_ms"],
  message: "A permanent failure is not tried again",
}).openapi("FailRequest");

/** Says how far the task is. */
export const ProgressBody = z.strictObject({
  ...leaseFields,
  percent: z.number().min(0).max(100).openapi({ example: 50 }),
  message: z.string().max(TASK_LIMITS.progressMessageMaxLength).optional().openapi({
    example: "half-way",
  }),
}).openapi("ProgressRequest");

/** Adds to the run's log. */
export const LogBody = z.strictObject({
  ...leaseFields,
  lines: z.array(
    z.strictObject({
      level: z.enum(LOG_LEVELS).optional().openapi({
        description: "Default info",
        example: "info",
      }),
      message: z.string().max(WORKER_LOG_LIMITS.message).openapi({ example: "sending" }),
      details: z.unknown().optional().openapi({ example: { to: "ann@example.com" } }),
      age_ms: z.number().int().min(0).max(TASK_LIMITS.leaseDurationMaxMs).optional().openapi({
        description: "How long ago it was said; default 0",
        example: 0,
      }),
    }),
  ).min(1).max(WORKER_LOG_LIMITS.lines),
}).openapi("LogRequest");

/** Says that the worker lives. */
export const HeartbeatBody = z.strictObject({
  worker_id: workerIdSchema(),
  types: typesSchema.openapi({
    description: "The task types that the worker can execute",
    example: ["email"],
  }),
  capabilities: capabilitiesSchema,
  concurrency: z.number().int().min(1).max(WORKER_LIMITS.concurrencyMax).optional().openapi({
    description: "How many tasks it runs at the same time; default 1",
    example: 1,
  }),
  strategy: z.enum(CLAIM_ORDERS).optional().openapi({
    description: "Which due task it takes first; default `priority`",
    example: "priority",
  }),
  type_limits: z.record(z.string(), z.number().int().min(1).max(WORKER_LIMITS.concurrencyMax))
    .optional().openapi({
      description: "How many tasks of single types it runs at the same time at most; default none",
      example: { email: 1 },
    }),
  version: versionSchema().optional().openapi({
    description: "Which version of its program it runs; default: it is not known",
    example: "0.1.0",
  }),
  runtime: versionSchema().optional().openapi({
    description: "What it runs on; default: it is not known",
    example: "Deno/2.9.6",
  }),
}).openapi("HeartbeatRequest");

/** `{id}` of a worker. */
export const WorkerParams = z.object({
  id: workerIdSchema().openapi({ param: { name: "id", in: "path" } }),
});

/** What a claim gives. */
export const ClaimSchema = z.object({
  tasks: z.array(TaskSchema).openapi({ description: "None when no task was due" }),
}).openapi("Claim");

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
      version: z.string().nullable().openapi({
        description: "Which version of Holdfast, or of another program, it runs; null: not known",
        example: "0.1.0",
      }),
      runtime: z.string().nullable().openapi({
        description: "What it runs on; null: not known",
        example: "Deno/2.9.6",
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
