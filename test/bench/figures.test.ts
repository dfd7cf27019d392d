/**
 * The few statistics of the bench, and what its command line takes.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { sizeName } from "../../bench/bench.ts";
import { median, percentiles } from "../../bench/figures.ts";
import { parseOptions } from "../../bench/options.ts";
import { measure, Stopwatch, type Subject } from "../../bench/measure.ts";
import { ticksOf } from "../../bench/process_cpu.ts";
import { countBetweenMarks } from "../../bench/traced_syncs.ts";

Deno.test("the median is the middle value, or the mean of the two in the middle", () => {
  assertEquals(median([10, 1, 2]), 2);
  assertEquals(median([4, 1, 3, 2]), 2.5);
  assertThrows(() => median([]), RangeError, "no values");
});

Deno.test("percentiles are values that were measured, by nearest rank", () => {
  const values = Array.from({ length: 200 }, (_, n) => 200 - n);
  assertEquals(percentiles(values), { p50: 100, p95: 190, p99: 198, max: 200, count: 200 });
  assertEquals(percentiles([7]), { p50: 7, p95: 7, p99: 7, max: 7, count: 1 });
});

Deno.test("the command line chooses parts and scale, and refuses what it does not know", () => {
  const parts = ["enqueue", "claim"];
  assertEquals(parseOptions([], parts), { isQuick: false, only: null });
  assertEquals(parseOptions(["--quick", "--only", "claim, enqueue"], parts), {
    isQuick: true,
    only: ["claim", "enqueue"],
  });
  assertEquals(parseOptions(["--only=claim"], parts), { isQuick: false, only: ["claim"] });
  assertThrows(() => parseOptions(["--only=claims"], parts), TypeError, "enqueue, claim");
  assertThrows(() => parseOptions(["--only"], parts), TypeError, "enqueue, claim");
  assertThrows(() => parseOptions(["--fast"], parts), TypeError, '"--fast"');
});

Deno.test("only fsyncs between the marks of a trace are counted, each once", () => {
  const trace = [
    "1 fsync(3) = 0",
    '1 mkdir("/tmp/work begins", 0777) = 0',
    "1 fdatasync(5 <unfinished ...>",
    '2 mkdir("/tmp/other", 0777) = 0',
    "1 <... fdatasync resumed>) = 0",
    "2 fsync(7) = 0",
    '1 mkdir("/tmp/work ends", 0777) = 0',
    "1 fsync(3) = 0",
  ].join("\n");
  assertEquals(countBetweenMarks(trace), 2);
  assertThrows(() => countBetweenMarks("1 fsync(3) = 0"), Error, "does not show");
});

Deno.test("sizes are told in words", () => {
  assertEquals([1, 1000, 100_000, 1_000_000].map(sizeName), ["1", "1k", "100k", "1M"]);
});

Deno.test("the ticks of a process count with those of its children, and of theirs", () => {
  const line = (pid: number, parent: number, times: string): string =>
    `${pid} (a (b) c) S ${parent} 1 1 0 -1 4 0 0 0 0 ${times} 20 0 1 0`;
  const lines = [
    line(7, 5, "1 2 3 4"),
    line(9, 8, "100 0 0 0"),
    line(5, 1, "10 20 30 40"),
    line(11, 7, "1000 0 0 0"),
  ].join("\n");
  assertEquals(ticksOf([5], lines), 1110);
  assertEquals(ticksOf([7, 9], lines), 1110);
  assertEquals(ticksOf([6], lines), 0);
});

Deno.test("CPU time per task is of each round, and unknown where a meter does not know it", async () => {
  const subject = (cpuMs: Subject["cpuMs"]): Subject => ({
    name: "a",
    survives: "nothing",
    syncs: () => Promise.resolve(null),
    cpuMs,
  });
  const workload = {
    name: "work",
    run: async (_: Subject, watch: Stopwatch): Promise<number> => {
      await watch.total(() => Promise.resolve());
      return 4;
    },
  };
  let cpuMs = 0;
  const figuresOf = async (meter: Subject["cpuMs"]): Promise<unknown> => {
    const subjects = [subject(meter)];
    return (await measure("test", workload, { subjects, rounds: 2 }))[0]!.cpuUsPerTask;
  };
  assertEquals(await figuresOf(() => Promise.resolve(cpuMs += 2)), [500, 500]);
  assertEquals(await figuresOf(() => Promise.resolve(null)), undefined);
});

Deno.test("what another program measured replaces what was measured here", () => {
  const watch = new Stopwatch({ syncs: () => Promise.resolve(3) });
  watch.take({ totalMs: 5, laps: [2, 3], cpuMs: 1 });
  assertEquals([watch.totalMs, watch.laps, watch.cpuMs, watch.syncs], [5, [2, 3], 1, null]);
});
