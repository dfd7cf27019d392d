/**
 * What the routes of a run's log and the event streams take and give.
 */
import { z } from "@hono/zod-openapi";
import { LOG_LEVELS, RUN_STATUSES } from "../../src/core.ts";
import {
  countSchema,
  digitsSchema,
  EXAMPLE,
  instantSchema,
  instantWithZone,
} from "../http/fields.ts";
import { CURSOR_PATTERN } from "./run_log.ts";

/** Lines on one page, at most and by default. */
const LOG_PAGE_LIMITS = Object.freeze({ max: 10_000, default: 1000 });

const cursorSchema = z.string().regex(CURSOR_PATTERN, "A cursor that was given before is needed");

function linesSchema(description: string): z.ZodType<number | undefined, string | undefined> {
  return digitsSchema(1, LOG_PAGE_LIMITS.max).optional().openapi({
    type: "integer",
    minimum: 1,
    maximum: LOG_PAGE_LIMITS.max,
    description: `${description}; default ${LOG_PAGE_LIMITS.default}`,
  });
}

/** The query of a log: its last lines, or with a cursor the next ones. */
export const LogQuery = z.object({
  tail: linesSchema("Only the last lines, up to this number, and those that fit 4 MiB"),
  since: instantWithZone().optional().openapi({
    description: "Only lines written at this instant or later",
    example: "2026-01-01T00:00:00.000Z",
  }),
  cursor: cursorSchema.optional().openapi({
    description: "The lines after the next_cursor of an earlier answer; 0-0 is the beginning",
    example: "0-0",
  }),
  limit: linesSchema("With cursor: so many lines at most, and those that fit 1 MiB"),
}).refine(({ cursor, tail }) => cursor === undefined || tail === undefined, {
  path: ["tail"],
  message: "Either cursor or tail is needed",
}).refine(({ cursor, limit }) => cursor !== undefined || limit === undefined, {
  path: ["limit"],
  message: "Only together with cursor; for the last lines it is tail",
}).transform(({ tail, limit, ...others }) => ({
  ...others,
  lines: tail ?? limit ?? LOG_PAGE_LIMITS.default,
}));

/** The query of a log's download. */
export const LogDownloadQuery = z.object({
  format: z.enum(["text", "ndjson"]).default("text").openapi({
    description: "Lines for people, or one JSON object a line",
    example: "ndjson",
  }),
});

/** Where a stream of a run goes on. */
export const LogStreamHeaders = z.object({
  "last-event-id": cursorSchema.optional().openapi({
    description: "The id of the last event that arrived; browsers send it by themselves",
    example: "0-0",
  }),
});

/** Where the stream of all transitions goes on. */
export const EventHeaders = z.object({
  "last-event-id": z.string().min(1).max(100).optional().openapi({
    type: "string",
    description: "The id of the last event that arrived; browsers send it by themselves",
    example: "0",
  }),
});

/** A line of a log, and the data of an event `log`. */
export const LogLineSchema = z.object({
  at: instantSchema,
  level: z.enum(LOG_LEVELS).openapi({ example: "info" }),
  message: z.string().openapi({ example: "sending" }),
  attempt: countSchema.openapi({ description: "Which execution wrote it", example: 1 }),
  details: z.unknown().optional().openapi({ example: { to: "ann@example.com" } }),
}).openapi("LogLine");

/** A part of a log. */
export const LogPageSchema = z.object({
  run_id: z.string().openapi({ example: EXAMPLE.runId }),
  lines: z.array(LogLineSchema).openapi({ description: "In the order in which they were written" }),
  next_cursor: z.string().openapi({
    description:
      "Give this as cursor for what comes after, until no line comes, or as Last-Event-ID to the stream",
    example: "120-0",
  }),
}).openapi("LogPage");

/** Which part of a task's log to read. */
export const TaskLogQuery = z.object({
  offset: digitsSchema(0, Number.MAX_SAFE_INTEGER).default(0).openapi({
    type: "integer",
    minimum: 0,
    default: 0,
    description: "The next_offset of the part before",
  }),
  tail: digitsSchema(1, LOG_PAGE_LIMITS.max).optional().openapi({
    type: "integer",
    minimum: 1,
    maximum: LOG_PAGE_LIMITS.max,
    description: "Only so many of the last lines, none before offset",
  }),
});

/** A part of a task's log. */
export const TaskLogSchema = z.object({
  lines: z.array(LogLineSchema).openapi({ description: "In the order in which they were written" }),
  next_offset: countSchema.openapi({
    description: "Give this as offset to go on; there are more unless it is the same",
    example: 120,
  }),
}).openapi("TaskLog");

/** The data of an event `status`. */
export const StatusEventSchema = z.object({
  run_id: z.string().openapi({ example: EXAMPLE.runId }),
  status: z.enum(RUN_STATUSES).openapi({ example: "running" }),
  attempts: countSchema.openapi({ example: 1 }),
  progress_percent: z.number().nullable().openapi({ description: "0–100", example: 50 }),
  progress_message: z.string().nullable().openapi({ example: "half-way" }),
  error_message: z.string().nullable().openapi({ example: null }),
}).openapi("StatusEvent");
