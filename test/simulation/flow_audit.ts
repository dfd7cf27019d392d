/**
 * Looks at each change of a task, a limit and a slot in the journal: what starts has room, and nothing starts in a pause.
 *
 * Each start bears the time at which its claim decided, so this is exact whatever the clocks of the processes show. Slots are
 * counted from the rows, as callers understand them: leases, expired ones too, and tasks cancelled under a limit whose workers
 * have not stopped.
 */
import type { Change } from "../../src/ledger/change.ts";
import type { SqlRow } from "../../src/ledger/sql_engine.ts";
import type { Task } from "../../src/domain/task.ts";
import { FLOW_TABLE, SLOT_TABLE, TASK_TABLE } from "../../src/ledger_queue/rows/schema.ts";
import { taskOfRow } from "../../src/ledger_queue/rows/task_row.ts";
import type { EventLog } from "./event_log.ts";
import { describe } from "./facts.ts";

/** A scope as its row says; an empty type is the whole queue. */
interface Scope {
  readonly type: string;
  readonly concurrency: number | null;
  readonly isPaused: boolean;
  readonly pausedUntilMs: number | null;
}

/** A lease that counts. */
interface HeldSlot {
  readonly type: string;
  readonly token: number;
}

/** Keeps account of what may start. */
export class FlowAudit {
  readonly #log: EventLog;
  readonly #scopes = new Map<string, Scope>();
  readonly #leased = new Map<number, HeldSlot>();
  /** By task and token: the type, and until when. */
  readonly #slots = new Map<string, { readonly type: string; readonly untilMs: number }>();

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** What one record changes, in its order. */
  check(changes: readonly Change[]): void {
    for (const { table, ...change } of changes) {
      if (table === FLOW_TABLE) this.#noteScope(change);
      if (table === SLOT_TABLE) this.#noteSlot(change);
      if (table === TASK_TABLE && change.row !== null) this.#checkTask(taskOfRow(change.row));
    }
  }

  #noteScope(change: { readonly row: SqlRow | null; readonly key?: SqlRow }): void {
    if (change.row === null) return void this.#scopes.delete(String(change.key![0]));
    const [type, , concurrency, , , , pausedAt, , , until] = change.row;
    this.#scopes.set(String(type), {
      type: String(type),
      concurrency: concurrency as number | null,
      isPaused: pausedAt !== null,
      pausedUntilMs: until as number | null,
    });
    this.#log.count("limits and pauses changed");
  }

  #noteSlot(change: { readonly row: SqlRow | null; readonly key?: SqlRow }): void {
    const [taskId, token] = change.row ?? change.key!;
    const name = `${taskId} ${token}`;
    if (change.row === null) return void this.#slots.delete(name);
    this.#slots.set(name, { type: String(change.row[2]), untilMs: Number(change.row[6]) });
    this.#log.count("slots of cancelled tasks");
  }

  #checkTask(task: Task): void {
    const held = this.#leased.get(task.id);
    if (task.status === "leased") {
      this.#leased.set(task.id, { type: task.type, token: task.leaseToken });
      if (held?.token !== task.leaseToken) this.#checkStart(task);
      return;
    }
    this.#leased.delete(task.id);
    if (held === undefined || task.status !== "cancelled") return;
    const isLimited = this.#scopesOf(task.type).some(({ concurrency }) => concurrency !== null);
    if (!isLimited || this.#slots.has(`${task.id} ${held.token}`)) return;
    this.#log.violate(`${describe(task)} gave up its slot when it was cancelled`);
  }

  #checkStart(task: Task): void {
    const atMs = task.processingStarted!.getTime();
    for (const scope of this.#scopesOf(task.type)) {
      const { isPaused, pausedUntilMs, concurrency } = scope;
      if (isPaused && (pausedUntilMs === null || pausedUntilMs > atMs)) {
        this.#log.violate(`${describe(task)} started in a pause of ${nameOf(scope)}`);
      }
      if (concurrency === null) continue;
      const held = this.#countHeld(scope, atMs);
      this.#log.count(held < concurrency ? "starts under a limit" : "starts that fill a limit");
      if (held <= concurrency) continue;
      this.#log.violate(
        `${describe(task)} started as number ${held} of ${concurrency} of ${nameOf(scope)}`,
      );
    }
  }

  #scopesOf(type: string): Scope[] {
    return ["", type].flatMap((name) => this.#scopes.get(name) ?? []);
  }

  #countHeld({ type }: Scope, atMs: number): number {
    const isOf = (each: { readonly type: string }): boolean => type === "" || each.type === type;
    const leases = [...this.#leased.values()].filter(isOf).length;
    const slots = [...this.#slots.values()].filter((slot) => isOf(slot) && slot.untilMs > atMs);
    return leases + slots.length;
  }
}

function nameOf({ type }: Scope): string {
  return type === "" ? "the queue" : type;
}
