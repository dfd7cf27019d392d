/**
 * Cycles: a batch whose new tasks would wait for each other for ever is refused.
 */
import { QueueError } from "../domain/errors.ts";
import type { TaskReference, TaskStatus } from "../domain/task.ts";

/** What is needed of a task of the batch. */
export interface BatchTask {
  readonly runId: string | null;
  readonly idempotencyKey: string | null;
  readonly orderingKey: string | null;
  readonly dependsOn: readonly TaskReference[];
  /** The task that stands for it, if it is not new; default none's. */
  readonly standIn?: BatchParent;
}

/** A task that is there already. */
export interface StoredParent {
  readonly id: number;
  readonly runId: string;
  readonly status: TaskStatus;
}

/** A parent: a task that is there already, or the place of a new one in the batch. */
export type BatchParent = StoredParent | { readonly index: number };

/** How many tasks of a cycle its refusal names. */
const CYCLE_NAMED = 10;

/** Walks the new tasks depth first, with a stack of its own: a chain may be as long as a batch. */
export function checkNoCycle(
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
        if (from !== undefined) throw cycle(tasks, path.slice(from).map(({ index }) => index));
        enter(parent.index);
      }
    }
  }
}

/** The places of the new tasks that each new task comes behind under its ordering key, if there is one. */
export function predecessorsIn(
  tasks: readonly BatchTask[],
  isNew: (index: number) => boolean,
): readonly (readonly BatchParent[])[] {
  const last = new Map<string, number>();
  return tasks.map(({ orderingKey }, index) => {
    if (orderingKey === null || !isNew(index)) return [];
    const before = last.get(orderingKey);
    last.set(orderingKey, index);
    return before === undefined ? [] : [{ index: before }];
  });
}

/** Each of the tasks at these places depends on the next, and the last on the first. */
function cycle(tasks: readonly BatchTask[], places: readonly number[]): QueueError {
  const names = places.map((place) => nameAt(tasks[place]!, place));
  const shown = names.length <= CYCLE_NAMED
    ? names
    : [...names.slice(0, CYCLE_NAMED), `… (${names.length} tasks)`];
  return new QueueError(
    "dependency_cycle",
    `Cannot enqueue tasks that depend on each other in a circle: ${
      [...shown, names[0]].join(" → ")
    }`,
  );
}

/** A new task has no id yet: its place in the batch names it, and what its caller called it. */
function nameAt({ runId, idempotencyKey }: BatchTask, place: number): string {
  const name = runId ?? idempotencyKey;
  return name === null ? `[${place}]` : `[${place}] ${JSON.stringify(name)}`;
}
