/**
 * PeriodicTaskManager: does work at once and then every interval after it has ended, in this process.
 *
 * The next time is set when the last one has ended, so a task never overlaps itself, however long it takes. What must
 * survive this process, or fire once among several processes, belongs in a schedule of the durable queue.
 */
import { type Clock, sleep } from "../domain/clock.ts";
import { messageOf } from "../domain/errors.ts";
import { checkInteger, checkName } from "../domain/check.ts";

/** What a periodic task does. `signal` fires when it is stopped. */
export type PeriodicWork = (signal: AbortSignal) => Promise<unknown> | unknown;

/** How a periodic task is doing. */
export interface PeriodicStatistics {
  /** Its name. */
  readonly name: string;
  /** Milliseconds from the end of one time to the beginning of the next. */
  readonly intervalMs: number;
  /** Whether it was started and not stopped. */
  readonly isStarted: boolean;
  /** Whether it is doing its work at this moment. */
  readonly isRunning: boolean;
  /** How many times it has ended, in whatever way. */
  readonly runs: number;
  /** How many of these have thrown. */
  readonly errors: number;
  /** What the last of them threw, or `null`. */
  readonly lastError: string | null;
  /** When the latest time began, or `null`. */
  readonly lastStartedAt: Date | null;
  /** How long the last time took that has ended, in milliseconds, or `null`. */
  readonly lastDurationMs: number | null;
  /** When it begins again, or `null` when it runs or is stopped. */
  readonly nextStartAt: Date | null;
}

/** Limits of periodic tasks. */
export const PERIODIC_LIMITS: Readonly<
  Record<"intervalMinMs" | "intervalMaxMs" | "nameMaxLength", number>
> = Object.freeze({ intervalMinMs: 1, intervalMaxMs: 24 * 24 * 3_600_000, nameMaxLength: 200 });

/** Does work again and again. */
export class PeriodicTasks {
  readonly #clock: Clock;
  readonly #tasks = new Map<string, PeriodicTask>();

  /** Goes by this clock; nothing runs before `start`. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Takes up a task; `start` sets it going.
   *
   * @param intervalMs From the end of one time to the beginning of the next: 1 ms to 24 days.
   * @throws TypeError when the name is taken; TypeError, RangeError for an argument out of its range.
   */
  register(name: string, intervalMs: number, work: PeriodicWork): this {
    const key = checkName(name, "name of a periodic task", PERIODIC_LIMITS.nameMaxLength);
    const { intervalMinMs, intervalMaxMs } = PERIODIC_LIMITS;
    checkInteger(intervalMs, "intervalMs", intervalMinMs, intervalMaxMs);
    if (typeof work !== "function") {
      throw new TypeError(
        `Cannot register periodic task ${
          JSON.stringify(key)
        }: its work is a ${typeof work}, not a function`,
      );
    }
    if (this.#tasks.has(key)) {
      throw new TypeError(
        `Cannot register periodic task ${JSON.stringify(key)}: the name is taken`,
      );
    }
    this.#tasks.set(key, new PeriodicTask(key, { intervalMs, work, clock: this.#clock }));
    return this;
  }

  /** Sets a task going, or all of them; it runs at once. One that is going already goes on as it does. @throws TypeError for an unknown name. */
  start(name?: string): void {
    for (const task of this.#named(name)) task.start();
  }

  /**
   * Stops a task, or all of them, and resolves when it does nothing any more, so its own work must not await that. It may be
   * started again.
   *
   * @throws TypeError for an unknown name.
   */
  async stop(name?: string): Promise<void> {
    await Promise.all(this.#named(name).map((task) => task.stop()));
  }

  /**
   * Stops a task and forgets it. Resolves when it does nothing any more and its name is free.
   *
   * @throws TypeError for an unknown name.
   */
  async unregister(name: string): Promise<void> {
    const task = this.#named(name)[0]!;
    await task.stop();
    if (this.#tasks.get(name.trim()) === task) this.#tasks.delete(name.trim());
  }

  /** How all tasks are doing, in the order of their registration. */
  statistics(): PeriodicStatistics[];
  /** How one task is doing. @throws TypeError for an unknown name. */
  statistics(name: string): PeriodicStatistics;
  statistics(name?: string): PeriodicStatistics | PeriodicStatistics[] {
    const statistics = this.#named(name).map((task) => task.statistics());
    return name === undefined ? statistics : statistics[0]!;
  }

  #named(name: string | undefined): PeriodicTask[] {
    if (name === undefined) return [...this.#tasks.values()];
    const task = this.#tasks.get(name.trim());
    if (task !== undefined) return [task];
    const known = [...this.#tasks.keys()].join(", ") || "none";
    throw new TypeError(`Cannot find periodic task ${JSON.stringify(name)}: known are ${known}`);
  }
}

interface PeriodicSettings {
  readonly intervalMs: number;
  readonly work: PeriodicWork;
  readonly clock: Clock;
}

class PeriodicTask {
  readonly #name: string;
  readonly #settings: PeriodicSettings;
  #stopped: AbortController | undefined;
  #loop: Promise<void> = Promise.resolve();
  #isRunning = false;
  #runs = 0;
  #errors = 0;
  #lastError: string | null = null;
  #lastStartedAtMs: number | null = null;
  #lastDurationMs: number | null = null;
  #nextStartAtMs: number | null = null;

  constructor(name: string, settings: PeriodicSettings) {
    this.#name = name;
    this.#settings = settings;
  }

  start(): void {
    if (this.#stopped !== undefined) return;
    const stopped = this.#stopped = new AbortController();
    // The loop before this one may still be ending its last time.
    this.#loop = this.#loop.then(() => this.#repeat(stopped.signal));
  }

  async stop(): Promise<void> {
    this.#stopped?.abort(
      new DOMException(`Periodic task ${JSON.stringify(this.#name)} was stopped`, "AbortError"),
    );
    this.#stopped = undefined;
    this.#nextStartAtMs = null;
    await this.#loop;
  }

  statistics(): PeriodicStatistics {
    return {
      name: this.#name,
      intervalMs: this.#settings.intervalMs,
      isStarted: this.#stopped !== undefined,
      isRunning: this.#isRunning,
      runs: this.#runs,
      errors: this.#errors,
      lastError: this.#lastError,
      lastStartedAt: instantOf(this.#lastStartedAtMs),
      lastDurationMs: this.#lastDurationMs,
      nextStartAt: instantOf(this.#nextStartAtMs),
    };
  }

  async #repeat(signal: AbortSignal): Promise<void> {
    const { clock, intervalMs } = this.#settings;
    while (!signal.aborted) {
      await this.#once(signal);
      if (signal.aborted) return;
      this.#nextStartAtMs = clock.nowMs() + intervalMs;
      await sleep(clock, intervalMs, signal);
      this.#nextStartAtMs = null;
    }
  }

  async #once(signal: AbortSignal): Promise<void> {
    const { clock, work } = this.#settings;
    const startedAtMs = this.#lastStartedAtMs = clock.nowMs();
    this.#isRunning = true;
    try {
      await work(signal);
    } catch (error) {
      // What stopping makes it throw is its way to end.
      if (!signal.aborted) this.#noteError(error);
    } finally {
      this.#isRunning = false;
      this.#runs++;
      this.#lastDurationMs = clock.nowMs() - startedAtMs;
    }
  }

  #noteError(error: unknown): void {
    this.#errors++;
    this.#lastError = messageOf(error);
  }
}

function instantOf(atMs: number | null): Date | null {
  return atMs === null ? null : new Date(atMs);
}
