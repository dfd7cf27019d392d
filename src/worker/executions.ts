/**
 * The executions of a worker, and how each learns of the changes of its task.
 *
 * No change is missed: one that arrives before the claim's answer is kept for the execution to come.
 */
import type { TaskStatus } from "../domain/task.ts";
import type { TaskChange } from "../queue/task_queue.ts";
import type { Execution } from "./execution.ts";

/** How a task comes to this worker: claimed from the queue, or enqueued by the worker itself with its first lease. */
type Origin = "claimed" | "own";

/** Knows what runs. */
export class Executions {
  readonly #workerId: string;
  /** What runs, with the promise of its end. */
  readonly #running = new Map<Execution, Promise<void>>();
  /** The latest execution of each task that runs: one that lost its lease may still be ending beside its successor. */
  readonly #latest = new Map<number, Execution>();
  /** What happened to tasks while some were expected: one of them may be ours by now. */
  readonly #early = new Map<number, TaskChange>();
  /** How many answers of the queue may each bring tasks. */
  readonly #expected: Record<Origin, number> = { claimed: 0, own: 0 };

  /** None runs yet. */
  constructor(workerId: string) {
    this.#workerId = workerId;
  }

  /** How many run. */
  get size(): number {
    return this.#running.size;
  }

  /** All that run, also those whose task has a later execution. */
  running(): Iterable<Execution> {
    return this.#running.keys();
  }

  /** The latest execution of each task. */
  latest(): Iterable<Execution> {
    return this.#latest.values();
  }

  /** How many handlers of tasks of this type run. */
  countHandlers(type: string): number {
    let count = 0;
    for (const { task, hasEnded } of this.#running.keys()) {
      if (task.type === type && !hasEnded) count++;
    }
    return count;
  }

  /** Runs `work`, which is all that `execution` does. */
  run(execution: Execution, work: () => Promise<void>): void {
    const { id } = execution.task;
    this.#latest.set(id, execution);
    const end = work().finally(() => {
      this.#running.delete(execution);
      if (this.#latest.get(id) === execution) this.#latest.delete(id);
    });
    this.#running.set(execution, end);
    const early = this.#early.get(id);
    if (early !== undefined) execution.interruptUnlessLeased(early);
    this.#early.delete(id);
  }

  /** From now on changes are kept, until the function that this gives is called. */
  expect(origin: Origin): () => void {
    this.#expected[origin]++;
    return () => {
      this.#expected[origin]--;
      if (this.#expected.claimed + this.#expected.own === 0) this.#early.clear();
    };
  }

  /** A task has changed. */
  onChange(change: TaskChange): void {
    this.#latest.get(change.taskId)?.interruptUnlessLeased(change);
    if (this.#mayBecomeOurs(change)) this.#early.set(change.taskId, change);
  }

  /** Whether this status of a task may begin or end work here: another's lease, and its end, do neither. */
  mayConcern(taskId: number, status: TaskStatus): boolean {
    return status === "queued" || status === "cancelled" || this.#latest.has(taskId);
  }

  /** While own tasks are being stored there may be no end of changes, so that only those are kept that end a lease. */
  #mayBecomeOurs({ taskId, status, lockedBy }: TaskChange): boolean {
    if (this.#expected.claimed > 0) return true;
    const endsLease = status === "cancelled" || status === "queued";
    return this.#expected.own > 0 && endsLease && lockedBy === this.#workerId &&
      !this.#latest.has(taskId);
  }

  /** Resolves when all that run now have ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  /** The worker stops: interrupts all, and resolves when they have ended. */
  async stop(): Promise<void> {
    for (const execution of this.#running.keys()) execution.interrupt("stopping");
    await this.ended();
  }
}
