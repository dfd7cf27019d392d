/**
 * Periodic tasks, on a clock that moves when it is told to.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { PeriodicTaskManager } from "../../src/mod.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";

Deno.test("a task runs at once, and then every interval after it has ended", async () => {
  const { clock, tasks } = fixture();
  const startsMs: number[] = [];
  const beginMs = clock.nowMs();
  tasks.register("tick", 1000, async () => {
    startsMs.push(clock.nowMs() - beginMs);
    await new Promise<void>((resolve) => void clock.setTimer(resolve, 300));
  });
  await clock.advance(5000);
  assertEquals(startsMs, [], "not before it is started");
  tasks.start("tick");
  await settle();
  assertEquals(startsMs, [5000]);
  for (let i = 0; i < 39; i++) await clock.advance(100);
  assertEquals(startsMs, [5000, 6300, 7600, 8900]);
  await end(clock, tasks);
});

Deno.test("a task never overlaps itself, however long it takes", async () => {
  const { clock, tasks } = fixture();
  let running = 0;
  let runs = 0;
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  tasks.register("slow", 10, async () => {
    assertEquals(++running, 1);
    await gates[runs++]?.promise;
    running--;
  });
  tasks.start();
  tasks.start();
  await clock.advance(1000);
  assertEquals([runs, tasks.statistics("slow").isRunning], [1, true]);
  assertEquals(tasks.statistics("slow").nextStartAt, null);
  gates[0]!.resolve();
  await settle();
  await clock.advance(9);
  assertEquals(runs, 1);
  await clock.advance(1);
  assertEquals(runs, 2);
  // Stopped and started while it runs, it begins again only when this time has ended.
  const stopping = tasks.stop("slow");
  tasks.start("slow");
  await clock.advance(100);
  assertEquals(runs, 2);
  gates[1]!.resolve();
  await stopping;
  await settle();
  assertEquals(runs, 3);
  await end(clock, tasks);
});

Deno.test("errors are counted, and the task goes on", async () => {
  const { clock, tasks } = fixture();
  let runs = 0;
  tasks.register("shaky", 100, () => {
    if (++runs % 2 === 1) throw new Error(`run ${runs}`);
  });
  assertEquals(tasks.statistics("shaky"), {
    name: "shaky",
    intervalMs: 100,
    isStarted: false,
    isRunning: false,
    runs: 0,
    errors: 0,
    lastError: null,
    lastStartedAt: null,
    lastDurationMs: null,
    nextStartAt: null,
  });
  tasks.start("shaky");
  await settle();
  for (let i = 0; i < 4; i++) await clock.advance(100);
  const { lastStartedAt, nextStartAt, ...counts } = tasks.statistics("shaky");
  assertEquals(counts, {
    name: "shaky",
    intervalMs: 100,
    isStarted: true,
    isRunning: false,
    runs: 5,
    errors: 3,
    lastError: "run 5",
    lastDurationMs: 0,
  });
  assertEquals(lastStartedAt!.getTime(), clock.nowMs());
  assertEquals(nextStartAt!.getTime(), clock.nowMs() + 100);
  await end(clock, tasks);
});

Deno.test("stop() fires the signal, waits for the end, and counts that as no error", async () => {
  const { clock, tasks } = fixture();
  let wasAborted = false;
  tasks.register("long", 100, async (signal) => {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    await settle();
    wasAborted = true;
    signal.throwIfAborted();
  });
  tasks.register("other", 100, () => {});
  tasks.start();
  await settle();
  await tasks.stop("long");
  assert(wasAborted);
  const { isStarted, isRunning, errors, runs } = tasks.statistics("long");
  assertEquals([isStarted, isRunning, errors, runs], [false, false, 0, 1]);
  assert(tasks.statistics("other").isStarted);
  await end(clock, tasks);
  await clock.advance(1000);
  assertEquals(tasks.statistics().map(({ runs }) => runs), [1, 1]);
});

Deno.test("a task that was stopped can be started again, and then runs at once", async () => {
  const { clock, tasks } = fixture();
  let runs = 0;
  tasks.register("again", 1000, () => void runs++);
  tasks.start("again");
  await settle();
  await tasks.stop("again");
  assertEquals([runs, clock.pendingTimers], [1, 0]);
  tasks.start("again");
  await settle();
  assertEquals(runs, 2);
  await end(clock, tasks);
});

Deno.test("a name that is taken or unknown, or an interval out of its range, is refused", async () => {
  const { tasks } = fixture();
  tasks.register("one", 1, () => {});
  assertThrows(() => tasks.register(" one ", 1, () => {}), TypeError, "the name is taken");
  assertThrows(() => tasks.register("", 1, () => {}), TypeError, "blank");
  for (const intervalMs of [0, -1, 0.5, Infinity, 25 * 24 * 3_600_000]) {
    assertThrows(() => tasks.register("two", intervalMs, () => {}), RangeError, "intervalMs");
  }
  const noWork = "work" as unknown as () => void;
  assertThrows(() => tasks.register("two", 1, noWork), TypeError, "not a function");
  assertThrows(
    () => tasks.start("two"),
    TypeError,
    'Cannot find periodic task "two": known are one',
  );
  assertThrows(() => tasks.statistics("two"), TypeError, "known are one");
  await assertRejects(() => tasks.stop("two"), TypeError, "known are one");
  assertEquals(tasks.statistics().map(({ name }) => name), ["one"]);
});

Deno.test("a task that was told to stop has no next start, also before stop() has resolved", async () => {
  const { clock, tasks } = fixture();
  tasks.register("tick", 1000, () => {});
  tasks.start();
  await settle();
  assertEquals(tasks.statistics("tick").nextStartAt!.getTime(), clock.nowMs() + 1000);
  const stopping = tasks.stop();
  assertEquals(tasks.statistics("tick").nextStartAt, null);
  await stopping;
  assertEquals(tasks.statistics("tick").nextStartAt, null);
});

function fixture(): { clock: FakeClock; tasks: PeriodicTaskManager } {
  const clock = new FakeClock();
  return { clock, tasks: new PeriodicTaskManager({ clock }) };
}

async function end(clock: FakeClock, tasks: PeriodicTaskManager): Promise<void> {
  const stopping = tasks.stop();
  await clock.advance(1000);
  await stopping;
}
