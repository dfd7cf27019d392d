/**
 * Dependencies: which tasks a task waits for, one row for each.
 *
 * The rows of a task go when it goes. Those that name it as a parent stay, with its run id, so that a child's content and
 * results can still be told apart from another's when the parent has been pruned.
 */
import { lazyMap } from "../../domain/sequences.ts";
import { isFinal, type ParentFailurePolicy, type TaskStatus } from "../../domain/task.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import { beginOf, type PreparedPart } from "../../queue_policy/page_request.ts";
import { fillPage } from "../rows/page.ts";
import { DEPENDENCY_TABLE } from "../rows/schema.ts";
import type { DependencyState } from "../../queue/records.ts";
import type { ParentResult } from "../../queue/task_queue.ts";

/** A task that another waits for. */
export interface Dependency {
  readonly childId: number;
  readonly parentId: number;
  readonly parentRunId: string;
  /** Its place among the parents of the child, from 0. */
  readonly position: number;
  readonly onFailure: ParentFailurePolicy;
  readonly state: DependencyState;
}

/** A parent, and where it is. */
export interface ParentStanding {
  readonly taskId: number;
  readonly runId: string;
  readonly status: TaskStatus;
}

/** The statements; a test reads their plans. */
export const DEPENDENCY_SQL = {
  one: "SELECT * FROM task_dependencies WHERE child_id = ? AND parent_id = ?",
  ofChild: `SELECT child_id, parent_id, parent_run_id, position, on_failure, state
    FROM task_dependencies WHERE child_id = ?`,
  /** Left join: a pruned parent has no row. */
  ofParent: `SELECT child_id, parent_id, parent_run_id, position, on_failure, state
    FROM task_dependencies INDEXED BY dependencies_by_parent WHERE parent_id = ? LIMIT +?`,
  standings: `SELECT dependency.parent_id, dependency.state, parent.status
    FROM task_dependencies AS dependency LEFT JOIN task_queue AS parent ON parent.id = dependency.parent_id
    WHERE dependency.child_id = ?`,
  failedOf: `SELECT parent.id, parent.run_id, parent.status, dependency.position
    FROM task_dependencies AS dependency JOIN task_queue AS parent ON parent.id = dependency.parent_id
    WHERE dependency.child_id = ? AND dependency.on_failure <> 'run' AND parent.status IN ('failed', 'cancelled')`,
  openOf: `SELECT parent.id, parent.run_id, parent.status
    FROM task_dependencies AS dependency JOIN task_queue AS parent ON parent.id = dependency.parent_id
    WHERE dependency.child_id = ? AND dependency.state = 'open'`,
  /** Left join: a pruned parent has no row. */
  result: `SELECT dependency.parent_id, dependency.parent_run_id, parent.type, parent.status,
      parent.result, parent.error_message
    FROM task_dependencies AS dependency LEFT JOIN task_queue AS parent ON parent.id = dependency.parent_id
    WHERE dependency.child_id = ? AND dependency.parent_id = ?`,
  openChildren:
    `SELECT child_id, on_failure, state FROM task_dependencies INDEXED BY dependencies_by_parent
    WHERE parent_id = ? AND state = 'open' LIMIT +?`,
  /** Those of a parent that completed; one that has ended the child was not told in time that the parent had been queued again. */
  unmetChildren:
    `SELECT child_id, on_failure, state FROM task_dependencies INDEXED BY dependencies_by_parent
    WHERE parent_id = ? AND state IN ('open', 'ended_child') LIMIT +?`,
  closedChildren:
    `SELECT child_id, on_failure, state FROM task_dependencies INDEXED BY dependencies_by_parent
    WHERE parent_id = ? AND state IN ('met', 'ended_child') LIMIT +?`,
} as const;

/** Notes that a task waits for another. */
export function addDependency(tx: Transaction, dependency: Dependency): void {
  const { childId, parentId, parentRunId, position, onFailure, state } = dependency;
  tx.insert(DEPENDENCY_TABLE, {
    child_id: childId,
    parent_id: parentId,
    parent_run_id: parentRunId,
    position,
    on_failure: onFailure,
    state,
  });
}

