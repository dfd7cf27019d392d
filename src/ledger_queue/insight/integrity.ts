/**
 * Integrity: what rows of the queue can never be, whatever happened.
 */
import type { Reader } from "../../ledger/replica.ts";
import { type CountsOfType, countTasks, taskCounts } from "./task_counts.ts";

/** Each impossibility, and how many rows show it. */
const IMPOSSIBLE: Readonly<Record<string, string>> = Object.freeze({
  "leased tasks without a lease": `SELECT count(*) FROM task_queue WHERE status = 'leased'
      AND (lease_until_utc IS NULL OR locked_by IS NULL OR processing_started_utc IS NULL)`,
  "tasks with a lease that are not leased":
    "SELECT count(*) FROM task_queue WHERE status <> 'leased' AND lease_until_utc IS NOT NULL",
  "final tasks that never finished": `SELECT count(*) FROM task_queue
      WHERE status IN ('completed', 'failed', 'cancelled') AND finished_at_utc IS NULL`,
  "ready tasks that are not queued":
    "SELECT count(*) FROM task_queue WHERE is_ready = 1 AND status <> 'queued'",
  "tasks with more attempts than allowed":
    "SELECT count(*) FROM task_queue WHERE attempts > max_attempts OR attempts < 0",
  "queued tasks that wait for another number of parents than are not final":
    `SELECT count(*) FROM task_queue AS child WHERE status = 'queued' AND waits_for - ifnull(is_behind, 0) <>
      (SELECT count(*) FROM task_dependencies AS dependency JOIN task_queue AS parent ON parent.id = dependency.parent_id
        WHERE dependency.child_id = child.id AND dependency.state = 'open')`,
  "tasks that wait for parents and are not queued, or are ready":
    "SELECT count(*) FROM task_queue WHERE waits_for < 0 OR (waits_for > 0 AND (status <> 'queued' OR is_ready = 1))",
  "open dependencies on final tasks whose children have all been told":
    `SELECT count(*) FROM task_dependencies AS dependency JOIN task_queue AS parent ON parent.id = dependency.parent_id
      WHERE dependency.state = 'open' AND parent.status IN ('completed', 'failed', 'cancelled')
        AND parent.id NOT IN (SELECT task_id FROM unsettled_tasks)`,
  "tasks with a turn in no order": `SELECT count(*) FROM task_queue
      WHERE (is_behind IS NOT NULL) <> (ordering_key IS NOT NULL AND status IN ('queued', 'leased'))`,
  "leased tasks whose turn is another's":
    "SELECT count(*) FROM task_queue WHERE status = 'leased' AND is_behind = 1",
  "ordering keys with two turns": `SELECT count(*) FROM (SELECT 1 FROM task_queue
      WHERE ordering_key IS NOT NULL AND is_behind = 0 GROUP BY ordering_key HAVING count(*) > 1)`,
  "tasks that were passed over in their order": `SELECT count(*) FROM task_queue AS front
      WHERE ordering_key IS NOT NULL AND is_behind = 0 AND status = 'queued' AND EXISTS (SELECT 1 FROM task_queue AS other
        WHERE other.ordering_key = front.ordering_key AND (other.status IN ('queued', 'leased')
            OR (other.status = 'failed' AND front.on_predecessor_failure = 'hold'))
          AND (ifnull(other.ordering_place, other.id), other.id) < (ifnull(front.ordering_place, front.id), front.id))`,
  "ordering keys in which nobody has the turn": `SELECT count(*) FROM task_queue AS first
      WHERE ordering_key IS NOT NULL AND is_behind = 1 AND NOT EXISTS (SELECT 1 FROM task_queue AS other
        WHERE other.ordering_key = first.ordering_key AND (other.is_behind = 0
          OR ((other.status IN ('queued', 'leased') OR (other.status = 'failed' AND first.on_predecessor_failure = 'hold'))
            AND (ifnull(other.ordering_place, other.id), other.id) < (ifnull(first.ordering_place, first.id), first.id))))`,
  "groups with ready tasks that are in no turn": `SELECT count(*) FROM
      (SELECT DISTINCT type, compatibility, grp FROM task_queue WHERE is_ready = 1) AS task
      LEFT JOIN group_lanes AS own USING (type, compatibility, grp)
      WHERE own.is_active IS NOT 1 AND (task.grp <> '' OR EXISTS (SELECT 1 FROM group_lanes AS other
        WHERE other.type = task.type AND other.compatibility = task.compatibility))`,
  "groups in a turn without ready tasks": `SELECT count(*) FROM group_lanes AS own
      WHERE is_active = 1 AND NOT EXISTS (SELECT 1 FROM task_queue AS task WHERE is_ready = 1
        AND task.type = own.type AND task.compatibility = own.compatibility AND task.grp = own.grp)`,
  "tags without their row": `SELECT count(*) FROM task_queue AS task, json_each(task.tags) AS tag
      WHERE task.tags IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM task_tags AS own WHERE own.tag = tag.value AND own.task_id = task.id)`,
  "rows of tags that no task has": `SELECT count(*) FROM task_tags AS own
      WHERE NOT EXISTS (SELECT 1 FROM task_queue AS task, json_each(task.tags) AS tag
        WHERE task.id = own.task_id AND tag.value = own.tag)`,
  "dependencies of no task":
    "SELECT count(*) FROM task_dependencies WHERE child_id NOT IN (SELECT id FROM task_queue)",
  "webhooks of no task":
    "SELECT count(*) FROM task_webhooks WHERE task_id NOT IN (SELECT id FROM task_queue)",
  "transitions of no task":
    "SELECT count(*) FROM task_logs WHERE task_id NOT IN (SELECT id FROM task_queue)",
});

/** The problems of the rows, one sentence each. */
export function impossibleRows(reader: Reader): string[] {
  const problems = Object.entries(IMPOSSIBLE).flatMap(([what, select]) => {
    const count = Number(reader.read(select)[0]![0]);
    return count === 0 ? [] : [`there are ${count} ${what}`];
  });
  return [...problems, ...miscounts(reader)];
}

/** What is wrong with the counts that are kept, by a count of all tasks. */
export function miscounts(reader: Reader): string[] {
  const sorted = (counts: ReadonlyMap<string, CountsOfType>): string =>
    JSON.stringify([...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  const isRight = sorted(taskCounts(reader)) === sorted(countTasks(reader).byType);
  return isRight ? [] : ["the counts that are kept are not those of the tasks"];
}
