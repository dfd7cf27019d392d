/**
 * The parents of a batch's tasks, found before any of them is stored: tasks that are there already, or others of
 * the batch, earlier or later. A batch whose new tasks would wait for each other for ever is refused.
 */
import { checkInteger } from "../domain/check.ts";
import { QueueError } from "../domain/errors.ts";
import {
  isFinal,
  type ParentFailurePolicy,
  TASK_LIMITS,
  type TaskReference,
  type TaskStatus,
} from "../domain/task.ts";
import type { DependencyState } from "../queue/records.ts";
import {
  type BatchParent,
  type BatchTask,
  checkNoCycle,
  predecessorsIn,
  type StoredParent,
} from "./cycle.ts";

/** A column by which a task can be named. */
export type NamingColumn = "id" | "run_id" | "idempotency_key";

/** Finds the task that is stored with this value. */
export type FindStored = (column: NamingColumn, value: TaskReference) => StoredParent | undefined;

/** A task of the batch: new at this place, or another name of one that is there, or of one before it. */
type Place = BatchParent;

/** The parents of a task of the batch. */
export interface Parentage {
  /** Each once. */
  readonly parents: readonly BatchParent[];
  /** References to tasks that are not there; only a task under a known key may have some, they may have been pruned. */
  readonly gone: readonly TaskReference[];
}

const NO_PARENTS: Parentage = Object.freeze({ parents: [], gone: [] });

/**
 * The parents of each task of a batch.
 *
 * @throws QueueError `unknown_parent`, `dependency_cycle`. @throws RangeError when they are too many.
 */
export function findParents(
  tasks: readonly BatchTask[],
  findStored: FindStored,
): readonly Parentage[] {
  const total = tasks.reduce((sum, { dependsOn }) => sum + dependsOn.length, 0);
  if (total === 0) return tasks.map(() => NO_PARENTS);
  checkInteger(total, "number of parents in a batch", 0, TASK_LIMITS.parentsBatchMax);
  const places = placesOf(tasks, findStored);
  const find = finder(tasks, places, findStored);
  const isNew = (i: number): boolean => isNewAt(places[i]!, i);
  const parentages = tasks.map(({ dependsOn }, i) => {
    const found = dependsOn.map((reference) => ({ reference, parent: find(reference) }));
    const gone = found.filter(({ parent }) => parent === undefined).map(({ reference }) =>
      reference
    );
    if (gone.length > 0 && isNew(i)) throw unknownParent(gone[0]!);
    return { parents: distinct(found.flatMap(({ parent }) => parent ?? [])), gone };
  });
  const before = predecessorsIn(tasks, isNew);
  checkNoCycle(
    tasks,
    parentages.map(({ parents }, i) => isNew(i) ? [...parents, ...before[i]!] : []),
  );
  return parentages;
}

function placesOf(tasks: readonly BatchTask[], findStored: FindStored): Place[] {
  const firstOfKey = new Map<string, Place>();
  return tasks.map(({ idempotencyKey, standIn }, index) => {
    if (standIn !== undefined) return standIn;
    if (idempotencyKey === null) return { index };
    const known = firstOfKey.get(idempotencyKey) ??
      findStored("idempotency_key", idempotencyKey) ?? { index };
    firstOfKey.set(idempotencyKey, known);
    return known;
  });
}

/** Finds what a reference names: a run id is first looked for in the batch. */
function finder(
  tasks: readonly BatchTask[],
  places: readonly Place[],
  findStored: FindStored,
): (reference: TaskReference) => BatchParent | undefined {
  const byRunId = new Map<string, Place>();
  tasks.forEach(({ runId }, i) => {
    if (runId !== null && !byRunId.has(runId)) byRunId.set(runId, places[i]!);
  });
  const known = new Map<TaskReference, BatchParent | undefined>();
  return (reference) => {
    if (typeof reference === "string" && byRunId.has(reference)) return byRunId.get(reference);
    if (!known.has(reference)) {
      const column = typeof reference === "string" ? "run_id" : "id";
      known.set(reference, findStored(column, reference));
    }
    return known.get(reference);
  };
}

function isNewAt(place: Place, index: number): boolean {
  return "index" in place && place.index === index;
}

function distinct(parents: readonly BatchParent[]): BatchParent[] {
  const keyOf = (parent: BatchParent): string =>
    "index" in parent ? `new ${parent.index}` : `${parent.id}`;
  return [...new Map(parents.map((parent) => [keyOf(parent), parent])).values()];
}

function unknownParent(reference: TaskReference): QueueError {
  const isId = typeof reference === "number";
  const name = isId ? `task ${reference}` : `run ${JSON.stringify(reference)}`;
  return new QueueError(
    "unknown_parent",
    `Cannot enqueue a task that depends on ${name}: there is no such task in the queue${
      isId ? "" : ", nor in the batch"
    }`,
  );
}

/** How many of a new task's parents it has to wait for. */
export function countOpen({ parents }: Parentage): number {
  return parents.filter((parent) => "index" in parent || !isFinal(parent.status)).length;
}

/** How a new child stands to a parent with this status. */
export function stateFor(status: TaskStatus, onFailure: ParentFailurePolicy): DependencyState {
  if (!isFinal(status)) return "open";
  return status === "completed" || onFailure === "run" ? "met" : "ended_child";
}

/** A dependency as far as a task under a known key is compared with it. */
export interface KnownDependency {
  readonly parentId: number;
  readonly parentRunId: string;
  readonly onFailure: ParentFailurePolicy;
}

/** Whether a task that is stored has these parents, in any order, and this policy. A pruned one is known by its names only. */
export function isSameParentage(
  known: readonly KnownDependency[],
  { parentIds, gone, onParentFailure }: {
    readonly parentIds: readonly number[];
    readonly gone: readonly TaskReference[];
    readonly onParentFailure: ParentFailurePolicy;
  },
): boolean {
  const idOfPruned = (reference: TaskReference): number | undefined =>
    known.find(({ parentId, parentRunId }) => reference === parentId || reference === parentRunId)
      ?.parentId;
  const wanted = new Set<TaskReference>([
    ...parentIds,
    ...gone.map((reference) => idOfPruned(reference) ?? reference),
  ]);
  return known.length === wanted.size &&
    known.every(({ parentId, onFailure }) => wanted.has(parentId) && onFailure === onParentFailure);
}

/** Why a child has ended that this parent ended. */
export function endedByParent({ id, runId, status }: StoredParent): string {
  const verb = status === "cancelled" ? "was cancelled" : "failed";
  return `Parent task ${id} (run ${JSON.stringify(runId)}) ${verb}`;
}
