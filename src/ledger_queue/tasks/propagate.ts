/**
 * Propagation: a task's children learn that it has become final, or that it has been queued again.
 *
 * It happens in the transaction that changed the task, and goes on with the children that end or come back because of it,
 * from a list and not by recursion, so a chain may have any length. One transaction does a bounded amount of this. Tasks
 * with children left to tell stand in `unsettled_tasks`, and every process that has the queue open goes on with them, as
 * it does with expired leases; until then such a child stays where it was.
 */
import { isFinal, type ParentFailurePolicy, type TaskStatus } from "../../domain/task.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type { DependencyState } from "../../queue/records.ts";
import { endedByParent } from "../../queue_policy/parents.ts";
import { DEPENDENCY_SQL, failedParent, markDependency } from "./dependencies.ts";
import { laneOfRow, readinessOf } from "../rows/lanes.ts";
import type { OperationContext } from "../rows/context.ts";
import { RecordBudget } from "../rows/record_budget.ts";
import { requeue } from "./requeue.ts";
import { UNSETTLED_TABLE } from "../rows/schema.ts";
import { cell } from "../rows/cells.ts";
import { findRow, updateTask } from "../rows/task_row.ts";
import { noteTransition } from "../rows/transition_log.ts";
import { tellWebhook } from "./webhooks.ts";

/** A task whose children have to be told. */
interface Parent {
  readonly id: number;
  readonly runId: string;
  readonly status: TaskStatus;
}

/** How many children are read at once. */
const CHUNK = 1000;

/** The statements; a test reads their plans. */
export const PROPAGATE_SQL = {
  followed: `SELECT EXISTS (SELECT 1 FROM task_dependencies WHERE parent_id = ?1)
    OR EXISTS (SELECT 1 FROM task_webhooks WHERE task_id = ?1)`,
  unsettled: "SELECT * FROM unsettled_tasks WHERE task_id = ?",
  deferred: "SELECT task_id FROM unsettled_tasks ORDER BY task_id LIMIT +?",
} as const;

/** Tells the children and the webhooks of tasks that have just become final, or stopped being so, in their transaction. */
export function propagate(
  tx: Transaction,
  rows: readonly SqlRow[],
  context: OperationContext,
): void {
  const followed = rows.filter((row) => isFollowed(tx, row));
  for (const row of followed) {
    if (isFinal(cell(row, "status") as TaskStatus)) tellWebhook(tx, row, context);
  }
  propagateToChildren(tx, followed, context);
}

/** Tells the children of tasks, but no webhook: for tasks whose own state has been reported. */
export function propagateToChildren(
  tx: Transaction,
  rows: readonly SqlRow[],
  context: OperationContext,
): void {
  new Propagation(tx, context).run(rows.map(parentOfRow));
}

/** Whether a task has children or a webhook to notify. Most have neither, so this is one statement. */
function isFollowed(reader: Reader, row: SqlRow): boolean {
  return reader.read(PROPAGATE_SQL.followed, [cell(row, "id")])[0]![0] === 1;
}

/** Whether children were left to tell. */
export function hasDeferredChildren(reader: Reader): boolean {
  return reader.read(PROPAGATE_SQL.deferred, [1]).length > 0;
}

/** Goes on with the children that were left to tell. */
export function propagateDeferred(tx: Transaction, context: OperationContext): void {
  const ids = tx.read(PROPAGATE_SQL.deferred, [CHUNK]).map(([id]) => Number(id));
  for (const id of ids) tx.remove(UNSETTLED_TABLE, [id]);
  const rows = ids.map((id) => findRow(tx, id)).filter((row) => row !== undefined);
  propagateToChildren(tx, rows, context);
}

/** Ends a child because of a parent; its row. */
export function endByParent(
  tx: Transaction,
  child: SqlRow,
  { parent, policy, nowMs }: {
    readonly parent: Parent;
    readonly policy: Exclude<ParentFailurePolicy, "run">;
    readonly nowMs: number;
  },
): SqlRow {
  const childId = cell(child, "id") as number;
  markDependency(tx, { childId, parentId: parent.id }, "ended_child");
  const status = policy === "fail" ? "failed" : "cancelled";
  const error = endedByParent(parent);
  noteTransition(tx, { id: childId, nowMs }, status, { error });
  return updateTask(tx, child, {
    status,
    error_message: error,
    waits_for: 0,
    is_ready: 0,
    finished_at_utc: nowMs,
    updated_at_utc: nowMs,
  });
}

/** One transaction's part of the work. */
class Propagation {
  readonly #tx: Transaction;
  readonly #context: OperationContext;
  readonly #parents: Parent[] = [];
  /** Enough for some 14,000 children without payload. */
  readonly #budget: RecordBudget;

  constructor(tx: Transaction, context: OperationContext) {
    this.#tx = tx;
    this.#context = context;
    this.#budget = new RecordBudget(context.recordBudget);
  }

