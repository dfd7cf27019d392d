/**
 * What many pages show and is dear to find out, kept for a while and found out once for all who ask.
 *
 * The larger a queue, the longer its numbers take; so they are kept for as much longer, and never take more than a small share of
 * the time, however many look.
 */
import type { Clock } from "../src/mod.ts";

/** The shortest time that something is kept, in milliseconds. */
const KEPT_MIN_MS = 1000;

/** It is kept for so many times as long as it took. */
const COST_FACTOR = 50;

/** How many things are kept. */
const KEPT_MAX = 200;

interface Entry {
  readonly value: Promise<unknown>;
  untilMs: number;
}

/** Values by name. */
export class Kept {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The value of that name, or what `find` gives when there is none, or it is too old. A failure is not kept. */
  get<T>(name: string, find: () => Promise<T>): Promise<T> {
    const known = this.#entries.get(name);
    if (known !== undefined && this.#clock.nowMs() < known.untilMs) {
      return known.value as Promise<T>;
    }
    const startedMs = performance.now();
    const value = find();
    const entry: Entry = { value, untilMs: Infinity };
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    if (this.#entries.size > KEPT_MAX) {
      this.#entries.delete(this.#entries.keys().next().value!);
    }
    value.then(() => {
      const costMs = performance.now() - startedMs;
      entry.untilMs = this.#clock.nowMs() + Math.max(KEPT_MIN_MS, costMs * COST_FACTOR);
    }, () => this.#entries.delete(name));
    return value;
  }

  /** Forgets everything: something was changed here, and its effect is looked for. */
  clear(): void {
    this.#entries.clear();
  }
}
