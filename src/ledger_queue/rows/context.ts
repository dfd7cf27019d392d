/**
 * The context of an operation: the time, chance, and the queue's settings beside its transaction.
 */
import type { RetryPolicy } from "../../domain/backoff.ts";
import type { Random } from "../../domain/random.ts";

/** Fixed for the length of one operation. */
export interface OperationContext {
  readonly nowMs: number;
  readonly random: Random;
  /** Makes the run id of a task that came without. */
  readonly newRunId: () => string;
  /** What applies where neither the task nor its handler says otherwise. */
  readonly retryPolicy: RetryPolicy;
  /** Where what is enqueued stands in a distributed trace; default nowhere. */
  readonly traceParent?: string | null;
  /** The run whose completion stores what is enqueued; default none's. */
  readonly causedBy?: string;
  /** How much the operation may write, see `RecordBudget`. */
  readonly recordBudget: number;
}
