/**
 * Tells those who watch a queue what changed.
 */
import type { TaskStatus } from "../domain/task.ts";
import type { IsWanted, TaskChanges } from "../queue/task_queue.ts";

interface Watcher {
  readonly tell: (changes: TaskChanges) => void;
  readonly isWanted: IsWanted;
}

/** Who watches, and what they hear. */
export class ChangeFeed {
  readonly #onListenerError: (error: unknown) => void;
  readonly #listeners = new Set<Watcher>();

  constructor(onListenerError: (error: unknown) => void) {
    this.#onListenerError = onListenerError;
  }

  /** Whether anybody watches. */
  get isWatched(): boolean {
    return this.#listeners.size > 0;
  }

  /** Whether anybody wants to hear that this task has this status now. */
  wants(taskId: number, status: TaskStatus): boolean {
    for (const { isWanted } of this.#listeners) if (isWanted(taskId, status)) return true;
    return false;
  }

  /** Calls `listener` with what changes from now on. Returns the way to stop. */
  watch(listener: (changes: TaskChanges) => void, isWanted: IsWanted = () => true): () => void {
    const entry = { tell: listener, isWanted };
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  /** These tasks have changed; or `"reset"`: anything may have; or `"room"`: limits and pauses let more start. */
  tell(changes: TaskChanges): void {
    if (changes.length === 0) return;
    for (const { tell } of [...this.#listeners]) {
      try {
        tell(changes);
      } catch (error) {
        this.#onListenerError(error);
      }
    }
  }
}
