/**
 * The rows of tags: one for each tag of each task, by which lists and bulk actions find tasks. They follow the task's own column in
 * the transaction that changes it. A task without tags has none, and costs nothing here.
 */
import type { Transaction } from "../../ledger/replica.ts";
import { changedTags } from "../../queue_policy/tags.ts";
import { TAG_TABLE } from "./schema.ts";

/** Makes a task's rows those of its column, as it was and as it is. */
export function followTags(
  tx: Transaction,
  taskId: number,
  { before, after }: { readonly before: string | null; readonly after: string | null },
): void {
  if (before === after) return;
  const { removed, added } = changedTags(before, after);
  for (const tag of removed) tx.remove(TAG_TABLE, [tag, taskId]);
  for (const tag of added) tx.insert(TAG_TABLE, { tag, task_id: taskId });
}
