/**
 * Pruning: finished tasks go for good, with their transitions; a few hundred in each transaction. One with a child that
 * is not final stays: the child may ask for its result.
 */
import { checkInteger } from "../domain/task.ts";
import type { Reader, Transaction } from "../ledger/replica.ts";
import { removeDependencies } from "./dependencies.ts";
import type { PruneReport, PruneRequest } from "./operations.ts";
import { LOG_TABLE, TASK_TABLE } from "./schema.ts";
import { removeWebhook } from "./webhooks.ts";

/** A status that a pruned task can have. */
export type PrunableStatus = keyof PruneReport["byStatus"];

/** A checked `PruneRequest`. */
export interface PreparedPrune {
  /** Whose tasks go. */
  readonly statuses: readonly PrunableStatus[];
  /** Only tasks that finished longer ago; `-Infinity` for any, also those that finish later by a clock that was put back. */
  readonly olderThanMs: number;
  /** How many of each status stay. */
  readonly keep: number;
}

/** The last task to go, in the order in which tasks finished; all before it go too. */
export interface PruneBound {
  /** When it finished. */
  readonly finishedAtMs: number;
  /** Its id. */
  readonly id: number;
}

/** How many tasks one transaction deletes at most. */
export const PRUNE_MAX = 500;

const PRUNABLE: readonly PrunableStatus[] = ["completed", "failed", "cancelled"];

/** The statements; a test reads their plans. */
export const PRUNE_SQL = {
  bound: `SELECT finished_at_utc, id FROM task_queue INDEXED BY finished_tasks
    WHERE status = ? AND finished_at_utc IS NOT NULL
    ORDER BY finished_at_utc DESC, id DESC LIMIT 1 OFFSET ?`,
  oldest: `SELECT id FROM task_queue INDEXED BY finished_tasks
    WHERE status = ? AND finished_at_utc < ? AND (finished_at_utc, id) <= (?, ?)
      AND NOT EXISTS (SELECT 1 FROM task_dependencies AS dependency
        JOIN task_queue AS child ON child.id = dependency.child_id
        WHERE dependency.parent_id = task_queue.id AND child.status IN ('queued', 'leased'))
    ORDER BY finished_at_utc, id LIMIT ?`,
  transitions: "SELECT log_id FROM task_logs WHERE task_id = ?",
} as const;

/** Checks a request, before any effect. @throws TypeError, RangeError */
export function preparePrune(request: PruneRequest): PreparedPrune {
  const { olderThanMs, keep, statuses = PRUNABLE } = request;
  if (olderThanMs === undefined && keep === undefined) {
    throw new TypeError("Cannot prune every finished task: olderThanMs or keep is needed");
  }
  const unknown = statuses.find((status) => !PRUNABLE.includes(status));
  if (unknown !== undefined) {
    throw new TypeError(
      `Cannot prune status ${JSON.stringify(unknown)}: allowed are ${PRUNABLE.join(", ")}`,
    );
  }
  const max = Number.MAX_SAFE_INTEGER;
  return {
    statuses: [...new Set(statuses)],
    olderThanMs: olderThanMs === undefined
      ? -Infinity
      : checkInteger(olderThanMs, "olderThanMs", 0, max),
    keep: checkInteger(keep ?? 0, "keep", 0, max),
  };
}

/** The last task of a status to go, for all that must stay; `undefined` when all stay. */
export function pruneBound(
  reader: Reader,
  status: PrunableStatus,
  keep: number,
): PruneBound | undefined {
  const [row] = reader.read(PRUNE_SQL.bound, [status, keep]);
  return row && { finishedAtMs: Number(row[0]), id: Number(row[1]) };
}

/** Deletes up to `PRUNE_MAX` tasks of a status, the first finished first; their ids. */
export function prune(
  tx: Transaction,
  status: PrunableStatus,
  { bound, beforeMs }: { readonly bound: PruneBound; readonly beforeMs: number },
): number[] {
  const parameters = [status, beforeMs, bound.finishedAtMs, bound.id, PRUNE_MAX];
  const ids = tx.read(PRUNE_SQL.oldest, parameters).map(([id]) => Number(id));
  for (const id of ids) {
    for (const key of tx.read(PRUNE_SQL.transitions, [id])) tx.remove(LOG_TABLE, key);
    removeDependencies(tx, id);
    removeWebhook(tx, id);
    tx.remove(TASK_TABLE, [id]);
  }
  return ids;
}
