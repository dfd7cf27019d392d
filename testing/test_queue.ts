/**
 * A queue for tests of handlers: the real engine in memory, a real worker, and a clock that the test moves.
 *
 * Nothing here is a stand-in for what runs in production but time, chance and the disk: tasks are claimed, leased, retried and
 * finished by the code that does so elsewhere.
 */
import {
  checkInteger,
  checkOptions,
  type EmbeddedQueue,
  HandlerRegistry,
  MemoryLogStore,
  openQueue,
  optionNames,
  type QueueSettings,
  type Task,
  type TaskReference,
  Worker,
  type WorkerEvent,
} from "../src/mod.ts";
import { TestClock } from "./test_clock.ts";
import { TestStorage } from "./test_storage.ts";

export { TestClock } from "./test_clock.ts";

/** How to open a test queue. */
export interface TestQueueOptions extends Pick<QueueSettings, "retryPolicy" | "payloadMaxBytes"> {
  /** The handlers that its worker runs; default an empty registry, `handlers` of the test queue. */
  readonly handlers?: HandlerRegistry;
  /** How many tasks run at the same time, 1–1000; default 4. */
  readonly concurrency?: number;
  /** What the clock shows at first; default 2026-01-01T00:00:00Z. */
  readonly startAt?: Date;
}

/** What `failNext` makes attempts fail with. */
export interface InjectedFailure {
  /** How many attempts fail; default 1. */
  readonly times?: number;
  /** What they fail with; default an `Error` that says that a test made it. */
  readonly error?: unknown;
  /**
   * When: before the handler is called, or after it has done its work, as when its worker dies before it has told so; default
   * `before`.
   */
  readonly when?: "before" | "after";
}

const FAILURE_OPTIONS = optionNames<InjectedFailure>({ times: true, error: true, when: true });

/** The most attempts that one call of `failNext` makes fail. */
const FAILURES_MAX = 1_000_000;

/** An attempt that is to fail. */
type Failure = Required<Pick<InjectedFailure, "error" | "when">>;

/** How long a handler may run in real time before `drain` gives up, in milliseconds. */
const PATIENCE_MS = 10_000;

/** How many turns without any change mean that nothing moves any more. */
const QUIET_TURNS = 12;

/** The duties of a queue are done every second: schedules fire then. */
const DUTY_MS = 1000;

/** The longest polling of a worker, and a lease that no test outlasts by accident. */
const WORKER_SETTINGS = Object.freeze({ pollIntervalMs: 60_000, leaseDurationMs: 24 * 3_600_000 });

/** A queue in memory with a worker and a clock of the test's. Close it, or declare it with `await using`. */
export class TestQueue implements AsyncDisposable {
  /** The queue. */
  readonly queue: EmbeddedQueue;
  /** The handlers of its worker. */
  readonly handlers: HandlerRegistry;
  /** The time of the queue and of its worker. */
  readonly clock: TestClock;
  /** What handlers have logged. */
  readonly logs: MemoryLogStore;
  readonly #worker: Worker;
  readonly #storage: TestStorage;
  readonly #failures = new Map<string, Failure[]>();
  readonly #unwatch: () => void;
  #changes = 0;
  /** Whether the worker rests for less than a second, because something could not be stored. */
  #isResting = false;

