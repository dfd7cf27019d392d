/**
 * Tells those who watch a queue what changed.
 */
import type { TaskChanges } from "../queue/task_queue.ts";

/** Who watches, and what they hear. */
export class ChangeFeed {
  readonly #onListenerError: (error: unknown) => void;
  readonly #listeners = new Set<{ readonly tell: (changes: TaskChanges) => void }>();

  constructor(onListenerError: (error: unknown) => void) {
    this.#onListenerError = onListenerError;
  }

  /** Whether anybody watches. */
  get isWatched(): boolean {
    return this.#listeners.size > 0;
  }

  /** Calls `listener` with what changes from now on. Returns the way to stop. */
  watch(listener: (changes: TaskChanges) => void): () => void {
    const entry = { tell: listener };
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
