/**
 * The parents of a batch's tasks, found before any of them is stored: tasks that are there already, or others of
 * the batch, earlier or later. A batch whose new tasks would wait for each other for ever is refused.
 */
import { checkInteger } from "../../domain/check.ts";
import { QueueError } from "../../domain/errors.ts";
import { TASK_LIMITS, type TaskReference, type TaskStatus } from "../../domain/task.ts";
import type { Reader } from "../../ledger/replica.ts";
import {
  type BatchParent,
  type BatchTask,
  checkNoCycle,
  type StoredParent,
} from "../../queue_policy/cycle.ts";

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
