/**
 * Orders: which work a contender does, and how much of it, so that one that lives in another program can be told.
 */
import type { Measured } from "./measure.ts";
import { BATCH } from "./reach_work.ts";

/** A work, and how much of it. */
export type Order =
  /** `callers` callers, each of which enqueues `each` tasks one after the other. */
  | { readonly kind: "enqueue"; readonly callers: number; readonly each: number }
  /** `times` batches of `size` tasks. */
  | { readonly kind: "batches"; readonly times: number; readonly size: number }
  /** Claims up to `limit` tasks at once and completes them, until `tasks` are done; `filled` are enqueued before. */
  | {
    readonly kind: "claim";
    readonly filled: number;
    readonly limit: number;
    readonly tasks: number;
  }
  /** `times` times a batch of `count` tasks from its call until all are done. */
  | { readonly kind: "life"; readonly times: number; readonly count: number };

/** What another program did, and how long it took. */
export interface Performed extends Measured {
  readonly tasks: number;
}

/** `count` callers, each of which enqueues `each` tasks. */
export function enqueueOrder(callers: number, each: number): Order {
  return { kind: "enqueue", callers, each };
}

/** Claims of `limit` until `tasks` are done, from a thousand more than there were. */
export function claimOrder(limit: number, tasks: number): Order {
  return { kind: "claim", filled: BATCH, limit, tasks };
}
