/**
 * Enqueueing: a caller's wish becomes a row, or the row that its idempotency key names already.
 *
 * A batch is stored in its order, each task with the number of parents it has to wait for; only then, when every id is
 * known, are the dependencies written, and children of parents that have failed already are ended.
 */
import type { TaskStatus } from "../../domain/task.ts";
import type { EnqueueOutcome } from "../../domain/unique.ts";
import { hasExpiredBy } from "../../domain/readiness.ts";
import type { Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type { BatchParent } from "../../queue_policy/cycle.ts";
import {
  checkSameContent,
  keyConflict,
  type KeyedContent,
  runIdConflict,
} from "../../queue_policy/enqueue_conflicts.ts";
import type { PreparedTask } from "../../queue_policy/new_task.ts";
import {
  countOpen,
  findParents,
  type FindStored,
  isSameParentage,
  type Parentage,
  stateFor,
} from "../../queue_policy/parents.ts";
import { findJoined, firstDueOf } from "../../queue_policy/unique.ts";
import { charge } from "../rows/buckets.ts";
import type { OperationContext } from "../rows/context.ts";
import { flowOf } from "../rows/flow_rows.ts";
import { type InsertableTask, insertTask } from "../rows/insert_task.ts";
import { cell } from "../rows/cells.ts";
import { canLead } from "../rows/order.ts";
import { oncePerRow, placeOf, rowOfTask } from "../rows/task_row.ts";
import { noteTransition } from "../rows/transition_log.ts";
import { cancel } from "./cancel_retry.ts";
import { addDependency, dependenciesOf } from "./dependencies.ts";
import { endByParent, propagate } from "./propagate.ts";
import { hasRoom } from "./claim.ts";
import { holderOf, standIn } from "./unique.ts";
import { addWebhook } from "./webhooks.ts";

/** The row that stands for the task, and why that one. */
export interface Enqueued {
  readonly row: SqlRow;
  readonly created: boolean;
  readonly outcome: EnqueueOutcome;
}

/**
 * Inserts each task, or finds the one that has its idempotency key, or stands for it under its unique key.
 *
 * @throws QueueError `idempotency_conflict`, `run_id_conflict`, `unknown_parent`, `dependency_cycle`.
 */
export function enqueueAll(
  tx: Transaction,
  tasks: readonly PreparedTask[],
  context: OperationContext,
): Enqueued[] {
  const joined = findJoined(tasks, (type, key) => holderOf(tx, type, key), context.nowMs);
  const named = tasks.map(({ runId, dependsOn, kept }, i) => ({
    runId,
    dependsOn,
    idempotencyKey: kept.idempotency_key,
    orderingKey: kept.ordering_key,
    standIn: joined[i]?.place,
  }));
  const parentages = findParents(named, storedIn(tx));
  const known = new Map<string, SqlRow>();
  const enqueued: Enqueued[] = [];
  tasks.forEach((task, i) => {
    const join = joined[i];
    if (join !== undefined) {
      const { place, dueAtMs } = join;
      const id = "index" in place ? idOf(enqueued[place.index]!) : place.id;
      enqueued.push(standIn(tx, { task, id, dueAtMs }, context));
      return;
    }
    const wanted = { ...task, waitsFor: countOpen(parentages[i]!) };
    const stored = enqueue(tx, wanted, { ...context, known });
    const { idempotency_key: key } = task.kept;
    if (key !== null) known.set(key, stored.row);
    enqueued.push(stored);
  });
  const stored = connect(tx, { tasks, parentages, enqueued }, context);
  return stored.map((each, i) => tasks[i]!.isCancelled ? cancelled(tx, each, context) : each);
}

/** A new task that is cancelled from the start. */
function cancelled(tx: Transaction, stored: Enqueued, context: OperationContext): Enqueued {
  if (!stored.created) return stored;
  cancel(tx, { id: idOf(stored), by: null }, context);
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
    if (stored.outcome === "existing") checkSameParents(tx, i, batch);
    return [];
  });
  if (ended.length > 0) propagate(tx, ended, context);
  const hasReplaced = batch.enqueued.some(({ outcome }) => outcome === "replaced");
  if (ended.length === 0 && !hasReplaced) return [...batch.enqueued];
  const rowNow = oncePerRow((row) => rowOfTask(tx, cell(row, "id") as number));
  return batch.enqueued.map((each) => ({ ...each, row: rowNow(each.row) }));
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
  const parentIds = parents.map((parent) => storedTask(parent, enqueued).id);
  if (isSameParentage(known, { parentIds, gone, onParentFailure })) return;
  throw keyConflict(kept.idempotency_key!, id, "with other parents or another onParentFailure");
}

function enqueue(
  tx: Transaction,
  task: PreparedTask & InsertableTask,
  { known, ...context }: OperationContext & { readonly known: ReadonlyMap<string, SqlRow> },
): Enqueued {
  const existing = findByKey(tx, task, known);
  if (existing !== undefined) return { row: existing, created: false, outcome: "existing" };
  checkRunId(tx, task.runId);
  const { nowMs, causedBy } = context;
  const leaseTo = mayStart(tx, task, nowMs) ? task.leaseTo : null;
  const row = insertTask(tx, { ...task, ...firstDueOf(task, nowMs), leaseTo }, context);
  const noted = { id: cell(row, "id") as number, nowMs };
  noteTransition(tx, noted, "enqueued", { causedBy });
  if (leaseTo !== null) {
    const { workerId: worker } = leaseTo;
    noteTransition(tx, noted, "leased", { worker, attempt: 1, durationMs: 0 });
    charge(tx, { flow: flowOf(tx), started: [placeOf(row)], nowMs });
  }
  if (task.webhook !== null) addWebhook(tx, cell(row, "id") as number, task.webhook);
  return { row, created: true, outcome: "created" };
}

/** Whether a task that is to be leased from the start may be. */
function mayStart(tx: Transaction, { leaseTo, kept }: PreparedTask, nowMs: number): boolean {
  return leaseTo !== null && !hasExpiredBy(kept.expires_at, nowMs) && canLead(tx, kept) &&
    hasRoom(tx, kept, nowMs);
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
  if (row !== undefined) checkSameContent(contentOf(row), task);
  return row;
}

function contentOf(row: SqlRow): KeyedContent {
  return {
    id: cell(row, "id") as number,
    type: cell(row, "type") as string,
    payload: cell(row, "payload") as string,
  };
}

function storedIn(tx: Transaction): FindStored {
  return (column, value) => {
    const select = `SELECT id, run_id, status FROM task_queue WHERE ${column} = ?`;
    const [row] = tx.read(select, [value]);
    return row && { id: Number(row[0]), runId: String(row[1]), status: row[2] as TaskStatus };
  };
}

/** A run id names one task only. @throws QueueError `run_id_conflict`. */
export function checkRunId(tx: Transaction, runId: string | null): void {
  if (runId === null) return;
  const [row] = tx.read("SELECT id FROM task_queue WHERE run_id = ?", [runId]);
  if (row !== undefined) throw runIdConflict(runId, Number(row[0]));
}
