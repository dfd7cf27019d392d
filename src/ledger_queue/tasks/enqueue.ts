/**
 * Enqueueing: a caller's wish becomes a row, or the row that its idempotency key names already.
 *
 * A batch is stored in its order, each task with the number of parents it has to wait for; only then, when every id is
 * known, are the dependencies written, and children of parents that have failed already are ended.
 */
import { QueueError } from "../../domain/errors.ts";
import { isSameJson } from "../../domain/json.ts";
import { isFinal, type TaskReference, type TaskStatus } from "../../domain/task.ts";
import type { Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type { BatchParent } from "../../queue_policy/cycle.ts";
import type { PreparedTask } from "../../queue_policy/new_task.ts";
import type { OperationContext } from "../rows/context.ts";
import { type InsertableTask, insertTask } from "../rows/insert_task.ts";
import { cell, oncePerRow, rowOfTask } from "../rows/task_row.ts";
import { noteTransition } from "../rows/transition_log.ts";
import { cancel } from "./cancel_retry.ts";
import { addDependency, dependenciesOf, type Dependency, stateFor } from "./dependencies.ts";
import { findParents, type Parentage } from "./parents.ts";
import { endByParent, propagate } from "./propagate.ts";
import { addWebhook } from "./webhooks.ts";

/** The row that stands for the task, and whether it is new. */
export interface Enqueued {
  readonly row: SqlRow;
  readonly created: boolean;
}

/**
 * Inserts each task, or finds the one that has its idempotency key.
 *
 * @throws QueueError `idempotency_conflict`, `run_id_conflict`, `unknown_parent`, `dependency_cycle`.
 */
export function enqueueAll(
  tx: Transaction,
  tasks: readonly PreparedTask[],
  context: OperationContext,
): Enqueued[] {
  const parentages = findParents(
    tx,
    tasks.map(({ runId, dependsOn, kept }) => ({
      runId,
      dependsOn,
      idempotencyKey: kept.idempotency_key,
    })),
  );
  const known = new Map<string, SqlRow>();
  const enqueued = tasks.map((task, i) => {
    const wanted = { ...task, waitsFor: countOpen(parentages[i]!) };
    const stored = enqueue(tx, wanted, { ...context, known });
    const { idempotency_key: key } = task.kept;
    if (key !== null) known.set(key, stored.row);
    return stored;
  });
  const stored = connect(tx, { tasks, parentages, enqueued }, context);
  return stored.map((each, i) => tasks[i]!.isCancelled ? cancelled(tx, each, context) : each);
}

/** A new task that is cancelled from the start. */
function cancelled(tx: Transaction, stored: Enqueued, context: OperationContext): Enqueued {
  if (!stored.created) return stored;
  cancel(tx, idOf(stored), context);
  return { ...stored, row: rowOfTask(tx, idOf(stored)) };
}

/** A batch whose rows are there. */
interface StoredBatch {
  readonly tasks: readonly PreparedTask[];
  readonly parentages: readonly Parentage[];
  readonly enqueued: readonly Enqueued[];
}

/** Writes the dependencies of the new tasks, checks those of the others, and ends children of parents that have failed. */
function connect(tx: Transaction, batch: StoredBatch, context: OperationContext): Enqueued[] {
  const ended = batch.enqueued.flatMap((stored, i) => {
    if (stored.created) return addParents(tx, i, batch, context);
    checkSameParents(tx, i, batch);
    return [];
  });
  if (ended.length === 0) return [...batch.enqueued];
  propagate(tx, ended, context);
  const rowNow = oncePerRow((row) => rowOfTask(tx, cell(row, "id") as number));
  return batch.enqueued.map(({ row, created }) => ({ row: rowNow(row), created }));
}

/** Writes the dependencies of a new task; its row if one of them ends it at once. */
function addParents(
  tx: Transaction,
  index: number,
  { tasks, parentages, enqueued }: StoredBatch,
  { nowMs }: OperationContext,
): SqlRow[] {
  const childId = idOf(enqueued[index]!);
  const onFailure = tasks[index]!.onParentFailure;
  let culprit: StoredTask | undefined;
  parentages[index]!.parents.forEach((each, position) => {
    const parent = storedTask(each, enqueued);
    const wanted = stateFor(parent.status, onFailure);
    const isCulprit = wanted === "ended_child" && culprit === undefined;
    if (isCulprit) culprit = parent;
    addDependency(tx, {
      childId,
      parentId: parent.id,
      parentRunId: parent.runId,
      position,
      onFailure,
      state: wanted === "ended_child" && !isCulprit ? "met" : wanted,
    });
  });
  if (culprit === undefined || onFailure === "run") return [];
  const { row } = enqueued[index]!;
  return [endByParent(tx, row, { parent: culprit, policy: onFailure, nowMs })];
}

/** A task in the queue, as far as a child needs it. */
interface StoredTask {
  readonly id: number;
  readonly runId: string;
  readonly status: TaskStatus;
}

/** A parent, now that every task of the batch has a row; a new one counts as queued until its children are notified. */
function storedTask(parent: BatchParent, enqueued: readonly Enqueued[]): StoredTask {
  if (!("index" in parent)) return parent;
  const { row } = enqueued[parent.index]!;
  return { id: cell(row, "id") as number, runId: cell(row, "run_id") as string, status: "queued" };
}

function countOpen({ parents }: Parentage): number {
  return parents.filter((parent) => "index" in parent || !isFinal(parent.status)).length;
}

/** A task under a known key must have the same parents, in any order. @throws QueueError `idempotency_conflict`. */
function checkSameParents(
  tx: Transaction,
  index: number,
  { tasks, parentages, enqueued }: StoredBatch,
): void {
  const { dependsOn, onParentFailure, kept } = tasks[index]!;
  const id = idOf(enqueued[index]!);
  const known = dependenciesOf(tx, id);
  if (known.length === 0 && dependsOn.length === 0) return;
  const { parents, gone } = parentages[index]!;
  const wanted = new Set<TaskReference>([
    ...parents.map((parent) => storedTask(parent, enqueued).id),
    ...gone.map((reference) => idOfPruned(reference, known) ?? reference),
  ]);
  const isSame = known.length === wanted.size &&
    known.every(({ parentId, onFailure }) => wanted.has(parentId) && onFailure === onParentFailure);
  if (!isSame) {
    throw keyConflict(kept.idempotency_key!, id, "with other parents or another onParentFailure");
  }
}

/** A pruned parent is known by its names only. */
function idOfPruned(reference: TaskReference, known: readonly Dependency[]): number | undefined {
  return known.find(({ parentId, parentRunId }) =>
    reference === parentId || reference === parentRunId
  )?.parentId;
}

function enqueue(
  tx: Transaction,
  task: PreparedTask & InsertableTask,
  { known, ...context }: OperationContext & { readonly known: ReadonlyMap<string, SqlRow> },
): Enqueued {
  const existing = findByKey(tx, task, known);
  if (existing !== undefined) return { row: existing, created: false };
  checkRunId(tx, task.runId);
  const row = insertTask(tx, task, context);
  const noted = { id: cell(row, "id") as number, nowMs: context.nowMs };
  noteTransition(tx, noted, "enqueued");
  if (task.leaseTo) {
    const { workerId: worker } = task.leaseTo;
    noteTransition(tx, noted, "leased", { worker, attempt: 1, durationMs: 0 });
  }
  if (task.webhook !== null) addWebhook(tx, cell(row, "id") as number, task.webhook);
  return { row, created: true };
}

function idOf({ row }: Enqueued): number {
  return cell(row, "id") as number;
}

/** A row that the batch has met is not read again: one key may name the same large task a thousand times. */
function findByKey(
  tx: Transaction,
  task: PreparedTask,
  known: ReadonlyMap<string, SqlRow>,
): SqlRow | undefined {
  const { idempotency_key: key } = task.kept;
  if (key === null) return undefined;
  const select = "SELECT * FROM task_queue WHERE idempotency_key = ?";
  const row = known.get(key) ?? tx.read(select, [key])[0];
  if (row === undefined || isSameContent(row, task)) return row;
  throw keyConflict(key, cell(row, "id") as number, "with another type or payload");
}

function keyConflict(key: string, taskId: number, difference: string): QueueError {
  return new QueueError(
    "idempotency_conflict",
    `Cannot enqueue under idempotency key ${
      JSON.stringify(key)
    }: task ${taskId} has it, ${difference}`,
  );
}

function isSameContent(row: SqlRow, task: PreparedTask): boolean {
  if (cell(row, "type") !== task.kept.type) return false;
  return isSameJson(cell(row, "payload") as string, task.payload);
}

function checkRunId(tx: Transaction, runId: string | null): void {
  if (runId === null) return;
  const [row] = tx.read("SELECT id FROM task_queue WHERE run_id = ?", [runId]);
  if (row === undefined) return;
  throw new QueueError(
    "run_id_conflict",
    `Cannot enqueue run ${JSON.stringify(runId)}: task ${row[0]} has this run id`,
  );
}
