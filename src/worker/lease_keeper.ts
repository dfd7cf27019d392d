/**
 * Keeps the leases of a worker's executions: renews each, and interrupts an execution that has lost its own.
 */
import type { CancelTimer, Clock } from "../domain/clock.ts";
import { messageOf, QueueError } from "../domain/errors.ts";
import type { Task } from "../domain/task.ts";
import type { TaskQueue } from "../queue/task_queue.ts";
import type { Execution } from "./execution.ts";
import type { Executions } from "./executions.ts";

/** The dependencies of a lease keeper. */
export interface LeaseKeeperOptions {
  readonly queue: Pick<TaskQueue, "get" | "renew">;
  readonly clock: Clock;
  readonly executions: Executions;
  readonly leaseDurationMs: number;
  /** Called at each turn, before anything is renewed. */
  readonly onTurn: () => void;
  /** Called with reads and renewals that the queue could not do. */
  readonly onError: (message: string, task: Task) => void;
}

/** Renews leases from `start` to `stop`. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  /** Whose renewal is under way. */
  readonly #renewing = new Set<Execution>();
  /** Whose report was under way at an earlier turn. */
  readonly #reporting = new WeakSet<Execution>();
  #cancelTimer: CancelTimer = () => {};

  /** One that renews nothing before `start`. */
  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  /**
   * Renews every lease each third of its length, except one whose last renewal has not been answered yet, and one whose report
   * has just begun: it will hardly need it, and a renewal that comes after the report is refused.
   */
  start(): void {
    const { clock, executions, leaseDurationMs, onTurn } = this.#options;
    this.#cancelTimer = clock.setTimer(() => {
      onTurn();
      for (const execution of executions.running()) {
        if (this.#isDue(execution)) this.#renew(execution);
      }
      this.start();
    }, leaseDurationMs / 3);
  }

  /** Renews nothing any more. */
  stop(): void {
    this.#cancelTimer();
  }

  #isDue(execution: Execution): boolean {
    if (!execution.needsLease || this.#renewing.has(execution)) return false;
    if (!execution.hasEnded || this.#reporting.has(execution)) return true;
    this.#reporting.add(execution);
    return false;
  }

  #renew(execution: Execution): void {
    const { queue, leaseDurationMs, onError } = this.#options;
    this.#renewing.add(execution);
    queue.renew(execution.task, { leaseDurationMs }).then(
      (task) => execution.renewed(task.leaseUntil),
      (error) => {
        if (error instanceof QueueError) this.check(execution);
        else onError(messageOf(error), execution.task);
      },
    ).finally(() => this.#renewing.delete(execution));
  }

  /** Checks every lease: changes were missed. */
  checkAll(): void {
    for (const execution of this.#options.executions.latest()) this.check(execution);
  }

  /** Interrupts an execution whose lease is no longer what the queue says. */
  check(execution: Execution): void {
    this.#options.queue.get(execution.task.id).then(
      (task) =>
        task === undefined
          ? execution.interrupt("lease_lost")
          : execution.interruptUnlessLeased(task),
      (error) => this.#options.onError(messageOf(error), execution.task),
    );
  }
}
