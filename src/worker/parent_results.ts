/**
 * The results of the tasks that a running one depends on, for its handler.
 */
import type { ParentResult, TaskQueue } from "../queue/task_queue.ts";

/** The outcomes of all parents of a task, read page by page. */
export async function allParentResults(
  queue: TaskQueue,
  taskId: number,
): Promise<ParentResult[]> {
  const results: ParentResult[] = [];
  for (;;) {
    const page = await queue.parentResults(taskId, { offset: results.length });
    if (page.length === 0) return results;
    results.push(...page);
  }
}