/** Notes how a child stands to a parent now. */
export function markDependency(
  tx: Transaction,
  { childId, parentId }: Pick<Dependency, "childId" | "parentId">,
  state: DependencyState,
): void {
  const [row] = tx.read(DEPENDENCY_SQL.one, [childId, parentId]);
  tx.update(DEPENDENCY_TABLE, row!, { state });
}

/**
 * A task that is queued again by hand ignores how its parents ended, and waits for those that are not final. Where
 * they are is read from their rows: it may not have been told yet.
 */
export function forgiveParents(tx: Transaction, childId: number): void {
  for (const [parentId, state, status] of tx.read(DEPENDENCY_SQL.standings, [childId])) {
    const isOver = status === null || isFinal(status as TaskStatus);
    const wanted = isOver ? "met" : "open";
    if (state !== wanted) markDependency(tx, { childId, parentId: Number(parentId) }, wanted);
  }
}

/** The rows of a task that goes go too. */
export function removeDependencies(tx: Transaction, childId: number): void {
  for (const { parentId } of dependenciesOf(tx, childId)) {
    tx.remove(DEPENDENCY_TABLE, [childId, parentId]);
  }
}

/** The parents of a task, in its order. */
export function dependenciesOf(reader: Reader, childId: number): Dependency[] {
  return reader.read(DEPENDENCY_SQL.ofChild, [childId]).map(dependencyOfRow)
    .sort((a, b) => a.position - b.position);
}

/** The tasks that depend on one, in no order; at most so many. */
export function childrenOf(reader: Reader, parentId: number, limit: number): Dependency[] {
  return reader.read(DEPENDENCY_SQL.ofParent, [parentId, limit]).map(dependencyOfRow);
}

/** The parents that a task has to wait for. One that is gone (a repair can lose it) holds up no task. */
export function openParents(reader: Reader, childId: number): ParentStanding[] {
  return reader.read(DEPENDENCY_SQL.openOf, [childId]).map(([id, runId, status]) => ({
    taskId: Number(id),
    runId: String(runId),
    status: status as TaskStatus,
  }));
}

/** The first of a task's parents, in its order, whose failure ends it. One that is gone no longer does. */
export function failedParent(reader: Reader, childId: number): ParentStanding | undefined {
  const [first] = reader.read(DEPENDENCY_SQL.failedOf, [childId])
    .sort((a, b) => Number(a[3]) - Number(b[3]));
  if (first === undefined) return undefined;
  const [id, runId, status] = first;
  return { taskId: Number(id), runId: String(runId), status: status as TaskStatus };
}

/** What became of a part of a task's parents, in its order. Fewer, one at least, when their results are large. */
export function parentResults(reader: Reader, childId: number, part: PreparedPart): ParentResult[] {
  const parents = dependenciesOf(reader, childId);
  const begin = beginOf(part, parents.length);
  const rows = lazyMap(
    parents.slice(begin, begin + part.limit),
    ({ parentId }) => reader.read(DEPENDENCY_SQL.result, [childId, parentId])[0]!,
  );
  return fillPage(rows).map(([id, runId, type, status, result, errorMessage]) => ({
    taskId: Number(id),
    runId: String(runId),
    type: type as string | null ?? null,
    status: (status ?? "pruned") as ParentResult["status"],
    result: typeof result === "string" ? JSON.parse(result) : null,
    errorMessage: errorMessage as string | null ?? null,
  }));
}

function dependencyOfRow(row: SqlRow): Dependency {
  const [childId, parentId, parentRunId, position, onFailure, state] = row;
  return {
    childId: Number(childId),
    parentId: Number(parentId),
    parentRunId: String(parentRunId),
    position: Number(position),
    onFailure: onFailure as ParentFailurePolicy,
    state: state as DependencyState,
  };
}
