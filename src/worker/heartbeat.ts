/**
 * Heartbeats: a worker says that it lives, at its start, every 15 s and when what it says has changed, and takes its name off the list when it stops.
 *
 * The list is for people and for `explain`; nothing depends on it, so a heartbeat that fails is reported and forgotten.
 */
import type { CancelTimer, Clock } from "../domain/clock.ts";
import { QueueError } from "../domain/errors.ts";
import { HOLDFAST_VERSION, hostRuntime } from "../domain/version.ts";
import type { WorkerBeat } from "../queue/workers.ts";
import type { TaskQueue } from "../queue/task_queue.ts";
import type { HandlerRegistry } from "./handler_registry.ts";
import type { WorkerSettings } from "./worker_options.ts";

/** The interval between heartbeats. */
export const HEARTBEAT_INTERVAL_MS = 15_000;

/** The dependencies of heartbeats. */
export interface HeartbeatTools {
  readonly queue: TaskQueue;
  readonly clock: Clock;
  /** The worker as it is at this moment. */
  readonly beat: () => WorkerBeat;
  readonly onError: (error: unknown) => void;
}

/** What a worker says of itself. */
export function beatOf(
  { workerId, capabilities, concurrency, strategy }: WorkerSettings,
  handlers: HandlerRegistry,
): WorkerBeat {
  const limited = handlers.entries().filter((entry) => entry.concurrency !== null);
  const typeLimits = Object.fromEntries(
    limited.map((entry) => [entry.type, entry.concurrency!]),
  );
  return {
    ...{ workerId, capabilities, types: handlers.types(), concurrency, strategy, typeLimits },
    ...{ version: HOLDFAST_VERSION, runtime: hostRuntime() },
  };
}

/** The heartbeats of one worker. */
export class Heartbeat {
  readonly #tools: HeartbeatTools;
  #cancelNext: CancelTimer = () => {};
  #beating: Promise<void> = Promise.resolve();
  #isBeating = false;
  #hasChanged = false;
  #isStopped = false;

  /** Begins at once. */
  constructor(tools: HeartbeatTools) {
    this.#tools = tools;
    this.#beat();
  }

  /** What it says has changed: says so at once, or as soon as the heartbeat under way has been answered. */
  tellChange(): void {
    if (this.#isStopped) return;
    this.#hasChanged = true;
    if (this.#isBeating) return;
    this.#cancelNext();
    this.#beat();
  }

  /** Ends the heartbeats and takes the worker off the list. Never rejects. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#beating;
    this.#cancelNext();
    const { queue, beat } = this.#tools;
    await this.#try(() => queue.retireWorker(beat().workerId));
  }

  /** The next one waits for this one's answer, so that none pile up at a queue that gives none. */
  #beat(): void {
    const { clock } = this.#tools;
    this.#isBeating = true;
    this.#beating = this.#sayAll().then(() => {
      this.#isBeating = false;
      this.#cancelNext = clock.setTimer(() => this.#beat(), HEARTBEAT_INTERVAL_MS);
    });
  }

  /** Several changes of one moment are said together. */
  async #sayAll(): Promise<void> {
    const { queue, beat } = this.#tools;
    await Promise.resolve();
    do {
      this.#hasChanged = false;
      await this.#try(() => queue.heartbeat(beat()));
    } while (this.#hasChanged && !this.#isStopped);
  }

  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const isClosed = error instanceof QueueError && error.code === "queue_closed";
      if (!isClosed) this.#tools.onError(error);
    }
  }
}
