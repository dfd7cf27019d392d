/**
 * Operating a queue over HTTP: statistics, health, pruning.
 */
import { z } from "@hono/zod-openapi";
import { FINAL_STATUSES, HEALTH_CODES, HEALTH_SEVERITIES } from "../../src/core.ts";
import { ErrorSchema } from "../http/error_schema.ts";
import { countSchema, digitsSchema, instantSchema, RateSchema } from "../http/fields.ts";

/** Which finished tasks to delete. */
export const PruneBody = z.strictObject({
  older_than_ms: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional().openapi({
    description: "Only tasks that finished longer ago than this",
    example: 86_400_000,
  }),
  keep: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional().openapi({
    description: "How many of each status stay, those that finished last",
    example: 1000,
  }),
  statuses: z.array(z.enum(FINAL_STATUSES)).min(1).max(FINAL_STATUSES.length).optional().openapi({
    description: "Only these; default all three",
    example: ["completed"],
  }),
}).refine(({ older_than_ms, keep }) => older_than_ms !== undefined || keep !== undefined, {
  message: "older_than_ms or keep is needed",
}).openapi("PruneRequest");

/** The deleted tasks, counted. */
export const PruneSchema = z.object({
  pruned: countSchema.openapi({ example: 0 }),
  by_status: z.object({ completed: countSchema, failed: countSchema, cancelled: countSchema }),
}).openapi("PruneReport");

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
  memory_used_bytes: countSchema,
  memory_max_bytes: countSchema,
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
  waiting_for_parents: countSchema.openapi({ description: "Queued tasks that wait for others" }),
  oldest_due_at: instantSchema.nullable(),
  storage: z.union([StorageSchema, z.null()]),
}).openapi("QueueStats");

/** One problem of a queue. */
const healthReasonSchema = z.object({
  code: z.enum(HEALTH_CODES).openapi({ example: "oldest_due_waits" }),
  severity: z.enum(HEALTH_SEVERITIES).openapi({ example: "degraded" }),
  message: z.string().openapi({ example: "A task has been due for 6 min 3 s" }),
}).openapi("HealthReason");

/** The queue works, perhaps not as well as it should. */
export const HealthSchema = z.object({
  status: z.enum(["healthy", "degraded"]).openapi({ example: "healthy" }),
  version: z.string().optional().openapi({ example: "0.1.0" }),
  reasons: z.array(healthReasonSchema).openapi({ description: "Only notices when healthy" }),
  at: instantSchema.openapi({ description: "When the verdict was made" }),
  queue: z.object({ total: countSchema.openapi({ example: 1 }), by_status: countsSchema }),
}).openapi("Health");

/** An unhealthy answer: an error with the verdict beside it. */
export const UnhealthySchema = ErrorSchema.extend({
  status: z.literal("unhealthy"),
  version: z.string().optional().openapi({ example: "0.1.0" }),
  reasons: z.array(healthReasonSchema).optional().openapi({
    description: "Given when the queue answers",
  }),
  at: instantSchema.optional().openapi({ description: "Given when the queue answers" }),
}).openapi("Unhealthy");

const WINDOW_MS = Object.freeze({ min: 1000, max: 7 * 24 * 3_600_000 });

/** The window to measure. */
export const MetricsQuery = z.object({
  window_ms: digitsSchema(WINDOW_MS.min, WINDOW_MS.max).optional().openapi({
    type: "integer",
    minimum: WINDOW_MS.min,
    maximum: WINDOW_MS.max,
    description: "How far to look back, in milliseconds; default one hour",
  }),
});

const durationsSchema = z.object({
  count: countSchema,
  p50: z.number().nullable(),
  p95: z.number().nullable(),
  p99: z.number().nullable(),
  max: z.number().nullable(),
}).openapi("Durations");

const durationTotalsSchema = z.object({
  count: countSchema,
  sum_ms: z.number(),
  buckets: z.array(z.object({ le_ms: z.number(), count: countSchema })),
}).openapi("DurationTotals");

const typeTotalsSchema = z.object({
  transitions: z.record(z.string(), countSchema),
  wait_ms: durationTotalsSchema,
  run_ms: durationTotalsSchema,
}).openapi("TypeTotals");

const shareSchema = z.number().nullable().openapi({ description: "0–1; null when nothing ended" });

/** How a queue goes. */
export const MetricsSchema = z.object({
  at: instantSchema,
  by_status: countsSchema,
  by_type: z.record(z.string(), countsSchema),
  scheduled: countSchema,
  waiting_for_parents: countSchema,
  due: countSchema,
  due_split: z.object({
    claimable: countSchema,
    paused: countSchema,
    at_concurrency: countSchema,
    at_rate: countSchema,
  }).openapi({ description: "The due tasks by what holds them back" }),
  limits: z.array(z.object({
    type: z.string().nullable().openapi({ description: "null for all types" }),
    group: z.string().nullable().openapi({ description: "null for all, * for each by itself" }),
    concurrency: z.number().int().nullable(),
    rate: z.union([RateSchema, z.null()]),
    next_start_at: instantSchema.nullable(),
    is_paused: z.boolean(),
    held: countSchema,
    blocked: countSchema,
  })),
  oldest_due_age_ms: z.number().nullable(),
  window: z.object({
    window_ms: z.number(),
    is_truncated: z.boolean(),
    enqueued: countSchema,
    imported: countSchema,
    leased: countSchema,
    completed: countSchema,
    failed: countSchema,
    retried: countSchema,
    rescued: countSchema,
    released: countSchema,
    cancelled: countSchema,
    requeued: countSchema,
    expired: countSchema,
    throughput_per_second: z.number(),
    success_rate: shareSchema,
    failure_rate: shareSchema,
    retry_rate: shareSchema,
    wait_ms: durationsSchema,
    run_ms: durationsSchema,
  }),
  totals: z.record(z.string(), typeTotalsSchema).openapi({
    description: "Since the queue began to count, by type, also of tasks that are gone",
  }),
  workers: z.object({ active: countSchema, limbo: countSchema, stale: countSchema }),
}).openapi("QueueMetrics");
