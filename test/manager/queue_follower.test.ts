import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { type Clock, systemClock } from "../../src/domain/clock.ts";
import { QueueError } from "../../src/domain/errors.ts";
import { createRun } from "../../src/domain/run.ts";
import { QueueFollower } from "../../src/manager/queue_follower.ts";
import { RunRegistry } from "../../src/manager/run_registry.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { ScriptedQueue } from "./scripted_queue.ts";
import { until } from "../support/until.ts";

interface Fixture {
  readonly queue: ScriptedQueue;
  readonly registry: RunRegistry;
  readonly follower: QueueFollower;
  /** What the follower said it could not read. */
  readonly errors: unknown[];
}

function follow(queue: ScriptedQueue, clock: Clock = systemClock): Fixture {
  const registry = new RunRegistry();
  const errors: unknown[] = [];
  const onError = (error: unknown): number => errors.push(error);
  return {
    queue,
    registry,
    errors,
    follower: new QueueFollower(queue, registry, { clock, onError }),
  };
}

/** A follower of an empty queue that has read it already. */
async function followEmpty(clock?: Clock): Promise<Fixture> {
  const fixture = follow(new ScriptedQueue(), clock);
  await fixture.follower.caughtUp();
  return fixture;
}

function statusOf({ registry }: Fixture, runId: string): string | undefined {
  return registry.getRun(runId)?.status;
}

Deno.test("the active tasks of the queue are loaded, page by page", async () => {
  const queue = new ScriptedQueue();
  for (let id = 1; id <= 2100; id++) queue.put(id, "queued");
  queue.put(3000, "leased");
  queue.put(3001, "completed");
  const { follower, registry } = follow(queue);
  await follower.loaded();
  assertEquals(follower.activeCount(), 2101);
  assertEquals(registry.getRun("r3000")?.status, "running");
  assertEquals(registry.getRun("r3001"), undefined);
  assertEquals(registry.getRun("r1")?.moduleName, "m");
  assertEquals(queue.reads, { get: 0, list: 6 });
  await follower.stop();
});

Deno.test("a run of another process appears, changes and finishes", async () => {
  const fixture = await followEmpty();
  const { queue, registry, follower } = fixture;
  queue.change(1, "queued");
  await follower.caughtUp();
  assertEquals(follower.activeIds(), ["r1"]);
  const run = registry.getRun("r1");
  queue.change(1, "leased");
  await follower.caughtUp();
  assertEquals(run?.status, "running");
  queue.change(1, "completed", { result: 7 });
  await follower.caughtUp();
  assertEquals([run?.status, run?.result, run?.exitCode], ["completed", 7, 0]);
  assert(!follower.isActive("r1"));
  assertStrictEquals(registry.getRun("r1"), run);
  await follower.stop();
});

Deno.test("progress is taken from the change, without reading the task", async () => {
  const { queue, registry, follower } = await followEmpty();
  queue.change(1, "leased");
  await follower.caughtUp();
  assertEquals(queue.reads.get, 1);
  queue.change(1, "leased", { progress: 30 });
  assertEquals(registry.getRun("r1")?.progressPercent, 30);
  queue.change(1, "leased", { progress: 30 });
  await follower.caughtUp();
  assertEquals(queue.reads.get, 1);
  await follower.stop();
});

Deno.test("a read that is overtaken by a change is read again", async () => {
  const fixture = await followEmpty();
  const { queue, follower } = fixture;
  const gate = Promise.withResolvers<void>();
  queue.beforeRead = () => gate.promise;
  queue.change(1, "queued");
  await until(() => queue.reads.get === 1, "the first read");
  queue.change(1, "completed", { result: "newer" });
  queue.beforeRead = () => Promise.resolve();
  gate.resolve();
  await follower.caughtUp();
  assertEquals(statusOf(fixture, "r1"), "completed");
  assertEquals(follower.activeCount(), 0);
  await follower.stop();
});

Deno.test("progress that arrives during a read is not overwritten by it", async () => {
  const fixture = await followEmpty();
  const { queue, registry, follower } = fixture;
  queue.change(1, "leased");
  await follower.caughtUp();
  const gate = Promise.withResolvers<void>();
  queue.beforeRead = () => gate.promise;
  const refreshed = follower.refresh("r1", 1);
  await until(() => queue.reads.get === 2, "the read");
  queue.beforeRead = () => Promise.resolve();
  queue.change(1, "leased", { progress: 60 });
  gate.resolve();
  await refreshed;
  await follower.caughtUp();
  assertEquals(registry.getRun("r1")?.progressPercent, 60);
  await follower.stop();
});

Deno.test("a task that is released and claimed again is read again", async () => {
  const { queue, registry, follower } = await followEmpty();
  queue.change(1, "leased");
  await follower.caughtUp();
  const again = new Date(99_000);
  queue.change(1, "leased", { leaseToken: 2, processingStarted: again });
  await follower.caughtUp();
  assertEquals(registry.getRun("r1")?.startedAt, again);
  await follower.stop();
});

