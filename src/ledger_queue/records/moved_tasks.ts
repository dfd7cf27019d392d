/**
 * Tasks on their way from one queue to another: their rows as they are.
 */
import { drawWaitingTime } from "../../domain/claim_order.ts";
import { isReady } from "../../domain/readiness.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type { MovedParent, MovedTask, TaskSpan } from "../../queue/move_end.ts";
import {
  byTask,
  columnsOf,
  MOVED_COLUMNS,
  movedDependencies,
  movedWaitsFor,
  TASK_PART,
} from "../../queue_policy/moved_records.ts";
import type { OperationContext } from "../rows/context.ts";
import { DEPENDENCY_TABLE, TASK_COLUMNS, WEBHOOK_TABLE } from "../rows/schema.ts";
import { addTask } from "../rows/task_row.ts";

/** The columns of `task_queue` that hold what is moved, in the same order. */
const COLUMNS = MOVED_COLUMNS.map((name) =>
  TASK_COLUMNS.find((column) => column === name || column === `${name}_utc`)!
);

const MOVED_SQL = {
  sizes: `SELECT id, length(payload) + coalesce(length(result), 0) FROM task_queue WHERE id > ?
    ORDER BY id LIMIT ${TASK_PART.count}`,
  tasks: `SELECT ${COLUMNS.join(", ")} FROM task_queue WHERE id > ? AND id <= ? ORDER BY id`,
  parents: `SELECT child_id, parent_id, parent_run_id, on_failure, state FROM task_dependencies
    WHERE child_id > ? AND child_id <= ? ORDER BY child_id, position`,
  webhooks: "SELECT task_id, url, events FROM task_webhooks WHERE task_id > ? AND task_id <= ?",
} as const;

/** A part of the tasks. */
export function movedTasks(reader: Reader, { after, upTo }: TaskSpan): MovedTask[] {
  const span = [after, upTo ?? lastOfPart(reader, after)];
  const parents = byTask(reader.read(MOVED_SQL.parents, span), parentOf);
  const webhooks = byTask(reader.read(MOVED_SQL.webhooks, span), webhookOf);
  return reader.read(MOVED_SQL.tasks, span).map((values) => {
    const id = Number(values[0]);
    const [webhook] = webhooks.get(id) ?? [];
    return {
      id,
      values: values as MovedTask["values"],
      parents: parents.get(id) ?? [],
      webhook: webhook ?? null,
    };
  });
}

/** The last task that belongs to a part. */
function lastOfPart(reader: Reader, after: number): number {
  let [last, length] = [after, 0];
  for (const [id, size] of reader.read(MOVED_SQL.sizes, [after])) {
    length += Number(size);
    if (last > after && length > TASK_PART.length) break;
    last = Number(id);
  }
  return last;
}

function parentOf([childId, id, runId, onFailure, state]: SqlRow): readonly [number, MovedParent] {
  return [Number(childId), [id, runId, onFailure, state] as unknown as MovedParent];
}

function webhookOf([id, url, events]: SqlRow): readonly [number, readonly [string, string]] {
  return [Number(id), [String(url), String(events)]];
}

/** Stores a task with what belongs to it. */
export function storeMoved(
  tx: Transaction,
  task: MovedTask,
  { nowMs, random }: OperationContext,
): void {
  const columns = columnsOf(task);
  const waitsFor = movedWaitsFor(columns, task);
  const isDue = isReady({ runAfterMs: columns.run_after, waitsFor }, nowMs);
  addTask(tx, {
    ...Object.fromEntries(COLUMNS.map((column, i) => [column, task.values[i]!])),
    waits_for: waitsFor,
    is_ready: columns.status === "queued" && isDue ? 1 : 0,
    // in a new queue no lane's clock has run yet
    draw_key: drawWaitingTime(columns.priority, random),
  });
  for (const dependency of movedDependencies(task.id, task)) {
    tx.insert(DEPENDENCY_TABLE, { ...dependency });
  }
  if (task.webhook === null) return;
  const [url, events] = task.webhook;
  tx.insert(WEBHOOK_TABLE, { task_id: task.id, url, events });
}
