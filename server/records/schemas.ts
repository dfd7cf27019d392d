/**
 * Records over HTTP: tasks and schedules as they are stored, to be carried to another queue.
 *
 * Payloads and results are strings of JSON, so what a program once wrote (a number of twenty digits) arrives as it was. Ranges are
 * the queue's: what is out of them is a problem of one record, not of the request.
 */
import { z } from "@hono/zod-openapi";
import {
  FLOW_LIMITS,
  PARENT_FAILURE_POLICIES,
  TASK_STATUSES,
  type TaskStatus,
} from "../../src/core.ts";
import { countSchema, EXAMPLE } from "../http/fields.ts";
import { LimitRecordSchema } from "../limits/schemas.ts";
import { ScheduleSchema } from "../schedules/schemas.ts";
import { TaskSchema } from "../tasks/schemas.ts";

const jsonTextSchema = z.string().openapi({ description: "JSON, as it is stored", example: "{}" });

/** A task as it is stored. */
export const TaskRecordSchema = TaskSchema.omit({ payload: true, result: true, waits_for: true })
  .extend({
    payload_text: jsonTextSchema,
    result_text: jsonTextSchema.nullable().openapi({ example: null }),
    parents: z.array(
      z.object({
        task_id: z.number().int().openapi({
          description: "Negative when it was gone already when its child was imported",
          example: 1,
        }),
        run_id: z.string().openapi({ example: EXAMPLE.runId }),
        on_failure: z.enum(PARENT_FAILURE_POLICIES),
        state: z.enum(["open", "met", "ended_child"]),
      }).openapi("ParentRecord"),
    ).openapi({ example: [] }),
    webhook: ScheduleSchema.shape.webhook.openapi({ example: null }),
  }).openapi("TaskRecord");

/** A schedule as it is stored. */
export const ScheduleRecordSchema = ScheduleSchema.omit({
  payload: true,
  last_task_id: true,
  waits_for_task_id: true,
}).extend({
  payload_text: jsonTextSchema,
  last_run_id: z.string().nullable(),
})
  .openapi("ScheduleRecord");

/** Which records to give. */
export const RecordQuery = z.object({
  statuses: z.string()
    .transform((text) => text.split(",") as TaskStatus[])
    .refine(
      (statuses) => statuses.every((status) => TASK_STATUSES.includes(status)),
      `Some of ${TASK_STATUSES.join(", ")} are needed, separated by commas`,
    ).optional().openapi({
      type: "string",
      description: "Only tasks with these statuses, no schedules and no limits; default everything",
      example: "completed,failed",
    }),
});

/** A line of the records. */
export const RecordLineSchema = z.union([
  z.object({ task: TaskRecordSchema }),
  z.object({ schedule: ScheduleRecordSchema }),
  z.object({ limit: LimitRecordSchema }),
  z.object({
    end: z.object({ tasks: countSchema, schedules: countSchema, limits: countSchema }).openapi({
      description: "The last line: how many there are, so that one that is cut off is noticed",
    }),
  }),
]).openapi("RecordLine");

/** What to import, and how. */
export const ImportBody = z.strictObject({
  tasks: z.array(TaskRecordSchema).openapi({ example: [] }),
  schedules: z.array(ScheduleRecordSchema).optional().openapi({ example: [] }),
  limits: z.array(LimitRecordSchema).max(FLOW_LIMITS.declaredMax).optional().openapi({
    example: [],
  }),
  dry_run: z.boolean().optional().openapi({ description: "Only say what would happen" }),
  skip_invalid: z.boolean().optional().openapi({
    description: "Leave out the records with problems and store the others",
  }),
  renumber: z.boolean().optional().openapi({ description: "Give every task a new id" }),
}).openapi("ImportRequest");

const problemsSchema = z.array(
  z.object({ id: z.number().nullable(), reason: z.string() }).openapi("RecordProblem"),
);

const idsSchema = z.array(z.number().int());

/** What came of an import. */
export const ImportSchema = z.object({
  stored: z.boolean().openapi({ description: "Whether it is done", example: true }),
  additions: idsSchema.openapi({ description: "The ids of the records that are new" }),
  stored_ids: idsSchema.openapi({ description: "The ids that they have here" }),
  present: idsSchema.openapi({ description: "Those that are here already" }),
  gone: idsSchema.openapi({ description: "Those that were here and are gone" }),
  problems: problemsSchema,
  conflicts: problemsSchema,
  schedules: z.object({ additions: z.array(z.string()), present: z.array(z.string()) }),
  limits: z.object({ added: countSchema, present: countSchema }),
}).openapi("Import");
