/**
 * Dependencies: which tasks a task waits for, one row for each.
 *
 * The rows of a task go when it goes. Those that name it as a parent stay, with its run id, so that a child's content and
 * results can still be told apart from another's when the parent has been pruned.
 */
import { isFinal, type ParentFailurePolicy, type TaskStatus } from "../../domain/task.ts";
import type { DependencyState } from "../../queue/records.ts";
import type { StoredParent } from "../../queue_policy/cycle.ts";
import type { KnownDependency } from "../../queue_policy/parents.ts";
import type { Statements } from "../rows/database.ts";
import { STATUS } from "../rows/task_row.ts";
import type { Work } from "../rows/work.ts";

/** A task that another waits for. */
export interface Dependency extends KnownDependency {
  /** Its place among the parents of the child, from 0. */
  readonly position: number;
  readonly state: DependencyState;
}

const DEPENDENCY_SQL = {
  ofChild: `select parent_id, parent_run_id, position, on_failure, state from @dependency
    where child_id = $1 order by position`,
  standings: `select d.parent_id, d.state, ${STATUS} as status
    from @dependency d left join @task t on t.id = d.parent_id left join @live v on v.id = t.id
    where d.child_id = $1`,
  failedOf: `select t.id, t.run_id, t.outcome as status
    from @dependency d join @task t on t.id = d.parent_id
    where d.child_id = $1 and d.on_failure <> 'run' and t.outcome in ('failed', 'cancelled')
    order by d.position limit 1`,
  openOf: `select d.child_id, count(*)::int as open from @dependency d
      join @task t on t.id = d.parent_id
    where d.child_id = any($1) and d.state = 'open' group by d.child_id`,
} as const;

/** The parents of a task, in its order. */
export async function dependenciesOf(
  statements: Statements,
  childId: number,
): Promise<Dependency[]> {
  const rows = await statements.query(DEPENDENCY_SQL.ofChild, [childId]);
  return rows.map((row) => ({
    parentId: Number(row.parent_id),
    parentRunId: String(row.parent_run_id),
    position: Number(row.position),
    onFailure: row.on_failure as ParentFailurePolicy,
    state: row.state as DependencyState,
  }));
}

/**
 * A task that is queued again by hand ignores how its parents ended, and waits for those that are not final. Where they are
 * is read from their rows: it may not have been told yet.
 */
export async function forgiveParents(work: Work, childId: number): Promise<void> {
  await work.flush();
  for (const row of await work.tx.query(DEPENDENCY_SQL.standings, [childId])) {
    const isOver = row.status === null || isFinal(row.status as TaskStatus);
    const wanted = isOver ? "met" : "open";
    if (row.state !== wanted) work.mark(childId, Number(row.parent_id), wanted);
  }
}

/** How many parents each of these tasks has to wait for. One that is gone holds up no task. */
export async function countOpenParents(
  work: Work,
  childIds: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  await work.flush();
  const rows = await work.tx.query(DEPENDENCY_SQL.openOf, [childIds]);
  return new Map(rows.map(({ child_id, open }) => [Number(child_id), Number(open)]));
}

/** The first of a task's parents, in its order, whose failure ends it. One that is gone no longer does. */
export async function failedParent(work: Work, childId: number): Promise<StoredParent | undefined> {
  await work.flush();
  const [row] = await work.tx.query(DEPENDENCY_SQL.failedOf, [childId]);
  if (row === undefined) return undefined;
  return { id: Number(row.id), runId: String(row.run_id), status: row.status as TaskStatus };
}
