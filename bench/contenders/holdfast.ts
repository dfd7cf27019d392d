/**
 * Holdfast, as an application uses it.
 */
import {
  type Durability,
  HandlerRegistry,
  openEmbeddedQueue,
  type TaskQueue,
  Worker,
  type WorkerEvent,
} from "../../src/mod.ts";
import {
  type Contender,
  Countdown,
  type Mix,
  PLAIN,
  RESULT,
  TYPE,
  type Working,
} from "./contender.ts";

/** Holdfast at `path`, with tasks of `mix`. */
export async function holdfast(
  path: string,
  durability: Durability,
  mix: Mix = PLAIN,
): Promise<Contender> {
  const queue = await openEmbeddedQueue({ path, durability });
  return {
    name: `Holdfast, ${durability}`,
    survives: durability === "full" ? "power cut" : "killed process",
    enqueue: async (n) => {
      await queue.enqueue(mix.taskOf(n));
    },
    enqueueBatch: (count) => enqueueBatch(queue, count, mix),
    claimAndComplete: async (limit) => {
      const tasks = await queue.claim({ workerId: "bench", ...mix.claims, limit });
      await Promise.all(tasks.map((task) => queue.complete(task, RESULT)));
      return tasks.length;
    },
    work: (concurrency) => Promise.resolve(workOn(queue, concurrency)),
    syncs: () => Promise.resolve(queue.storageStats().syncs),
    close: () => queue.close(),
  };
}

/** Stores `count` tasks in one batch. */
export async function enqueueBatch(
  queue: TaskQueue,
  count: number,
  { taskOf }: Mix = PLAIN,
): Promise<void> {
  await queue.enqueueBatch(Array.from({ length: count }, (_, n) => taskOf(n)));
}

/** A worker of this queue. */
export function workOn(queue: TaskQueue, concurrency: number): Working {
  const handlers = new HandlerRegistry();
  handlers.register(TYPE, () => Promise.resolve(RESULT));
  const countdown = new Countdown();
  const onEvent = ({ kind, message }: WorkerEvent): void => {
    if (kind === "completed") countdown.arrive();
    else if (kind !== "started") countdown.fail(new Error(message ?? kind));
  };
  const worker = new Worker({ queue, handlers, concurrency, onEvent });
  worker.start();
  return {
    live: async (count) => {
      const done = countdown.expect(count);
      await enqueueBatch(queue, count);
      await done;
    },
    stop: () => worker.stop(),
  };
}
