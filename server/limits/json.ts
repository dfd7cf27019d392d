/**
 * Limits and pauses as JSON.
 */
import type { z } from "@hono/zod-openapi";
import type { FlowRecord, LimitRecord } from "../../src/core.ts";
import { instant, rateJson } from "../http/fields.ts";
import type { LimitRecordSchema, LimitSchema } from "./schemas.ts";

/** A scope with a limit or a pause. */
export function limitJson(limit: LimitRecord): z.infer<typeof LimitSchema> {
  return {
    ...flowRecordJson(limit),
    next_start_at: instant(limit.nextStartAt),
    held: limit.held,
    holders: limit.holders.map((holder) => ({
      task_id: holder.taskId,
      run_id: holder.runId,
      type: holder.type,
      worker_id: holder.workerId,
      lease_until: holder.leaseUntil.toISOString(),
      is_cancelled: holder.isCancelled,
    })),
    blocked: limit.blocked,
  };
}

/** A limit and a pause as they travel. */
export function flowRecordJson(record: FlowRecord): z.infer<typeof LimitRecordSchema> {
  const { scope, concurrency, rate, weight, setAt, setBy, isDeclared, paused } = record;
  return {
    type: scope.type ?? null,
    group: scope.group ?? null,
    concurrency,
    rate: rateJson(rate),
    weight,
    set_at: instant(setAt),
    set_by: setBy,
    is_declared: isDeclared,
    paused: paused && {
      at: paused.at.toISOString(),
      by: paused.by,
      reason: paused.reason,
      until: instant(paused.until),
    },
  };
}
