/**
 * Pruning: finished tasks go for good, with their transitions; a few hundred in each transaction. One with a child that
 * is not final stays: the child may ask for its result.
 */
import type { FinalStatus } from "../../domain/final_status.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import { removeTask } from "./remove.ts";

/** The last task to go, in the order in which tasks finished; all before it go too. */
export interface PruneBound {
  /** When it finished. */
  readonly finishedAtMs: number;
  /** Its id. */
  readonly id: number;
}

/** How many tasks one transaction deletes at most. */
export const PRUNE_MAX = 500;

/** The statements; a test reads their plans. */
export const PRUNE_SQL = {
  bound: `SELECT finished_at_utc, id FROM task_queue INDEXED BY finished_tasks
    WHERE status = ? AND finished_at_utc IS NOT NULL
    ORDER BY finished_at_utc DESC, id DESC LIMIT 1 OFFSET ?`,
  oldest: `SELECT id, ordering_key, tags FROM task_queue INDEXED BY finished_tasks
    WHERE status = ? AND finished_at_utc < ? AND (finished_at_utc, id) <= (?, ?)
      AND NOT EXISTS (SELECT 1 FROM task_dependencies AS dependency
        JOIN task_queue AS child ON child.id = dependency.child_id
        WHERE dependency.parent_id = task_queue.id AND child.status IN ('queued', 'leased'))
    ORDER BY finished_at_utc, id LIMIT ?`,
} as const;

/** The last task of a status to go, for all that must stay; `undefined` when all stay. */
export function pruneBound(
  reader: Reader,
  status: FinalStatus,
  keep: number,
): PruneBound | undefined {
  const [row] = reader.read(PRUNE_SQL.bound, [status, keep]);
  return row && { finishedAtMs: Number(row[0]), id: Number(row[1]) };
}

/** Deletes up to `PRUNE_MAX` tasks of a status, the first finished first; their ids. */
export function prune(
  tx: Transaction,
  status: FinalStatus,
  { bound, beforeMs, nowMs }: {
    readonly bound: PruneBound;
    readonly beforeMs: number;
    readonly nowMs: number;
  },
): number[] {
  const parameters = [status, beforeMs, bound.finishedAtMs, bound.id, PRUNE_MAX];
  return tx.read(PRUNE_SQL.oldest, parameters).map(([id, key, tags]) => {
    const failedUnder = status === "failed" ? key as string | null : null;
    removeTask(tx, { id: Number(id), failedUnder, tags: tags as string | null }, nowMs);
    return Number(id);
  });
}
