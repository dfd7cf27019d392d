/**
 * What every TaskQueue must do with records: tasks and schedules that are carried from one queue to another.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { PermanentError } from "../../src/domain/errors.ts";
import { WEBHOOK_TYPE } from "../../src/domain/webhook.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import type { QueueRecords, TaskRecord } from "../../src/queue/records.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import type { FakeClock } from "../support/fake_clock.ts";
import { behavioursOf, type UseQueue } from "./suite.ts";

const HOOK = "https://hooks.example.com/done";

/** A task in every state but `leased`, parents that are open, met, fatal and pruned, schedules that have fired and not. */
async function fill(queue: TaskQueue, clock: FakeClock): Promise<void> {
  const pruned = await queue.enqueue({ type: "pruned" });
  const { task: late } = await queue.enqueue({
    type: "late",
    dependsOn: [pruned.task.id],
    onParentFailure: "run",
  });
  await queue.cancel(pruned.task.id);
  await finish(queue, "late");
  await clock.advance(1000);
  await queue.prune({ statuses: ["cancelled"], keep: 0 });
  assertEquals((await queue.parentResults(late.id))[0]!.status, "pruned");
  await queue.enqueueBatch([
    { type: "a", payload: { text: "ü 🎬\u0000", list: [1, 2.5] }, idempotencyKey: "k-1" },
    { type: "a", runAfter: new Date(clock.nowMs() + 3_600_000), timeoutMs: 5000, priority: 7 },
    { type: "a", runId: "named", compatibility: { gpu: true }, webhook: { url: HOOK } },
    { type: "fails", maxAttempts: 1, retryPolicy: { initialDelayMs: 5 }, runId: "fails" },
    { type: "retries", maxAttempts: 3 },
    { type: "child", runId: "ended", dependsOn: ["fails"] },
    { type: "child", runId: "waits", dependsOn: ["named", "open"], onParentFailure: "skip" },
    { type: "open", runId: "open", webhook: { url: HOOK, events: ["failed"] } },
    { type: "cancelled", runId: "task-900" },
  ]);
  const [done] = await queue.claim({ workerId: "w", types: ["a"] });
  await queue.reportProgress(done!, 50, "half \u0000");
  await queue.complete(done!, { n: 12 });
  for (const type of ["fails", "retries"]) {
    await queue.fail((await queue.claim({ workerId: "w", types: [type] }))[0]!, new Error("no \0"));
  }
  await queue.cancel((await queue.getByRunId("task-900"))!.id);
  await queue.addSchedule({ id: "sync", type: "sync", everyMs: 60_000, payload: { n: 1 } });
  await queue.fireSchedules();
  const nightly = { id: "nightly", type: "report", cron: "@daily", webhook: { url: HOOK } };
  await queue.addSchedule({ ...nightly, timeZone: "Asia/Tokyo", paused: true });
}

async function finish(queue: TaskQueue, type: string): Promise<void> {
  await queue.complete((await queue.claim({ workerId: "w", types: [type] }))[0]!);
}

/** Runs a test with a queue in memory, whichever implementation the suite is for. */
type UseMemory = (
  options: Record<string, never>,
  test: (queue: EmbeddedQueue, clock: FakeClock) => Promise<void>,
) => Promise<void>;

/** What a filled queue holds. */
async function filled(useMemory: UseMemory): Promise<QueueRecords> {
  let records: QueueRecords | undefined;
  await useMemory({}, async (queue, clock) => {
    await fill(queue, clock);
    records = await queue.exportAll();
  });
  return records!;
}