  run(parents: readonly Parent[]): void {
    for (const parent of parents) this.#parents.push(parent);
    for (let i = 0; i < this.#parents.length; i++) {
      if (!this.#tellChildren(this.#parents[i]!)) return this.#defer(this.#parents.slice(i));
    }
  }

  #defer(parents: readonly Parent[]): void {
    const { nowMs } = this.#context;
    for (const { id } of parents) {
      const [known] = this.#tx.read(PROPAGATE_SQL.unsettled, [id]);
      if (known !== undefined) continue;
      this.#tx.insert(UNSETTLED_TABLE, { task_id: id, since_utc: nowMs });
    }
  }

  /** `false` when some are left. */
  #tellChildren(parent: Parent): boolean {
    const select = selectTold(parent.status);
    for (;;) {
      const children = this.#tx.read(select, [parent.id, CHUNK]);
      for (const [id, onFailure, state] of children) {
        if (this.#budget.isSpent) return false;
        const child = findRow(this.#tx, Number(id))!;
        this.#budget.spend(child);
        const policy = onFailure as ParentFailurePolicy;
        this.#tell(parent, child, { policy, state: state as DependencyState });
      }
      if (children.length < CHUNK) return true;
    }
  }

  #tell(
    parent: Parent,
    child: SqlRow,
    { policy, state }: { readonly policy: ParentFailurePolicy; readonly state: DependencyState },
  ): void {
    const hadEndedChild = state === "ended_child";
    if (!isFinal(parent.status)) this.#tellBack(parent, child, hadEndedChild);
    else if (hadEndedChild) this.#tellCompleted(parent, child);
    else this.#tellOver(parent, child, policy);
  }

  // --- the parent is final

  #tellOver(parent: Parent, child: SqlRow, policy: ParentFailurePolicy): void {
    const childId = cell(child, "id") as number;
    const isQueued = cell(child, "status") === "queued";
    if (isQueued && parent.status !== "completed" && policy !== "run") {
      const { nowMs } = this.#context;
      const ended = endByParent(this.#tx, child, { parent, policy, nowMs });
      tellWebhook(this.#tx, ended, this.#context);
      this.#parents.push(parentOfRow(ended));
      return;
    }
    markDependency(this.#tx, { childId, parentId: parent.id }, "met");
    if (isQueued) this.#wait(child, -1);
  }

  /** The parent was queued again and has completed since, before this child, which it had ended, was told of either. */
  #tellCompleted(parent: Parent, child: SqlRow): void {
    markDependency(this.#tx, { childId: cell(child, "id") as number, parentId: parent.id }, "met");
    this.#bringBack(child);
  }

  // --- the parent is queued again

  #tellBack(parent: Parent, child: SqlRow, hadEndedChild: boolean): void {
    const childId = cell(child, "id") as number;
    markDependency(this.#tx, { childId, parentId: parent.id }, "open");
    if (cell(child, "status") === "queued") this.#wait(child, 1);
    else if (hadEndedChild) this.#bringBack(child);
  }

  /** Queues a child again that a parent had ended, unless another of its parents has failed: then it is ended by that one. */
  #bringBack(child: SqlRow): void {
    const status = cell(child, "status") as TaskStatus;
    if (status !== "failed" && status !== "cancelled") return;
    const { nowMs } = this.#context;
    const other = failedParent(this.#tx, cell(child, "id") as number);
    if (other !== undefined) {
      const { taskId: parentId, runId } = other;
      markDependency(this.#tx, { childId: cell(child, "id") as number, parentId }, "ended_child");
      const reason = endedByParent({ id: parentId, runId, status: other.status });
      updateTask(this.#tx, child, { error_message: reason, updated_at_utc: nowMs });
      return;
    }
    noteTransition(this.#tx, { id: cell(child, "id") as number, nowMs }, "requeued");
    const state = { delayMs: 0, attempts: 0, message: null };
    this.#parents.push(parentOfRow(requeue(this.#tx, child, state, this.#context)));
  }

  /** A queued child waits for one parent more, or one fewer. One that was held up is due from now on. */
  #wait(child: SqlRow, change: 1 | -1): void {
    const { nowMs } = this.#context;
    const waitsFor = (cell(child, "waits_for") as number) + change;
    if (waitsFor > 0) {
      const values = { waits_for: waitsFor, is_ready: 0, updated_at_utc: nowMs };
      updateTask(this.#tx, child, values);
      return;
    }
    const runAfterMs = Math.max(nowMs, cell(child, "run_after_utc") as number);
    updateTask(this.#tx, child, {
      ...readinessOf(this.#tx, { ...laneOfRow(child), runAfterMs, waitsFor: 0 }, this.#context),
      updated_at_utc: nowMs,
    });
  }
}

/** Reads the children that a task with this status has something to tell. */
function selectTold(status: TaskStatus): string {
  if (!isFinal(status)) return DEPENDENCY_SQL.closedChildren;
  return status === "completed" ? DEPENDENCY_SQL.unmetChildren : DEPENDENCY_SQL.openChildren;
}

function parentOfRow(row: SqlRow): Parent {
  return {
    id: cell(row, "id") as number,
    runId: cell(row, "run_id") as string,
    status: cell(row, "status") as TaskStatus,
  };
}
