/**
 * Flow: which tasks may start, from the limits and pauses of a queue. What may start has room in each scope that it belongs to.
 */
import { isPausedAt, type ScopeKey, type StoredLimit } from "./limit_request.ts";

/** A scope whose tasks may run so many at a time. */
export interface LimitedScope extends ScopeKey {
  readonly concurrency: number;
}

/** How many slots of a scope are held. */
export type CountHeld = (scope: ScopeKey) => number;

/** The limits and pauses of a queue at one moment of its history. */
export class Flow {
  readonly #rows: readonly StoredLimit[];
  readonly #byType: ReadonlyMap<string, StoredLimit>;

  constructor(rows: readonly StoredLimit[]) {
    this.#rows = rows;
    this.#byType = new Map(rows.map((row) => [row.type, row]));
  }

  /** Every row. */
  get rows(): readonly StoredLimit[] {
    return this.#rows;
  }

  /** Whether there is neither a limit nor a pause. */
  get isEmpty(): boolean {
    return this.#rows.length === 0;
  }

  /** Whether tasks of this type need a slot. */
  isLimited(type: string): boolean {
    return this.limitsOf(type).length > 0;
  }

  /** The scopes in whose slots a task of this type runs, the whole queue's first. */
  limitsOf(type: string): LimitedScope[] {
    return this.#of(type).filter((row): row is StoredLimit & LimitedScope =>
      row.concurrency !== null
    );
  }

  /** The pause that holds tasks of this type back; that of the whole queue first. */
  pauseOf(type: string, nowMs: number): StoredLimit | undefined {
    return this.#of(type).find((row) => isPausedAt(row, nowMs));
  }

  /** The pauses of the scopes of this type, also those that have ended by themselves. */
  pausesOf(type: string): StoredLimit[] {
    return this.#of(type).filter(({ paused_at }) => paused_at !== null);
  }

  /** When the next pause ends by itself; `undefined` when none does. */
  nextEndMs(nowMs: number): number | undefined {
    const ends = this.#rows.flatMap(({ paused_until }) =>
      paused_until !== null && paused_until > nowMs ? [paused_until] : []
    );
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  #of(type: string): StoredLimit[] {
    if (this.#rows.length === 0) return [];
    return ["", type].flatMap((name) => this.#byType.get(name) ?? []);
  }
}

/** How many tasks of each type may start now; counts what is held once for each scope, and what starts meanwhile. */
export class Room {
  readonly #flow: Flow;
  readonly #countHeld: CountHeld;
  readonly #nowMs: number;
  readonly #left = new Map<string, number>();

  constructor(flow: Flow, { countHeld, nowMs }: {
    readonly countHeld: CountHeld;
    readonly nowMs: number;
  }) {
    this.#flow = flow;
    this.#countHeld = countHeld;
    this.#nowMs = nowMs;
  }

  /** How many tasks of this type may start; `Infinity` without a limit. */
  of(type: string): number {
    if (this.#flow.pauseOf(type, this.#nowMs) !== undefined) return 0;
    return Math.min(Infinity, ...this.#flow.limitsOf(type).map((scope) => this.#leftOf(scope)));
  }

  /** A task of this type starts. */
  take(type: string): void {
    for (const scope of this.#flow.limitsOf(type)) {
      this.#left.set(scope.type, this.#leftOf(scope) - 1);
    }
  }

  #leftOf(scope: LimitedScope): number {
    const known = this.#left.get(scope.type);
    if (known !== undefined) return known;
    const left = Math.max(0, scope.concurrency - this.#countHeld(scope));
    this.#left.set(scope.type, left);
    return left;
  }
}
