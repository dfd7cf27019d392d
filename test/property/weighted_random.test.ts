/**
 * Weighted random by the numbers: how often each task, pair or order of tasks is drawn, against its exact probability.
 */
import { assertEquals } from "@std/assert";
import type { NewTask, Task } from "../../src/domain/task.ts";
import { openQueue } from "../../src/compose/open_queue.ts";
import type { ClaimRequest, TaskQueue } from "../../src/queue/task_queue.ts";
import { seededRandom } from "../support/queues.ts";
import { assertDistributed, countOne, sequentialDraws } from "./chi_squared.ts";
import { StillClock } from "./still_clock.ts";
import { effort } from "../support/effort.ts";

const DRAWS = effort("draws");
const ROUNDS = effort("drawRounds");

const ALL = { gpu: true, region: "eu" };

/** Tasks in four lanes: two types, with and without needs. */
const LANES: readonly Pick<NewTask, "type" | "compatibility">[] = [
  { type: "a" },
  { type: "b", compatibility: { gpu: true } },
  { type: "a", compatibility: { region: "eu" } },
  { type: "b" },
];

Deno.test("✗ was uniform: weighted random claims one task in exact proportion to 1/(priority + 1), whatever the mix", async () => {
  const mixes = [[1, 1000], [1, 2, 3, 4, 5], [100, 100, 100], [1, 1, 1, 1, 9, 99], [10, 1, 500]];
  for (const [seed, priorities] of mixes.entries()) {
    const expected = sequentialDraws(priorities, 1);
    await withSeededQueue(seed, async (queue) => {
      const waiting = await enqueueMix(queue, priorities);
      const counts = new Map<string, number>();
      for (let draw = 0; draw < 1200; draw++) {
        const [task] = await claim(queue);
        const index = waiting.indexOf(task!.id);
        countOne(counts, String(index));
        waiting[index] = (await queue.enqueue({ type: "a", priority: task!.priority })).task.id;
      }
      assertDistributed(counts, expected);
    });
  }
});

Deno.test(`✗ was uniform: ${DRAWS} draws among three priorities, with new tasks in between, are in exact proportion`, async () => {
  const priorities = [1, 9, 99];
  await withSeededQueue(7, async (queue) => {
    const waiting = await enqueueMix(queue, priorities);
    const counts = new Map<string, number>();
    for (let draw = 0; draw < DRAWS; draw++) {
      const [task] = await claim(queue);
      const index = waiting.indexOf(task!.id);
      countOne(counts, String(index));
      waiting[index] = (await queue.enqueue({ type: "a", priority: task!.priority })).task.id;
    }
    assertDistributed(counts, sequentialDraws(priorities, 1));
  });
});

Deno.test("weighted random with a limit above 1 draws without replacement, in the order of its claim", async () => {
  const priorities = [1, 3, 9, 4];
  for (const limit of [2, 3, 4]) {
    await withSeededQueue(limit, async (queue) => {
      const counts = new Map<string, number>();
      for (let round = 0; round < ROUNDS; round++) {
        const ids = await enqueueMix(queue, priorities);
        countOne(counts, orderOf(ids, await claim(queue, { limit })));
        await claim(queue, { limit: 1000 });
      }
      assertDistributed(counts, sequentialDraws(priorities, limit));
    });
  }
});

Deno.test("weighted random claims one after the other as it would all at once", async () => {
  const priorities = [1, 3, 9];
  await withSeededQueue(11, async (queue) => {
    const counts = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round++) {
      const ids = await enqueueMix(queue, priorities);
      const drawn = [...await claim(queue), ...await claim(queue), ...await claim(queue)];
      countOne(counts, orderOf(ids, drawn));
    }
    assertDistributed(counts, sequentialDraws(priorities, 3));
  });
});

Deno.test("weighted random is exact across types and compatibilities", async () => {
  const priorities = [2, 7, 1, 30];
  await withSeededQueue(12, async (queue) => {
    const counts = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round++) {
      const ids = await enqueueMix(queue, priorities, LANES);
      countOne(counts, orderOf(ids, await claim(queue, { limit: 2 })));
      await claim(queue, { limit: 1000 });
    }
    assertDistributed(counts, sequentialDraws(priorities, 2));
  });
});

