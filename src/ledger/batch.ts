/**
 * A batch: operations that share one transaction, one record and one fsync. One that throws is undone alone.
 */
import type { Change } from "./change.ts";
import type { MemoryMark } from "./memory_budget.ts";
import { type Replica, type Transaction, TransactionLostError } from "./replica.ts";

/** What a write may do. */
export interface WriteOptions {
  /** What it must leave the database in memory below; default anything, for what makes room or follows. */
  readonly upTo?: MemoryMark;
}

/** What a caller wants done, and how to tell it. */
export interface Operation extends WriteOptions {
  readonly run: (transaction: Transaction) => unknown;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/** How to tell a caller what its operation came to, once the batch is durable. */
export type Outcome = () => void;

/** What the operations came to. */
export interface BatchResult {
  /** One for each operation that was run, in order; those after them wait for the next batch. */
  readonly outcomes: readonly Outcome[];
  readonly changes: readonly Change[];
  /** The record of the changes, or `null` when there are none. */
  readonly record: Uint8Array | null;
}

/** Operations in one batch at most; more wait for the next. */
export const BATCH_MAX = 1000;

/** A batch takes no further operation once its record is this long, in characters. */
const FULL_LENGTH = 8 * 1024 * 1024;

const encoder = new TextEncoder();

/**
 * Runs operations within the replica's open transaction, until the record is full.
 *
 * @throws TransactionLostError when the transaction is gone.
 */
export function runBatch(replica: Replica, operations: readonly Operation[]): BatchResult {
  const outcomes: Outcome[] = [];
  const changes: Change[] = [];
  const images: string[] = [];
  let length = 0;
  for (const operation of operations) {
    if (length >= FULL_LENGTH) break;
    const ran = runOperation(replica, operation);
    outcomes.push(ran.outcome);
    if (ran.images === "") continue;
    for (const change of ran.changes) changes.push(change);
    images.push(ran.images);
    length += ran.images.length;
  }
  const record = images.length === 0 ? null : encoder.encode(`[${images.join(",")}]`);
  return { outcomes, changes, record };
}

interface RanOperation {
  readonly outcome: Outcome;
  readonly changes: readonly Change[];
  readonly images: string;
}

function runOperation(replica: Replica, operation: Operation): RanOperation {
  try {
    const { result, images, changes } = replica.attempt(operation.run, operation.upTo);
    return { outcome: () => operation.resolve(result as never), images, changes };
  } catch (error) {
    if (error instanceof TransactionLostError) throw error;
    return { outcome: () => operation.reject(error), images: "", changes: [] };
  }
}
