/**
 * Workers as JSON.
 */
import type { z } from "@hono/zod-openapi";
import type { WorkerRecord } from "../../src/core.ts";
import type { WorkerListSchema } from "./schemas.ts";

/** A worker. */
export function workerJson(
  worker: WorkerRecord,
): z.infer<typeof WorkerListSchema>["workers"][number] {
  return {
    worker_id: worker.workerId,
    state: worker.state,
    types: [...worker.types],
    capabilities: { ...worker.capabilities },
    concurrency: worker.concurrency,
    strategy: worker.strategy,
    type_limits: { ...worker.typeLimits },
    version: worker.version,
    runtime: worker.runtime,
    started_at: worker.startedAt.toISOString(),
    heartbeat_at: worker.heartbeatAt.toISOString(),
    leased_tasks: worker.leasedTasks,
    slots_in_use: worker.slotsInUse,
    type_slots_in_use: { ...worker.typeSlotsInUse },
  };
}