Deno.test("a failed run that is retried by hand is active again", async () => {
  const fixture = await followEmpty();
  const { queue, registry, follower } = fixture;
  queue.change(1, "failed", { errorMessage: "no" });
  await follower.caughtUp();
  const run = registry.getRun("r1");
  assertEquals([run?.status, run?.errorMessage], ["failed", "no"]);
  queue.change(1, "queued", { leaseToken: 1 });
  await follower.caughtUp();
  assert(follower.isActive("r1"));
  assertEquals([run?.status, run?.completedAt, run?.errorMessage], ["queued", null, null]);
  await follower.stop();
});

Deno.test("a reset reads all active tasks again, and those that were active", async () => {
  const fixture = await followEmpty();
  const { queue, follower } = fixture;
  for (const id of [1, 2, 3]) queue.change(id, "queued");
  await follower.caughtUp();
  queue.put(1, "completed");
  queue.put(2, "leased");
  queue.put(4, "queued");
  queue.announce("reset");
  await follower.caughtUp();
  assertEquals(
    ["r1", "r2", "r3", "r4"].map((runId) => statusOf(fixture, runId)),
    ["completed", "running", "queued", "queued"],
  );
  assertEquals(follower.activeIds().sort(), ["r2", "r3", "r4"]);
  await follower.stop();
});

Deno.test("a reset reads what has failed or was cancelled again: it may have been retried and have ended", async () => {
  const fixture = await followEmpty();
  const { queue, registry, follower } = fixture;
  queue.change(1, "failed");
  queue.change(2, "cancelled");
  queue.change(3, "cancelled");
  registry.addRun({ ...createRun({ runId: "no task", moduleId: "m" }), status: "failed" });
  await follower.caughtUp();
  queue.put(1, "completed", { leaseToken: 2, result: 5 });
  queue.put(2, "failed", { leaseToken: 2 });
  queue.announce("reset");
  await follower.caughtUp();
  assertEquals(
    ["r1", "r2", "r3", "no task"].map((runId) => statusOf(fixture, runId)),
    ["completed", "failed", "cancelled", "failed"],
  );
  assertEquals(registry.getRun("r1")?.result, 5);
  await follower.stop();
});

Deno.test("a run that is not stored yet survives a reset", async () => {
  const fixture = await followEmpty();
  const { queue, follower } = fixture;
  follower.begin(createRun({ runId: "new", moduleId: "m" }));
  queue.announce("reset");
  await follower.caughtUp();
  assert(follower.isActive("new"));
  assertEquals(statusOf(fixture, "new"), "queued");
  await follower.stop();
});

Deno.test("a task that is pruned before it is read ends as its last change said", async () => {
  const fixture = await followEmpty();
  const { queue, registry, follower } = fixture;
  for (const id of [1, 2, 3]) queue.change(id, "leased");
  await follower.caughtUp();
  queue.announce(queue.put(1, "completed"), queue.put(2, "cancelled"));
  for (const id of [1, 2, 3]) queue.tasks.delete(id);
  queue.announce("reset");
  await follower.idle();
  assertEquals(
    ["r1", "r2", "r3"].map((runId) => statusOf(fixture, runId)),
    ["completed", "cancelled", "failed"],
  );
  assertEquals(registry.getRun("r1")?.exitCode, 0);
  assert(registry.getRun("r3")?.errorMessage?.includes("removed from the queue"));
  await follower.stop();
});

Deno.test("a task that came and went unseen leaves no run", async () => {
  const { queue, registry, follower } = await followEmpty();
  const task = queue.put(1, "completed");
  queue.tasks.delete(1);
  queue.announce(task);
  await follower.idle();
  assertEquals(registry.getRun("r1"), undefined);
  await follower.stop();
});

Deno.test("a stored task makes a run only when none is known", async () => {
  const fixture = await followEmpty();
  const { queue, registry, follower } = fixture;
  const older = queue.put(1, "queued");
  queue.change(1, "completed");
  await follower.caughtUp();
  follower.stored(older);
  assertEquals(statusOf(fixture, "r1"), "completed");
  follower.stored(queue.put(2, "queued", { payload: { a: 1 } }));
  assertEquals(registry.getRun("r2")?.parameters, { a: 1 });
  assertEquals(follower.activeIds(), ["r2"]);
  await follower.stop();
});

Deno.test("a refused run fails and does not follow the task that has its id", async () => {
  const fixture = await followEmpty();
  const { queue, registry, follower } = fixture;
  const run = createRun({ runId: "r1", moduleId: "m" });
  follower.begin(run);
  follower.refuse(run, "taken");
  assert(follower.isRefused("r1"));
  assert(!follower.isRefused("r2"));
  queue.change(1, "leased");
  queue.announce("reset");
  await follower.caughtUp();
  queue.change(1, "completed");
  queue.tasks.delete(1);
  await follower.idle();
  assertEquals([run.status, run.errorMessage], ["failed", "taken"]);
  assertStrictEquals(registry.getRun("r1"), run);
  await follower.stop();
});

