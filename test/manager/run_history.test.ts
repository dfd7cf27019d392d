import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { StorageError } from "../../src/domain/errors.ts";
import { createRun, type Run } from "../../src/domain/run.ts";
import { BackgroundTaskManager } from "../../src/manager/background_task_manager.ts";
import { resolveTaskExecutionConfig } from "../../src/manager/config.ts";
import { createTaskManager } from "../../src/manager/factory.ts";
import { QueueFollower } from "../../src/manager/queue_follower.ts";
import { QueuedTaskManager } from "../../src/manager/queued_task_manager.ts";
import { type OpenRegistryOptions, RunRegistry } from "../../src/manager/run_registry.ts";
import { openQueue } from "../../src/mod.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { DISK_FULL, MemoryHistoryFile } from "../support/memory_history_file.ts";
import { overridden } from "../support/overridden_queue.ts";
import { ScriptedQueue } from "./scripted_queue.ts";

const DAY_MS = 24 * 3_600_000;

interface Fixture {
  readonly registry: RunRegistry;
  readonly clock: FakeClock;
  readonly file: MemoryHistoryFile;
  readonly problems: string[];
}

async function open(
  file = new MemoryHistoryFile(),
  options: Partial<OpenRegistryOptions> = {},
): Promise<Fixture> {
  const clock = new FakeClock();
  const problems: string[] = [];
  const onHistoryProblem = (message: string): void => void problems.push(message);
  const registry = await RunRegistry.open({ history: file, clock, onHistoryProblem, ...options });
  return { registry, clock, file, problems };
}

/** A finished run; the higher its number, the later. */
function finishedRun(n: number): Run {
  return Object.assign(createRun({ runId: `r${n}`, moduleId: "m", createdAt: new Date(n) }), {
    status: "completed",
    startedAt: new Date(n + 1),
    completedAt: new Date(n + 2),
    durationSeconds: 0.001,
    exitCode: 0,
    progressPercent: 100,
    attempts: 1,
    result: { text: 'zażółć\n"jaźń"', list: [n, null] },
  });
}

/** The file of a registry that holds the runs r0 … */
async function fileWith(count: number): Promise<MemoryHistoryFile> {
  const { registry, file } = await open();
  for (let n = 0; n < count; n++) registry.addRun(finishedRun(n));
  await registry.flush();
  return file;
}

function ids(registry: RunRegistry): string[] {
  return registry.getRecentRuns(1000).map(({ runId }) => runId);
}

Deno.test("runs are loaded as they were", async () => {
  const { registry, file } = await open();
  const runs = [finishedRun(0), finishedRun(1), createRun({ runId: "new", moduleId: "m" })];
  for (const run of runs) registry.addRun(run);
  await registry.flush();
  const { registry: next, problems } = await open(file);
  assertEquals(next.getRecentRuns().toReversed(), runs);
  assertEquals([next.getInterruptedRuns().map(({ runId }) => runId), problems], [["new"], []]);
});

Deno.test("✗ O(n) rewrite: 10,000 updates within one delay write the file once", async () => {
  const { registry, clock, file } = await open();
  const runs = Array.from({ length: 100 }, (_, n) => finishedRun(n));
  for (const run of runs) registry.addRun(run);
  for (let update = 0; update < 10_000; update++) registry.updateRun(runs[update % 100]!);
  assertEquals(file.replaced, 0);
  await clock.advance(1000);
  assertEquals(file.replaced, 1);
  await clock.advance(60_000);
  assertEquals(file.replaced, 1);
});

Deno.test("✗ O(n) rewrite: steady updates write the file once in each delay", async () => {
  const { registry, clock, file } = await open();
  const run = finishedRun(0);
  registry.addRun(run);
  for (let tenth = 0; tenth < 100; tenth++) {
    registry.updateRun(run);
    await clock.advance(100);
  }
  assert(file.replaced >= 8 && file.replaced <= 11, `${file.replaced} writes in ten seconds`);
});

Deno.test("✗ O(n) rewrite: a write that takes long is followed by a longer rest", async () => {
  const { registry, clock, file } = await open();
  file.before = () => void clock.jump(500);
  const run = finishedRun(0);
  registry.addRun(run);
  await clock.advance(1000);
  assertEquals(file.replaced, 1);
  registry.updateRun(run);
  await clock.advance(9000);
  assertEquals(file.replaced, 1);
  await clock.advance(2000);
  assertEquals(file.replaced, 2);
});

