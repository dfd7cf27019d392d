/**
 * Flow: which tasks may start, from the limits and pauses of a queue. What may start has room in each scope that it belongs to: the
 * queue, its type, its group of the type, its group over all types.
 */
import { EACH_GROUP } from "./kept_fields.ts";
import { isPausedAt, rateOf, type ScopeKey, type StoredLimit } from "./limit_request.ts";
import { type Rate, startsNow } from "./start_rate.ts";

/** A scope whose tasks may run so many at a time; never each group, but one of them. */
export interface LimitedScope extends ScopeKey {
  readonly concurrency: number;
}

/** A scope whose tasks may start so often; never each group, but one of them. Its bucket is that of its type and group. */
export interface RatedScope extends ScopeKey {
  readonly rate: Rate;
}

/** How many slots of a scope are held. */
export type CountHeld = (scope: ScopeKey) => number;

/** The TAT of a scope's bucket, in µs; `undefined` without one. */
export type TatOf = (scope: ScopeKey) => number | undefined;

/** What a flow is asked of: a type, and a group or an empty string for none. */
export type FlowKey = ScopeKey;

/** The limits and pauses of a queue at one moment of its history. */
export class Flow {
  readonly #rows: readonly StoredLimit[];
  readonly #byScope: ReadonlyMap<string, StoredLimit>;
  readonly #hasGroups: boolean;
  readonly #hasRates: boolean;

  constructor(rows: readonly StoredLimit[]) {
    this.#rows = rows;
    this.#byScope = new Map(rows.map((row) => [keyOf(row), row]));
    this.#hasGroups = rows.some(({ grp }) => grp !== "");
    this.#hasRates = rows.some(({ rate_limit }) => rate_limit !== null);
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

  /** Whether any scope has a rate. */
  get hasRates(): boolean {
    return this.#hasRates;
  }

  /** Whether some tasks of this type need a slot. */
  isLimited(type: string): boolean {
    return this.#rows.some((row) =>
      row.concurrency !== null && (row.type === "" || row.type === type)
    );
  }

  /** Whether a rate counts the starts of some tasks of this type. */
  isRated(type: string): boolean {
    return this.#hasRates &&
      this.#rows.some((row) => row.rate_limit !== null && (row.type === "" || row.type === type));
  }

