/**
 * Quiet: while nothing changes, a process need not ask again what it has just been told.
 *
 * A worker that has nothing to do asks each second. When this process hears what others change, an answer stays true until it
 * hears something, changes something itself, or a scheduled task becomes due; but for no longer than two seconds, since a
 * message may be lost with its sender.
 */
import type { Clock } from "../domain/clock.ts";

/** How long an answer is believed. */
const BELIEVED_MS = 1900;

/** What was found when nothing could be claimed. */
interface Answer {
  readonly atMs: number;
  readonly changes: number;
  /** When the next scheduled task becomes due, by this process's clock. */
  readonly nextDueMs: number | undefined;
}

/** What this process hears. */
export interface Hearing {
  /** Whether it hears of every change. */
  readonly isListening: boolean;
  /** How much it has heard. */
  readonly changes: number;
}

/** Remembers the latest empty answers. */
export class Quiet {
  readonly #clock: Clock;
  readonly #hearing: () => Hearing;
  readonly #answers = new Map<string, Answer>();

  constructor(clock: Clock, hearing: () => Hearing) {
    this.#clock = clock;
    this.#hearing = hearing;
  }

  /** What was heard until now: to be given to `note` with what is asked for now. */
  get changes(): number {
    return this.#hearing().changes;
  }

  /** Nothing could be claimed by this kind of request, with all that was heard before. */
  note(kind: string, changes: number, nextDueMs: number | undefined): void {
    this.#answers.set(kind, { atMs: this.#clock.nowMs(), changes, nextDueMs });
  }

  /** Whether there still is nothing to claim. */
  isEmpty(kind: string): boolean {
    return this.#current(this.#answers.get(kind)) !== undefined;
  }

  /** When the next scheduled task becomes due, if that is known; also when it has become so since. */
  nextDue(): { readonly atMs: number | undefined } | undefined {
    for (const answer of this.#answers.values()) {
      if (this.#isTrue(answer)) return { atMs: answer.nextDueMs };
    }
    return undefined;
  }

  #current(answer: Answer | undefined): Answer | undefined {
    if (answer === undefined) return undefined;
    const isDue = answer.nextDueMs !== undefined && answer.nextDueMs <= this.#clock.nowMs();
    return !isDue && this.#isTrue(answer) ? answer : undefined;
  }

  #isTrue({ atMs, changes: heard }: Answer): boolean {
    const { isListening, changes } = this.#hearing();
    const nowMs = this.#clock.nowMs();
    const isFresh = nowMs >= atMs && nowMs - atMs < BELIEVED_MS;
    return isListening && isFresh && changes === heard;
  }
}