Deno.test("✗ a truncated file lost everything: cut anywhere, it gives the whole lines that are left", async () => {
  const { bytes } = await fileWith(5);
  const whole = new TextDecoder().decode(bytes).split("\n");
  const ends = whole.map((_, i) =>
    new TextEncoder().encode(whole.slice(0, i + 1).join("\n")).length
  );
  for (let length = 0; length < bytes!.length - 1; length++) {
    const { registry, file, problems } = await open(new MemoryHistoryFile(bytes!.slice(0, length)));
    const complete = ends.slice(1, 6).filter((end) => end <= length).length;
    assertEquals(ids(registry), ["r4", "r3", "r2", "r1", "r0"].slice(0, complete), `${length}`);
    assertEquals(problems.length, 1, `${length}`);
    assert(problems[0]!.includes("runs.history.damaged-1"), problems[0]);
    assertEquals(file.aside, [bytes!.slice(0, length)]);
    await registry.flush();
  }
});

Deno.test("✗ a truncated file lost everything: with any byte changed, the other runs are there", async () => {
  const { bytes } = await fileWith(3);
  for (let at = 0; at < bytes!.length; at++) {
    const damaged = bytes!.slice();
    damaged[at] = 0xff;
    const { registry, file, problems } = await open(new MemoryHistoryFile(damaged));
    // A line break that is lost makes one line of two.
    const lost = bytes![at] === 10 ? 2 : 1;
    assert(ids(registry).length >= 3 - lost, `byte ${at}: ${ids(registry)}`);
    assertEquals([problems.length, file.aside.length], [1, 1], `byte ${at}`);
    await registry.flush();
  }
});

Deno.test("a damaged file is replaced by what was left of it", async () => {
  const file = await fileWith(3);
  const [header, r2, , r0, end] = file.text.split("\n");
  const { registry } = await open(new MemoryHistoryFile([header, r2, "{", r0, end, ""].join("\n")));
  assertEquals(ids(registry), ["r2", "r0"]);
  const damaged = await open(new MemoryHistoryFile([header, r2, "{", r0, end, ""].join("\n")));
  assertEquals(damaged.problems, [
    'Cannot read all of the run history "runs.history": line 3 is not a run; 2 runs were read, ' +
    'and the file is kept as "runs.history.damaged-1"',
  ]);
  await damaged.clock.advance(1000);
  const again = await open(damaged.file);
  assertEquals([ids(again.registry), again.problems], [["r2", "r0"], []]);
  await registry.flush();
});

Deno.test("a file of a newer version is refused and left as it is", async () => {
  const file = new MemoryHistoryFile('{"holdfast_runs":2}\n{"end":0}\n');
  await assertRejects(() => open(file), StorageError, "version 2");
  assertEquals([file.replaced, file.aside.length], [0, 0]);
});

Deno.test("a file that is not a history is refused and left as it is", async () => {
  const others = [
    "not a history",
    "{}",
    '[{"run_id":"r1","status":"completed"}]',
    "SQLite format 3\0 and more",
    '{"holdfast_runs":1',
    "\0\0\0",
    "",
  ];
  const refused: string[] = [];
  for (const content of others) {
    const file = new MemoryHistoryFile(content);
    try {
      const { registry } = await open(file);
      registry.addRun(finishedRun(0));
      await registry.flush();
      assert(file.text.startsWith('{"holdfast_runs":1}'));
    } catch (error) {
      assert(error instanceof StorageError && error.message.includes("it is not a run history"));
      assertEquals([file.text, file.replaced, file.aside.length], [content, 0, 0]);
      refused.push(content);
    }
  }
  assertEquals(refused, others.slice(0, 4));
});

Deno.test("a file that cannot be read is never replaced", async () => {
  for (const failing of ["read", "keepAside"]) {
    const content = '{"holdfast_runs":1}';
    const given = new MemoryHistoryFile(content);
    given.before = (operation) => {
      if (operation === failing) throw new StorageError("open", "runs.history", "denied");
    };
    const { registry, clock, file, problems } = await open(given);
    registry.addRun(finishedRun(0));
    await clock.advance(10_000);
    await registry.flush();
    assertEquals([file.text, file.replaced, problems.length], [content, 0, 1]);
    assert(problems[0]!.includes("denied"), problems[0]);
  }
});

