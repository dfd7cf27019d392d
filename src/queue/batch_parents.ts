/**
 * Who the parents of a batch's tasks are, found before any of them is stored: tasks that are there already, or others of
 * the batch, earlier or later. A batch whose new tasks would wait for each other for ever is refused.
 */
import { QueueError } from "../domain/errors.ts";
import { checkInteger, TASK_LIMITS, type TaskReference, type TaskStatus } from "../domain/task.ts";
import type { Reader } from "../ledger/replica.ts";

/** What is needed of a task of the batch. */
export interface BatchTask {
  readonly runId: string | null;
  readonly idempotencyKey: string | null;
  readonly dependsOn: readonly TaskReference[];
}

/** A task that is there already. */
export interface StoredParent {
  readonly id: number;
  readonly runId: string;
  readonly status: TaskStatus;
}

/** A parent: a task that is there already, or the place of a new one in the batch. */
export type BatchParent = StoredParent | { readonly index: number };

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

/** How many tasks of a cycle its refusal names. */
const CYCLE_NAMED = 10;

/**
 * The parents of each task of a batch.
 *
 * @throws QueueError `unknown_parent`, `dependency_cycle`. @throws RangeError when they are too many.
 */
export function findParents(reader: Reader, tasks: readonly BatchTask[]): readonly Parentage[] {
  const total = tasks.reduce((sum, { dependsOn }) => sum + dependsOn.length, 0);
  if (total === 0) return tasks.map(() => NO_PARENTS);
  checkInteger(total, "number of parents in a batch", 0, TASK_LIMITS.parentsBatchMax);
  const places = placesOf(reader, tasks);
  const find = finder(reader, tasks, places);
  const isNew = (i: number): boolean => isNewAt(places[i]!, i);
  const parentages = tasks.map(({ dependsOn }, i) => {
    const found = dependsOn.map((reference) => ({ reference, parent: find(reference) }));
    const gone = found.filter(({ parent }) => parent === undefined).map(({ reference }) =>
      reference
    );
    if (gone.length > 0 && isNew(i)) throw unknownParent(gone[0]!);
    return { parents: distinct(found.flatMap(({ parent }) => parent ?? [])), gone };
  });
  checkNoCycle(tasks, parentages.map(({ parents }, i) => isNew(i) ? parents : []));
  return parentages;
}

function placesOf(reader: Reader, tasks: readonly BatchTask[]): Place[] {
  const firstOfKey = new Map<string, Place>();
  return tasks.map(({ idempotencyKey }, index) => {
    if (idempotencyKey === null) return { index };
    const known = firstOfKey.get(idempotencyKey) ??
      storedBy(reader, "idempotency_key", idempotencyKey) ?? { index };
    firstOfKey.set(idempotencyKey, known);
    return known;
  });
}

/** Finds what a reference names: a run id is first looked for in the batch. */
function finder(
  reader: Reader,
  tasks: readonly BatchTask[],
  places: readonly Place[],
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
      known.set(reference, storedBy(reader, column, reference));
    }
    return known.get(reference);
  };
}

function storedBy(
  reader: Reader,
  column: "id" | "run_id" | "idempotency_key",
  value: TaskReference,
): StoredParent | undefined {
  const select = `SELECT id, run_id, status FROM task_queue WHERE ${column} = ?`;
  const [row] = reader.read(select, [value]);
  return row && { id: Number(row[0]), runId: String(row[1]), status: row[2] as TaskStatus };
}

function isNewAt(place: Place, index: number): boolean {
  return "index" in place && place.index === index;
}

function distinct(parents: readonly BatchParent[]): BatchParent[] {
  const keyOf = (parent: BatchParent): string =>
    "index" in parent ? `new ${parent.index}` : `${parent.id}`;
  return [...new Map(parents.map((parent) => [keyOf(parent), parent])).values()];
}

/** Walks the new tasks depth first, with a stack of its own: a chain may be as long as a batch. */
function checkNoCycle(
  tasks: readonly BatchTask[],
  parents: readonly (readonly BatchParent[])[],
): void {
  const isDone = new Uint8Array(tasks.length);
  const placeOnPath = new Map<number, number>();
  const path: { readonly index: number; next: number }[] = [];
  const enter = (index: number): void => {
    placeOnPath.set(index, path.length);
    path.push({ index, next: 0 });
  };
  for (let start = 0; start < tasks.length; start++) {
    if (isDone[start] === 0) enter(start);
    while (path.length > 0) {
      const step = path.at(-1)!;
      const parent = parents[step.index]![step.next++];
      if (parent === undefined) {
        isDone[step.index] = 1;
        placeOnPath.delete(step.index);
        path.pop();
      } else if ("index" in parent && isDone[parent.index] === 0) {
        const from = placeOnPath.get(parent.index);
        if (from !== undefined) throw cycle(path.slice(from).map(({ index }) => tasks[index]!));
        enter(parent.index);
      }
    }
  }
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

/** Each of them depends on the next, and the last on the first. */
function cycle(tasks: readonly BatchTask[]): QueueError {
  const names = tasks.map(({ runId, idempotencyKey }) => JSON.stringify(runId ?? idempotencyKey));
  const shown = names.length <= CYCLE_NAMED
    ? names
    : [...names.slice(0, CYCLE_NAMED), `… (${names.length} runs)`];
  return new QueueError(
    "dependency_cycle",
    `Cannot enqueue tasks that depend on each other in a circle: run ${
      [...shown, names[0]].join(" → ")
    }`,
  );
}
