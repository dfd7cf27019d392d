/**
 * Unique tasks: the holder of a key is the latest task of its type that was stored under it, read from the tasks themselves, so there
 * is nothing to release. One transaction follows the other, so two never both find none.
 */
import type { TaskStatus } from "../../domain/task.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type { PreparedTask } from "../../queue_policy/new_task.ts";
import {
  type DebouncedContent,
  type Joined,
  takenOver,
  type UniqueHolder,
} from "../../queue_policy/unique.ts";
import type { OperationContext } from "../rows/context.ts";
import { laneOfRow, readinessOf } from "../rows/lanes.ts";
import { cell } from "../rows/cells.ts";
import { rowOfTask, updateTask } from "../rows/task_row.ts";

/** The latest task of a type under a key; a test reads its plan. */
export const HOLDER_SQL = `SELECT * FROM task_queue INDEXED BY tasks_by_unique_key
  WHERE unique_key IS NOT NULL AND type = +? AND unique_key = +? ORDER BY id DESC LIMIT 1`;

/** The latest task of a type under a key. */
export function holderOf(reader: Reader, type: string, key: string): UniqueHolder | undefined {
  return reader.read(HOLDER_SQL, [type, key]).map((row) => ({
    id: cell(row, "id") as number,
    runId: cell(row, "run_id") as string,
    status: cell(row, "status") as TaskStatus,
    hasStarted: cell(row, "lease_token") !== 0,
    createdAtMs: cell(row, "created_at_utc") as number,
    expiresAtMs: cell(row, "expires_at") as number | null,
  }))[0];
}

/** The row of the task that stands for another. */
interface StandIn {
  readonly row: SqlRow;
  readonly created: false;
  readonly outcome: "joined" | "replaced";
}

/** The task that stands for one that joins it. A debounced one takes over its payload, and waits anew. */
export function standIn(
  tx: Transaction,
  { task, id, dueAtMs }: Pick<Joined, "dueAtMs"> & {
    readonly task: PreparedTask;
    /** Of the one that stands for it. */
    readonly id: number;
  },
  context: OperationContext,
): StandIn {
  const row = rowOfTask(tx, id);
  const wanted = dueAtMs === null ? undefined : takenOver(contentOf(row), {
    payload: task.payload,
    dueAtMs,
    expiresAtMs: task.kept.expires_at,
  });
  if (wanted === undefined) return { row, created: false, outcome: "joined" };
  const { payload, runAfterMs, expiresAtMs } = wanted;
  const waitsFor = cell(row, "waits_for") as number;
  const replaced = updateTask(tx, row, {
    payload,
    expires_at: expiresAtMs,
    ...readinessOf(tx, { ...laneOfRow(row), runAfterMs, waitsFor }, context),
    updated_at_utc: context.nowMs,
  });
  return { row: replaced, created: false, outcome: "replaced" };
}

function contentOf(row: SqlRow): DebouncedContent {
  return {
    payload: cell(row, "payload") as string,
    runAfterMs: cell(row, "run_after_utc") as number,
    expiresAtMs: cell(row, "expires_at") as number | null,
  };
}
