/**
 * Runs over HTTP: parameters and answers.
 */
import { z } from "@hono/zod-openapi";
import { EXPLANATION_REASONS, RUN_STATUSES, TASK_LIMITS } from "../../src/core.ts";
import {
  countSchema,
  digitsSchema,
  EXAMPLE,
  instantSchema,
  nameSchema,
  nextCursorSchema,
  pageCursor,
  valueSchema,
  waitSchema,
} from "../http/fields.ts";

/** Runs on one page, at most and by default. */
const RUN_PAGE_LIMITS = Object.freeze({
  limitMax: 100,
  limitDefault: 50,
  offsetMax: 1_000_000_000,
});

/** `{id}` of a run. */
export const RunParams = z.object({
  id: nameSchema(TASK_LIMITS.runIdMaxLength).openapi({
    param: { name: "id", in: "path" },
    description: "The run id. Never a task id, even when it looks like a number",
    example: EXAMPLE.runId,
  }),
});

/** The query of one run. */
export const RunWaitQuery = z.object({
  wait: waitSchema().optional().openapi({
    type: "string",
    description: "Answer when the run is over, or as it is after this time, at most 60s",
    example: "30s",
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
