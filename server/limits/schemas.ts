/**
 * What the API takes and gives of limits and pauses, as zod schemas. Limits of values are the queue's.
 */
import { z } from "@hono/zod-openapi";
import { FLOW_LIMITS, TASK_LIMITS } from "../../src/core.ts";
import {
  countSchema,
  EXAMPLE,
  instantSchema,
  instantWithZone,
  nameSchema,
  RateSchema,
} from "../http/fields.ts";

const { concurrencyMax, weightMin, weightMax, byMaxLength, reasonMaxLength, declaredMax } =
  FLOW_LIMITS;

const concurrency = z.number().int().min(1).max(concurrencyMax).openapi({
  description: "How many tasks may run at the same time",
  example: 5,
});

const weight = z.number().min(weightMin).max(weightMax).openapi({
  description:
    "Of a group: how many starts it has for each one of a group with weight 1, while both wait; default 1",
  example: 1,
});

const newRate = RateSchema.extend({ burst: RateSchema.shape.burst.optional() }).openapi("NewRate");

const limit = {
  concurrency: concurrency.optional(),
  rate: newRate.optional(),
  weight: weight.optional(),
};

const by = nameSchema(byMaxLength).optional().openapi({
  description: "Who does it; default the name of the token",
  example: "ops",
});

const scopeType = nameSchema(TASK_LIMITS.typeMaxLength).optional().openapi({
  description: "Only tasks of this type; default the whole queue",
  example: "email",
});

const scopeGroup = nameSchema(TASK_LIMITS.groupMaxLength).optional().openapi({
  description: "Only tasks of this group, * for each group by itself; default all",
  example: "acme",
});

const scope = { type: scopeType, group: scopeGroup };

/** `?type=&group=` of a limit. */
export const ScopeQuery = z.object(scope);

/** A limit to set. */
export const LimitBody = z.strictObject({ ...limit, by }).openapi("NewLimit");

/** The limits that a program declares. */
export const DeclareBody = z.strictObject({
  limits: z.array(z.strictObject({ ...scope, ...limit })).max(declaredMax),
}).openapi("DeclaredLimits");

/** A pause. */
export const PauseBody = z.strictObject({
  ...scope,
  reason: nameSchema(reasonMaxLength).optional().openapi({ example: "provider down" }),
  by,
  until: instantWithZone().optional().openapi({
    description: "When it ends by itself; default when it is resumed",
    example: "2126-01-31T12:00:00.000Z",
  }),
}).openapi("NewPause");

/** What is to be resumed. */
export const ResumeBody = z.strictObject({ ...scope, by }).openapi("Resume");

/** Whether anything changed. */
export const ChangedSchema = z.object({
  changed: z.boolean().openapi({ description: "false when it was so already", example: true }),
}).openapi("LimitChanged");

/** How many limits were set. */
export const DeclaredSchema = z.object({
  declared: countSchema.openapi({ description: "How many were new or changed", example: 1 }),
}).openapi("LimitsDeclared");

const holderSchema = z.object({
  task_id: z.number().int(),
  run_id: z.string().nullable().openapi({ example: EXAMPLE.runId }),
  type: z.string(),
  worker_id: z.string().openapi({ example: EXAMPLE.workerId }),
  lease_until: instantSchema,
  is_cancelled: z.boolean().openapi({
    description: "Whether it was cancelled, and its worker has yet to say that it has stopped",
  }),
}).openapi("SlotHolder");

const pauseSchema = z.object({
  at: instantSchema,
  by: z.string().nullable(),
  reason: z.string().nullable(),
  until: instantSchema.nullable(),
}).openapi("Pause");

/** What a scope has, wherever it is. */
const limitFields = {
  type: z.string().nullable().openapi({
    description: "null for all types",
    example: "email",
  }),
  group: z.string().nullable().openapi({
    description: "null for all, * for each group by itself",
    example: "acme",
  }),
  concurrency: z.number().int().nullable(),
  rate: z.union([RateSchema, z.null()]),
  weight: z.number().nullable(),
  set_at: instantSchema.nullable(),
  set_by: z.string().nullable(),
  is_declared: z.boolean().openapi({ description: "Whether a program declared the limit" }),
  paused: z.union([pauseSchema, z.null()]),
};

/** A scope with a limit or a pause. */
export const LimitSchema = z.object({
  ...limitFields,
  next_start_at: instantSchema.nullable().openapi({
    description: "When the rate allows the next start; null when one is allowed now, and for *",
  }),
  held: countSchema.openapi({ description: "How many slots are held" }),
  holders: z.array(holderSchema).openapi({ description: "At most 20, the earliest first" }),
  blocked: countSchema.openapi({ description: "How many due tasks it holds back" }),
}).openapi("Limit");

/** Every scope with a limit or a pause. */
export const LimitListSchema = z.object({ limits: z.array(LimitSchema) }).openapi("LimitList");

/** A limit and a pause as they travel from queue to queue. */
export const LimitRecordSchema = z.strictObject({
  ...limitFields,
  type: nameSchema(TASK_LIMITS.typeMaxLength).nullable(),
  group: nameSchema(TASK_LIMITS.groupMaxLength).nullable(),
  concurrency: concurrency.nullable(),
  weight: weight.nullable(),
  set_by: nameSchema(byMaxLength).nullable(),
  set_at: instantWithZone().nullable(),
  paused: z.strictObject({
    at: instantWithZone(),
    by: nameSchema(byMaxLength).nullable(),
    reason: nameSchema(reasonMaxLength).nullable(),
    until: instantWithZone().nullable(),
  }).nullable(),
}).openapi("LimitRecord");