Deno.test("a read that fails is reported and tried again after a second", async () => {
  const clock = new FakeClock();
  const fixture = await followEmpty(clock);
  const { queue, follower, errors } = fixture;
  const broken = new Error("disk");
  queue.beforeRead = () => Promise.reject(broken);
  queue.change(1, "queued");
  const refreshed = follower.refresh("r1", 1);
  await follower.caughtUp();
  assertEquals(errors, [broken]);
  assertEquals(statusOf(fixture, "r1"), undefined);
  queue.beforeRead = () => Promise.resolve();
  clock.jump(1000);
  await refreshed;
  assertEquals(statusOf(fixture, "r1"), "queued");
  assertEquals(errors.length, 1);
  await follower.stop();
});

Deno.test("what changes while a read fails is not lost", async () => {
  const clock = new FakeClock();
  const fixture = await followEmpty(clock);
  const { queue, follower } = fixture;
  const gate = Promise.withResolvers<void>();
  queue.beforeRead = () => gate.promise;
  queue.change(1, "queued");
  await until(() => queue.reads.get === 1, "the read");
  const first = follower.refresh("r1", 1);
  gate.reject(new Error("disk"));
  await follower.caughtUp();
  queue.beforeRead = () => Promise.resolve();
  queue.change(1, "leased");
  await first;
  assertEquals(statusOf(fixture, "r1"), "running");
  await follower.stop();
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("a load that fails is reported and tried again after a second", async () => {
  const clock = new FakeClock();
  const queue = new ScriptedQueue();
  queue.put(1, "queued");
  queue.beforeRead = () => Promise.reject(new Error("disk"));
  const { follower, errors } = follow(queue, clock);
  await follower.loaded();
  await follower.caughtUp();
  assertEquals([errors.length, follower.activeCount()], [1, 0]);
  queue.beforeRead = () => Promise.resolve();
  clock.jump(1000);
  // Between two pages it lets others run, for which time must go on.
  await until(() => clock.jump(1) >= 0 && follower.isActive("r1"), "the second load");
  assertEquals(follower.activeIds(), ["r1"]);
  assertEquals(errors.length, 1);
  await follower.stop();
});

Deno.test("idle() waits for the first load, and until no run is active", async () => {
  const queue = new ScriptedQueue();
  queue.put(1, "leased");
  const { follower } = follow(queue);
  let idle = false;
  const waiting = follower.idle().then(() => idle = true);
  await follower.loaded();
  await follower.caughtUp();
  assert(!idle);
  queue.change(2, "queued");
  queue.change(1, "completed");
  await follower.caughtUp();
  assert(!idle);
  queue.change(2, "cancelled");
  await waiting;
  await follower.stop();
});

Deno.test("many changes at once are all applied", async () => {
  const { queue, registry, follower } = await followEmpty();
  for (let id = 1; id <= 500; id++) queue.change(id, "queued");
  for (let id = 1; id <= 500; id++) queue.change(id, "completed");
  await follower.caughtUp();
  assertEquals(registry.getRunsByStatus("completed").length, 500);
  assertEquals(queue.reads.get, 500);
  await follower.stop();
});

Deno.test("a queue that is closed is not read again", async () => {
  const clock = new FakeClock();
  const { queue, follower, errors } = await followEmpty(clock);
  follower.begin(createRun({ runId: "never stored", moduleId: "m" }));
  queue.beforeRead = () => Promise.reject(new QueueError("queue_closed", "closed"));
  const waiting = [follower.idle(), follower.refresh("r1", 1)];
  await Promise.all(waiting);
  assertEquals([errors.length, queue.watchers, clock.pendingTimers], [1, 0, 0]);
  await follower.stop();
});

Deno.test("stop() ends all waiting and watching", async () => {
  const { queue, follower } = await followEmpty();
  queue.change(1, "leased");
  await follower.caughtUp();
  const gate = Promise.withResolvers<void>();
  queue.beforeRead = () => gate.promise;
  const waiting = [follower.idle(), follower.refresh("r1", 1)];
  await until(() => queue.reads.get === 2, "the read");
  waiting.push(follower.refresh("r1", 1));
  const stopped = follower.stop();
  gate.reject(new Error("closed"));
  await Promise.all([...waiting, stopped, follower.refresh("r1", 1), follower.idle()]);
  assertEquals(queue.watchers, 0);
});

Deno.test("a task that was just stored is not read again", async () => {
  const { queue, registry, follower } = await followEmpty();
  const tasks = Array.from({ length: 10 }, (_, i) => queue.put(i + 1, "queued"));
  queue.announce(...tasks);
  for (const task of tasks) follower.stored(task);
  await follower.caughtUp();
  assertEquals(follower.activeCount(), 10);
  assertEquals(queue.reads.get, 0);
  assertEquals(registry.getActiveRuns().length, 10);
  await follower.stop();
});

Deno.test("a stored task whose change has been announced already is read again", async () => {
  const fixture = await followEmpty();
  const { queue, follower } = fixture;
  const older = queue.put(1, "queued");
  queue.change(1, "queued");
  queue.change(1, "leased");
  follower.stored(older);
  await follower.caughtUp();
  assertEquals(statusOf(fixture, "r1"), "running");
  await follower.stop();
});
