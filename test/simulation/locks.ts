/**
 * The locks of a simulated disk: held by one process at a time, freed when it dies.
 */
import type { Lock, LockName } from "../../src/storage/storage.ts";
import type { Chance } from "./chance.ts";
import type { ProcessId, Scheduler } from "./scheduler.ts";

interface Waiter {
  readonly owner: ProcessId;
  readonly grant: () => void;
}

/** Who holds what, and who waits. */
export class LockTable {
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;
  readonly #areIgnored: boolean;
  readonly #holders = new Map<LockName, ProcessId>();
  readonly #waiters: Record<LockName, Waiter[]> = { commit: [], checkpoint: [] };

  constructor(
    scheduler: Scheduler,
    options: { readonly chance: Chance; readonly areIgnored: boolean },
  ) {
    this.#scheduler = scheduler;
    this.#chance = options.chance;
    this.#areIgnored = options.areIgnored;
  }

  /** Who holds a lock. */
  holder(name: LockName): ProcessId | undefined {
    return this.#holders.get(name);
  }

  /** Takes a lock if it is free. */
  tryTake(name: LockName, owner: ProcessId): Lock | undefined {
    if (this.#holders.has(name) && !this.#areIgnored) return undefined;
    this.#holders.set(name, owner);
    return { release: () => this.#release(name, owner) };
  }

  /** Waits for a lock; the system may give it to whoever waits. */
  async take(name: LockName, owner: ProcessId): Promise<Lock> {
    const lock = this.tryTake(name, owner);
    if (lock === undefined) {
      await new Promise<void>((grant) => this.#waiters[name].push({ owner, grant }));
    } else {
      await this.#scheduler.turn(owner);
    }
    return { release: () => this.#release(name, owner) };
  }

  /** A process lets go of everything it holds or waits for. */
  releaseAll(owner: ProcessId): void {
    for (const name of ["commit", "checkpoint"] as const) {
      this.#waiters[name] = this.#waiters[name].filter((waiter) => waiter.owner !== owner);
      this.#release(name, owner);
    }
  }

  #release(name: LockName, owner: ProcessId): void {
    if (this.#holders.get(name) !== owner) return;
    this.#holders.delete(name);
    const waiters = this.#waiters[name];
    if (waiters.length === 0) return;
    const [next] = waiters.splice(this.#chance.below(waiters.length), 1);
    this.#holders.set(name, next!.owner);
    this.#scheduler.add(next!.owner, next!.grant);
  }
}
