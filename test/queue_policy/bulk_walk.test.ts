/**
 * The walk of a bulk request over an engine that is a plain array: each task that matches is met once, in steps.
 */
import { assert, assertEquals } from "@std/assert";
import {
  type BulkFacts,
  matches,
  prepareBulk,
  type PreparedBulk,
} from "../../src/queue_policy/bulk_request.ts";
import {
  type BulkEngine,
  type BulkSlice,
  type BulkStep,
  sliceOf,
  walk,
} from "../../src/queue_policy/bulk_walk.ts";
import { FakeClock } from "../support/fake_clock.ts";

const STEP = 50;
const LOOK_MAX = 1000;

/** Every third task matches; one step does no more than `most`. */
class ArrayEngine implements BulkEngine {
  readonly clock = new FakeClock();
  readonly stepMax = STEP;
  readonly tasks: BulkFacts[];
  readonly changed: number[] = [];
  rests = 0;
  readonly #most: number;

  constructor(count: number, most: number) {
    this.#most = most;
    this.tasks = Array.from({ length: count }, (_, i) => ({
      id: i + 1,
      status: "queued",
      type: i % 3 === 0 ? "a" : "b",
      grp: "",
      tags: null,
      createdAtMs: 0,
      finishedAtMs: null,
      attempts: 0,
      errorMessage: null,
    }));
  }

  lastId(): Promise<number> {
    return Promise.resolve(this.tasks.length);
  }

  look(
    _bulk: PreparedBulk,
    { afterId, upToId }: { readonly afterId: number; readonly upToId: number },
  ): Promise<BulkSlice> {
    const found = this.tasks.filter(({ id }) => id > afterId && id <= upToId);
    return Promise.resolve(sliceOf(found.slice(0, LOOK_MAX), { upToId, max: LOOK_MAX }));
  }

  change(bulk: PreparedBulk, ids: readonly number[]): Promise<BulkStep> {
    assert(ids.length <= STEP);
    const part = ids.slice(0, this.#most);
    assert(part.every((id) => matches(this.tasks[id - 1]!, bulk.filter)));
    this.changed.push(...part);
    return Promise.resolve({ matched: part.length, changed: part.length, done: part.length });
  }

  rest(): Promise<void> {
    this.rests++;
    return Promise.resolve();
  }
}

const COUNT = 2 * LOOK_MAX + 500;

const WANTED = Array.from({ length: COUNT }, (_, i) => i + 1).filter((id) => id % 3 === 1);

for (const most of [STEP, 7]) {
  Deno.test(`a walk meets each task that matches once, ${most} in a step`, async () => {
    const engine = new ArrayEngine(COUNT, most);
    const bulk = prepareBulk({ action: "cancel", filter: { type: "a" } });
    const report = await walk(engine, bulk);
    assertEquals(engine.changed, WANTED);
    assertEquals(report, {
      ...{ matched: WANTED.length, changed: WANTED.length },
      ...{ doneUpToId: COUNT, upToId: COUNT, cursor: null },
    });
    assert(engine.rests >= WANTED.length / STEP - 3, `${engine.rests} rests`);
  });
}

Deno.test("a walk without time does one step, and the next request goes on behind it", async () => {
  const engine = new ArrayEngine(COUNT, STEP);
  let [cursor, requests]: [string | undefined, number] = [undefined, 0];
  for (;;) {
    const request = { action: "cancel", filter: { type: "a" }, budgetMs: 0, cursor } as const;
    const report = await walk(engine, prepareBulk(request));
    requests++;
    assert(report.changed <= STEP);
    if (report.cursor === null) break;
    cursor = report.cursor;
  }
  assertEquals(engine.changed, WANTED);
  assert(requests >= WANTED.length / STEP, `${requests} requests`);
});

Deno.test("a dry run changes nothing and ends when it has counted enough", async () => {
  const engine = new ArrayEngine(40_000, STEP);
  const request = { action: "cancel", filter: {}, all: true, dryRun: true } as const;
  const report = await walk(engine, prepareBulk(request));
  assertEquals([report.matched, report.changed, engine.changed.length], [10_000, 0, 0]);
  assertEquals(report.cursor, "10000-40000");
});