  /** The scopes in whose slots a task runs, the whole queue's first; without a group those of its type. */
  limitsOf(key: FlowKey): LimitedScope[] {
    return [...this.#wide(key, limitIn), ...this.groupLimitsOf(key)];
  }

  /** Those of them that are its group's. */
  groupLimitsOf(key: FlowKey): LimitedScope[] {
    return this.#ofOwnGroup(key, limitIn);
  }

  /** The scopes whose rates count a task's start, the whole queue's first; without a group those of its type. */
  ratesOf(key: FlowKey): RatedScope[] {
    if (!this.#hasRates) return [];
    return [...this.#wide(key, rateIn), ...this.groupRatesOf(key)];
  }

  /** Those of them that are its group's. */
  groupRatesOf(key: FlowKey): RatedScope[] {
    return this.#hasRates ? this.#ofOwnGroup(key, rateIn) : [];
  }

  /** The rate that a bucket counts for. */
  bucketRateOf({ type, grp }: ScopeKey): Rate | undefined {
    const rated = this.ratesOf({ type, grp }).find((scope) =>
      scope.type === type && scope.grp === grp
    );
    return rated?.rate;
  }

  /** The rates of the whole queue and of types. */
  get wideRates(): RatedScope[] {
    return this.#rows.filter(({ grp }) => grp === "").flatMap((row) => rateIn(row, "") ?? []);
  }

  /** The first of the scopes of groups of this type that have a limit or a rate, of no type for all; in the order of the rows. */
  firstGroupLimit(type: string): ScopeKey | undefined {
    if (!this.#hasGroups) return undefined;
    return this.#rows.find((row) =>
      row.type === type && row.grp !== "" && (row.concurrency !== null || row.rate_limit !== null)
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

  /** What the rows of the whole queue and of a type say. */
  #wide<T>({ type }: FlowKey, read: ReadRow<T>): T[] {
    return ["", type].flatMap((name) => read(this.#row(name, ""), "") ?? []);
  }

  /** What the rows of a group say, of its type and over all; where a group's own says nothing, that of each group. */
  #ofOwnGroup<T>({ type, grp }: FlowKey, read: ReadRow<T>): T[] {
    if (grp === "" || !this.#hasGroups) return [];
    return [type, ""].flatMap((name) =>
      read(this.#row(name, grp), grp) ?? read(this.#row(name, EACH_GROUP), grp) ?? []
    );
  }
}

/** Reads a field of a row, as that of this group. */
type ReadRow<T> = (row: StoredLimit | undefined, grp: string) => T | undefined;

const limitIn: ReadRow<LimitedScope> = (row, grp) => {
  const concurrency = row?.concurrency ?? null;
  return concurrency === null ? undefined : { type: row!.type, grp, concurrency };
};

const rateIn: ReadRow<RatedScope> = (row, grp) => {
  const rate = row === undefined ? null : rateOf(row);
  return rate === null ? undefined : { type: row!.type, grp, rate };
};

/** A scope as the key of a map. */
export function keyOf({ type, grp }: ScopeKey): string {
  return JSON.stringify([type, grp]);
}

/** What is used of the scopes at one moment. */
export interface Used {
  readonly countHeld: CountHeld;
  readonly tatOf: TatOf;
  readonly nowMs: number;
}

/** How many tasks may start now; looks once at what is used of each scope, and counts what starts meanwhile. */
export class Room {
  readonly #flow: Flow;
  readonly #used: Used;
  readonly #slots = new Map<string, number>();
  readonly #starts = new Map<string, number>();

  constructor(flow: Flow, used: Used) {
    this.#flow = flow;
    this.#used = used;
  }

  /** How many such tasks may start; `Infinity` without a limit. */
  of(key: FlowKey): number {
    if (this.#flow.pauseOf(key, this.#used.nowMs) !== undefined) return 0;
    return this.#least(this.#flow.limitsOf(key), this.#flow.ratesOf(key));
  }

  /** How many may start by the group's own limits and pauses. */
  ofGroup(key: FlowKey): number {
    if (this.#flow.groupPauseOf(key, this.#used.nowMs) !== undefined) return 0;
    return this.#least(this.#flow.groupLimitsOf(key), this.#flow.groupRatesOf(key));
  }

  /** Such a task starts. */
  take(key: FlowKey): void {
    for (const scope of this.#flow.limitsOf(key)) {
      this.#slots.set(keyOf(scope), this.#slotsOf(scope) - 1);
    }
    for (const scope of this.#flow.ratesOf(key)) {
      this.#starts.set(keyOf(scope), this.#startsOf(scope) - 1);
    }
  }

  #least(limits: readonly LimitedScope[], rates: readonly RatedScope[]): number {
    const slots = limits.map((scope) => this.#slotsOf(scope));
    return Math.min(Infinity, ...slots, ...rates.map((scope) => this.#startsOf(scope)));
  }

  #slotsOf(scope: LimitedScope): number {
    return once(this.#slots, scope, () => {
      return Math.max(0, scope.concurrency - this.#used.countHeld(scope));
    });
  }

  #startsOf(scope: RatedScope): number {
    const { tatOf, nowMs } = this.#used;
    return once(this.#starts, scope, () => startsNow(scope.rate, tatOf(scope), nowMs));
  }
}

function once(known: Map<string, number>, scope: ScopeKey, count: () => number): number {
  const key = keyOf(scope);
  const counted = known.get(key) ?? count();
  known.set(key, counted);
  return counted;
}
