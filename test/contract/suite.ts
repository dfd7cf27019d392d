/**
 * How a contract suite says what it asks for: each behaviour with a fresh queue and a clock of its own.
 */
import type { QueueOptions } from "../../src/compose/queue_options.ts";
import type { Task } from "../../src/domain/task.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { thoroughTest } from "../support/thorough.ts";
import { until } from "../support/until.ts";
import type { FakeClock } from "../support/fake_clock.ts";

/** Runs a test with a fresh queue whose time is `clock`'s. */
export type UseQueue = (
  options: Pick<QueueOptions, "retryPolicy" | "payloadMaxBytes">,
  test: (queue: TaskQueue, clock: FakeClock) => Promise<void>,
) => Promise<void>;

/** Registers one behaviour of an implementation. */
export type Behaviour = (
  what: string,
  test: (queue: TaskQueue, clock: FakeClock) => Promise<void>,
) => void;

/** Registers behaviours of the implementation that is called `name`. */
export function behavioursOf(
  name: string,
  useQueue: UseQueue,
  options: Parameters<UseQueue>[0] = {},
): Behaviour {
  return (what, test) => Deno.test(`${name}: ${what}`, () => useQueue(options, test));
}

/** The same for behaviours that only show with the largest payloads or thousands of tasks. */
export function thoroughBehavioursOf(name: string, useQueue: UseQueue): Behaviour {
  return (what, test) => thoroughTest(`${name}: ${what}`, () => useQueue({}, test));
}

/** Lets time pass until `condition` holds: what a queue does by itself, a database answers later than a replica. */
export async function untilPassed(
  clock: FakeClock,
  condition: () => Promise<boolean>,
  what: string,
): Promise<void> {
  await until(async () => {
    if (await condition()) return true;
    await clock.advance(20);
    return false;
  }, what);
}

/** What `claim` gives once it gives something: a process may hear of what a rescue made ready a moment later. */
export async function untilClaimed(claim: () => Promise<Task[]>): Promise<Task[]> {
  let claimed: Task[] = [];
  await until(async () => (claimed = await claim()).length > 0, "a claim gives something");
  return claimed;
}

/** Waits until a task's lease that has run out is ended, by whichever rescue. */
export async function untilRescued(queue: TaskQueue, clock: FakeClock, id: number): Promise<void> {
  await queue.rescue();
  const isOver = async (): Promise<boolean> => (await queue.get(id))!.status !== "leased";
  await untilPassed(clock, isOver, `the rescue of task ${id}`);
}