  /** Use `openTestQueue`. */
  constructor(
    parts: Pick<TestQueue, "queue" | "handlers" | "clock" | "logs">,
    storage: TestStorage,
    concurrency: number | undefined,
  ) {
    this.queue = parts.queue;
    this.handlers = parts.handlers;
    this.clock = parts.clock;
    this.logs = parts.logs;
    this.#storage = storage;
    this.handlers.use(({ task }, next) => this.#failing(task.type, next));
    this.#unwatch = this.queue.watch(() => void this.#changes++);
    const hear = ({ kind }: WorkerEvent): void => {
      this.#changes++;
      this.#isResting ||= kind === "error";
    };
    this.#worker = new Worker({
      ...parts,
      ...WORKER_SETTINGS,
      concurrency,
      onEvent: hear,
      quiet: true,
    });
    this.#worker.start();
  }

  /**
   * Runs everything that is due, then what that caused, and resolves when nothing due is left that this worker can run. Time stands
   * still: a task that waits for its backoff stays where it is.
   *
   * @throws Error when a handler still runs after ten seconds of real time.
   */
  async drain(): Promise<void> {
    const deadlineMs = performance.now() + PATIENCE_MS;
    do {
      await this.#settle();
      if (performance.now() > deadlineMs) {
        throw new Error(
          `Cannot drain: ${this.#worker.runningCount} handlers still run after ${PATIENCE_MS} ms; ` +
            "one that waits for the test's clock needs advance",
        );
      }
    } while (this.#worker.runningCount > 0);
  }

  /**
   * Moves the clock on by `ms`, and runs what becomes due on the way, each at its own time: retries, tasks for later, schedules,
   * timeouts.
   *
   * @throws RangeError for a time below 0.
   */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0)) {
      throw new RangeError(`Cannot advance by ${ms} ms: a number of at least 0 is needed`);
    }
    const untilMs = this.clock.nowMs() + ms;
    await this.#settle();
    while (this.clock.nowMs() < untilMs) {
      this.clock.jump(await this.#nextStep(untilMs));
      await this.#settle();
    }
  }

  /**
   * Makes the next attempts of tasks of this type fail, before their handler is called or after it has done its work.
   *
   * @throws TypeError, RangeError for an option that is not allowed.
   */
  failNext(type: string, failure: InjectedFailure = {}): void {
    checkOptions(failure, FAILURE_OPTIONS, "failNext");
    const { times = 1, error = new Error("A failure that the test asked for"), when = "before" } =
      failure;
    checkInteger(times, "times", 1, FAILURES_MAX);
    if (when !== "before" && when !== "after") {
      throw new TypeError(`Cannot use ${JSON.stringify(when)} as when: allowed are before, after`);
    }
    const more = Array.from({ length: times }, () => ({ error, when }));
    this.#failures.set(type, [...this.#failures.get(type) ?? [], ...more]);
  }

  /**
   * From now on nothing can be stored, as on a full disk: what changes the queue is refused with a `StorageError` and changes nothing;
   * what reads goes on. A worker tries again by the clock, at the end of an attempt after 250 ms: `advance` lets it. Call what this
   * gives, and the disk works again.
   */
  failStorage(reason = "No space left on device (a test asked for it)"): () => void {
    return this.#storage.fail(reason);
  }

  /** The task with this id (a number) or run id (a string). @throws Error when there is none. */
  async task(reference: TaskReference): Promise<Task> {
    const task = typeof reference === "number"
      ? await this.queue.get(reference)
      : await this.queue.getByRunId(reference);
    if (task !== undefined) return task;
    throw new Error(`Cannot find task ${JSON.stringify(reference)}`);
  }

  /** The task, once it is seen to have these fields. @throws Error that names each field that is another. */
  async assertTask(reference: TaskReference, expected: Partial<Task>): Promise<Task> {
    const task = await this.task(reference);
    const wrong = Object.entries(expected).flatMap(([name, value]) => {
      const [found, wanted] = [JSON.stringify(Reflect.get(task, name)), JSON.stringify(value)];
      return found === wanted ? [] : [`${name} is ${found}, expected ${wanted}`];
    });
    if (wrong.length === 0) return task;
    throw new Error(`Task ${task.id} (${task.type}): ${wrong.join("; ")}`);
  }

  /** The tasks of a type, oldest first, once there are seen to be `count` of them. @throws Error when there are more or fewer. */
  async assertCount(type: string, count: number): Promise<Task[]> {
    const tasks = (await this.queue.list({ type, limit: 1000 })).reverse();
    if (tasks.length === count) return tasks;
    throw new Error(
      `There are ${tasks.length} tasks of the type ${JSON.stringify(type)}, expected ${count}`,
    );
  }

  /** Stops the worker and closes the queue. */
  async close(): Promise<void> {
    this.#unwatch();
    const stopped = this.#worker.stop({ graceMs: 0 });
    await this.#settle();
    this.clock.jump(DUTY_MS);
    await stopped;
    await this.queue.close();
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #failing(type: string, next: () => Promise<unknown>): Promise<unknown> {
    const failure = this.#failures.get(type)?.shift();
    if (failure?.when === "before") throw failure.error;
    const result = await next();
    if (failure !== undefined) throw failure.error;
    return result;
  }

  /** To the next instant at which something becomes due, or to the end. */
  async #nextStep(untilMs: number): Promise<number> {
    const nowMs = this.clock.nowMs();
    if (this.#isResting) {
      this.#isResting = false;
      return Math.min(DUTY_MS, untilMs - nowMs);
    }
    const dueAt = await this.queue.nextDueAt();
    const schedules = await this.queue.listSchedules();
    const active = schedules.filter(({ paused }) => !paused).map(({ nextAt }) => nextAt);
    const instants = [dueAt, ...active].map((at) => at?.getTime() ?? untilMs);
    const next = Math.min(untilMs, ...instants.map((at) => at > nowMs ? at : nowMs + DUTY_MS));
    return next - nowMs;
  }

  /** Lets everything run that needs no time, until nothing has changed for some turns. */
  async #settle(): Promise<void> {
    for (let quiet = 0, seen = this.#changes; quiet < QUIET_TURNS; quiet++) {
      await turn();
      if (seen !== this.#changes) [quiet, seen] = [0, this.#changes];
    }
  }
}

/**
 * Opens a queue in memory with a worker, and a clock that stands still. Backoffs have no jitter.
 *
 * ```ts ignore
 * await using test = await openTestQueue({ handlers });
 * const { task } = await email.enqueue(test.queue, { to: "ann@example.com" });
 * await test.drain();
 * await test.assertTask(task.id, { status: "completed" });
 * ```
 *
 * @throws TypeError, RangeError for an option that is not allowed.
 */
export async function openTestQueue(options: TestQueueOptions = {}): Promise<TestQueue> {
  const { handlers = new HandlerRegistry(), concurrency, startAt, ...settings } = options;
  const clock = new TestClock(startAt);
  const storage = new TestStorage();
  const queue = await openQueue({ ...settings, storage, clock, random: () => 0.5 });
  return new TestQueue(
    { queue, handlers, clock, logs: new MemoryLogStore() },
    storage,
    concurrency,
  );
}

/** One turn of the event loop, without a timer. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      port2.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
