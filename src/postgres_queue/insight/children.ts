/**
 * The children of a task: one page of them, by their ids.
 *
 * The index of dependencies has the children of a parent in the order of their ids for each state apart, so a page reads as many of
 * each state as it may have, however many children there are.
 */
import type { TaskStatus } from "../../domain/task.ts";
import type { ChildTask } from "../../queue/children.ts";
import { DEPENDENCY_STATES } from "../../queue/records.ts";
import type { PreparedChildren } from "../../queue_policy/children_request.ts";
import type { Statements } from "../rows/database.ts";
import { STATUS, taskNotFound } from "../rows/task_row.ts";

/** The statements; `$1` is the parent, `$2` behind which id, `$3` how many. A test reads their plans. */
export const CHILDREN_SQL = {
  exists: "select id from @task where id = $1",
  page: `with child as materialized (
      select id from (${DEPENDENCY_STATES.map(ofState).join(" union all ")}) as found
      order by id limit $3)
    select t.id, t.run_id, lane.type, ${STATUS} as status
    from child join @task t using (id) join @lane lane on lane.lane_id = t.lane_id
      left join @live v on v.id = t.id
    order by t.id`,
} as const;

function ofState(state: string): string {
  return `(select child_id as id from @dependency
    where parent_id = $1 and state = '${state}' and child_id > $2 order by child_id limit $3)`;
}

/** A part of the tasks that depend on a task, in order of their ids. @throws QueueError `task_not_found`. */
export async function childrenPage(
  tx: Statements,
  parentId: number,
  { afterId, limit }: PreparedChildren,
): Promise<ChildTask[]> {
  const [[found], rows] = await Promise.all([
    tx.query(CHILDREN_SQL.exists, [parentId]),
    tx.query(CHILDREN_SQL.page, [parentId, afterId, limit]),
  ]);
  if (found === undefined) throw taskNotFound(parentId);
  return rows.map(({ id, run_id, type, status }) => ({
    taskId: Number(id),
    runId: String(run_id),
    type: String(type),
    status: status as TaskStatus,
  }));
}
