/**
 * The commit lock as a ledger waits for it.
 *
 * It is held for microseconds, so most often it is free. Its holder may be suspended, though: a wait is reported after a
 * while, ends in refusals if it has a bound, and holds up no fsync of what is acknowledged already.
 */
import type { CancelTimer, Clock } from "../domain/clock.ts";
import { StorageError } from "../domain/errors.ts";
import type { Lock, Storage } from "../storage/storage.ts";
import type { LedgerHealth } from "./ledger_health.ts";

/** The commit lock is held for microseconds: a process that holds it for so long stands still, or is not one of Holdfast's. */
const LOCK_NOTICE_MS = 5000;

/** What waiting for the lock needs. */
export interface CommitLockTools {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly health: LedgerHealth;
  /** How long it may take before what waits is refused; default without a bound. */
  readonly waitMaxMs?: number;
  /** Refuses what waits for the lock. */
  readonly onOverdue: () => void;
  /** The fsync that was begun meanwhile and has not ended. */
  readonly syncUnderWay: () => Promise<void> | undefined;
}

/** The commit lock of one ledger's storage. */
export class CommitLock {
  readonly #tools: CommitLockTools;
  #isWaiting = false;
  #isOverdue = false;
  #waitingSinceMs = 0;

  constructor(tools: CommitLockTools) {
    this.#tools = tools;
  }

  /** Whether it is being waited for. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** Whether it has been waited for longer than a write may. */
  get isOverdue(): boolean {
    return this.#isOverdue;
  }

  /** For how many milliseconds it has been waited for; 0 when it is not. */
  get waitMs(): number {
    return this.#isWaiting ? this.#heldMs : 0;
  }

  /** Takes the lock. @throws StorageError */
  async take(): Promise<Lock> {
    const { storage, health } = this.#tools;
    try {
      return storage.tryLock("commit") ?? await this.#wait();
    } catch (error) {
      health.note(error);
      throw error;
    }
  }

  /** What a write is refused with while the lock is overdue. */
  overdueError(): StorageError {
    const seconds = Math.round(this.#heldMs / 1000);
    return this.#error(`for ${seconds} s; nothing was changed`);
  }

  /** An fsync that was begun meanwhile ends before anything is done under the lock. */
  async #wait(): Promise<Lock> {
    const { clock, storage, health, syncUnderWay } = this.#tools;
    this.#isWaiting = true;
    this.#waitingSinceMs = clock.nowMs();
    const cancelNotice = clock.setTimer(() => this.#reportHeld(), LOCK_NOTICE_MS);
    const cancelRefusal = this.#refuseWhenOverdue();
    try {
      for (;;) {
        const lock = await storage.lock("commit");
        if (syncUnderWay() === undefined && !health.hasFailed) return lock;
        lock.release();
        await syncUnderWay();
        health.check();
      }
    } finally {
      cancelNotice();
      cancelRefusal();
      this.#isWaiting = false;
      this.#isOverdue = false;
    }
  }

  /** What waits has not begun, so nothing of it is done when it is refused. */
  #refuseWhenOverdue(): CancelTimer {
    const { clock, waitMaxMs, onOverdue } = this.#tools;
    if (waitMaxMs === undefined) return () => {};
    return clock.setTimer(() => {
      this.#isOverdue = true;
      onOverdue();
    }, waitMaxMs);
  }

  /** It goes on waiting: what waits is done once the lock is free, unless there is a bound. */
  #reportHeld(): void {
    const seconds = LOCK_NOTICE_MS / 1000;
    const error = this.#error(`for ${seconds} s, so whatever changes the queue waits`);
    this.#tools.health.report(error);
  }

  get #heldMs(): number {
    return this.#tools.clock.nowMs() - this.#waitingSinceMs;
  }

  #error(rest: string): StorageError {
    const reason = `another process has held the commit lock ${rest}`;
    return new StorageError("lock", this.#tools.storage.location, reason);
  }
}
