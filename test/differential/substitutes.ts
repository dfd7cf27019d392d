/**
 * The same program by the manager in memory and by the one on the queue: after each operation nothing may tell them apart.
 */
import { assertEquals } from "@std/assert";
import { BackgroundTaskManager } from "../../src/manager/background_task_manager.ts";
import { QueuedTaskManager } from "../../src/manager/queued_task_manager.ts";
import { RunRegistry } from "../../src/manager/run_registry.ts";
import { openQueue } from "../../src/mod.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { seededRandom } from "../support/queues.ts";
import { type Operation, programOf } from "./program.ts";
import { Subject } from "./subject.ts";

/** How often the managers are looked at, a millisecond of theirs apart, before they count as different. */
const LOOKS = 2000;

/** Longer than the pause between two reports of progress. */
const PROGRESS_MS = 300;

/** Runs the program of a seed by both; how many operations were compared. @throws AssertionError at the first difference. */
export async function compareSubstitutes(seed: number, length: number): Promise<number> {
  const clock = new FakeClock();
  const queue = await openQueue({ memory: true, clock, random: seededRandom(seed) });
  const memory = new Subject(
    new BackgroundTaskManager(new RunRegistry({ clock }), { clock }),
    clock,
  );
  const durable = new Subject(
    new QueuedTaskManager(queue, new RunRegistry({ clock }), { clock, worker: workerOf(seed) }),
    clock,
  );
  const pair = [memory, durable] as const;
  try {
    for (const [step, operation] of programOf(seed, length).entries()) {
      await compareStep(pair, operation, clock, `seed ${seed}, step ${step}: ${show(operation)}`);
    }
    await untilBoth(Promise.all(pair.map((subject) => subject.end())), clock);
    await compareSeen(pair, clock, `seed ${seed}, at the end`);
  } finally {
    const answers = Promise.all(pair.map((subject) => subject.closed()));
    const [inMemory, onQueue] = await untilBoth(answers, clock);
    assertEquals(onQueue, inMemory, `seed ${seed}, after closing`);
  }
  return length + 1;
}

/** Some managers leave registered handlers to others. */
function workerOf(seed: number): false | Record<string, never> {
  return seed % 3 === 0 ? false : {};
}

async function compareStep(
  pair: readonly [Subject, Subject],
  operation: Operation,
  clock: FakeClock,
  where: string,
): Promise<void> {
  const answers = Promise.all(pair.map((subject) => subject.perform(operation)));
  const [inMemory, onQueue] = await untilBoth(answers, clock);
  assertEquals(onQueue, inMemory, `${where}: the answers`);
  if (operation.do === "report") await clock.advance(PROGRESS_MS);
  await compareSeen(pair, clock, where);
}

/** The queue may take some time to get where memory is at once. */
async function compareSeen(
  [memory, durable]: readonly [Subject, Subject],
  clock: FakeClock,
  where: string,
): Promise<void> {
  for (let look = 1; look <= LOOKS; look++) {
    if (JSON.stringify(memory.seen()) === JSON.stringify(durable.seen())) return;
    await settle();
    clock.jump(1);
  }
  assertEquals(durable.seen(), memory.seen(), where);
}

async function untilBoth<T>(both: Promise<T>, clock: FakeClock): Promise<T> {
  let isOver = false;
  const over = both.finally(() => isOver = true);
  over.catch(() => {});
  for (;;) {
    await settle();
    if (isOver) return await over;
    clock.jump(1);
  }
}

function show(operation: Operation): string {
  return JSON.stringify(operation);
}
