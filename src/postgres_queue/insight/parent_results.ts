/**
 * What became of a task's parents.
 */
import type { ParentResult } from "../../queue/task_queue.ts";
import { beginOf, type PreparedPart } from "../../queue_policy/page_request.ts";
import type { Statements } from "../rows/database.ts";
import { fitting } from "../rows/page.ts";
import { STATUS, taskNotFound } from "../rows/task_row.ts";
import { dependenciesOf } from "../tasks/dependencies.ts";

const PARENT_SQL = {
  exists: "select id from @task where id = $1",
  lengths: "select id, coalesce(length(result), 0) as length from @task where id = any($1)",
  /** A parent that was pruned has no row. */
  results: `select d.parent_id, d.parent_run_id, lane.type, ${STATUS} as status, t.result,
      coalesce(v.error_message, t.error_message) as error_message
    from @dependency d left join @task t on t.id = d.parent_id left join @live v on v.id = t.id
      left join @lane lane on lane.lane_id = t.lane_id
    where d.child_id = $1 and d.parent_id = any($2) order by d.position`,
} as const;

/** A part of a task's parents, in its order. Fewer, one at least, when their results are large. @throws QueueError `task_not_found`. */
export async function parentResults(
  tx: Statements,
  childId: number,
  part: PreparedPart,
): Promise<ParentResult[]> {
  const [found] = await tx.query(PARENT_SQL.exists, [childId]);
  if (found === undefined) throw taskNotFound(childId);
  const parents = await dependenciesOf(tx, childId);
  const begin = beginOf(part, parents.length);
  const ids = parents.slice(begin, begin + part.limit).map(({ parentId }) => parentId);
  const page = await fittingParents(tx, ids);
  const rows = await tx.query(PARENT_SQL.results, [childId, page]);
  return rows.map((row) => ({
    taskId: Number(row.parent_id),
    runId: String(row.parent_run_id),
    type: row.type as string | null,
    status: (row.status ?? "pruned") as ParentResult["status"],
    result: typeof row.result === "string" ? JSON.parse(row.result) : null,
    errorMessage: row.error_message as string | null,
  }));
}

/** The first of these, as many as one page takes. */
async function fittingParents(tx: Statements, ids: readonly number[]): Promise<number[]> {
  const rows = await tx.query(PARENT_SQL.lengths, [ids]);
  const lengths = new Map(rows.map(({ id, length }) => [Number(id), Number(length)]));
  return fitting(ids.map((id) => ({ key: id, length: lengths.get(id) ?? 0 })));
}
