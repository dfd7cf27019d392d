/**
 * The lease board: where the demo's tasks are at the moment, as the queue tells its watchers.
 */
import { isFinal, type TaskChange, type TaskQueue, type TaskStatus } from "../../src/mod.ts";

type Place = Pick<TaskChange, "status" | "lockedBy">;

/** Follows a set of tasks until all of them are final. */
export class LeaseBoard {
  readonly #queue: TaskQueue;
  readonly #places: Map<number, Place>;
  readonly #unwatch: () => void;
  #changed = Promise.withResolvers<void>();

  constructor(queue: TaskQueue, taskIds: readonly number[]) {
    this.#queue = queue;
    this.#places = new Map(taskIds.map((id) => [id, { status: "queued", lockedBy: null }]));
    this.#unwatch = queue.watch((changes) => {
      if (changes === "room") return; // limits and pauses: the tasks are where they were
      if (changes === "reset") return void this.#lookAgain();
      for (const change of changes) this.#place(change.taskId, change);
      this.#announce();
    });
  }

  /** How many tasks have this status. */
  count(status: TaskStatus): number {
    return this.#places.values().filter((place) => place.status === status).toArray().length;
  }

  /** Whether every task is final. */
  get allFinal(): boolean {
    return this.#places.values().every((place) => isFinal(place.status));
  }

  /** The tasks that a worker holds. */
  heldBy(workerId: string): number[] {
    return this.#places.entries()
      .filter(([, { status, lockedBy }]) => status === "leased" && lockedBy === workerId)
      .map(([id]) => id)
      .toArray();
  }

  /** Resolves at the next change. */
  nextChange(): Promise<void> {
    return this.#changed.promise;
  }

  /** Stops following. */
  close(): void {
    this.#unwatch();
  }

  async #lookAgain(): Promise<void> {
    for (const id of this.#places.keys()) {
      const task = await this.#queue.get(id);
      if (task !== undefined) this.#place(id, task);
    }
    this.#announce();
  }

  #place(id: number, { status, lockedBy }: Place): void {
    if (this.#places.has(id)) this.#places.set(id, { status, lockedBy });
  }

  #announce(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