/** A record of a queued task, by default. */
export function record(id: number, fields: Partial<TaskRecord> = {}): TaskRecord {
  const at = new Date(1_700_000_000_000);
  return {
    id,
    runId: `r-${id}`,
    type: "t",
    priority: 100,
    compatibility: {},
    status: "queued",
    attempts: 0,
    maxAttempts: 3,
    runAfter: at,
    leaseUntil: null,
    reservedAt: null,
    processingStarted: null,
    finishedAt: null,
    createdAt: at,
    updatedAt: at,
    lockedBy: null,
    leaseToken: 0,
    errorMessage: null,
    idempotencyKey: null,
    retryPolicy: null,
    timeoutMs: null,
    group: null,
    expiresAt: null,
    uniqueKey: null,
    orderingKey: null,
    onPredecessorFailure: null,
    tags: [],
    orderingPlace: null,
    progress: null,
    progressMessage: null,
    traceParent: null,
    payloadText: "{}",
    resultText: null,
    parents: [],
    webhook: null,
    ...fields,
  };
}

const COMPLETED = { status: "completed", finishedAt: new Date(1_700_000_001_000) } as const;

function openParent(taskId: number): TaskRecord["parents"][number] {
  return { taskId, runId: `r-${taskId}`, onFailure: "fail", state: "open" };
}

