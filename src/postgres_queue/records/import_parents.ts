/**
 * Parents of imported tasks: new themselves, here already, or gone. Those that are here are locked, so that none can end
 * without hearing of its new child.
 */
import { isFinal } from "../../domain/task.ts";
import { type KnownIds, parentIdHere } from "../../queue_policy/import_plan.ts";
import type { PreparedRecord } from "../../queue_policy/task_record.ts";
import type { Statements } from "../rows/database.ts";
import type { TaskRow } from "../rows/task_row.ts";
import { prunedIds } from "../rows/used_ids.ts";
import { type NewDependency, RunAgainError, type Work } from "../rows/work.ts";
import { idsByRunId } from "./known_tasks.ts";
import { parts } from "./parts.ts";

/** Which ids of the file mean the same task here. */
interface Keeping {
  readonly renumber: boolean;
  /** The last id that means the same, if it is not another task's. */
  readonly lastKept: number;
}

const PARENT_SQL = {
  /** `$1` are ids. */
  there: "select id from @task where id = any($1)",
} as const;

/** The parents of the tasks of one import. */
export class ImportParents {
  readonly #additions: readonly PreparedRecord[];
  readonly #withChildren: ReadonlySet<number>;
  /** The ids that tasks have here which are over although a new one waits for them. */
  readonly #over: Set<number>;
  #ids: KnownIds;

  /** `ids` are those that the new tasks have here, in their order. */
  constructor(additions: readonly PreparedRecord[], ids: readonly number[]) {
    const added = new Map(additions.map(({ id }, i) => [id, ids[i]!]));
    this.#additions = additions;
    this.#ids = { added, byRunId: () => undefined, isKept: () => false };
    this.#withChildren = new Set(
      additions.flatMap(({ parents }) => parents.map(({ taskId }) => taskId)),
    );
    const awaited = additions.flatMap(({ parents }) =>
      parents.flatMap(({ taskId, state }) => state === "open" ? taskId : [])
    );
    const final = new Set(additions.flatMap(({ id, status }) => isFinal(status) ? id : []));
    this.#over = new Set(awaited.filter((id) => final.has(id)).map((id) => added.get(id)!));
  }

  /** The id that a new task has here. */
  idOf({ id }: PreparedRecord): number {
    return this.#ids.added.get(id)!;
  }

  /** Whether a new task has children among the new ones. */
  hasChildren({ id }: PreparedRecord): boolean {
    return this.#withChildren.has(id);
  }

  /** Finds and locks the parents that are not new. */
  async find(work: Work, keeping: Keeping): Promise<void> {
    const { added } = this.#ids;
    const others = this.#additions.flatMap(({ parents }) =>
      parents.filter(({ taskId }) => !added.has(taskId))
    );
    if (others.length === 0) return;
    const here = await idsByRunId(work.tx, others.map(({ runId }) => runId));
    await this.#lock(work, [...here.values()]);
    const gone = others.flatMap(({ runId, taskId }) =>
      taskId > 0 && !here.has(runId) ? taskId : []
    );
    const kept = await keptIds(work.tx, gone, keeping);
    this.#ids = {
      added,
      byRunId: (runId) => here.get(runId),
      isKept: (id) => kept.has(id),
    };
  }

  /** The dependencies of a new task, in its order. */
  dependenciesOf(record: PreparedRecord): NewDependency[] {
    return record.parents.map((parent, position) => ({
      child_id: this.idOf(record),
      parent_id: parentIdHere(parent, position, this.#ids),
      parent_run_id: parent.runId,
      position,
      on_failure: parent.onFailure,
      state: parent.state,
    }));
  }

  /** The parents that are over although a new task waits for them, locked. */
  async over(work: Work): Promise<TaskRow[]> {
    const ids = [...this.#over].sort((a, b) => a - b);
    return ids.length === 0 ? [] : await work.rows(ids);
  }

  async #lock(work: Work, ids: readonly number[]): Promise<void> {
    const sorted = [...new Set(ids)].sort((a, b) => a - b);
    for (const part of parts(sorted)) {
      const rows = await work.rows(part);
      if (rows.length < part.length) throw new RunAgainError("a parent was pruned meanwhile");
      for (const row of rows) {
        if (isFinal(row.status)) this.#over.add(row.id);
        else if (!row.followed) work.change(row, { followed: true });
      }
    }
  }
}

/** Those of these ids of parents that are gone that no task has here, nor will. */
async function keptIds(
  tx: Statements,
  ids: readonly number[],
  { renumber, lastKept }: Keeping,
): Promise<ReadonlySet<number>> {
  const kept = new Set<number>();
  if (renumber) return kept;
  for (const part of parts([...new Set(ids)])) {
    const rows = await tx.query(PARENT_SQL.there, [part]);
    const there = new Set(rows.map(({ id }) => Number(id)));
    const free = part.filter((id) => !there.has(id));
    const pruned = await prunedIds(tx, free.filter((id) => id > lastKept));
    for (const id of free) {
      if (id <= lastKept || pruned.has(id)) kept.add(id);
    }
  }
  return kept;
}
