/**
 * What is counted: one operation each, on a queue that is warm, so that what happens once only does not count.
 */
import type { NewTask, Task } from "../../src/domain/task.ts";
import { HandlerRegistry } from "../../src/worker/handler_registry.ts";
import { Worker } from "../../src/worker/worker.ts";
import { settle } from "../support/fake_clock.ts";
import { type CountedQueue, type Counts, noCounts, openCountedQueue } from "./counted_queue.ts";

/** Prepares a warm queue; gives what is to be counted. */
type Scenario = (counted: CountedQueue) => Promise<() => Promise<unknown>>;

const TYPE = "count";
const BATCH = 1000;

/** By name. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = Object.freeze({
  "enqueue": ({ queue }) => ready(() => queue.enqueue(newTask())),
  "enqueue, 64 callers at once": ({ queue }) =>
    ready(() => Promise.all(Array.from({ length: 64 }, () => queue.enqueue(newTask())))),
  "enqueue a batch of 1,000": ({ queue }) => ready(() => queue.enqueueBatch(batch())),
  "claim one": async ({ queue }) => {
    await queue.enqueueBatch(batch());
    return () => claimSome(queue, 1);
  },
  "claim 32": async ({ queue }) => {
    await queue.enqueueBatch(batch());
    return () => claimSome(queue, 32);
  },
  "claim one, where groups take turns": async ({ queue }) => {
    await queue.enqueueBatch(batch().map((task, i) => ({ ...task, group: `g${i % 10}` })));
    await claimSome(queue, 1);
    return () => claimSome(queue, 1);
  },
  "enqueue, behind 1,000 of its ordering key": async ({ queue }) => {
    await queue.enqueueBatch(chain());
    return () => queue.enqueue(ordered());
  },
  "claim one, the first of 1,000 of its ordering key": async ({ queue }) => {
    await queue.enqueueBatch(chain());
    return () => claimSome(queue, 32);
  },
  "complete, before 1,000 of its ordering key": async ({ queue }) => {
    await queue.enqueueBatch(chain());
    const [task] = await claimSome(queue, 1);
    return () => queue.complete(task!, { ok: true });
  },
  "claim when nothing is there": ({ queue }) => ready(() => claimSome(queue, 32)),
  "complete": async ({ queue }) => {
    const task = await claimed(queue);
    return () => queue.complete(task, { ok: true });
  },
  "fail, to be tried again": async ({ queue }) => {
    const task = await claimed(queue);
    return () => queue.fail(task, new Error("no luck"));
  },
  "renew": async ({ queue }) => {
    const task = await claimed(queue);
    return () => queue.renew(task);
  },
  "report progress": async ({ queue }) => {
    const task = await claimed(queue);
    return () => queue.reportProgress(task, 50, "half-way");
  },
  "cancel a queued task": async ({ queue }) => {
    const { task } = await queue.enqueue(newTask());
    return () => queue.cancel(task.id);
  },
  "update a queued task": async ({ queue }) => {
    const { task } = await queue.enqueue(newTask());
    return () => queue.update(task.id, { priority: 1 });
  },
  "bulk cancel of 100": async ({ queue }) => {
    await queue.enqueueBatch(batch().slice(0, 100));
    return () => queue.bulk({ action: "cancel", filter: { type: TYPE } });
  },
  "get": async ({ queue }) => {
    const { task } = await queue.enqueue(newTask());
    return () => queue.get(task.id);
  },
  "a task's life through a Worker": (counted) => lives(counted, { tasks: 1, concurrency: 1 }),
  "1,000 tasks in a batch, finished at concurrency 32": (counted) =>
    lives(counted, { tasks: BATCH, concurrency: 32 }),
});

/** Counts what a scenario does; `onStatements` is told every statement that was run, preparation included. */
export async function countScenario(
  scenario: Scenario,
  onStatements: (statements: ReadonlySet<string>) => void = () => {},
): Promise<Counts> {
  const counted = await openCountedQueue();
  try {
    await warmUp(counted.queue);
    const run = await scenario(counted);
    await settle();
    Object.assign(counted.counts, noCounts());
    await run();
    onStatements(counted.statements);
    return { ...counted.counts };
  } finally {
    await counted.queue.close();
  }
}

/** Every statement has been prepared once, and the journal's end is beyond doubt. */
async function warmUp(queue: CountedQueue["queue"]): Promise<void> {
  const task = await claimed(queue);
  await queue.renew(task);
  await queue.complete(task);
}

async function claimed(queue: CountedQueue["queue"]): Promise<Task> {
  await queue.enqueue(newTask());
  const [task] = await claimSome(queue, 1);
  if (task === undefined) throw new Error("the task that was just enqueued cannot be claimed");
  return task;
}

function claimSome(queue: CountedQueue["queue"], limit: number): Promise<Task[]> {
  return queue.claim({ workerId: "counter", types: [TYPE], limit });
}

/** Tasks that are enqueued together and go through a worker that waits for them; counted until it waits again. */
async function lives(
  { queue, clock }: CountedQueue,
  { tasks, concurrency }: { readonly tasks: number; readonly concurrency: number },
): Promise<() => Promise<void>> {
  const handlers = new HandlerRegistry();
  handlers.register(TYPE, () => Promise.resolve({ ok: true }));
  const done = Promise.withResolvers<void>();
  let completed = 0;
  const worker = new Worker({
    queue,
    handlers,
    clock,
    concurrency,
    workerId: "counter",
    onEvent: ({ kind, message }) => {
      if (kind === "completed" && ++completed === tasks) done.resolve();
      else if (kind !== "completed" && kind !== "started") done.reject(new Error(message ?? kind));
    },
  });
  worker.start();
  await settle();
  return async () => {
    await queue.enqueueBatch(batch(tasks));
    await done.promise;
    await settle();
  };
}

function ready(run: () => Promise<unknown>): Promise<() => Promise<unknown>> {
  return Promise.resolve(run);
}

function batch(length: number = BATCH): NewTask[] {
  return Array.from({ length }, newTask);
}

function chain(): NewTask[] {
  return Array.from({ length: BATCH }, ordered);
}

function ordered(): NewTask {
  return { ...newTask(), orderingKey: "k" };
}

function newTask(): NewTask {
  return { type: TYPE, payload: { to: "somebody@example.org" } };
}
