/**
 * The pool: a limit that holds, in order, whatever the work does.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ResourcePool } from "../../src/mod.ts";
import { settle } from "../support/fake_clock.ts";

Deno.test("✗ never limited: no more than maxWorkers run at the same time, and all run", async () => {
  const pool = new ResourcePool(3);
  let running = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++running);
    await settle();
    running--;
  };
  await Promise.all(Array.from({ length: 20 }, () => pool.run(work)));
  assertEquals([most, running, pool.activeCount, pool.waitingCount], [3, 0, 0, 0]);
});

Deno.test("places are given in the order of asking, also when work throws", async () => {
  const pool = new ResourcePool(1);
  const order: number[] = [];
  const runs = [0, 1, 2, 3].map((n) =>
    pool.run(() => {
      order.push(n);
      if (n === 1) throw new Error("one");
      return n;
    })
  );
  const ends = await Promise.allSettled(runs);
  assertEquals(order, [0, 1, 2, 3]);
  assertEquals(ends.map(({ status }) => status), [
    "fulfilled",
    "rejected",
    "fulfilled",
    "fulfilled",
  ]);
});

Deno.test("a place that is given back twice is given back once", async () => {
  const pool = new ResourcePool(2);
  const release = await pool.acquire();
  await pool.acquire();
  release();
  release();
  assertEquals(pool.activeCount, 1);
});

Deno.test("drain() waits for what runs and what waits, and work may come after it", async () => {
  const pool = new ResourcePool(1);
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const runs = gates.map((gate) => pool.run(() => gate.promise));
  let isDrained = false;
  const draining = pool.drain().then(() => isDrained = true);
  gates[0]!.resolve();
  await settle();
  assert(!isDrained);
  gates[1]!.resolve();
  await draining;
  await Promise.all(runs);
  assertEquals(await pool.run(() => 1), 1);
  await pool.drain();
});

Deno.test("cleanup() lets what had come end, and refuses what comes after", async () => {
  const pool = new ResourcePool(1);
  const gate = Promise.withResolvers<void>();
  const first = pool.run(() => gate.promise);
  const second = pool.run(() => "second");
  const cleaning = pool.cleanup();
  let hasRun = false;
  await assertRejects(() => pool.run(() => hasRun = true), Error, "it has been cleaned up");
  gate.resolve();
  await cleaning;
  await first;
  assertEquals(await second, "second");
  await assertRejects(() => pool.acquire(), Error, "it has been cleaned up");
  await pool.cleanup();
  assertEquals(hasRun, false);
});

Deno.test("a limit out of its range is refused", () => {
  for (const limit of [0, 1.5, NaN, 10_001, -1]) {
    assertThrows(() => new ResourcePool(limit), RangeError, "from 1 to 10000 is needed");
  }
  assertThrows(() => new ResourcePool("2" as unknown as number), TypeError);
});

Deno.test("property: however places are asked for and given back, the limit holds and nobody is forgotten", async () => {
  let most = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.constantFrom(true, true, false), { minLength: 20, maxLength: 40 }),
      async (limit, steps) => {
        const pool = new ResourcePool(limit);
        const held: (() => void)[] = [];
        let asked = 0;
        let given = 0;
        for (const isAsking of steps) {
          if (isAsking) {
            asked++;
            pool.acquire().then((release) => held.push(release));
          } else {
            if (held.length > 0) given++;
            held.shift()?.();
          }
          await Promise.resolve();
          await Promise.resolve();
          await Promise.resolve();
          assertEquals(pool.activeCount, Math.min(limit, asked - given));
          assertEquals(held.length, pool.activeCount);
          most = Math.max(most, pool.waitingCount);
        }
        while (held.length > 0) {
          held.shift()!();
          await settle();
        }
        await pool.drain();
        assertEquals(pool.waitingCount, 0);
      },
    ),
    { numRuns: 100, seed: 1 },
  );
  assert(most > 2, `at most ${most} waited`);
});

Deno.test("✗ told too late: who aborts waits no more, is passed over, and takes no other's turn", async () => {
  const pool = new ResourcePool(1);
  const release = await pool.acquire();
  const controller = new AbortController();
  const order: string[] = [];
  const first = pool.run(() => order.push("first"));
  const aborted = pool.run(() => order.push("aborted"), controller.signal);
  const last = pool.run(() => order.push("last"));
  controller.abort(new Error("enough"));
  await assertRejects(() => aborted, Error, "enough");
  assertEquals(pool.waitingCount, 2);
  release();
  await Promise.all([first, last]);
  assertEquals([order, pool.activeCount], [["first", "last"], 0]);
  await assertRejects(() => pool.acquire(controller.signal), Error, "enough");
});

Deno.test("a signal that aborts just after the turn has come takes no turn of those who wait", async () => {
  const pool = new ResourcePool(1);
  const release = await pool.acquire();
  const controller = new AbortController();
  const second = pool.acquire(controller.signal);
  const third = pool.acquire();
  release();
  controller.abort();
  (await second)();
  (await third)();
  assertEquals([pool.activeCount, pool.waitingCount], [0, 0]);
});
