/**
 * Looks at each change of a task, a limit and a slot in the journal: what starts has room, nothing starts in a pause, no rate is
 * exceeded, and groups take turns.
 *
 * Each start bears the time at which its claim decided, so this is exact whatever the clocks of the processes show. Slots are
 * counted from the rows, as callers understand them: leases, expired ones too, and tasks cancelled under a limit whose workers
 * have not stopped.
 */
import type { Change } from "../../src/ledger/change.ts";
import type { SqlRow } from "../../src/ledger/sql_engine.ts";
import type { Task } from "../../src/domain/task.ts";
import {
  BUCKET_TABLE,
  FLOW_TABLE,
  SLOT_TABLE,
  TASK_TABLE,
} from "../../src/ledger_queue/rows/schema.ts";
import { cell } from "../../src/ledger_queue/rows/cells.ts";
import { taskOfRow } from "../../src/ledger_queue/rows/task_row.ts";
import type { EventLog } from "./event_log.ts";
import { FairAudit } from "./fair_audit.ts";
import { describe } from "./facts.ts";
import { type AuditedRate, RateAudit, type RatedScope } from "./rate_audit.ts";

/** A type and a group; empty for all types, and for no group. */
interface Key {
  readonly type: string;
  readonly grp: string;
}

/** A scope as its row says; an empty type is the whole queue, the group "*" each group. */
interface Scope extends Key {
  readonly weight: number | null;
  readonly concurrency: number | null;
  readonly rate: AuditedRate | null;
  readonly isPaused: boolean;
  readonly pausedUntilMs: number | null;
}

/** A lease that counts. */
interface HeldSlot extends Key {
  readonly token: number;
}

/** Keeps account of what may start. */
export class FlowAudit {
  readonly #log: EventLog;
  readonly #scopes = new Map<string, Scope>();
  readonly #leased = new Map<number, HeldSlot>();
  /** By task and token: whose, and until when. */
  readonly #slots = new Map<string, Key & { readonly untilMs: number }>();
  readonly #fair: FairAudit;
  readonly #rates: RateAudit;

