/**
 * What callers were told, and so what a queue must hold: the oracle of the fault loops. It knows nothing of how a queue
 * keeps its tasks.
 */
import { assert, fail } from "@std/assert";
import { CorruptionError, QueueError, StorageError } from "../../src/domain/errors.ts";
import type { Task, TaskStatus } from "../../src/domain/task.ts";

/** How long any one call may take before it counts as hanging. */
const PATIENCE_MS = 60_000;

/** Where a task may be: one place once a caller was answered, several while a call that failed leaves doubt. */
type Place = TaskStatus | "absent";

/** The answers to one history of calls. */
export class Told {
  /** The calls that were refused by name. */
  readonly refusals: Error[] = [];
  readonly #places: Map<string, ReadonlySet<Place>>;

  constructor(before?: Told) {
    this.#places = new Map(before === undefined ? [] : before.#places);
  }

  /** The run ids of all tasks that a caller tried to store. */
  get runIds(): string[] {
    return [...this.#places.keys()];
  }

  /** The run ids of the tasks that are stored for certain. */
  get acknowledged(): string[] {
    return this.runIds.filter((runId) => !this.#places.get(runId)!.has("absent"));
  }

  /** Asks for a task to be stored under `runId`. */
  async enqueue(runId: string, act: () => Promise<unknown>): Promise<boolean> {
    this.#places.set(runId, new Set<Place>(["absent", "queued"]));
    const answer = await this.answerOf(act);
    if (answer !== undefined) this.#places.set(runId, new Set<Place>(["queued"]));
    return answer !== undefined;
  }

  /** Asks for tasks to become `status`; a call that fails may have done it or not. */
  async become<T>(
    runIds: readonly string[],
    status: TaskStatus,
    act: () => Promise<T>,
  ): Promise<T | undefined> {
    const answer = await this.answerOf(act);
    for (const runId of runIds) {
      const before = answer === undefined ? this.#places.get(runId)! : [];
      this.#places.set(runId, new Set<Place>([...before, status]));
    }
    return answer;
  }

  /**
   * What a call answers; `undefined` when it refused with one of the errors that our callers are promised. Any other error,
   * and no answer at all, fails the test.
   */
  async answerOf<T>(act: () => Promise<T>): Promise<T | undefined> {
    try {
      return await inTime(act());
    } catch (error) {
      checkNamed(error);
      this.refusals.push(error);
      return undefined;
    }
  }

  /** Fails unless `tasks` are all that there may be, where they may be. */
  check(tasks: readonly Task[], where: string): void {
    for (const [runId, places] of this.#places) {
      const place = tasks.find((task) => task.runId === runId)?.status ?? "absent";
      if (!places.has(place)) {
        fail(`${where}: ${runId} is ${place}, callers were told ${[...places].join(" or ")}`);
      }
    }
    const strangers = tasks.filter(({ runId }) => !this.#places.has(runId));
    if (strangers.length > 0) fail(`${where}: nobody enqueued ${strangers[0]!.runId}`);
  }
}

/** Fails unless `error` is one that callers are promised. */
export function checkNamed(error: unknown): asserts error is StorageError | QueueError {
  const isNamed = error instanceof CorruptionError || error instanceof StorageError ||
    error instanceof QueueError;
  assert(
    isNamed,
    `an error without a name of ours: ${error instanceof Error ? error.stack : error}`,
  );
}

/** The promise's own outcome, or a failure when there is none in time. */
export async function inTime<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${PATIENCE_MS} ms`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
