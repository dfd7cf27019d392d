/**
 * Progress of one attempt: the latest report is stored, at most one at a time and four a second.
 */
import { checkPercent } from "../domain/check.ts";
import type { CancelTimer, Clock } from "../domain/clock.ts";
import { messageOf } from "../domain/errors.ts";

/** The shortest interval between two stored reports of progress; the latest wins. */
const PROGRESS_EVERY_MS = 250;

/** How far an attempt is. */
export interface Progress {
  readonly percent: number;
  readonly message: string | undefined;
}

/** What reporting needs. */
export interface ProgressTools {
  readonly clock: Clock;
  readonly store: (progress: Progress) => Promise<unknown>;
  /** Whether the attempt goes on, so that its progress matters. */
  readonly isRunning: () => boolean;
  /** Is told of a report that could not be stored. */
  readonly onError: (message: string) => void;
}

/** Reports the progress of one attempt. */
export class ProgressReporter {
  readonly #tools: ProgressTools;
  #progress: Progress | undefined;
  #cancel: CancelTimer | undefined;

  constructor(tools: ProgressTools) {
    this.#tools = tools;
  }

  /** @throws RangeError for a percentage that is none. */
  report(progress: Progress): void {
    checkPercent(progress.percent);
    if (!this.#tools.isRunning()) return;
    this.#progress = progress;
    if (this.#cancel === undefined) this.#store();
  }

  /** Stores what was reported last, if it is not stored yet. */
  tellLast(): void {
    if (this.#progress !== undefined) this.#store();
  }

  /** Nothing more is stored. */
  stop(): void {
    this.#cancel?.();
  }

  #store(): void {
    const { store, isRunning, onError } = this.#tools;
    const progress = this.#progress;
    this.#progress = undefined;
    this.#cancel = undefined;
    if (progress === undefined || !isRunning()) return;
    this.#cancel = () => {};
    store(progress).catch((error) => {
      if (isRunning()) onError(messageOf(error));
    }).finally(() => this.#rest());
  }

  /** From the answer on, so that no reports pile up at a queue that gives none. */
  #rest(): void {
    const { clock, isRunning } = this.#tools;
    if (!isRunning()) return;
    this.#cancel = clock.setTimer(() => this.#store(), PROGRESS_EVERY_MS);
  }
}