Deno.test("a write that fails is told once, tried again, and rejects flush()", async () => {
  const { registry, clock, file, problems } = await open();
  file.before = () => Promise.reject(DISK_FULL);
  const run = finishedRun(0);
  registry.addRun(run);
  await clock.advance(1000);
  assertEquals(problems, [DISK_FULL.message]);
  registry.updateRun(run);
  await clock.advance(1000);
  assertEquals(problems, [DISK_FULL.message]);
  assertStrictEquals(await assertRejects(() => registry.flush()), DISK_FULL);
  file.before = () => {};
  await registry.flush();
  assertEquals(ids((await open(file)).registry), ["r0"]);
});

Deno.test("what changes during a write is written after it", async () => {
  const { registry, clock, file } = await open();
  const gate = Promise.withResolvers<void>();
  file.before = () => gate.promise;
  registry.addRun(finishedRun(0));
  await clock.advance(1000);
  registry.addRun(finishedRun(1));
  const flushed = registry.flush();
  gate.resolve();
  await flushed;
  assertEquals(file.replaced, 2);
  assertEquals(ids((await open(file)).registry), ["r1", "r0"]);
});

Deno.test("what changes during a write is also written without flush()", async () => {
  const { registry, clock, file } = await open();
  const gate = Promise.withResolvers<void>();
  file.before = () => gate.promise;
  registry.addRun(finishedRun(0));
  await clock.advance(1000);
  registry.addRun(finishedRun(1));
  gate.resolve();
  await settle();
  await clock.advance(1000);
  assertEquals([file.replaced, clock.pendingTimers], [2, 0]);
});

Deno.test("flush() ends although updates go on", async () => {
  const { registry, file, clock } = await open();
  const run = finishedRun(0);
  registry.addRun(run);
  file.before = () => registry.updateRun(run);
  await registry.flush();
  await Promise.all([registry.flush(), registry.flush()]);
  assertEquals(file.replaced, 2);
  file.before = () => {};
  await clock.advance(1000);
  assertEquals(file.replaced, 3);
});

Deno.test("a run that is not JSON is left out, and told of once", async () => {
  const { registry, file, problems } = await open();
  for (const runId of ["big", "bigger"]) {
    registry.addRun(createRun({ runId, moduleId: "m", parameters: { n: 1n } }));
  }
  await registry.flush();
  registry.addRun(finishedRun(0));
  await registry.flush();
  assertEquals(problems.length, 2);
  assertEquals(ids((await open(file)).registry), ["r0"]);
  assert(problems[0]!.includes('"big"'), problems[0]);
});

Deno.test("cleanupOldRuns() bounds the file too", async () => {
  const { registry, clock, file } = await open();
  registry.addRun(finishedRun(0));
  const recent = finishedRun(clock.nowMs() - DAY_MS);
  registry.addRun(recent);
  assertEquals(registry.cleanupOldRuns(2), 1);
  await clock.advance(1000);
  assertEquals(ids((await open(file)).registry), [recent.runId]);
});

Deno.test("the file holds the active runs, then the latest, up to its maximum", async () => {
  const { registry, file } = await open(undefined, { historyMaxRuns: 3 });
  registry.addRun(createRun({ runId: "old but active", moduleId: "m", createdAt: new Date(0) }));
  for (let n = 1; n <= 10; n++) registry.addRun(finishedRun(n));
  await registry.flush();
  assertEquals(ids((await open(file)).registry), ["r10", "r9", "old but active"]);
});

Deno.test("the file stays below its maximum size", async () => {
  const historyMaxBytes = 2000;
  const { registry, file } = await open(undefined, { historyMaxBytes });
  for (let n = 0; n < 100; n++) registry.addRun(finishedRun(n));
  await registry.flush();
  assert(file.bytes!.length <= historyMaxBytes, `${file.bytes!.length} bytes`);
  const kept = ids((await open(file)).registry);
  assert(kept.length > 2);
  assertEquals(kept[0], "r99");
});

Deno.test("a history option out of its range is refused", async () => {
  for (
    const wrong of [
      { historyDelayMs: -1 },
      { historyDelayMs: 60_001 },
      { historyMaxRuns: 0 },
      { historyMaxBytes: 1023 },
    ]
  ) await assertRejects(() => open(undefined, wrong), RangeError, Object.keys(wrong)[0]);
});

