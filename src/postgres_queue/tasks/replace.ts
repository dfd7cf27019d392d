/**
 * Replacing: another task with another payload takes the place of one that no worker holds, in one transaction.
 */
import { runIdConflict } from "../../queue_policy/enqueue_conflicts.ts";
import { keptColumns } from "../../queue_policy/kept_fields.ts";
import {
  checkFollowing,
  FOLLOWING_MAX,
  type PreparedReplacement,
  replacedBy,
  replacementOf,
  standingOf,
} from "../../queue_policy/replacement.ts";
import { nameOf } from "../../queue_policy/unique.ts";
import { newRow } from "../rows/new_row.ts";
import { SELECT_TASKS, taskNotFound, type TaskRow, taskRows } from "../rows/task_row.ts";
import type { Work } from "../rows/work.ts";
import { cancelRow, cancelTask } from "./cancel_retry.ts";
import { dependenciesOf } from "./dependencies.ts";
import { settleOrders } from "./order.ts";
import { lockKeys } from "./unique.ts";
import { editableOf } from "./update.ts";

/** A task, and what is to take its place: a run id is known before its answer comes. */
export interface Replacing {
  readonly id: number;
  readonly replacement: PreparedReplacement & { readonly runId: string };
}

/** A task that is there, and the one that takes its place. */
interface Pair {
  readonly old: TaskRow;
  readonly stored: TaskRow;
}

const REPLACE_SQL = {
  ofRun: `${SELECT_TASKS} where t.run_id = $1`,
  children: `select child_id from @dependency where parent_id = $1 order by child_id
    limit ${FOLLOWING_MAX + 1}`,
  /** `$1` is the task before, `$2` the new one, `$3` its run. */
  moveChildren: `update @dependency set parent_id = $2, parent_run_id = $3 where parent_id = $1`,
  /** Children of a parent that was queued again and that were not told yet are told by the new one. */
  unsettle: `insert into @unsettled (task_id, since) select $1, $2
    where exists (select from @dependency where parent_id = $1 and state <> 'open')`,
  hasWebhook: "select from @webhook where task_id = $1",
  copyWebhook: `insert into @webhook (task_id, url, events)
    select $2, url, events from @webhook where task_id = $1`,
  moveWebhook: "update @webhook set task_id = $2 where task_id = $1",
} as const;

/** Stores the new task, and ends the old one if it was queued; the new row. @throws QueueError, RangeError, TypeError as `replacementOf`. */
export async function replace(
  work: Work,
  { id, replacement }: Replacing,
  isRepeat: boolean,
): Promise<TaskRow> {
  const { runId, by } = replacement;
  const [known] = taskRows(await work.tx.query(REPLACE_SQL.ofRun, [runId]));
  if (known !== undefined && isRepeat) return known; // an earlier run was committed, and its answer lost
  if (known !== undefined) throw runIdConflict(runId, known.id);
  const old = await work.row(id);
  if (old === undefined) throw taskNotFound(id);
  if (old.unique_key !== null) await lockKeys(work, [nameOf(old.type, old.unique_key)]);
  const stored = await add(work, old, replacement);
  work.note(stored.id, "enqueued", { by: by ?? undefined, causedBy: old.run_id });
  await work.flush();
  if (old.status === "queued") {
    await giveUp(work, { old, stored }, by);
  } else {
    await work.tx.query(REPLACE_SQL.copyWebhook, [old.id, stored.id]);
    const changes = { replaced_by: { from: null, to: stored.run_id } };
    work.note(old.id, "edited", { by: by ?? undefined, changes });
    // else it would hold up what comes after it, and the new one
    const isHolding = old.status === "failed" && old.ordering_key !== null;
    if (isHolding) await cancelRow(work, old, { by, reason: replacedBy(stored.run_id) });
  }
  await work.flush();
  if (old.ordering_key !== null) work.unsettled.add(old.ordering_key);
  await settleOrders(work);
  return work.held(stored.id)!;
}

async function add(work: Work, old: TaskRow, replacement: PreparedReplacement): Promise<TaskRow> {
  const { tx, context } = work;
  const kept = keptColumns((column) => old[column]);
  const { id, status } = old;
  const task = {
    ...editableOf(old),
    kept,
    uniqueKey: old.unique_key,
    orderingPlace: old.ordering_place,
  };
  const wanted = replacementOf(task, replacement, context.nowMs);
  const parents = (await dependenciesOf(tx, id)).map((parent) => {
    return { ...parent, state: standingOf({ status, state: parent.state }) };
  });
  const hasWebhook = (await tx.query(REPLACE_SQL.hasWebhook, [id])).length > 0;
  const [newId] = await work.takeIds(1);
  const stored = work.add(newRow(context, wanted, {
    id: newId!,
    waitsFor: parents.filter(({ state }) => state === "open").length,
    traceParent: old.trace_parent,
    isFollowed: hasWebhook || status === "queued" && old.followed,
  }));
  for (const { parentId, parentRunId, position, onFailure, state } of parents) {
    work.addDependency({
      child_id: stored.id,
      parent_id: parentId,
      parent_run_id: parentRunId,
      position,
      on_failure: onFailure,
      state,
    });
  }
  return stored;
}

/** Cancels the old task, whose children wait for the new one; the webhook is to hear of the new one's end only. */
async function giveUp(work: Work, { old, stored }: Pair, by: string | null): Promise<void> {
  const { tx, context } = work;
  const children = await tx.query(REPLACE_SQL.children, [old.id]);
  checkFollowing(old.id, children.length);
  await work.rows(children.map(({ child_id }) => Number(child_id)));
  await tx.query(REPLACE_SQL.moveChildren, [old.id, stored.id, stored.run_id]);
  await tx.query(REPLACE_SQL.unsettle, [stored.id, context.nowMs]);
  await tx.query(REPLACE_SQL.moveWebhook, [old.id, stored.id]);
  await cancelTask(work, old, { by, reason: replacedBy(stored.run_id) });
}
