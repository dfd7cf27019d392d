/**
 * Looks at each start in the journal: no window of a rate's period has more starts of its scope than its limit, counted from the record
 * that sets the rate to the one that changes it. Each start is charged, once, to each of its scopes, in its own record.
 *
 * Times are those at which claims decided. The bound is one of a single clock, so rates are set only in seeds in which all processes
 * show the same time.
 */
import type { SqlRow } from "../../src/ledger/sql_engine.ts";
import type { Task } from "../../src/domain/task.ts";
import type { EventLog } from "./event_log.ts";
import { describe } from "./facts.ts";

/** So many starts in so many milliseconds, and so many of them at once. */
export interface AuditedRate {
  readonly limit: number;
  readonly periodMs: number;
  readonly burst: number;
}

/** A scope that has a rate; never each group, but one of them. */
export interface RatedScope {
  readonly type: string;
  readonly grp: string;
  readonly rate: AuditedRate;
}

/** The starts since a rate was set. */
interface Count {
  readonly scope: RatedScope;
  readonly startsMs: number[];
}

/** Keeps account of what rates allow. */
export class RateAudit {
  readonly #log: EventLog;
  readonly #counts = new Map<string, Count>();
  /** Until when starts have filled each bucket, in µs; what starts add is added at once, before their bucket's row says so. */
  readonly #tats = new Map<string, number>();
  /** The buckets whose rows have yet to say so. */
  readonly #charged = new Set<string>();

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** Whether each of these rates allows a start. */
  allows(scopes: readonly RatedScope[], atMs: number): boolean {
    return scopes.every((scope) => {
      const { rate } = scope;
      const aheadUs = (this.#tats.get(nameOf(scope)) ?? -Infinity) - atMs * 1000;
      return aheadUs <= (rate.burst - 1) * intervalUs(rate);
    });
  }

  /** A task has started in these scopes. */
  start(task: Task, scopes: readonly RatedScope[]): void {
    const atMs = task.processingStarted!.getTime();
    for (const scope of scopes) {
      this.#count(task, scope, atMs);
      this.#charge(scope, atMs);
    }
  }

  /** A limit has changed: starts under a rate that is no more count no more. */
  forget(rateOf: (type: string, grp: string) => AuditedRate | null): void {
    for (const [name, { scope }] of this.#counts) {
      const rate = rateOf(scope.type, scope.grp);
      if (JSON.stringify(rate) !== JSON.stringify(scope.rate)) this.#counts.delete(name);
    }
  }

  /** A bucket is so now: what its starts have made of it, or what a change of its rate has. */
  noteBucket({ row, key }: { readonly row: SqlRow | null; readonly key?: SqlRow }): void {
    const [type, grp] = (row ?? key!).map(String) as [string, string];
    const name = nameOf({ type, grp });
    const tatUs = row === null ? undefined : Number(row[2]);
    if (this.#charged.delete(name)) this.#checkCharge(name, tatUs);
    if (tatUs === undefined) this.#tats.delete(name);
    else this.#tats.set(name, tatUs);
  }

  /** A record ends: what has started in it has been charged in it. */
  endRecord(): void {
    for (const name of this.#charged) this.#log.violate(`starts of ${name} were not charged`);
    this.#charged.clear();
  }

  #count(task: Task, scope: RatedScope, atMs: number): void {
    const name = nameOf(scope);
    const { limit, periodMs } = scope.rate;
    const { startsMs } = this.#counts.get(name) ?? { startsMs: [] };
    this.#counts.set(name, { scope, startsMs: [...startsMs, atMs].sort((a, b) => a - b) });
    const of = scope.grp === "" ? "a rate" : "a group's rate";
    const count = mostIn(this.#counts.get(name)!.startsMs, periodMs, atMs);
    this.#log.count(count < limit ? `starts under ${of}` : `starts that fill ${of}`);
    if (count <= limit) return;
    this.#log.violate(
      `${describe(task)} is start ${count} of ${name} in ${periodMs} ms: ${limit} are allowed`,
    );
  }

  #charge(scope: RatedScope, atMs: number): void {
    const name = nameOf(scope);
    const nowUs = atMs * 1000;
    const stepUs = intervalUs(scope.rate);
    const tatUs = Math.max(this.#tats.get(name) ?? nowUs, nowUs);
    // a rate that was set later may find more than it can fill
    const isKnown = this.#charged.has(name);
    const fromUs = isKnown ? tatUs : Math.min(tatUs, nowUs + scope.rate.burst * stepUs);
    this.#tats.set(name, fromUs + stepUs);
    this.#charged.add(name);
  }

  #checkCharge(name: string, storedUs: number | undefined): void {
    const tatUs = this.#tats.get(name)!;
    this.#log.count("charges compared with buckets");
    if (storedUs === tatUs) return;
    this.#log.violate(`the bucket of ${name} is ${storedUs}, its starts make it ${tatUs}`);
  }
}

/** The starts in the fullest window of those that end with a start, from `atMs` on. */
function mostIn(startsMs: readonly number[], periodMs: number, atMs: number): number {
  const ends = startsMs.filter((endMs) => endMs >= atMs);
  return Math.max(
    ...ends.map((endMs) =>
      startsMs.filter((startMs) => startMs > endMs - periodMs && startMs <= endMs).length
    ),
  );
}

function intervalUs({ limit, periodMs, burst }: AuditedRate): number {
  return Math.ceil(periodMs * 1000 / (limit - burst + 1));
}

function nameOf({ type, grp }: { readonly type: string; readonly grp: string }): string {
  return JSON.stringify([type, grp]);
}
