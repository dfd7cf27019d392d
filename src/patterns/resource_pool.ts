/**
 * ResourcePool: at most so many pieces of work at the same time, the others wait in order.
 *
 * A holder of a place counts until it gives it back, once; so the limit holds whatever work does or throws.
 */
import { checkInteger } from "../domain/check.ts";

/** Hands out places and takes them back: what `ConcurrentExecutor` may be given to share a limit with others. */
export interface Resources {
  /** Resolves to how to give the place back, when there is one; rejects as soon as `signal` aborts while it waits. */
  acquire(signal?: AbortSignal): Promise<() => void>;
}

/** The most places that a pool can have. */
export const POOL_WORKERS_MAX = 10_000;

/** A pool of places for work. */
export class ResourcePool implements Resources {
  /** How many pieces of work run at the same time at most. */
  readonly maxWorkers: number;
  readonly #waiting: (() => void)[] = [];
  readonly #idle: (() => void)[] = [];
  #active = 0;
  #isClosed = false;

  /** A pool with all its places free. @throws TypeError, RangeError unless `maxWorkers` is an integer from 1 to 10,000. */
  constructor(maxWorkers: number) {
    this.maxWorkers = checkInteger(maxWorkers, "maxWorkers", 1, POOL_WORKERS_MAX);
  }

  /** How many places are taken. */
  get activeCount(): number {
    return this.#active;
  }

  /** How many wait for a place. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /**
   * Runs `work` as soon as there is a place, and resolves or rejects as it does.
   *
   * @throws Error after `cleanup`; what `signal` was aborted with while it waited.
   */
  async run<T>(work: () => Promise<T> | T, signal?: AbortSignal): Promise<T> {
    const release = await this.acquire(signal);
    try {
      return await work();
    } finally {
      release();
    }
  }

  /**
   * Resolves to how to give the place back, in the order of asking; doing that again has no effect.
   *
   * @throws Error after `cleanup`; what `signal` was aborted with while it waited.
   */
  async acquire(signal?: AbortSignal): Promise<() => void> {
    if (this.#isClosed) throw new Error("Cannot take a place of the pool: it has been cleaned up");
    signal?.throwIfAborted();
    if (this.#active < this.maxWorkers) this.#active++;
    else await this.#turn(signal);
    let isHeld = true;
    return () => {
      if (isHeld) this.#giveBack();
      isHeld = false;
    };
  }

  /** Resolves when a place is passed on; rejects when `signal` aborts before, and is passed over then. */
  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const take = (): void => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(take), 1);
        reject(signal?.reason);
      };
      this.#waiting.push(take);
      signal?.addEventListener("abort", leave, { once: true });
    });
  }

  /** Resolves when nothing runs or waits. */
  async drain(): Promise<void> {
    if (this.#active > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Refuses what comes from now on; resolves when all that had come before has ended. May be called again. */
  async cleanup(): Promise<void> {
    this.#isClosed = true;
    await this.drain();
  }

  /** The place goes to the one that has waited longest, so the count of places taken stays the same. */
  #giveBack(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) return next();
    this.#active--;
    if (this.#active === 0) { for (const resolve of this.#idle.splice(0)) resolve(); }
  }
}