/** Registers the suite for one implementation. */
export function recordsContract(name: string, useQueue: UseQueue, useMemory: UseMemory): void {
  const behaviour = behavioursOf(name, useQueue);

  behaviour("what comes in goes out as it was, and comes in elsewhere again", async (queue) => {
    const records = await filled(useMemory);
    const states = records.tasks.flatMap(({ parents }) => parents.map(({ state }) => state));
    assertEquals(new Set(states), new Set(["met", "ended_child", "open"]));
    const { schedules } = records;
    const report = await queue.importRecords(records.tasks, { schedules });
    const ids = records.tasks.map(({ id }) => id);
    assertEquals([report.stored, report.additions, report.storedIds], [true, ids, ids]);
    assertEquals(report.schedules, { additions: ["nightly", "sync"], present: [] });
    assertEquals(await queue.exportAll(), records);
    await useMemory({}, async (other) => {
      const again = await queue.exportAll();
      await other.importRecords(again.tasks, { schedules: again.schedules });
      assertEquals(await other.exportAll(), records);
      assertEquals(await other.integrityCheck(), { ok: true, problems: [] });
    });
  });

  behaviour("imported tasks go on: due ones are claimed, ended ones tell", async (queue, clock) => {
    const records = await filled(useMemory);
    await clock.advance(2000); // to when they were due where they come from
    await queue.importRecords(records.tasks);
    const byRunId = async (runId: string): Promise<number> => (await queue.getByRunId(runId))!.id;
    assertEquals(await queue.claim({ workerId: "w", types: ["child", "a"] }), []);
    await finish(queue, "open");
    assertEquals((await queue.get(await byRunId("waits")))!.waitsFor, 1);
    const options = { workerId: "w", types: ["a"], capabilities: { gpu: true } };
    const [named] = await queue.claim(options);
    assertEquals(named!.runId, "named");
    await queue.complete(named!);
    assertEquals((await queue.get(await byRunId("waits")))!.waitsFor, 0);
    assertEquals((await queue.list({ type: WEBHOOK_TYPE })).length, 1);
    await queue.retry(await byRunId("fails"));
    assertEquals((await queue.get(await byRunId("ended")))!.status, "queued");
    assertEquals((await queue.transitions(named!.id)).map(({ kind }) => kind), [
      "imported",
      "leased",
      "completed",
    ]);
  });

  behaviour("exportRecords() gives the tasks with these statuses", async (queue, clock) => {
    await fill(queue, clock);
    const [leased] = await queue.claim({ workerId: "w", types: ["open"] });
    const all = await queue.exportRecords();
    for (const statuses of [["queued"], ["leased"], ["completed", "failed"], []] as const) {
      const expected = all.filter(({ status }) => (statuses as readonly string[]).includes(status));
      assertEquals(await queue.exportRecords({ statuses }), expected);
      assertEquals(expected.length > 0, statuses.length > 0);
    }
    const { problems } = await queue.importRecords(all, { dryRun: true });
    assertEquals(problems.map(({ id }) => id), [leased!.id]);
  });

  behaviour("a dry run says what would happen, and stores nothing", async (queue) => {
    const records = await filled(useMemory);
    const { schedules } = records;
    const plan = await queue.importRecords(records.tasks, { schedules, dryRun: true });
    assertEquals([plan.stored, plan.storedIds], [false, []]);
    assertEquals(plan.additions, records.tasks.map(({ id }) => id));
    assertEquals(await queue.exportAll(), { tasks: [], schedules: [], limits: [] });
    const { task } = await queue.enqueue({ type: "own" });
    assertEquals(task.id, 1);
  });

  behaviour(
    "what is here is not added again; what has changed elsewhere is a conflict",
    async (queue) => {
      const records = [record(1), record(2, { parents: [openParent(1)] })];
      await queue.importRecords(records);
      const again = await queue.importRecords([...records, record(3)]);
      assertEquals([again.stored, again.present, again.additions], [true, [1, 2], [3]]);
      const later = [record(1, COMPLETED), record(2), record(4), record(3, { type: "other" })];
      const refused = await queue.importRecords(later);
      assertEquals([refused.stored, refused.additions], [false, [4]]);
      assertEquals(refused.conflicts.map(({ id }) => id), [1, 3]);
      assertStringIncludes(refused.conflicts[0]!.reason, "Task 1 is queued in this queue and has");
      assertStringIncludes(refused.conflicts[1]!.reason, "Task 3 of this queue is another one");
      assertEquals((await queue.exportRecords()).length, 3);
    },
  );

  behaviour("a task that was here and is gone does not come back", async (queue, clock) => {
    const { task } = await queue.enqueue({ type: "own" });
    const { task: stays } = await queue.enqueue({ type: "stays" });
    const before = await queue.exportRecords();
    const used = await queue.importRecords([before[0]!], { dryRun: true });
    assertEquals(used.present, [task.id]);
    await queue.cancel(task.id);
    await clock.advance(1000);
    await queue.prune({ keep: 0 });
    const again = await queue.importRecords(before);
    assertEquals([again.stored, again.present, again.gone], [true, [stays.id], [task.id]]);
    assertEquals((await queue.exportRecords()).map(({ id }) => id), [stays.id]);
    const alone = await queue.importRecords([before[0]!]);
    assertEquals([alone.stored, alone.gone], [false, []]);
    assertEquals(alone.conflicts, [{
      id: task.id,
      reason: `Id ${task.id} was used in this queue by a task that is gone`,
    }]);
  });

  behaviour(
    "an imported task that is gone does not come back, nor one before it",
    async (queue, clock) => {
      await queue.importRecords([record(3, COMPLETED), record(5)]);
      await clock.advance(1000);
      await queue.prune({ keep: 0 });
      const older = [record(2), record(3), record(5), record(7)];
      const { gone, present, additions } = await queue.importRecords(older);
      assertEquals([gone, present, additions], [[2, 3], [5], [7]]);
    },
  );

  behaviour("names that other tasks have are conflicts", async (queue) => {
    await queue.enqueueBatch([
      { type: "own", runId: "taken" },
      { type: "own", idempotencyKey: "key" },
    ]);
    const records = [record(11, { runId: "taken" }), record(12, { idempotencyKey: "key" })];
    const { stored, conflicts } = await queue.importRecords(records);
    assertEquals(stored, false);
    assertEquals(conflicts.map(({ reason }) => reason), [
      'Task 1 has run id "taken"',
      'Task 2 has idempotency key "key"',
    ]);
  });

  behaviour(
    "renumber gives new ids, which parents and schedules follow; nothing twice",
    async (queue) => {
      await queue.enqueueBatch([{ type: "own" }, { type: "own" }]);
      const { tasks, schedules } = await filled(useMemory);
      const options = { schedules, renumber: true };
      const report = await queue.importRecords(tasks, options);
      assertEquals(report.storedIds, tasks.map((_, i) => 3 + i));
      const stored = await queue.exportRecords();
      const runIdOf = new Map(stored.map(({ id, runId }) => [id, runId]));
      const waits = stored.find(({ runId }) => runId === "waits")!;
      assertEquals(waits.parents.map(({ taskId }) => runIdOf.get(taskId)), ["named", "open"]);
      const late = stored.find(({ type }) => type === "late")!;
      assert(late.parents[0]!.taskId < 0);
      const { lastTaskId } = (await queue.getSchedule("sync"))!;
      assertEquals(lastTaskId, (await queue.list({ type: "sync" }))[0]!.id);
      const again = await queue.importRecords(tasks, options);
      assertEquals([again.stored, again.additions], [true, []]);
      assertEquals(again.present, tasks.map(({ id }) => id));
    },
  );

  behaviour("a run id that was made up gives way to another of its kind", async (queue) => {
    const made = (id: number, n = ""): TaskRecord =>
      record(id, { runId: `task-${id}${n}`, payloadText: `{"id":${id}}` });
    await queue.enqueueBatch([
      { type: "own", runId: "task-11" },
      { type: "own", runId: "task-11.1" },
      { type: "own", runId: "task-12" },
    ]);
    const { storedIds } = await queue.importRecords([made(11), made(12), made(13)]);
    const runIds = await Promise.all(storedIds.map(async (id) => (await queue.get(id))!.runId));
    assertEquals(runIds, ["task-11.2", "task-12.1", "task-13"]);
    const again = await queue.importRecords([made(11), made(12)], { renumber: true });
    assertEquals([again.present, again.additions], [[11, 12], []]);
  });

  behaviour("one problem refuses all; skipInvalid leaves it out", async (queue) => {
    const records = [
      record(1),
      record(2, { priority: 0 }),
      record(3, { payloadText: "{" }),
      record(4, { payloadText: '"\ud83c"' }),
    ];
    const refused = await queue.importRecords(records);
    assertEquals([refused.stored, refused.problems.map(({ id }) => id)], [false, [2, 3, 4]]);
    assertEquals(await queue.count(), 0);
    const skipped = await queue.importRecords(records, { skipInvalid: true });
    assertEquals([skipped.stored, skipped.storedIds], [true, [1]]);
  });

  behaviour("a child meets parents that are here: open, over or missing", async (queue) => {
    await queue.enqueueBatch([
      { type: "open", runId: "r-1" },
      { type: "done", runId: "r-2" },
      { type: "bad", runId: "r-3", maxAttempts: 1, webhook: { url: HOOK } },
    ]);
    await finish(queue, "done");
    const [bad] = await queue.claim({ workerId: "w", types: ["bad"] });
    await queue.fail(bad!, new PermanentError("no"));
    const told = (await queue.list({ type: WEBHOOK_TYPE })).length;
    const missing = await queue.importRecords([record(20, { parents: [openParent(9)] })]);
    assertStringIncludes(missing.conflicts[0]!.reason, 'It waits for task 9 (run "r-9"), which');
    const children = [
      record(21, { parents: [openParent(1), openParent(2)] }),
      record(22, { parents: [openParent(3)] }),
    ];
    assertEquals((await queue.importRecords(children)).storedIds, [21, 22]);
    assertEquals((await queue.get(21))!.waitsFor, 1);
    assertEquals((await queue.get(22))!.status, "failed");
    await finish(queue, "open");
    assertEquals((await queue.get(21))!.waitsFor, 0);
    assertEquals((await queue.list({ type: WEBHOOK_TYPE })).length, told);
  });

  behaviour("a child whose parent in the file is over learns of it", async (queue) => {
    const records = [
      record(1, COMPLETED),
      record(2, { parents: [openParent(1)] }),
      record(3, { parents: [openParent(2)] }),
    ];
    await queue.importRecords(records);
    const waits = await Promise.all([2, 3].map(async (id) => (await queue.get(id))!.waitsFor));
    assertEquals(waits, [0, 1]);
    await finish(queue, "t");
    assertEquals((await queue.get(3))!.waitsFor, 0);
  });

  behaviour(
    "the highest id and lease token come in, and the queue goes on behind them",
    async (queue) => {
      await queue.importRecords([record(2 ** 52, { leaseToken: 2 ** 52 })]);
      const { task } = await queue.enqueue({ type: "b" });
      const next = await queue.enqueue({ type: "b" });
      assertEquals([task.id, next.task.id], [2 ** 52 + 1, 2 ** 52 + 2]);
      const [leased] = await queue.claim({ workerId: "w", types: ["t"] });
      assertEquals(leased!.leaseToken, 2 ** 52 + 1);
      assertEquals((await queue.complete(leased!)).status, "completed");
    },
  );

  behaviour("the first id of an empty queue is not given twice", async (queue) => {
    await queue.importRecords([record(1)]);
    assertEquals((await queue.enqueue({ type: "b" })).task.id, 2);
  });

  behaviour("two imports of the same tasks at the same time store them once", async (queue) => {
    const { tasks, schedules } = await filled(useMemory);
    const reports = await Promise.all([1, 2].map(() => queue.importRecords(tasks, { schedules })));
    const counts = reports.map(({ additions, present }) => [additions.length, present.length]);
    const count = tasks.length;
    assertEquals(counts.toSorted((a, b) => a[0]! - b[0]!), [[0, count], [count, 0]]);
    assertEquals(await queue.exportAll(), { tasks, schedules, limits: [] });
  });

  behaviour(
    "limits and pauses come in where there are none, and stay where there are",
    async (queue) => {
      const at = new Date("2026-01-01T00:00:00.000Z");
      const limit = {
        concurrency: 3,
        rate: { limit: 100, periodMs: 60_000, burst: 7 },
        weight: null,
        setAt: at,
        setBy: "ops",
        isDeclared: false,
        paused: null,
      };
      const pause = { at, by: "ops", reason: "why", until: null };
      const limits = [
        { scope: {}, ...limit },
        {
          scope: { type: "email" },
          ...limit,
          concurrency: null,
          rate: null,
          setAt: null,
          setBy: null,
          paused: pause,
        },
      ];
      const dry = await queue.importRecords([], { limits, dryRun: true });
      assertEquals([dry.stored, dry.limits], [false, { added: 2, present: 0 }]);
      assertEquals((await queue.importRecords([], { limits })).limits, { added: 2, present: 0 });
      assertEquals((await queue.exportAll()).limits, limits);
      await queue.enqueue({ type: "email" });
      assertEquals(await queue.claim({ workerId: "w", types: ["email"] }), []);
      await queue.setLimit({}, { concurrency: 9 });
      assertEquals((await queue.importRecords([], { limits })).limits, { added: 0, present: 2 });
      assertEquals((await queue.listLimits()).map(({ concurrency }) => concurrency), [9, null]);
      const rate = { limit: 3, periodMs: 1000, burst: 4 };
      const wrong = [
        { scope: { type: "x" }, ...limit, concurrency: 0 },
        { scope: { type: "y" }, ...limit, rate },
      ];
      const refused = await queue.importRecords([], { limits: wrong });
      assertEquals([refused.stored, refused.problems.length], [false, 2]);
      assertEquals((await queue.exportAll()).limits.length, 2);
    },
  );

  behaviour(
    "tasks that others enqueue during an import are neither lost nor overwritten",
    async (queue) => {
      const records = Array.from({ length: 1500 }, (_, i) => record(i + 1));
      const [report, ...enqueued] = await Promise.all([
        queue.importRecords(records),
        ...Array.from({ length: 20 }, (_, i) => queue.enqueue({ type: "own", runId: `own-${i}` })),
      ]);
      const own = new Set(enqueued.map(({ task }) => task.id));
      assertEquals(own.size, 20);
      const stored = await queue.exportRecords();
      assertEquals(stored.length, 20 + (report.stored ? 1500 : 0));
      assertEquals(new Set(stored.filter(({ type }) => type === "own").map(({ id }) => id)), own);
    },
  );
}