// --- what the managers make of it

async function fileOfInterrupted(): Promise<MemoryHistoryFile> {
  const { registry, file } = await open();
  registry.addRun(createRun({ runId: "waiting", moduleId: "m" }));
  registry.addRun(
    Object.assign(createRun({ runId: "begun", moduleId: "m" }), { status: "running" }),
  );
  await registry.flush();
  return file;
}

Deno.test("BackgroundTaskManager fails the runs that ended with an earlier process", async () => {
  const { registry, file } = await open(await fileOfInterrupted());
  const manager = new BackgroundTaskManager(registry);
  const run = createRun({ runId: "next", moduleId: "m" });
  manager.startTask(run, () => Promise.resolve());
  await manager.waitAll();
  await manager.close();
  const { registry: after } = await open(file);
  for (const runId of ["waiting", "begun"]) {
    const { status, errorMessage, completedAt } = after.getRun(runId)!;
    assertEquals([status, errorMessage], ["failed", "The process ended before this run did"]);
    assert(completedAt instanceof Date);
  }
  assertEquals(after.getRun("next"), run);
});

Deno.test("QueuedTaskManager asks the queue what became of the runs of an earlier process", async () => {
  const queue = await openQueue({ memory: true });
  const enqueue = async (runId: string): Promise<number> =>
    (await queue.enqueue({ type: "m", runId })).task.id;
  await enqueue("waiting");
  const done = await enqueue("begun");
  const [task] = await queue.claim({ workerId: "other", types: [], taskId: done });
  await queue.complete(task!, "elsewhere");
  const { registry: old, file } = await open(await fileOfInterrupted());
  old.addRun(createRun({ runId: "pruned", moduleId: "m" }));
  await old.flush();

  const { registry } = await open(file);
  const manager = await QueuedTaskManager.open(queue, registry);
  assertEquals(manager.getActiveTaskIds(), ["waiting"]);
  assertEquals(registry.getRun("waiting")?.status, "queued");
  const begun = registry.getRun("begun")!;
  assertEquals([begun.status, begun.result], ["completed", "elsewhere"]);
  const pruned = registry.getRun("pruned")!;
  assertEquals(
    [pruned.status, pruned.errorMessage],
    ["failed", "The process ended before this run did"],
  );
  assertEquals(registry.getInterruptedRuns(), []);
  await manager.close();
  assertEquals(registry.getInterruptedRuns().map(({ runId }) => runId), ["waiting"]);
  assertEquals(ids((await open(file)).registry).length, 3);
});

Deno.test("interrupted runs are looked up again when reading the queue failed", async () => {
  const { registry: old, file } = await open();
  for (let n = 0; n < 150; n++) old.addRun(createRun({ runId: `r${n}`, moduleId: "m" }));
  await old.flush();
  const { registry, clock } = await open(file);
  const queue = new ScriptedQueue();
  for (let id = 0; id < 150; id++) queue.put(id, "completed", { result: id });
  let reads = 0;
  queue.beforeRead = () => ++reads === 100 ? Promise.reject(DISK_FULL) : Promise.resolve();
  const errors: unknown[] = [];
  const follower = new QueueFollower(queue, registry, {
    clock,
    onError: (error) => errors.push(error),
  });
  await settle();
  await clock.advance(100);
  assertEquals(errors, [DISK_FULL]);
  assert(registry.getRunsByStatus("queued").length > 0);
  await clock.advance(2000);
  assertEquals(errors.length, 1);
  assertEquals([registry.getInterruptedRuns(), follower.activeCount()], [[], 0]);
  assertEquals(registry.getRun("r149")?.result, 149);
  await follower.stop();
});

Deno.test("when the queue cannot be read, the in-memory manager takes the interrupted runs over", async () => {
  const { registry } = await open(await fileOfInterrupted());
  const queue = await openQueue({ memory: true });
  const broken = overridden(queue, { list: () => Promise.reject(DISK_FULL) });
  const manager = await createTaskManager(resolveTaskExecutionConfig({ taskBackend: "queue" }), {
    registry,
    openQueue: () => Promise.resolve(broken),
    warn: () => {},
  });
  assert(manager instanceof BackgroundTaskManager);
  assertEquals(registry.getRunsByStatus("failed").length, 2);
  await manager.close();
});
