/**
 * What happened in a simulation: a hash of every event, counts, and what must not have happened.
 */

/** How often each thing happened. */
export type Counts = Record<string, number>;

/** The events of one simulation. */
export class EventLog {
  /** What was counted. */
  readonly counts: Counts = {};
  /** What must not happen, and did. */
  readonly violations: string[] = [];
  readonly #onLine: ((line: string) => void) | undefined;
  #hash = 0x811c9dc5;

  /** @param onLine Is told every event, for reading along. */
  constructor(onLine?: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** The same for two simulations in which the same things happened in the same order. */
  get hash(): number {
    return this.#hash >>> 0;
  }

  /** Something happened. */
  note(line: string): void {
    for (let i = 0; i < line.length; i++) {
      this.#hash = Math.imul(this.#hash ^ line.charCodeAt(i), 0x01000193);
    }
    this.#onLine?.(line);
  }

  /** Counts something. */
  count(what: string, by = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + by;
  }

  /** Something happened that must not. */
  violate(what: string): void {
    this.violations.push(what);
    this.note(`VIOLATION ${what}`);
  }
}

/** Adds `more` to `sum`. */
export function addCounts(sum: Counts, more: Counts): void {
  for (const [what, count] of Object.entries(more)) sum[what] = (sum[what] ?? 0) + count;
}
