/**
 * The children of a task: one page of them, by their ids.
 *
 * The index of dependencies has the children of a parent in the order of their ids for each state apart, so a page reads as many of
 * each state as it may have, however many children there are.
 */
import type { TaskStatus } from "../../domain/task.ts";
import type { Reader } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type { ChildTask } from "../../queue/children.ts";
import { DEPENDENCY_STATES } from "../../queue/records.ts";
import type { PreparedChildren } from "../../queue_policy/children_request.ts";

/** The statement; a test reads its plan. */
export const CHILDREN_SQL = `SELECT task.id, task.run_id, task.type, task.status
  FROM task_dependencies AS dependency INDEXED BY dependencies_by_parent
    CROSS JOIN task_queue AS task ON task.id = dependency.child_id
  WHERE dependency.parent_id = ? AND dependency.state = ? AND dependency.child_id > ?
  ORDER BY dependency.child_id LIMIT +?`;

/** A part of the tasks that depend on a task, in order of their ids. */
export function childrenPage(
  reader: Reader,
  parentId: number,
  { afterId, limit }: PreparedChildren,
): ChildTask[] {
  return DEPENDENCY_STATES
    .flatMap((state) => reader.read(CHILDREN_SQL, [parentId, state, afterId, limit]))
    .map(childOfRow)
    .sort((a, b) => a.taskId - b.taskId)
    .slice(0, limit);
}

function childOfRow([id, runId, type, status]: SqlRow): ChildTask {
  return {
    taskId: Number(id),
    runId: String(runId),
    type: String(type),
    status: status as TaskStatus,
  };
}
