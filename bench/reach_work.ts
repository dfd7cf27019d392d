/**
 * The names of the works that the reach refers to, so that no goal goes unmeasured because of a word.
 */
import { CLAIM_ORDERS, type ClaimOrder } from "../src/mod.ts";

/** Batches have this many tasks. */
export const BATCH = 1000;
/** This many callers enqueue at the same time. */
export const CALLERS = 64;
/** This many tasks run at the same time. */
export const CONCURRENCY = 32;

/** How much else goes on. */
export type Business = "idle" | "busy";

/** What a work is called. */
export const REACH_WORK = Object.freeze({
  enqueueOne: "enqueue, one caller",
  enqueueMany: `enqueue, ${CALLERS} callers`,
  enqueueBatch: "enqueue, batch of 1,000",
  claimOne: "claim + complete, one at a time",
  claimMany: `claim + complete, ${CONCURRENCY} at a time`,
  liveOne: "whole life, one at a time",
  liveMany: `whole life, batch of 1,000, concurrency ${CONCURRENCY}`,
  processes: (count: number): string =>
    `drain a queue, ${count} worker process${count === 1 ? "" : "es"}`,
  claimOrders: CLAIM_ORDERS,
  claimAt: (order: ClaimOrder): string => `claim one, ${order}, of `,
  startHere: (business: Business): string => `enqueue to start, same process, ${business}`,
  startThere: (business: Business): string => `enqueue to start, other process, ${business}`,
  http: (connections: number): string =>
    `HTTP run, ${connections} connection${connections === 1 ? "" : "s"}`,
  open: (size: string): string => `open ${size} tasks in a new process`,
  openUnfolded: (size: string): string => `the same, ${size}, half of them in the journal`,
  checkpoint: (size: string): string => `checkpoint of ${size} tasks`,
  stall: (size: string): string => `longest event-loop stall meanwhile, ${size}`,
  memory: "memory per 100k tasks",
  fsyncs: "fsyncs of 1,000 tasks in a batch, finished at concurrency 32",
  idle: "CPU of a waiting worker",
});
