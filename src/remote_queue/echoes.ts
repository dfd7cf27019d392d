/**
 * Echoes: a change that this process made is known twice, from the answer to what it asked and from the server's stream, in
 * either order. Watchers are told once. Bounded: what is oldest is forgotten, and then told twice.
 */
import { forgetOldest } from "./lease_book.ts";

/** How many changes of one task wait for their echo. */
const OF_TASK_MAX = 16;

/** Changes that came by one way and not yet by the other, by their tasks. */
export class Echoes {
  readonly #answered = new Map<number, string[]>();
  readonly #streamed = new Map<number, string[]>();

  /** A change came with an answer; whether it is new. */
  answered(taskId: number, key: string): boolean {
    const streamed = this.#streamed.get(taskId);
    const place = streamed?.indexOf(key) ?? -1;
    if (place >= 0) {
      streamed!.splice(place, 1);
      return false;
    }
    remember(this.#answered, taskId, key);
    return true;
  }

  /** A change came by the stream; whether it is new. The stream tells of several changes of a task as one. */
  streamed(taskId: number, key: string): boolean {
    const answered = this.#answered.get(taskId);
    const place = answered?.indexOf(key) ?? -1;
    if (place >= 0) {
      answered!.splice(0, place + 1);
      return false;
    }
    this.#answered.delete(taskId);
    remember(this.#streamed, taskId, key);
    return true;
  }

  /** Nothing is waited for any more. */
  clear(): void {
    this.#answered.clear();
    this.#streamed.clear();
  }
}

function remember(known: Map<number, string[]>, taskId: number, key: string): void {
  const keys = known.get(taskId) ?? [];
  known.delete(taskId);
  known.set(taskId, [...keys, key].slice(-OF_TASK_MAX));
  forgetOldest(known);
}
