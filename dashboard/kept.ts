/**
 * What many pages show and is dear to find out, kept for a while and found out once for all who ask.
 *
 * The larger a queue, the longer its numbers take. So they are kept for as much longer, and never take more than a small share of the
 * time, however many look; and what is dear is found out anew while its last value is shown.
 */
import type { Clock } from "../src/core.ts";

/** The shortest time that something is kept, in milliseconds. */
const KEPT_MIN_MS = 1000;

/** It is kept for so many times as long as it took. */
const COST_FACTOR = 50;

/** What takes longer than this, in milliseconds, is dear: nobody waits for it when there is a value already. */
const DEAR_MS = 100;

/** How many things are kept. */
const KEPT_MAX = 200;

interface Entry {
  readonly value: Promise<unknown>;
  readonly costMs: number;
  untilMs: number;
}

/** Values by name. */
export class Kept {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #finding = new Map<string, Promise<unknown>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * The value of that name, found out by `find` when there is none, or it is older than `minMs` and than its cost allows. A failure is
   * not kept.
   */
  get<T>(name: string, find: () => Promise<T>, minMs = KEPT_MIN_MS): Promise<T> {
    const known = this.#entries.get(name);
    if (known !== undefined && this.#clock.nowMs() < known.untilMs) {
      return known.value as Promise<T>;
    }
    const fresh = this.#finding.get(name) ?? this.#find(name, find, minMs);
    if (known === undefined || known.costMs < DEAR_MS) return fresh as Promise<T>;
    fresh.catch(() => {}); // whoever asks next finds no value, and is told
    return known.value as Promise<T>;
  }

  /** Something was changed here, and its effect is looked for: what is dear alone stays until it is found out anew. */
  clear(): void {
    for (const [name, entry] of this.#entries) {
      if (entry.costMs < DEAR_MS) this.#entries.delete(name);
      else entry.untilMs = 0;
    }
  }

  #find(name: string, find: () => Promise<unknown>, minMs: number): Promise<unknown> {
    const startedMs = performance.now();
    const value = find();
    this.#finding.set(name, value);
    value.then(() => {
      const costMs = performance.now() - startedMs;
      const untilMs = this.#clock.nowMs() + Math.max(minMs, costMs * COST_FACTOR);
      this.#entries.delete(name);
      this.#entries.set(name, { value, costMs, untilMs });
      if (this.#entries.size > KEPT_MAX) this.#entries.delete(this.#entries.keys().next().value!);
    }, () => this.#entries.delete(name)).finally(() => this.#finding.delete(name));
    return value;
  }
}