Deno.test("weighted random is exact when tasks arrive in any lane between two claims", async () => {
  const priorities = [2, 7, 1, 30];
  const arriving = [3, 1];
  await withSeededQueue(13, async (queue) => {
    const counts = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round++) {
      const ids = await enqueueMix(queue, priorities, LANES);
      const drawn = await claim(queue);
      ids.push(...await enqueueMix(queue, arriving, LANES));
      drawn.push(...await claim(queue));
      countOne(counts, orderOf(ids, drawn));
      await claim(queue, { limit: 1000 });
    }
    assertDistributed(counts, sequentialDraws(priorities, 2, new Map([[1, arriving]])));
  });
});

Deno.test("weighted random is exact for a worker of some lanes while another draws from the rest", async () => {
  const priorities = [2, 7, 1, 30];
  const ofPlain = [priorities[0]!, priorities[3]!];
  await withSeededQueue(14, async (queue) => {
    const counts = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round++) {
      const ids = await enqueueMix(queue, priorities, LANES);
      // The other worker draws from lanes 1 and 3, and gives back what it drew.
      const [others] = await claim(queue, { types: ["b"], capabilities: { gpu: true } });
      await queue.release(others!);
      const drawn = await claim(queue, { capabilities: {}, limit: 2 });
      countOne(counts, orderOf([ids[0]!, ids[3]!], drawn));
      await claim(queue, { limit: 1000 });
    }
    assertDistributed(counts, sequentialDraws(ofPlain, 2));
  });
});

Deno.test("weighted random draws anew for a task that was released, retried or became due", async () => {
  const priorities = [1, 4, 9];
  await withSeededQueue(15, async (queue, clock) => {
    const counts = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round++) {
      const ids = await enqueueLater(queue, clock, priorities);
      clock.advance(1000);
      const [first] = await claim(queue);
      await (round % 2 === 0 ? queue.release(first!) : cancelAndRetry(queue, first!));
      const [second] = await claim(queue);
      countOne(counts, orderOf(ids, [first!, second!]));
      await claim(queue, { limit: 1000 });
    }
    const single = sequentialDraws(priorities, 1);
    const independent = [...single].flatMap(([first, p]) =>
      [...single].map(([second, q]) => [`${first} ${second}`, p * q] as const)
    );
    assertDistributed(counts, new Map(independent));
  });
});

Deno.test("weighted random is exact beside claims in the other orders", async () => {
  const priorities = [5, 50, 2, 8];
  await withSeededQueue(16, async (queue) => {
    const counts = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round++) {
      const ids = await enqueueMix(queue, priorities);
      const [oldest] = await claim(queue, { strategy: "fifo" });
      assertEquals(oldest!.id, ids[0]);
      countOne(counts, orderOf(ids.slice(1), await claim(queue, { limit: 2 })));
      await claim(queue, { limit: 1000, strategy: "lifo" });
    }
    assertDistributed(counts, sequentialDraws(priorities.slice(1), 2));
  });
});

async function withSeededQueue(
  seed: number,
  test: (queue: TaskQueue, clock: StillClock) => Promise<void>,
): Promise<void> {
  const clock = new StillClock();
  const queue = await openQueue({ memory: true, clock, random: seededRandom(seed + 1000) });
  try {
    await test(queue, clock);
  } finally {
    await queue.close();
  }
}

/** One task of each priority, in the lanes in turn; their ids. */
async function enqueueMix(
  queue: TaskQueue,
  priorities: readonly number[],
  lanes: readonly Pick<NewTask, "type" | "compatibility">[] = [{ type: "a" }],
): Promise<number[]> {
  const tasks = priorities.map((priority, i) => ({ ...lanes[i % lanes.length]!, priority }));
  return (await queue.enqueueBatch(tasks)).map(({ task }) => task.id);
}

/** One task of each priority, due in a second; their ids. */
async function enqueueLater(
  queue: TaskQueue,
  clock: StillClock,
  priorities: readonly number[],
): Promise<number[]> {
  const runAfter = new Date(clock.nowMs() + 1000);
  const tasks = priorities.map((priority) => ({ type: "a", priority, runAfter }));
  return (await queue.enqueueBatch(tasks)).map(({ task }) => task.id);
}

function claim(queue: TaskQueue, request: Partial<ClaimRequest> = {}): Promise<Task[]> {
  return queue.claim({
    workerId: "w",
    types: ["a", "b"],
    strategy: "weighted_random",
    capabilities: ALL,
    ...request,
  });
}

async function cancelAndRetry(queue: TaskQueue, task: Task): Promise<void> {
  assertEquals([await queue.cancel(task.id), await queue.retry(task.id)], [true, true]);
}

/** The drawn tasks by their places in `ids`. */
function orderOf(ids: readonly number[], drawn: readonly Task[]): string {
  return drawn.map(({ id }) => ids.indexOf(id)).join(" ");
}
