/**
 * Advice on patterns.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { PatternAdvisor, TASK_PATTERNS, type TaskPattern } from "../../src/mod.ts";

const advisor = new PatternAdvisor();

Deno.test("recommend() goes by the precedence, and names what else would fit", () => {
  const all = {
    isPeriodic: true,
    wantsOutput: true,
    isBatch: true,
    wantsResult: false,
    sharesResources: true,
  };
  assertEquals(advisor.recommend(all), {
    pattern: "periodic",
    reason: "PeriodicTaskManager, because the work recurs",
    alternatives: ["streaming", "concurrent", "fire-and-forget", "pooled"],
  });
  const needs = Object.keys(all);
  const found = needs.map((_, n) => {
    const fewer = Object.fromEntries(Object.entries(all).slice(n));
    return advisor.recommend(fewer).pattern;
  });
  assertEquals(found, ["periodic", "streaming", "concurrent", "fire-and-forget", "pooled"]);
  assertEquals(advisor.recommend().pattern, "simple");
  assertEquals(advisor.recommend({ wantsResult: true }), {
    pattern: "simple",
    reason: "executeModule, because one script, whose result is wanted now",
    alternatives: [],
  });
});

Deno.test("explain() and compare() tell of the patterns that were asked for, and of no other", () => {
  for (const pattern of TASK_PATTERNS) {
    const description = advisor.explain(pattern);
    assertEquals(description.pattern, pattern);
    assert(description.useWhen.length > 10 && description.avoidWhen.length > 10);
  }
  assertEquals(advisor.compare().map(({ pattern }) => pattern), [...TASK_PATTERNS]);
  const two = advisor.compare("simple", "periodic");
  assertEquals(two.map(({ waitsForEnd }) => waitsForEnd), [true, false]);
  const durable = advisor.compare().filter(({ canBeDurable }) => canBeDurable);
  assertEquals(durable.map(({ pattern }) => pattern), ["fire-and-forget"]);
  const unknown = "fast" as TaskPattern;
  assertThrows(() => advisor.explain(unknown), TypeError, 'Cannot use pattern "fast": allowed are');
});
