/**
 * The leases that this process was given: which one of each task is the latest, for its log, and whose end may have been told
 * although there was no answer. Bounded: what is oldest is forgotten.
 */
import type { Lease, Task } from "../domain/task.ts";
import { toLease } from "../domain/to_lease.ts";

/** How many leases, or tasks, are remembered. */
const REMEMBERED_MAX = 10_000;

/** Remembers leases. */
export class LeaseBook {
  readonly #latest = new Map<number, Lease>();
  readonly #inDoubt = new Set<string>();

  /** A task was leased to this process. */
  given(task: Task): void {
    this.#latest.delete(task.id);
    this.#latest.set(
      task.id,
      toLease({ id: task.id, lockedBy: task.lockedBy, leaseToken: task.leaseToken }),
    );
    forgetOldest(this.#latest);
  }

  /** The latest lease of a task. */
  latest(taskId: number): Lease | undefined {
    return this.#latest.get(taskId);
  }

  /** Its end may have been told. */
  doubt(lease: Lease): void {
    this.#inDoubt.add(keyOf(lease));
    forgetOldest(this.#inDoubt);
  }

  /** Whether its end may have been told. */
  isInDoubt(lease: Lease): boolean {
    return this.#inDoubt.has(keyOf(lease));
  }

  /** Its end was answered. */
  certain(lease: Lease): void {
    this.#inDoubt.delete(keyOf(lease));
  }
}

function keyOf({ taskId, leaseToken }: Lease): string {
  return `${taskId} ${leaseToken}`;
}

/** Forgets what is beyond the bound, the oldest first. */
export function forgetOldest<Key>(
  known: {
    readonly size: number;
    keys(): Iterator<Key> & Iterable<Key>;
    delete(key: Key): boolean;
  },
): void {
  for (const key of known.keys()) {
    if (known.size <= REMEMBERED_MAX) return;
    known.delete(key);
  }
}
