/**
 * The lookout: decides when to look for what other processes have appended.
 *
 * Often after something happened, ever more seldom while nothing does. When it has been quiet for a while the storage's
 * watch takes over, if it has one that works; a slow look goes on beside it, so a notice that is lost delays and never hides.
 */
import type { CancelTimer, Clock } from "../domain/clock.ts";
import type { FileWatch, Storage } from "../storage/storage.ts";

/** The polling intervals, in milliseconds. */
export const LOOKOUT_TIMES = Object.freeze({
  /** Right after something happened. */
  minMs: 2,
  /** A little later. */
  briskMs: 8,
  /** How long nothing must have happened until it is quiet and a watch takes over. */
  quietMs: 500,
  /** When it is quiet, as long as no watch has taken over. */
  maxMs: 30,
  /** Beside a watch that works. */
  watchedMs: 1000,
});

const GROWTH = 1.5;

/** What a lookout needs. */
export interface LookoutTools {
  readonly clock: Clock;
  readonly storage: Storage;
  /** Looks; says whether there was something new. Must not throw. */
  readonly look: () => boolean;
  /** Is told why a watch could not begin; it is tried again after a while. */
  readonly onError: (error: unknown) => void;
}

/** Looks again and again, until it is stopped. */
export class Lookout {
  readonly #tools: LookoutTools;
  #pauseMs: number = LOOKOUT_TIMES.minMs;
  #quietSinceMs: number;
  #watch: FileWatch | undefined;
  #cancelNext: CancelTimer = () => {};
  #isStopped = false;

  /** Begins at once. */
  constructor(tools: LookoutTools) {
    this.#tools = tools;
    this.#quietSinceMs = tools.clock.nowMs();
    this.#schedule();
  }

  /** Something happens here: a watch would notice it each time, so it ends until it is quiet again. */
  stir(): void {
    this.#quietSinceMs = this.#tools.clock.nowMs();
    if (this.#watch === undefined) return;
    this.#endWatch();
    this.#schedule();
  }

  /** Ends it. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelNext();
    this.#endWatch();
  }

  #schedule(pauseMs = this.#pauseMs): void {
    this.#cancelNext();
    if (this.#isStopped) return;
    this.#cancelNext = this.#tools.clock.setTimer(() => this.#lookAndGoOn(), pauseMs);
  }

  /** A watch counts from the look after its beginning: what was written between two looks is found by the second. */
  #lookAndGoOn(): void {
    const isWatched = this.#watch?.isProven ?? false;
    if (this.#tools.look()) return this.#goOnSoon();
    const { briskMs, maxMs, watchedMs } = LOOKOUT_TIMES;
    this.#pauseMs = Math.min(this.#isQuiet ? maxMs : briskMs, this.#pauseMs * GROWTH);
    this.#schedule(isWatched ? watchedMs : this.#pauseMs);
    this.#watchIfQuiet();
  }

  #goOnSoon(): void {
    this.#pauseMs = LOOKOUT_TIMES.minMs;
    this.#quietSinceMs = this.#tools.clock.nowMs();
    this.#endWatch();
    this.#schedule();
  }

  #watchIfQuiet(): void {
    if (this.#watch !== undefined || !this.#isQuiet || this.#isStopped) return;
    const { clock, storage, onError } = this.#tools;
    try {
      this.#watch = storage.watch(() => this.#lookAndGoOn());
    } catch (error) {
      this.#quietSinceMs = clock.nowMs();
      onError(error);
    }
  }

  get #isQuiet(): boolean {
    return this.#tools.clock.nowMs() - this.#quietSinceMs >= LOOKOUT_TIMES.quietMs;
  }

  #endWatch(): void {
    this.#watch?.stop();
    this.#watch = undefined;
  }
}
