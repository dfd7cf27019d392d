/**
 * What the API takes and gives of changes by hand, as zod schemas. Limits of values are the queue's.
 */
import { z } from "@hono/zod-openapi";
import {
  BULK_ACTIONS,
  BULK_LIMITS,
  FLOW_LIMITS,
  TASK_LIMITS,
  TASK_STATUSES,
} from "../../src/core.ts";
import {
  countSchema,
  DELAY_MAX_MS,
  EXAMPLE,
  instantWithZone,
  nameSchema,
  valueSchema,
} from "../http/fields.ts";

const by = nameSchema(FLOW_LIMITS.byMaxLength).optional().openapi({
  description: "Who does it; default the name of the token",
  example: "ops",
});

/** `?by=` of a change. */
export const ByQuery = z.object({ by });

const { priorityMin, priorityMax, maxAttemptsMin, maxAttemptsMax, groupMaxLength } = TASK_LIMITS;
const { tagMaxLength, tagsMax } = TASK_LIMITS;

/** What is to be different of a task; what is not given stays. */
export const updateFields = {
  priority: z.number().int().min(priorityMin).max(priorityMax).optional().openapi({
    description: "Lower runs first",
    example: 10,
  }),
  run_after: instantWithZone().optional().openapi({
    description: "Not before this instant; one that is past makes it due now",
  }),
  delay_ms: z.number().min(0).max(DELAY_MAX_MS).optional().openapi({
    description: "How long from now until it is due, instead of run_after; 0 is now",
  }),
  max_attempts: z.number().int().min(maxAttemptsMin).max(maxAttemptsMax).optional().openapi({
    description: "Executions allowed, more than there were",
    example: 5,
  }),
  group: nameSchema(groupMaxLength).nullable().optional().openapi({
    description: "null for none",
    example: "acme",
  }),
  expires_at: instantWithZone().nullable().optional().openapi({
    description: "When it is cancelled by itself if it has not started; null for never",
  }),
  tags: z.array(nameSchema(tagMaxLength)).max(tagsMax).nullable().optional().openapi({
    description: "All its tags; null for none",
    example: ["customer-17", "release-42"],
  }),
};

/** What was seen of a task, and who changes it. */
export const changeFields = {
  expect_updated_at: instantWithZone().optional().openapi({
    description: "The updated_at_utc that was seen: if the task has changed since, nothing is done",
  }),
  by,
};

/** Another payload for a task that no worker holds. */
export const ReplaceBody = z.strictObject({
  payload: valueSchema.openapi({ example: EXAMPLE.payload }),
  run_id: nameSchema(TASK_LIMITS.runIdMaxLength).optional().openapi({
    description: "The new task's run id, unique; default a random UUID",
    example: "email-corrected",
  }),
  ...updateFields,
  ...changeFields,
}).openapi("TaskReplacement", { example: { payload: EXAMPLE.payload, by: "ops" } });

const { idsMax, budgetMaxMs, budgetDefaultMs, errorMaxLength } = BULK_LIMITS;

/** Which tasks a bulk request is for. */
const filterSchema = z.strictObject({
  statuses: z.array(z.enum(TASK_STATUSES)).min(1).optional().openapi({
    description: "Of those that the action is for; default all of those",
  }),
  type: nameSchema(TASK_LIMITS.typeMaxLength).optional().openapi({ example: "email" }),
  group: nameSchema(groupMaxLength).optional(),
  tag: nameSchema(tagMaxLength).optional(),
  ids: z.array(z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)).max(idsMax).optional(),
  created_before: instantWithZone().optional(),
  finished_before: instantWithZone().optional(),
  error_contains: nameSchema(errorMaxLength).optional().openapi({
    description: "A part of the last error, in any case",
  }),
  attempts_min: z.number().int().min(0).max(maxAttemptsMax).optional(),
  up_to_id: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
}).openapi("BulkFilter", { description: "A task matches when all that is given is true of it" });

/** One change for all tasks that match. */
export const BulkBody = z.strictObject({
  action: z.enum(BULK_ACTIONS).openapi({ description: "remove needs the scope admin" }),
  filter: filterSchema,
  all: z.boolean().optional().openapi({
    description: "Must be true for a filter without a field, which every task matches",
  }),
  priority: updateFields.priority,
  run_after: updateFields.run_after,
  delay_ms: updateFields.delay_ms,
  dry_run: z.boolean().optional().openapi({
    description: "Counts what matches, up to 10,000, and changes nothing; default false",
  }),
  cursor: z.string().max(100).optional().openapi({
    description: "The cursor of the answer before, for the rest",
  }),
  budget_ms: z.number().int().min(0).max(budgetMaxMs).optional().openapi({
    description: `After how long to answer with what is done so far; default ${budgetDefaultMs}`,
  }),
  by,
}).openapi("BulkRequest", { example: { action: "cancel", filter: { type: "email" } } });

/** What a bulk request has done. */
export const BulkSchema = z.object({
  matched: countSchema.openapi({ description: "How many tasks matched", example: 250 }),
  changed: countSchema.openapi({ description: "How many are different now", example: 250 }),
  done_up_to_id: countSchema.openapi({ description: "Tasks were looked at up to this id" }),
  up_to_id: countSchema.openapi({ description: "The highest id when it began" }),
  cursor: z.string().nullable().openapi({
    description: "Give this for the rest; null when there is none",
    example: null,
  }),
}).openapi("BulkReport");

/** A change of a queued task. */
export const UpdateBody = z.strictObject({ ...updateFields, ...changeFields }).openapi(
  "TaskUpdate",
  { example: { priority: 10, delay_ms: 0, by: "ops" } },
);
