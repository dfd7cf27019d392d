/**
 * Time and order: storage completions and timers wait here until chance lets one of them go on.
 *
 * Whatever runs without waiting (microtasks) runs to its end before the next is chosen, so the choices made here are the
 * only ones there are, and one seed replays them all.
 */
import { setImmediate } from "node:timers";
import type { CancelTimer } from "../../src/domain/clock.ts";
import type { Chance } from "./chance.ts";

/** The process that something belongs to. */
export type ProcessId = number;

interface Turn {
  readonly owner: ProcessId;
  readonly goOn: () => void;
}

interface Timer {
  readonly owner: ProcessId;
  readonly atMs: number;
  readonly fire: () => void;
}

/** When every simulation begins. */
export const SIMULATION_START_MS = Date.UTC(2026, 0, 1);

/** What waits, and the time. */
export class Scheduler {
  #nowMs = SIMULATION_START_MS;
  #turns: Turn[] = [];
  #timers: Timer[] = [];
  readonly #gone = new Set<ProcessId>();
  readonly #stalledUntilMs = new Map<ProcessId, number>();

  /** The true time, which no process need agree with. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Resolves when `owner` is chosen to go on. */
  turn(owner: ProcessId): Promise<void> {
    return new Promise((goOn) => this.#turns.push({ owner, goOn }));
  }

  /** Lets `goOn` run when it is chosen. */
  add(owner: ProcessId, goOn: () => void): void {
    this.#turns.push({ owner, goOn });
  }

  /** Fires once `delayMs` have passed, and it is chosen. */
  setTimer(owner: ProcessId, fire: () => void, delayMs: number): CancelTimer {
    const timer = { owner, atMs: this.#nowMs + Math.max(0, delayMs), fire };
    this.#timers.push(timer);
    return () => {
      const at = this.#timers.indexOf(timer);
      if (at >= 0) this.#timers.splice(at, 1);
    };
  }

  /** Nothing of `owner` goes on any more. */
  drop(owner: ProcessId): void {
    this.#gone.add(owner);
    this.#turns = this.#turns.filter((turn) => turn.owner !== owner);
    this.#timers = this.#timers.filter((timer) => timer.owner !== owner);
  }

  /** Nothing of `owner` goes on for a while, as if the system had stopped it. */
  stall(owner: ProcessId, durationMs: number): void {
    this.#stalledUntilMs.set(owner, this.#nowMs + durationMs);
  }

  /** Everybody may go on again. */
  endStalls(): void {
    this.#stalledUntilMs.clear();
  }

  /** Lets time pass; nothing happens yet. */
  pass(ms: number): void {
    this.#nowMs += ms;
  }

  /** How long until the next timer is due, if there is one; 0 when one is due already. */
  untilNextTimer(): number | undefined {
    const next = Math.min(...this.#timers.map(({ atMs }) => atMs));
    return Number.isFinite(next) ? Math.max(0, next - this.#nowMs) : undefined;
  }

  /**
   * Lets one of those that can go on go on, with all that follows from it at once. `false` when there is none. What the
   * caller itself has set going must have come to rest (`allMicrotasks`).
   */
  async step(chance: Chance): Promise<boolean> {
    const choices = [
      ...this.#turns.filter(({ owner }) => this.canGoOn(owner)),
      ...this.#dueTimers(),
    ];
    if (choices.length === 0) return false;
    const chosen = chance.pick(choices);
    if ("goOn" in chosen) {
      this.#turns.splice(this.#turns.indexOf(chosen), 1);
      chosen.goOn();
    } else {
      this.#timers.splice(this.#timers.indexOf(chosen), 1);
      chosen.fire();
    }
    await allMicrotasks();
    return true;
  }

  /** Whether nothing of `owner` could go on now, however long nobody else did. */
  isAtRest(owner: ProcessId): boolean {
    return !this.#turns.some((turn) => turn.owner === owner) &&
      !this.#timers.some((timer) => timer.owner === owner && timer.atMs <= this.#nowMs);
  }

  /** Whether a process is neither gone nor standing still. */
  canGoOn(owner: ProcessId): boolean {
    return !this.#gone.has(owner) && (this.#stalledUntilMs.get(owner) ?? 0) <= this.#nowMs;
  }

  /** The first due timer of each process: within one, timers fire in order. */
  #dueTimers(): Timer[] {
    const first = new Map<ProcessId, Timer>();
    for (const timer of this.#timers) {
      if (timer.atMs > this.#nowMs || !this.canGoOn(timer.owner)) continue;
      const other = first.get(timer.owner);
      if (other === undefined || timer.atMs < other.atMs) first.set(timer.owner, timer);
    }
    return [...first.values()];
  }
}

/** Resolves when every promise that can go on without us has. */
export function allMicrotasks(): Promise<void> {
  return new Promise((resume) => setImmediate(resume));
}

/**
 * Never resolves: what a dead process waits for. Each call gives another promise, because a promise keeps everybody who
 * awaits it, and one that all shared would keep every dead process of every simulation.
 */
export function never(): Promise<never> {
  return new Promise(() => {});
}
