/**
 * What the API takes and gives of schedules, as zod schemas. Limits are the queue's; what only it can judge (an expression, a
 * time zone, fields that exclude each other) it judges, and its words are passed on.
 */
import { z } from "@hono/zod-openapi";
import {
  CATCH_UP_POLICIES,
  PREDECESSOR_FAILURE_POLICIES,
  SCHEDULE_LIMITS,
  SCHEDULED_FIELD_NAMES,
  TASK_STATUSES,
} from "../../src/core.ts";
import {
  countSchema,
  EXAMPLE,
  instantSchema,
  nameSchema,
  nextCursorSchema,
} from "../http/fields.ts";
import { taskBodyShape } from "../http/task_fields.ts";
import { wholePageLimit } from "../tasks/schemas.ts";

/** The fields that a schedule gives to each of its tasks. */
const taskFields = taskBodyShape(SCHEDULED_FIELD_NAMES);

/** `{id}` of a schedule. */
export const ScheduleParams = z.object({
  id: nameSchema(SCHEDULE_LIMITS.idMaxLength).openapi({
    param: { name: "id", in: "path" },
    description: "The schedule",
    example: "nightly",
  }),
});

/** A schedule to add. */
export const ScheduleBody = z.strictObject({
  id: nameSchema(SCHEDULE_LIMITS.idMaxLength).openapi({ example: "nightly" }),
  ...taskFields,
  expires_in_ms: z.number().int().min(1).max(SCHEDULE_LIMITS.expiresInMaxMs).optional().openapi({
    description: "How long each task has to start, or it is cancelled by itself; default for ever",
  }),
  every_ms: z.number().int().min(SCHEDULE_LIMITS.everyMinMs).max(SCHEDULE_LIMITS.everyMaxMs)
    .optional().openapi({ description: "How long after a task has ended; or give cron" }),
  cron: z.string().max(200).optional().openapi({
    description: "Five fields, six with seconds first, or a name such as @daily; or give every_ms",
    example: "30 2 * * *",
  }),
  time_zone: z.string().max(100).optional().openapi({
    description: "Where cron is read; default UTC",
    example: "Europe/Berlin",
  }),
  catch_up: z.enum(CATCH_UP_POLICIES).optional().openapi({
    description: "What becomes of missed instants; default once",
  }),
  catch_up_max: z.number().int().min(1).max(SCHEDULE_LIMITS.catchUpMax).optional(),
  overlap: z.boolean().optional(),
  paused: z.boolean().optional(),
  replace: z.boolean().optional().openapi({
    description: "Replace another schedule with this id; default false",
  }),
}).openapi("NewSchedule");

/** A change to a schedule. */
export const SchedulePatch = z.strictObject({
  paused: z.boolean().openapi({ description: "Whether it is to be paused", example: true }),
}).openapi("SchedulePatch");

/** A schedule. */
export const ScheduleSchema = z.object({
  id: z.string().openapi({ example: "nightly" }),
  type: z.string().openapi({ example: "report" }),
  payload: z.unknown(),
  priority: z.number().int(),
  compatibility: z.record(z.string(), z.unknown()),
  max_attempts: z.number().int(),
  retry_policy: taskFields.retry_policy.unwrap().nullable(),
  timeout_ms: z.number().int().nullable(),
  group: z.string().nullable(),
  ordering_key: z.string().nullable(),
  on_predecessor_failure: z.enum(PREDECESSOR_FAILURE_POLICIES).nullable(),
  tags: z.array(z.string()),
  unique: taskFields.unique.unwrap().nullable(),
  expires_in_ms: z.number().int().nullable(),
  every_ms: z.number().int().nullable(),
  cron: z.string().nullable(),
  time_zone: z.string(),
  catch_up: z.enum(CATCH_UP_POLICIES),
  catch_up_max: z.number().int(),
  overlap: z.boolean(),
  paused: z.boolean(),
  webhook: taskFields.webhook.unwrap().nullable(),
  next_at: instantSchema.nullable().openapi({
    description: "When it fires next; null while it waits for a task to end, or never comes again",
    example: EXAMPLE.instant,
  }),
  last_fired_at: instantSchema.nullable(),
  last_task_id: z.number().int().nullable(),
  firings: countSchema,
  waits_for_task_id: z.number().int().nullable(),
  created_at: instantSchema,
  updated_at: instantSchema,
}).openapi("Schedule");

/** The query of the list of schedules. */
export const ScheduleQuery = z.object({
  limit: wholePageLimit,
  cursor: nameSchema(SCHEDULE_LIMITS.idMaxLength).optional().openapi({
    description: "The next_cursor of the page before",
    example: "nightly",
  }),
});

/** A page of schedules. */
export const ScheduleListSchema = z.object({
  schedules: z.array(ScheduleSchema),
  next_cursor: nextCursorSchema,
}).openapi("ScheduleList");

/** The query of the tasks of a schedule. */
export const ScheduleRunsQuery = z.object({ limit: wholePageLimit });

/** The tasks of a schedule. */
export const ScheduleRunListSchema = z.object({
  runs: z.array(
    z.object({
      task_id: z.number().int().openapi({ example: 2 }),
      run_id: z.string().openapi({ example: "nightly@2026-01-02T03:00:00.000Z" }),
      status: z.enum(TASK_STATUSES).openapi({ example: "completed" }),
      at: instantSchema,
      finished_at: instantSchema.nullable(),
    }).openapi("ScheduleRun"),
  ).openapi({ description: "The latest instant first" }),
}).openapi("ScheduleRunList");

/** A schedule that was added. */
export const ScheduleAddedSchema = ScheduleSchema.extend({
  created: z.boolean().openapi({ description: "false when there was one with this id already" }),
}).openapi("ScheduleAdded");

/** What was removed. */
export const ScheduleRemovedSchema = z.object({ removed: z.literal(true) })
  .openapi("ScheduleRemoved");
