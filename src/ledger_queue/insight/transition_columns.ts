/**
 * Many transitions in little memory: a column for each fact, so that a hundred thousand of them are four arrays of numbers, which the
 * garbage collector need not walk through.
 *
 * Grows at its end only; what was there stays as it was for who reads up to the length that it had.
 */
import { TRANSITION_KINDS, type TransitionKind } from "../../queue/task_transition.ts";

/** A transition that was read. */
export interface SeenTransition {
  readonly id: number;
  readonly atMs: number;
  /** Its place in `TRANSITION_KINDS`. */
  readonly kind: number;
  readonly durationMs: number | null;
}

/** For how many there is room at first. */
const ROOM_MIN = 1024;

/** The columns. */
export class TransitionColumns {
  #ids = new Float64Array(ROOM_MIN);
  #times = new Float64Array(ROOM_MIN);
  #kinds = new Uint8Array(ROOM_MIN);
  /** `NaN` for none. */
  #durations = new Float64Array(ROOM_MIN);
  #length = 0;

  /** How many there are. */
  get length(): number {
    return this.#length;
  }

  /** Adds one at the end. */
  push({ id, atMs, kind, durationMs }: SeenTransition): void {
    if (this.#length === this.#ids.length) this.#grow();
    const place = this.#length++;
    this.#ids[place] = id;
    this.#times[place] = atMs;
    this.#kinds[place] = kind;
    this.#durations[place] = durationMs ?? NaN;
  }

  /** The id of the one at a place. */
  idAt(place: number): number | undefined {
    return place < this.#length ? this.#ids[place] : undefined;
  }

  /** When the one at a place happened. */
  atMs(place: number): number {
    return this.#times[place]!;
  }

  /** What the one at a place was. */
  kindAt(place: number): TransitionKind {
    return TRANSITION_KINDS[this.#kinds[place]!]!;
  }

  /** How long the one at a place took; `NaN` where it has no duration. */
  durationAt(place: number): number {
    return this.#durations[place]!;
  }

  /** Those from a place on, without those with one of these ids, in columns of their own. */
  from(first: number, without?: ReadonlySet<number>): TransitionColumns {
    const kept = new TransitionColumns();
    for (let place = first; place < this.#length; place++) {
      const id = this.#ids[place]!;
      if (without?.has(id)) continue;
      const durationMs = this.#durations[place]!;
      kept.push({ id, atMs: this.#times[place]!, kind: this.#kinds[place]!, durationMs });
    }
    return kept;
  }

  #grow(): void {
    this.#ids = widened(this.#ids, new Float64Array(this.#length * 2));
    this.#times = widened(this.#times, new Float64Array(this.#length * 2));
    this.#kinds = widened(this.#kinds, new Uint8Array(this.#length * 2));
    this.#durations = widened(this.#durations, new Float64Array(this.#length * 2));
  }
}

function widened<T extends Float64Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
