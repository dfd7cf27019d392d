/**
 * The few statistics of the bench, and what its command line takes.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { sizeName } from "../../bench/bench.ts";
import { median, percentiles } from "../../bench/figures.ts";
import { parseOptions } from "../../bench/options.ts";
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
