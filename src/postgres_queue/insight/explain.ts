/**
 * Explaining: why a task is where it is, in one sentence and as data.
 *
 * A queued task is asked one question after the other, and the first that holds it back is the reason: are its parents
 * final, is it its turn under its ordering key, is it due, does a pause or a limit hold it back, does a worker live, has one a handler for its type, the capabilities it needs; then its place in their line (`place_in_line.ts`).
 */
import type { Task, TaskStatus } from "../../domain/task.ts";
import type { Explanation } from "../../queue/operator.ts";
import { inClosedQueue } from "../../queue_policy/closure.ts";
import {
  behindInOrder,
  finished,
  leased,
  notDue,
  type OpenParent,
  takersOf,
  waitingForParents,
  type Why,
  withExpiry,
} from "../../queue_policy/explanation.ts";
import { closureIn } from "../rows/closure.ts";
import type { Statements } from "../rows/database.ts";
import { soughtName } from "../rows/sought_name.ts";
import { SELECT_TASKS, STATUS, taskOfRow, type TaskRow, taskRows } from "../rows/task_row.ts";
import { lastTransitionOf, maxAttemptsOf } from "../rows/transition_log.ts";
import { predecessorOf } from "../tasks/order.ts";
import { whyHeldBack } from "./limits.ts";
import { inLine } from "./place_in_line.ts";
import { activeWorkers } from "./workers.ts";

/** The statements; a test reads their plans. */
export const EXPLAIN_SQL = {
  byId: `${SELECT_TASKS} where t.id = $1`,
  byRunId: `${SELECT_TASKS} where t.run_id = $1`,
  countParents: "select count(*) as count from @dependency where child_id = $1",
  openParents: `select t.id, t.run_id, ${STATUS} as status
    from @dependency d join @task t on t.id = d.parent_id left join @live v on v.id = t.id
    where d.child_id = $1 and d.state = 'open' order by d.position`,
} as const;

/** Why a task is where it is; `undefined` when there is none. */
export async function explain(
  tx: Statements,
  idOrRunId: number | string,
  nowMs: number,
): Promise<Explanation | undefined> {
  const { byId, byRunId } = EXPLAIN_SQL;
  const [row] = typeof idOrRunId === "number"
    ? await tx.query(byId, [idOrRunId])
    : await tx.query(byRunId, [soughtName(idOrRunId)]);
  if (row === undefined) return undefined;
  const [taskRow] = taskRows([row]);
  const stored = taskOfRow(taskRow!);
  const task = { ...stored, maxAttempts: await maxAttemptsOf(tx, stored) };
  const { reason, summary, data } = await whyOf({ tx, row: taskRow!, nowMs }, task);
  return { taskId: task.id, runId: task.runId, status: task.status, reason, summary, data };
}

/** What a task is asked with. */
interface Asking {
  readonly tx: Statements;
  readonly row: TaskRow;
  readonly nowMs: number;
}

async function whyOf(asking: Asking, task: Task): Promise<Why> {
  switch (task.status) {
    case "queued":
      return await queued(asking, task);
    case "leased":
      return leased(task, asking.nowMs);
    case "completed":
    case "failed":
    case "cancelled":
      return finished(task, task.status);
  }
}

async function queued(asking: Asking, task: Task): Promise<Why> {
  const closure = await closureIn(asking.tx);
  if (closure !== null) return inClosedQueue(task.id, closure);
  return withExpiry(await waiting(asking, task), task, asking.nowMs);
}

async function waiting({ tx, row, nowMs }: Asking, task: Task): Promise<Why> {
  if (task.waitsFor > 0) return await forTasks({ tx, row, nowMs }, task);
  if (task.runAfter.getTime() > nowMs) {
    const last = await lastTransitionOf(tx, task.id);
    return notDue(task, { isRetry: last?.kind === "retried", nowMs });
  }
  const held = await whyHeldBack(tx, task, nowMs);
  if (held !== undefined) return held;
  const found = takersOf(task, await activeWorkers(tx, nowMs));
  return "why" in found ? found.why : await inLine(tx, task, { workers: found.takers, nowMs });
}

/** Its parents come first, then what comes before it under its ordering key. */
async function forTasks({ tx, row, nowMs }: Asking, task: Task): Promise<Why> {
  const [[counted], open] = await Promise.all([
    tx.query(EXPLAIN_SQL.countParents, [task.id]),
    tx.query(EXPLAIN_SQL.openParents, [task.id]),
  ]);
  const parents = open.map(({ id, run_id, status }): OpenParent => ({
    taskId: Number(id),
    runId: String(run_id),
    status: status as TaskStatus,
  }));
  if (parents.length === 0 && row.is_behind === true) {
    const before = await predecessorOf(tx, row);
    if (before !== undefined) return behindInOrder(task, { ...before, nowMs });
  }
  return waitingForParents(task, { open: parents, count: Number(counted!.count) });
}