  constructor(log: EventLog) {
    this.#log = log;
    this.#rates = new RateAudit(log);
    this.#fair = new FairAudit(log, {
      mayStart: (type, grp, atMs) => this.#mayStart(this.#groupScopesOf({ type, grp }), atMs),
      weightOf: (type, grp) => this.#weightOf(type, grp),
    });
  }

  /** What one record changes, in its order. */
  check(changes: readonly Change[]): void {
    for (const { table, ...change } of changes) {
      if (table === FLOW_TABLE) this.#noteScope(change);
      if (table === SLOT_TABLE) this.#noteSlot(change);
      if (table === BUCKET_TABLE) this.#rates.noteBucket(change);
      if (table === TASK_TABLE && change.row !== null) {
        this.#checkTask(taskOfRow(change.row), cell(change.row, "is_ready") === 1);
      }
    }
    this.#rates.endRecord();
  }

  /** Whether a group's own limits and pauses let none of its tasks start, whatever the time is. */
  isHeldBack(type: string, grp: string): boolean {
    return this.#groupScopesOf({ type, grp }).some((scope) =>
      (scope.isPaused && scope.pausedUntilMs === null) ||
      (scope.concurrency !== null && this.#countHeld(scope, -Infinity) >= scope.concurrency)
    );
  }

  #noteScope(change: { readonly row: SqlRow | null; readonly key?: SqlRow }): void {
    const [type, grp] = (change.row ?? change.key!).map(String) as [string, string];
    const name = JSON.stringify([type, grp]);
    const before = this.#scopes.get(name)?.rate ?? null;
    if (change.row === null) this.#scopes.delete(name);
    else this.#scopes.set(name, scopeOfRow(change.row));
    this.#noteRate(before, this.#scopes.get(name)?.rate ?? null);
    if (change.row === null) return;
    this.#log.count("limits and pauses changed");
    if (grp !== "") this.#log.count("limits and pauses of groups changed");
  }

  #noteRate(before: AuditedRate | null, after: AuditedRate | null): void {
    if (JSON.stringify(before) === JSON.stringify(after)) return;
    const what = before === null ? "set" : after === null ? "removed" : "changed";
    this.#log.count(`rates ${what}`);
    this.#rates.forget((type, grp) => this.#rateOf(type, grp));
  }

  #noteSlot(change: { readonly row: SqlRow | null; readonly key?: SqlRow }): void {
    const [taskId, token] = change.row ?? change.key!;
    const name = `${taskId} ${token}`;
    if (change.row === null) return void this.#slots.delete(name);
    const [, , type, grp, , , untilMs] = change.row;
    this.#slots.set(name, { type: String(type), grp: String(grp), untilMs: Number(untilMs) });
    this.#log.count("slots of cancelled tasks");
  }

  #checkTask(task: Task, isReady: boolean): void {
    const held = this.#leased.get(task.id);
    const key = keyOf(task);
    this.#fair.note(task, isReady);
    if (task.status === "leased") {
      this.#leased.set(task.id, { ...key, token: task.leaseToken });
      if (held?.token === task.leaseToken) return;
      this.#checkStart(task);
      this.#rates.start(task, ratedIn(this.#scopesOf(key)));
      // what is claimed by its id, or with its first lease, takes no turn
      if (task.reservedAt !== null) this.#fair.start(task);
      return;
    }
    this.#leased.delete(task.id);
    if (held === undefined || task.status !== "cancelled") return;
    const isLimited = this.#scopesOf(key).some(({ concurrency }) => concurrency !== null);
    if (!isLimited || this.#slots.has(`${task.id} ${held.token}`)) return;
    this.#log.violate(`${describe(task)} gave up its slot when it was cancelled`);
  }

  #checkStart(task: Task): void {
    const atMs = task.processingStarted!.getTime();
    for (const scope of this.#scopesOf(keyOf(task))) {
      const { concurrency } = scope;
      if (isPausedAt(scope, atMs)) {
        this.#log.violate(`${describe(task)} started in a pause of ${nameOf(scope)}`);
      }
      if (concurrency === null) continue;
      const held = this.#countHeld(scope, atMs);
      const of = scope.grp === "" ? "a limit" : "a group's limit";
      this.#log.count(held < concurrency ? `starts under ${of}` : `starts that fill ${of}`);
      if (held <= concurrency) continue;
      this.#log.violate(
        `${describe(task)} started as number ${held} of ${concurrency} of ${nameOf(scope)}`,
      );
    }
  }

  #mayStart(scopes: readonly Scope[], atMs: number): boolean {
    const hasRoom = scopes.every((scope) =>
      !isPausedAt(scope, atMs) &&
      (scope.concurrency === null || this.#countHeld(scope, atMs) < scope.concurrency)
    );
    const isAllowed = this.#rates.allows(ratedIn(scopes), atMs);
    if (hasRoom && !isAllowed) this.#log.count("starts beside a group that its rate holds back");
    return hasRoom && isAllowed;
  }

  /** The scopes of such tasks; each group's as the group's own. */
  #scopesOf(key: Key): Scope[] {
    const wide = ["", key.type].flatMap((type) => this.#scopeOf(type, "") ?? []);
    return [...wide, ...this.#groupScopesOf(key)];
  }

  /** A named group's concurrency and rate replace those of each group; their pauses are independent. */
  #groupScopesOf({ type, grp }: Key): Scope[] {
    if (grp === "") return [];
    return ["", type].flatMap((of) => {
      const own = this.#scopeOf(of, grp);
      const each = this.#scopeOf(of, "*");
      const rest = each && {
        ...each,
        grp,
        concurrency: (own?.concurrency ?? null) === null ? each.concurrency : null,
        rate: (own?.rate ?? null) === null ? each.rate : null,
      };
      return [own ?? [], rest ?? []].flat();
    });
  }

  #weightOf(type: string, grp: string): number {
    if (grp === "") return 1;
    const scopes = [[type, grp], ["", grp], [type, "*"], ["", "*"]] as const;
    return scopes.map(([of, name]) => this.#scopeOf(of, name)?.weight ?? null)
      .find((weight) => weight !== null) ?? 1;
  }

  /** The rate of a bucket. */
  #rateOf(type: string, grp: string): AuditedRate | null {
    const own = this.#scopeOf(type, grp)?.rate ?? null;
    return own ?? (grp === "" ? null : this.#scopeOf(type, "*")?.rate ?? null);
  }

  #scopeOf(type: string, grp: string): Scope | undefined {
    return this.#scopes.get(JSON.stringify([type, grp]));
  }

  #countHeld({ type, grp }: Scope, atMs: number): number {
    const isOf = (each: Key): boolean =>
      (type === "" || each.type === type) && (grp === "" || each.grp === grp);
    const leases = [...this.#leased.values()].filter(isOf).length;
    const slots = [...this.#slots.values()].filter((slot) => isOf(slot) && slot.untilMs > atMs);
    return leases + slots.length;
  }
}

function keyOf({ type, group }: Task): Key {
  return { type, grp: group ?? "" };
}

function scopeOfRow(row: SqlRow): Scope {
  const [type, grp, concurrency, , , , pausedAt, , , until, weight, limit, periodMs, burst] = row;
  const rate = { limit: Number(limit), periodMs: Number(periodMs), burst: Number(burst) };
  return {
    type: String(type),
    grp: String(grp),
    concurrency: concurrency as number | null,
    rate: limit === null ? null : rate,
    weight: weight as number | null,
    isPaused: pausedAt !== null,
    pausedUntilMs: until as number | null,
  };
}

function ratedIn(scopes: readonly Scope[]): RatedScope[] {
  return scopes.flatMap(({ type, grp, rate }) => rate === null ? [] : [{ type, grp, rate }]);
}

function isPausedAt({ isPaused, pausedUntilMs }: Scope, atMs: number): boolean {
  return isPaused && (pausedUntilMs === null || pausedUntilMs > atMs);
}

function nameOf({ type, grp }: Scope): string {
  const name = type === "" ? "the queue" : type;
  return grp === "" ? name : `group ${grp} of ${name}`;
}
