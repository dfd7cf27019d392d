/**
 * Removal: a task goes for good, with its transitions and log. One with a child that is not final stays: the child may ask for its
 * result.
 */
import type { AskedByHand } from "../../queue_policy/changed_by.ts";
import { checkRemovable } from "../../queue_policy/removal.ts";
import { isFinalRow, taskNotFound } from "../rows/task_row.ts";
import type { Work } from "../rows/work.ts";
import { cancelTask } from "./cancel_retry.ts";
import { removeTasks } from "./prune.ts";

const REMOVE_SQL = {
  /** The first of its children that are not final. */
  waitingChild: `select d.child_id from @dependency d join @live v on v.id = d.child_id
    where d.parent_id = $1 limit 1`,
} as const;

/**
 * Deletes a final task, or cancels a queued one, which is then to be deleted by another transaction: so everybody hears of its
 * end. Whether it is gone. @throws QueueError `task_not_found`, and as `checkRemovable`.
 */
export async function remove(work: Work, { id, by }: AskedByHand): Promise<boolean> {
  const row = await work.row(id);
  if (row === undefined) throw taskNotFound(id);
  const [child] = await work.tx.query(REMOVE_SQL.waitingChild, [id]);
  const waitingChild = child && Number(child.child_id);
  checkRemovable({ id, status: row.status, waitingChild });
  if (isFinalRow(row)) {
    await removeTasks(work, [id]);
    return true;
  }
  await cancelTask(work, row, { by });
  await work.flush();
  return false;
}
