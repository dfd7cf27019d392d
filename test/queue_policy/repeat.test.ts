import { assertEquals } from "@std/assert";
import { repeat } from "../../src/queue_policy/repeat.ts";
import { FakeClock } from "../support/fake_clock.ts";

interface Fixture {
  readonly clock: FakeClock;
  readonly turns: number[];
  readonly errors: unknown[];
  readonly stop: () => void;
}

function begin(run: () => Promise<void> = () => Promise.resolve()): Fixture {
  const clock = new FakeClock(0);
  const turns: number[] = [];
  const errors: unknown[] = [];
  const stop = repeat(clock, {
    everyMs: 1000,
    run: () => {
      turns.push(clock.nowMs());
      return run();
    },
    onError: (error) => errors.push(error),
  });
  return { clock, turns, errors, stop };
}

Deno.test("a duty has its turn every period, until it is stopped", async () => {
  const { clock, turns, stop } = begin();
  for (let second = 0; second < 3; second++) await clock.advance(1000);
  stop();
  await clock.advance(5000);
  assertEquals([turns, clock.pendingTimers], [[1000, 2000, 3000], 0]);
});

Deno.test("a turn that comes a whole period late is passed over, the one after it is not", async () => {
  const { clock, turns, stop } = begin();
  clock.jump(2001);
  await clock.advance(999);
  assertEquals(turns, []);
  clock.jump(2002);
  await clock.advance(0);
  assertEquals(turns, [5002]);
  stop();
});

Deno.test("a turn that fails is told of, and the next one comes", async () => {
  const { clock, turns, errors, stop } = begin(() => Promise.reject(new Error("no")));
  await clock.advance(1000);
  await clock.advance(1000);
  stop();
  assertEquals([turns.length, errors.map(String)], [2, ["Error: no", "Error: no"]]);
});
