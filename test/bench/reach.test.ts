/**
 * The reach: every verdict follows from the figures, and what was not measured is not said to be reached.
 */
import { assert, assertEquals } from "@std/assert";
import { type Figure, percentiles } from "../../bench/figures.ts";
import { reachOf } from "../../bench/reach.ts";
import { APPEND_NAME } from "../../bench/contenders/append.ts";
import { REACH_WORK } from "../../bench/reach_work.ts";

const OURS = "Holdfast, full";
const PEER = "plain table in node:sqlite, FULL";

function figure(work: string, more: Partial<Figure>): Figure {
  return { group: "test", work, contender: OURS, survives: "power cut", ...more };
}

function verdicts(figures: readonly Figure[]): Record<string, string> {
  return Object.fromEntries(
    reachOf(figures).map(({ figure, measured, verdict }) => [figure, `${measured} ${verdict}`]),
  );
}

Deno.test("without figures every goal is not measured", () => {
  const reach = reachOf([]);
  assert(reach.length >= 16, `${reach.length} goals`);
  assertEquals(new Set(reach.map(({ verdict }) => verdict)), new Set(["not measured"]));
});

Deno.test("a speed is compared with the peer's median, larger is better", () => {
  const goal = `sequential awaited enqueue vs ${PEER}`;
  const found = (ours: number): string | undefined =>
    verdicts([
      figure(REACH_WORK.enqueueOne, { perSecond: [ours, ours, 1] }),
      figure(REACH_WORK.enqueueOne, { contender: PEER, perSecond: [100, 90, 110] }),
    ])[goal];
  assertEquals(found(120), "1.20× aim reached");
  assertEquals(found(90), "0.900× reached");
  assertEquals(found(89), "0.890× missed");
});

Deno.test("an enqueue's time is compared with that of an append and its fsync, smaller is better", () => {
  const reach = verdicts([
    figure(REACH_WORK.enqueueOne, { perSecond: [100] }),
    figure(REACH_WORK.enqueueOne, { contender: APPEND_NAME, perSecond: [180] }),
  ]);
  assertEquals(
    reach[`sequential awaited enqueue, its time against ${APPEND_NAME}`],
    "1.80× reached",
  );
});

Deno.test("many callers are compared with the peer's one caller", () => {
  const reach = verdicts([
    figure(REACH_WORK.enqueueMany, { perSecond: [600] }),
    figure(REACH_WORK.enqueueOne, { contender: PEER, perSecond: [100] }),
    figure(REACH_WORK.enqueueMany, { contender: PEER, perSecond: [1000] }),
  ]);
  assertEquals(reach[`64 callers, against one caller of ${PEER}`], "6.00× reached");
});

Deno.test("an amount should be small, in its own unit", () => {
  const reach = verdicts([
    figure(REACH_WORK.open("100k"), { samples: [300, 200, 5000], unit: "ms" }),
    figure(REACH_WORK.fsyncs, { samples: [65], unit: "fsyncs" }),
    figure(REACH_WORK.stall("100k"), { samples: [101], unit: "ms" }),
  ]);
  assertEquals(reach["open 100k tasks"], "0.300 s reached");
  assertEquals(
    reach["fsyncs for 1,000 tasks in a batch, finished at concurrency 32"],
    "65.0 aim reached",
  );
  assertEquals(reach["longest event-loop stall in a checkpoint at 100k tasks"], "101 ms missed");
});

Deno.test("the worst order counts for claims from a long queue, the largest size against the smallest", () => {
  const claims = (order: "fifo" | "lifo", p95s: readonly number[]): Figure[] =>
    p95s.map((p95, n) =>
      figure(`${REACH_WORK.claimAt(order)}${["1k", "100k", "1M"][n]}`, {
        latencyMs: percentiles([p95]),
      })
    );
  const reach = verdicts([...claims("fifo", [1, 9, 1.1]), ...claims("lifo", [1, 1, 1.5])]);
  assertEquals(reach["claim p95 at the most queued vs at 1k, worst order"], "1.50× reached");
});

Deno.test("HTTP is compared by percentiles, one connection less strictly than 32", () => {
  const served = (connections: number, contender: string, ms: number): Figure =>
    figure(REACH_WORK.http(connections), { contender, latencyMs: percentiles([ms]) });
  const reach = verdicts([1, 32].flatMap((connections) => [
    served(connections, OURS, 1.6),
    served(connections, "in-memory", 1),
  ]));
  assertEquals(reach["HTTP run, 1 connection, queue vs in-memory, p95"], "1.60× reached");
  assertEquals(reach["HTTP run, 32 connections, queue vs in-memory, p95"], "1.60× missed");
});
