/**
 * The rows of tags: one for each tag of each task, by which lists and bulk actions find tasks. A task without tags has none, and
 * costs nothing here.
 */
import { changedTags } from "../../queue_policy/tags.ts";
import type { TaskRow } from "./task_row.ts";

/** A row of `task_tag`. */
export interface TagRow {
  readonly tag: string;
  readonly task_id: number;
}

/** The statements: `$1` are tags and `$2` the ids of their tasks, one for each. */
export const TAG_SQL = {
  addTags: `insert into @task_tag (tag, task_id) select tag, task_id
    from unnest($1::text[], $2::bigint[]) as r(tag, task_id)`,
  removeTags: `delete from @task_tag g using unnest($1::text[], $2::bigint[]) as r(tag, task_id)
    where g.tag = r.tag and g.task_id = r.task_id`,
} as const;

/** What of tags has changed. */
export interface TagChanges {
  readonly removed: readonly TagRow[];
  readonly added: readonly TagRow[];
}

/** What has changed of the tags of tasks; those that are new had none. */
export function tagChangesOf(
  held: readonly { readonly stored: TaskRow | undefined; readonly row: TaskRow }[],
): TagChanges {
  const changes = held.flatMap(({ stored, row: { id, tags } }) => {
    const before = stored?.tags ?? null;
    return before === tags ? [] : [{ id, ...changedTags(before, tags) }];
  });
  return {
    removed: changes.flatMap(({ id, removed }) => tagRows(id, removed)),
    added: changes.flatMap(({ id, added }) => tagRows(id, added)),
  };
}

/** The rows of a task's tags. */
export function tagRows(taskId: number, tags: readonly string[]): TagRow[] {
  return tags.map((tag) => ({ tag, task_id: taskId }));
}

/** The parameters of a statement about these rows. */
export function tagParameters(rows: readonly TagRow[]): [tags: string[], ids: number[]] {
  return [rows.map(({ tag }) => tag), rows.map(({ task_id }) => task_id)];
}
