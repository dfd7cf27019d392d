/**
 * A contender: one way to keep tasks, reduced to what is measured. All do the same: a type, a small JSON payload, priority
 * 100, a result of `{"ok":true}`.
 */
import type { ClaimRequest, NewTask } from "../../src/mod.ts";
import type { Subject } from "../measure.ts";
import type { Order, Performed } from "../orders.ts";

/** The type of every task. */
export const TYPE = "bench";

/** What a handler returns. */
export const RESULT = Object.freeze({ ok: true });

/** One way to keep tasks. */
export interface Contender extends Subject {
  /** Stores a task; resolves when it is acknowledged. */
  enqueue(n: number): Promise<void>;
  /** Stores `count` tasks at once. */
  enqueueBatch(count: number): Promise<void>;
  /** Claims up to `limit` tasks and completes each by itself; how many there were. Not everyone lets tasks be claimed. */
  readonly claimAndComplete?: (limit: number) => Promise<number>;
  /** Begins to run tasks with a handler that does nothing; as with claims. */
  readonly work?: (concurrency: number) => Promise<Working>;
  /** Does a whole work in a program of its own, which takes the times; default here. */
  readonly perform?: (order: Order) => Promise<Performed>;
  close(): Promise<void>;
}

/** A contender that runs tasks as they come. */
export interface Working {
  /** Enqueues `count` tasks at once; resolves when all have been done. */
  live(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** What tasks are like, and what a worker claims of them. */
export interface Mix {
  readonly taskOf: (n: number) => NewTask;
  readonly claims: Pick<ClaimRequest, "types" | "capabilities">;
}

/** What is enqueued everywhere but where growth is measured. */
export const PLAIN: Mix = Object.freeze({
  taskOf: (n: number): NewTask => ({ type: TYPE, payload: payloadOf(n) }),
  claims: Object.freeze({ types: Object.freeze([TYPE]) }),
});

/** A task's payload. */
export function payloadOf(n: number): { readonly to: string; readonly n: number } {
  return { to: "somebody@example.org", n };
}

/** Resolves when `arrive` was called as often as was last asked for. */
export class Countdown {
  #left = 0;
  #done = Promise.withResolvers<void>();

  /** Waits for `count` arrivals. */
  expect(count: number): Promise<void> {
    this.#left = count;
    this.#done = Promise.withResolvers<void>();
    return this.#done.promise;
  }

  /** One more. */
  arrive(): void {
    if (--this.#left === 0) this.#done.resolve();
  }

  /** Something went wrong. */
  fail(error: Error): void {
    this.#done.reject(error);
  }
}
