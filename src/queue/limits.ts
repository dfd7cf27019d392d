/**
 * Limits: how many tasks of a scope run at the same time, how often they start, and whether any may start at all.
 *
 * A limit and a pause are stored with the queue: they hold for every process, and survive a restart.
 */

/** The ranges of what a limit or a pause is given. */
export const FLOW_LIMITS: {
  /** The largest concurrency of a scope. */
  readonly concurrencyMax: number;
  /** The most starts that a rate allows in its period. */
  readonly rateMax: number;
  /** The shortest and the longest period of a rate, in milliseconds. */
  readonly periodMinMs: number;
  readonly periodMaxMs: number;
  /** The smallest and the largest weight of a group. */
  readonly weightMin: number;
  readonly weightMax: number;
  /** The longest name of who changes something, in characters. */
  readonly byMaxLength: number;
  /** The longest reason, in characters. */
  readonly reasonMaxLength: number;
  /** How many limits one call declares at most. */
  readonly declaredMax: number;
} = Object.freeze({
  concurrencyMax: 100_000,
  rateMax: 1_000_000,
  periodMinMs: 1,
  periodMaxMs: 366 * 86_400_000,
  weightMin: 0.01,
  weightMax: 100,
  byMaxLength: 200,
  reasonMaxLength: 500,
  declaredMax: 1000,
});

/** What a limit or a pause is for: all tasks of a type, of a group, or both; without either, every task of the queue. */
export interface LimitScope {
  /** Only tasks of this type; default all types together. There is no word for each type by itself. */
  readonly type?: string;
  /** Only tasks of this group; `*` is each group by itself, but for what one has of its own; default all. */
  readonly group?: string;
}

/** How sentences call a scope; what is null or left out is any. `named` is how a name is written, quoted by default. */
export function scopeText(
  { type, group }: { readonly type?: string | null; readonly group?: string | null },
  named: (name: string) => string = JSON.stringify,
): string {
  const ofType = type === null || type === undefined ? undefined : `type ${named(type)}`;
  if (group === null || group === undefined) return ofType ?? "the whole queue";
  const ofGroup = group === "*" ? "each group" : `group ${named(group)}`;
  return ofType === undefined ? ofGroup : `${ofGroup} of ${ofType}`;
}

/** How often tasks of a scope may start: never more than `limit` in any window of `periodMs`. */
export interface RateLimit {
  /** How many starts at most, 1–1,000,000; each start counts, also after a failure or a rescue, and none is given back. */
  readonly limit: number;
  /** In how many milliseconds, 1 to 366 days. */
  readonly periodMs: number;
  /**
   * How many may start at once, 1 to `limit`; default what 100 ms of the rate would be, from 1 to a tenth of `limit`. A larger
   * one lowers how many start in the long run to `limit - burst + 1` in each period; 1 spreads them evenly.
   */
  readonly burst?: number;
}

/** How many tasks of a scope may run, how often they start, how groups share; at least one of these. What is left out has no limit. */
export interface Limit {
  /** How many leases of the scope there may be at the same time, 1–100,000. */
  readonly concurrency?: number;
  /** How often tasks of the scope start. */
  readonly rate?: RateLimit;
  /** How many starts a group has for each one of a group with weight 1, while both wait; only of groups, 0.01–100; default 1. */
  readonly weight?: number;
}

/** A limit that a program needs, with its scope. */
export interface DeclaredLimit {
  /** What it is for. */
  readonly scope: LimitScope;
  /** The limit. */
  readonly limit: Limit;
}

/** Who changes a limit. */
export interface ChangedBy {
  /** Who does it, for `explain` and for others who look; 1–200 characters; default unknown. */
  readonly by?: string;
}

/** A pause. */
export interface PauseOptions extends ChangedBy {
  /** Why, 1–500 characters; default unknown. */
  readonly reason?: string;
  /** When it ends by itself: a `Date`, or an ISO 8601 string with a zone, in the future; default when it is resumed. */
  readonly until?: Date | string;
}

/** A pause that holds. */
export interface PauseState {
  /** Since when. A second pause changes its reason, and leaves this as it is. */
  readonly at: Date;
  /** Who paused last. */
  readonly by: string | null;
  /** Why. */
  readonly reason: string | null;
  /** When it ends by itself; `null` when it is resumed. */
  readonly until: Date | null;
}

/** A task that holds a slot of a scope. */
export interface SlotHolder {
  /** Its id. */
  readonly taskId: number;
  /** Its run id; `null` when the task was deleted meanwhile. */
  readonly runId: string | null;
  /** Its type. */
  readonly type: string;
  /** The worker that has the lease. */
  readonly workerId: string;
  /** When the lease ends unless it is renewed. */
  readonly leaseUntil: Date;
  /** Whether the task was cancelled, and its worker has yet to say that it has stopped. */
  readonly isCancelled: boolean;
}

/** A scope's limit and pause as they are stored, on their way to another queue. */
export interface FlowRecord {
  /** What it is for. */
  readonly scope: LimitScope;
  /** How many tasks may run; `null` without a limit. */
  readonly concurrency: number | null;
  /** How often they may start; `null` without a limit. */
  readonly rate: Required<RateLimit> | null;
  /** How many starts a group has for each one of a group with weight 1; `null` for 1. */
  readonly weight: number | null;
  /** When that was set. */
  readonly setAt: Date | null;
  /** Who set it. */
  readonly setBy: string | null;
  /** Whether a program declared it, so that programs may change it when they start. */
  readonly isDeclared: boolean;
  /** The pause; `null` when it is not paused. */
  readonly paused: PauseState | null;
}

/** A scope that has a limit or is paused. */
export interface LimitRecord extends FlowRecord {
  /** When the next task may start by the rate; `null` when one may at once, without a rate, and for each group (`*`). */
  readonly nextStartAt: Date | null;
  /** How many slots are held. */
  readonly held: number;
  /** Who holds them: the 20 whose leases began first. */
  readonly holders: readonly SlotHolder[];
  /** How many due tasks of the scope this limit or pause holds back at this moment. */
  readonly blocked: number;
}

/** Limits and pauses. */
export interface QueueLimits {
  /**
   * Lets at most so many tasks of the scope run at the same time, or start in a period; `null` removes the limit. It replaces what was
   * set, and holds from when this resolves: a lower number ends nothing that runs, and nothing starts until fewer run. `false` when
   * nothing changed.
   *
   * A task that was cancelled while it ran keeps its slot until its worker has stopped it, or its lease ends.
   *
   * @throws TypeError, RangeError
   */
  setLimit(scope: LimitScope, limit: Limit | null, options?: ChangedBy): Promise<boolean>;
  /**
   * Sets the limits that a program needs, when it starts: all of them, or none. What `setLimit` has set stays as it is. Returns
   * how many were set. @throws TypeError, RangeError
   */
  declareLimits(limits: readonly DeclaredLimit[]): Promise<number>;
  /**
   * Lets no task of the scope start, from when this resolves until `resume`, or `until`. What runs goes on, and so do enqueueing,
   * cancelling and schedules. One that is paused already gets the new reason. `false` when nothing changed.
   *
   * @throws TypeError, RangeError
   */
  pause(scope: LimitScope, options?: PauseOptions): Promise<boolean>;
  /** Ends a pause of exactly this scope; `false` when it was not paused. @throws TypeError */
  resume(scope: LimitScope, options?: ChangedBy): Promise<boolean>;
  /** Every scope with a limit or a pause: the whole queue first, then by type. */
  listLimits(): Promise<LimitRecord[]>;
}
