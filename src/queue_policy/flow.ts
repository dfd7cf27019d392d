/**
 * Flow: which tasks may start, from the limits and pauses of a queue. What may start has room in each scope that it belongs to: the
 * queue, its type, its group of the type, its group over all types.
 */
import { EACH_GROUP } from "./kept_fields.ts";
import { isPausedAt, type ScopeKey, type StoredLimit } from "./limit_request.ts";

/** A scope whose tasks may run so many at a time; never each group, but one of them. */
export interface LimitedScope extends ScopeKey {
  readonly concurrency: number;
}

/** How many slots of a scope are held. */
export type CountHeld = (scope: ScopeKey) => number;

/** What a flow is asked of: a type, and a group or an empty string for none. */
export type FlowKey = ScopeKey;

/** The limits and pauses of a queue at one moment of its history. */
export class Flow {
  readonly #rows: readonly StoredLimit[];
  readonly #byScope: ReadonlyMap<string, StoredLimit>;
  readonly #hasGroups: boolean;

  constructor(rows: readonly StoredLimit[]) {
    this.#rows = rows;
    this.#byScope = new Map(rows.map((row) => [keyOf(row), row]));
    this.#hasGroups = rows.some(({ grp }) => grp !== "");
  }

  /** Every row. */
  get rows(): readonly StoredLimit[] {
    return this.#rows;
  }

  /** Whether there is neither a limit nor a pause. */
  get isEmpty(): boolean {
    return this.#rows.length === 0;
  }

  /** Whether there is a limit or a pause of a group, or of each. */
  get hasGroups(): boolean {
    return this.#hasGroups;
  }

  /** Whether some tasks of this type need a slot. */
  isLimited(type: string): boolean {
    return this.#rows.some((row) =>
      row.concurrency !== null && (row.type === "" || row.type === type)
    );
  }

  /** The scopes in whose slots a task runs, the whole queue's first; without a group those of its type. */
  limitsOf({ type, grp }: FlowKey): LimitedScope[] {
    return [
      ...["", type].flatMap((name) => this.#limit(name, "", "")),
      ...this.groupLimitsOf({ type, grp }),
    ];
  }

  /** Those of them that are its group's. */
  groupLimitsOf({ type, grp }: FlowKey): LimitedScope[] {
    if (grp === "" || !this.#hasGroups) return [];
    return [type, ""].flatMap((name) => {
      const own = this.#limit(name, grp, grp);
      return own.length > 0 ? own : this.#limit(name, EACH_GROUP, grp);
    });
  }

  /** The first of the scopes of groups of this type that have a limit, of no type for all; in the order of the rows. */
  firstGroupLimit(type: string): ScopeKey | undefined {
    if (!this.#hasGroups) return undefined;
    return this.#rows.find((row) =>
      row.type === type && row.grp !== "" && row.concurrency !== null
    );
  }

  /** The pause that holds such tasks back; that of the whole queue first. */
  pauseOf(key: FlowKey, nowMs: number): StoredLimit | undefined {
    return this.#pausable(key).find((row) => isPausedAt(row, nowMs));
  }

  /** The same of a group's own pauses alone. */
  groupPauseOf({ type, grp }: FlowKey, nowMs: number): StoredLimit | undefined {
    return this.#ofGroup(type, grp).find((row) => isPausedAt(row, nowMs));
  }

  /** The pause of each group of this type. */
  eachPausedOf(type: string, nowMs: number): StoredLimit | undefined {
    return this.groupPauseOf({ type, grp: EACH_GROUP }, nowMs);
  }

  /** The pauses of the scopes of such tasks, also those that have ended by themselves. */
  pausesOf(key: FlowKey): StoredLimit[] {
    return this.#pausable(key).filter(({ paused_at }) => paused_at !== null);
  }

  /** How many starts a group has for one of a group without a weight. A named group's comes before each group's. */
  weightOf({ type, grp }: FlowKey): number {
    if (grp === "" || !this.#hasGroups) return 1;
    const scopes = [[type, grp], ["", grp], [type, EACH_GROUP], ["", EACH_GROUP]] as const;
    const weights = scopes.flatMap(([of, name]) => this.#row(of, name)?.weight ?? []);
    return weights[0] ?? 1;
  }

  /** When the next pause ends by itself; `undefined` when none does. */
  nextEndMs(nowMs: number): number | undefined {
    const ends = this.#rows.flatMap(({ paused_until }) =>
      paused_until !== null && paused_until > nowMs ? [paused_until] : []
    );
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  #pausable({ type, grp }: FlowKey): StoredLimit[] {
    if (this.#rows.length === 0) return [];
    const wide = ["", type].flatMap((name) => this.#row(name, "") ?? []);
    return [...wide, ...this.#ofGroup(type, grp)];
  }

  /** The rows of a group's own scopes, and of each group's. */
  #ofGroup(type: string, grp: string): StoredLimit[] {
    if (grp === "" || !this.#hasGroups) return [];
    const names = new Set([EACH_GROUP, grp]);
    return ["", type].flatMap((of) => [...names].flatMap((name) => this.#row(of, name) ?? []));
  }

  #row(type: string, grp: string): StoredLimit | undefined {
    return this.#byScope.get(keyOf({ type, grp }));
  }

  /** The limit of a scope, as the limit of this group. */
  #limit(type: string, grp: string, as: string): LimitedScope[] {
    const concurrency = this.#row(type, grp)?.concurrency ?? null;
    return concurrency === null ? [] : [{ type, grp: as, concurrency }];
  }
}

/** A scope as the key of a map. */
export function keyOf({ type, grp }: ScopeKey): string {
  return JSON.stringify([type, grp]);
}

/** How many tasks may start now; counts what is held once for each scope, and what starts meanwhile. */
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

  /** How many such tasks may start; `Infinity` without a limit. */
  of(key: FlowKey): number {
    if (this.#flow.pauseOf(key, this.#nowMs) !== undefined) return 0;
    return this.#least(this.#flow.limitsOf(key));
  }

  /** How many may start by the group's own limits and pauses. */
  ofGroup(key: FlowKey): number {
    if (this.#flow.groupPauseOf(key, this.#nowMs) !== undefined) return 0;
    return this.#least(this.#flow.groupLimitsOf(key));
  }

  /** Such a task starts. */
  take(key: FlowKey): void {
    for (const scope of this.#flow.limitsOf(key)) {
      this.#left.set(keyOf(scope), this.#leftOf(scope) - 1);
    }
  }

  #least(scopes: readonly LimitedScope[]): number {
    return Math.min(Infinity, ...scopes.map((scope) => this.#leftOf(scope)));
  }

  #leftOf(scope: LimitedScope): number {
    const key = keyOf(scope);
    const known = this.#left.get(key);
    if (known !== undefined) return known;
    const left = Math.max(0, scope.concurrency - this.#countHeld(scope));
    this.#left.set(key, left);
    return left;
  }
}
