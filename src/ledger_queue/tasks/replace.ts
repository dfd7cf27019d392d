/**
 * Replacing: another task with another payload takes the place of one that no worker holds, in one transaction.
 */
import type { TaskStatus } from "../../domain/task.ts";
import type { Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import { type KeptColumn, keptColumns } from "../../queue_policy/kept_fields.ts";
import {
  checkFollowing,
  FOLLOWING_MAX,
  type PreparedReplacement,
  replacedBy,
  replacementOf,
  standingOf,
} from "../../queue_policy/replacement.ts";
import type { OperationContext } from "../rows/context.ts";
import { insertTask } from "../rows/insert_task.ts";
import { orderingKeyOf } from "../rows/order.ts";
import { DEPENDENCY_TABLE, UNSETTLED_TABLE } from "../rows/schema.ts";
import { cell } from "../rows/cells.ts";
import { rowOfTask } from "../rows/task_row.ts";
import { noteTransition } from "../rows/transition_log.ts";
import { cancelRow } from "./cancel_retry.ts";
import { addDependency, childrenOf, dependenciesOf } from "./dependencies.ts";
import { checkRunId } from "./enqueue.ts";
import { editableOf } from "./update.ts";
import { addWebhook, removeWebhook, webhookOf } from "./webhooks.ts";

/** A task, and what is to take its place. */
export interface Replacing {
  readonly id: number;
  readonly replacement: PreparedReplacement;
}

/** A task that is there, and the one that takes its place. */
interface Pair {
  readonly old: SqlRow;
  readonly stored: SqlRow;
}

/** Stores the new task, and ends the old one if it was queued; the new row. @throws QueueError, RangeError, TypeError as `replacementOf`. */
export function replace(
  tx: Transaction,
  { id, replacement }: Replacing,
  context: OperationContext,
): SqlRow {
  const old = rowOfTask(tx, id);
  const status = cell(old, "status") as TaskStatus;
  const kept = keptColumns((column: KeptColumn) => cell(old, column));
  const uniqueKey = cell(old, "unique_key") as string | null;
  const orderingPlace = cell(old, "ordering_place") as number | null;
  const task = { ...editableOf(old), kept, uniqueKey, orderingPlace };
  const wanted = replacementOf(task, replacement, context.nowMs);
  checkRunId(tx, wanted.runId);
  const parents = dependenciesOf(tx, id).map((dependency) => {
    return { ...dependency, state: standingOf({ status, state: dependency.state }) };
  });
  const waitsFor = parents.filter(({ state }) => state === "open").length;
  const traceParent = cell(old, "trace_parent") as string | null;
  const stored = insertTask(tx, { ...wanted, waitsFor }, { ...context, traceParent });
  const childId = cell(stored, "id") as number;
  for (const parent of parents) addDependency(tx, { ...parent, childId });
  noteBoth(tx, { old, stored }, { by: replacement.by, nowMs: context.nowMs });
  passWebhook(tx, { old, stored });
  if (status === "queued") giveUp(tx, { old, stored }, { by: replacement.by, context });
  if (status === "failed" && orderingKeyOf(old) !== null) {
    // else it would hold up what comes after it, and the new one
    const reason = replacedBy(cell(stored, "run_id") as string);
    cancelRow(tx, { row: old, by: replacement.by, reason }, context);
  }
  return orderingKeyOf(stored) === null ? stored : rowOfTask(tx, childId);
}

/** The new one names the run that it replaces; one that stays as it is names the new one. */
function noteBoth(
  tx: Transaction,
  { old, stored }: Pair,
  { by, nowMs }: { readonly by: string | null; readonly nowMs: number },
): void {
  const who = { by: by ?? undefined };
  const causedBy = cell(old, "run_id") as string;
  noteTransition(tx, { id: cell(stored, "id") as number, nowMs }, "enqueued", { ...who, causedBy });
  if (cell(old, "status") === "queued") return;
  const to = cell(stored, "run_id") as string;
  const changes = { replaced_by: { from: null, to } };
  noteTransition(tx, { id: cell(old, "id") as number, nowMs }, "edited", { ...who, changes });
}

/** A queued task's webhook is to hear of the new one's end only. */
function passWebhook(tx: Transaction, { old, stored }: Pair): void {
  const oldId = cell(old, "id") as number;
  const webhook = webhookOf(tx, oldId);
  if (webhook === undefined) return;
  if (cell(old, "status") === "queued") removeWebhook(tx, oldId);
  addWebhook(tx, cell(stored, "id") as number, webhook);
}

/** Cancels the old task, whose children wait for the new one. */
function giveUp(
  tx: Transaction,
  { old, stored }: Pair,
  { by, context }: { readonly by: string | null; readonly context: OperationContext },
): void {
  const [oldId, parentId] = [old, stored].map((row) => cell(row, "id") as number);
  const parentRunId = cell(stored, "run_id") as string;
  const children = childrenOf(tx, oldId!, FOLLOWING_MAX + 1);
  checkFollowing(oldId!, children.length);
  for (const child of children) {
    tx.remove(DEPENDENCY_TABLE, [child.childId, oldId!]);
    addDependency(tx, { ...child, parentId: parentId!, parentRunId });
  }
  // children of a parent that was queued again and that were not told yet are told by the new one
  if (children.some(({ state }) => state !== "open")) {
    tx.insert(UNSETTLED_TABLE, { task_id: parentId!, since_utc: context.nowMs });
  }
  cancelRow(tx, { row: old, by, reason: replacedBy(parentRunId) }, context);
}
