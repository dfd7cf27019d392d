/**
 * What NDJSON carries beside tasks: their webhooks, and the schedules.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { exportTasks } from "../../src/compose/export_tasks.ts";
import { importAsNewQueue, importTasks } from "../../src/compose/import_tasks.ts";
import { ImportRefusedError } from "../../src/transfer/import_report.ts";
import { openEmbeddedQueue } from "../../src/compose/open_embedded.ts";
import { WEBHOOK_TYPE } from "../../src/domain/webhook.ts";
import { SCHEDULE_LIMITS } from "../../src/queue/schedule.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import { IN_MEMORY, withQueue } from "../support/queues.ts";
import { inFolder } from "./original_system.ts";

const URL_TOLD = "https://hooks.example.com/done";

/** A finished task with a webhook, a waiting one, a schedule that has fired, and one that has not. */
async function fill(queue: EmbeddedQueue): Promise<void> {
  await queue.enqueue({ type: "a", runId: "over", webhook: { url: URL_TOLD, events: ["failed"] } });
  await queue.complete((await queue.claim({ workerId: "w", types: ["a"] }))[0]!, 7);
  await queue.enqueue({ type: "a", runId: "waiting", webhook: { url: URL_TOLD } });
  await queue.addSchedule({ id: "sync", type: "sync", everyMs: 60_000, payload: { n: 1 } });
  await queue.fireSchedules();
  await queue.addSchedule({
    id: "nightly",
    type: "report",
    cron: "@daily",
    timeZone: "Asia/Tokyo",
  });
}

/** Does `test` with a queue, a file that holds what is in it, and another queue. */
function withExport(
  test: (
    world: { from: EmbeddedQueue; to: EmbeddedQueue; file: string; path: (name: string) => string },
  ) => Promise<void>,
): Promise<void> {
  return inFolder((path) =>
    withQueue(IN_MEMORY, async (from) => {
      await fill(from);
      const file = path("all.ndjson");
      const report = await exportTasks(from, { format: "ndjson", output: file });
      assertEquals([report.exported, report.schedules], [3, 2]);
      assertEquals(report.notes, ["transitions and log files stay behind"]);
      await withQueue(IN_MEMORY, (to) => test({ from, to, file, path }));
    })
  );
}

/** What is told of ends, as the run ids and events. */
async function told(queue: EmbeddedQueue): Promise<unknown[]> {
  return (await queue.list({ type: WEBHOOK_TYPE })).map(({ payload }) => {
    const { url, event, task } = payload as Record<"url" | "event", string> & {
      task: { run_id: string };
    };
    return [url, event, task.run_id];
  });
}

Deno.test("an imported task's webhook is told, and an imported schedule goes on where it was", () =>
  withExport(async ({ from, to, file }) => {
    const report = await importTasks(to, file);
    assertEquals([report.found, report.added], [3, 3]);
    assertEquals(report.schedules, { found: 2, added: 2, present: 0 });
    assertEquals(await to.exportAll(), await from.exportAll());
    assertEquals((await to.getSchedule("sync"))!.waitsForTaskId, 3);
    assertEquals(await told(to), []);
    await to.cancel((await to.getByRunId("waiting"))!.id);
    assertEquals(await told(to), [[URL_TOLD, "task.cancelled", "waiting"]]);
    assertEquals(await to.integrityCheck(), { ok: true, problems: [] });
  }));

Deno.test("a new queue is made with webhooks and schedules in it", () =>
  withExport(async ({ from, file, path }) => {
    const plan = await importAsNewQueue(path("new.db"), file, { dryRun: true });
    assertEquals([plan.stored, plan.schedules], [false, { found: 2, added: 2, present: 0 }]);
    await assertRejects(() => Deno.stat(path("new.db")), Deno.errors.NotFound);
    const report = await importAsNewQueue(path("new.db"), file);
    assertEquals([report.stored, report.schedules], [true, { found: 2, added: 2, present: 0 }]);
    const made = await openEmbeddedQueue(path("new.db"));
    const { tasks } = await made.exportAll();
    assertEquals(tasks.map(({ webhook }) => webhook), [
      { url: URL_TOLD, events: ["failed"] },
      { url: URL_TOLD, events: ["completed", "failed", "cancelled"] },
      null,
    ]);
    const ids = (queue: EmbeddedQueue): Promise<string[]> =>
      queue.listSchedules().then((all) => all.map(({ id }) => id));
    assertEquals(await ids(made), await ids(from));
    await made.close();
  }));

Deno.test("the end of a parent that was told of here is not told of again when a child is imported", () =>
  withExport(async ({ from, to, file }) => {
    await importTasks(to, file);
    await to.complete((await to.claim({ workerId: "w", types: ["a"] }))[0]!);
    assertEquals(await told(to), [[URL_TOLD, "task.completed", "waiting"]]);
    // The delivery has taken an id that the other queue has yet to use.
    await from.enqueue({ type: "filler" });
    const { task } = await from.enqueue({ type: "b", dependsOn: ["waiting"] });
    const records = (await from.exportRecords()).filter(({ type }) => type !== "filler");
    assertEquals((await to.importRecords(records)).additions, [task.id]);
    assertEquals((await to.get(task.id))!.waitsFor, 0);
    assertEquals(await told(to), [[URL_TOLD, "task.completed", "waiting"]]);
  }));

Deno.test("importing again leaves webhooks and schedules as they are; a dry run says so", () =>
  withExport(async ({ to, file }) => {
    await importTasks(to, file);
    await to.pauseSchedule("nightly", true);
    const before = await to.exportAll();
    for (const dryRun of [true, false]) {
      const report = await importTasks(to, file, { dryRun });
      assertEquals([report.added, report.present], [0, 3]);
      assertEquals(report.schedules, { found: 2, added: 0, present: 2 });
    }
    assertEquals(await to.exportAll(), before);
    await to.removeSchedule("nightly");
    const { schedules } = await importTasks(to, file);
    assertEquals(schedules, { found: 2, added: 1, present: 1 });
  }));

Deno.test("a schedule's last task is found by its run id, whatever its id is here", () =>
  withExport(async ({ to, file }) => {
    await to.enqueueBatch([{ type: "own" }, { type: "own" }]);
    await importTasks(to, file, { renumber: true });
    const { lastTaskId, waitsForTaskId } = (await to.getSchedule("sync"))!;
    assertEquals([lastTaskId, waitsForTaskId], [5, 5]);
  }));

Deno.test("a pruned last task is no other task's business", () =>
  inFolder((path) =>
    withQueue(IN_MEMORY, async (queue, clock) => {
      await queue.addSchedule({ id: "sync", type: "sync", everyMs: 60_000 });
      await queue.fireSchedules();
      await queue.complete((await queue.claim({ workerId: "w", types: ["sync"] }))[0]!);
      await clock.advance(10);
      await queue.prune({ keep: 0 });
      await exportTasks(queue, { format: "ndjson", output: path("x.ndjson") });
      await withQueue(IN_MEMORY, async (other) => {
        await other.enqueue({ type: "own" });
        await importTasks(other, path("x.ndjson"));
        assertEquals((await other.getSchedule("sync"))!.lastTaskId, null);
      });
    })
  ));

Deno.test("another schedule with the same id, and one that fired elsewhere since, are conflicts", () =>
  withExport(async ({ to, file, path }) => {
    await to.addSchedule({ id: "nightly", type: "other", cron: "@daily", timeZone: "Asia/Tokyo" });
    const refused = await assertRejects(() => importTasks(to, file), ImportRefusedError);
    assertEquals(refused.report.conflicts, [
      { id: null, reason: 'Schedule "nightly" of this queue is another one' },
    ]);
    assertEquals([await to.count(), (await to.listSchedules()).length], [0, 1]);
    await to.removeSchedule("nightly");
    await importTasks(to, file);
    const lines = (await Deno.readTextFile(file)).replace('"firings":1', '"firings":2');
    await Deno.writeTextFile(path("later.ndjson"), lines);
    const later = await importTasks(to, path("later.ndjson"), { dryRun: true });
    assertStringIncludes(
      later.conflicts[0]!.reason,
      'Schedule "sync" has fired 1 times in this queue and 2 times elsewhere',
    );
  }));

Deno.test("who exports by status gets tasks only, and the original has no place for schedules", () =>
  withExport(async ({ from, path }) => {
    const chosen = await exportTasks(from, {
      format: "ndjson",
      output: path("queued.ndjson"),
      statuses: ["queued"],
    });
    assertEquals([chosen.exported, chosen.schedules], [2, 0]);
    assertEquals(chosen.notes, ["transitions, schedules, limits and log files stay behind"]);
    const original = await exportTasks(from, { format: "original", output: path("x.db") });
    assertEquals(original.schedules, 0);
    assert(original.notes.some((note) => note.includes("schedules, webhooks")));
  }));

Deno.test("a schedule or a webhook that cannot be is a problem, and nothing is imported", () =>
  withExport(async ({ to, file, path }) => {
    const lines = (await Deno.readTextFile(file)).trimEnd().split("\n");
    const [nightly, sync] = lines.slice(3);
    const wrong = [
      lines[0]!.replace("https://", "ftp://"),
      nightly!.replace('"@daily"', '"never"'),
      sync!.replace('"every_ms":60000', '"every_ms":6'),
      sync!.replace('"id":"sync"', '"id":" blank"'),
      nightly!.replace('"id":"nightly"', '"id":"twice"'),
      nightly!.replace('"id":"nightly"', '"id":"twice"'),
      nightly!.replace('"id":"nightly"', '"id":"x"').replace('"next_at_utc"', '"next"'),
      '{"schedule":7}',
      nightly!.replace('"id":"nightly"', '"id":"negative"').replace('"firings":0', '"firings":-1'),
    ];
    await Deno.writeTextFile(path("x.ndjson"), wrong.join("\n"));
    const { problems, found } = await importTasks(to, path("x.ndjson"), { dryRun: true });
    const reasons = problems.map(({ id, reason }) => `${id}: ${reason}`);
    for (
      const expected of [
        '1: Cannot use "ftp://hooks.example.com/done" as webhook url',
        'null: Schedule "nightly": ',
        'null: Schedule "sync": Cannot use 6 as everyMs',
        'null: Schedule " blank": blanks around its id',
        'null: Schedule "twice": another one has this id',
        "null: line 7: next_at_utc: an instant is needed",
        "null: line 8: schedule: a JSON object is needed",
        'null: Schedule "negative": Cannot use -1 as firings',
      ]
    ) {
      assert(reasons.some((reason) => reason.startsWith(expected)), `${expected} in ${reasons}`);
    }
    assertEquals([reasons.length, found], [8, 3]);
    await assertRejects(() => importTasks(to, path("x.ndjson")), ImportRefusedError);
    assertEquals([await to.count(), await to.listSchedules()], [0, []]);
    for (const make of [false, true]) {
      const options = { skipInvalid: true };
      const report = make
        ? await importAsNewQueue(path("new.db"), path("x.ndjson"), options)
        : await importTasks(to, path("x.ndjson"), options);
      assertEquals([report.added, report.schedules.added], [0, 1]);
    }
  }));

Deno.test("more schedules than a queue may have are not imported", () =>
  withExport(async ({ from, to }) => {
    const sync = (await from.exportAll()).schedules.find(({ id }) => id === "sync")!;
    const { schedulesMax } = SCHEDULE_LIMITS;
    const schedules = Array.from({ length: schedulesMax }, (_, n) => ({ ...sync, id: `s-${n}` }));
    const options = { schedules, dryRun: true };
    assertEquals((await to.importRecords([], options)).conflicts, []);
    await to.addSchedule({ id: "one more", type: "sync", everyMs: 1000 });
    assertEquals((await to.importRecords([], options)).conflicts, [{
      id: null,
      reason: `There would be ${schedulesMax + 1} schedules: at most ${schedulesMax} are allowed`,
    }]);
  }));

Deno.test("importRecords() refuses numbers that leave no room for those that follow", () =>
  withQueue(IN_MEMORY, async (from) => {
    const { task } = await from.enqueue({ type: "a", runId: "first" });
    await from.addSchedule({ id: "sync", type: "sync", everyMs: 60_000 });
    const { tasks: [record], schedules: [schedule] } = await from.exportAll();
    const parent = { taskId: task.id, runId: "p", onFailure: "fail", state: "met" } as const;
    for (const number of [2 ** 52 + 1, Number.MAX_SAFE_INTEGER]) {
      const refused = [
        { ...record!, id: number },
        { ...record!, id: 2, leaseToken: number },
        { ...record!, id: 3, runId: "c", parents: [{ ...parent, taskId: number }] },
      ];
      await withQueue(IN_MEMORY, async (to) => {
        const { stored, problems } = await to.importRecords(refused, {
          schedules: [{ ...schedule!, firings: number }],
        });
        assertEquals([stored, problems.length], [false, 4]);
        for (const { reason } of problems) {
          assertStringIncludes(reason, `Cannot use ${number} as `);
          assertStringIncludes(reason, String(2 ** 52));
        }
        assertEquals(await to.count(), 0);
      });
    }
  }));

Deno.test("importRecords() takes the highest id and lease token, and the queue goes on behind them", () =>
  withQueue(IN_MEMORY, async (from) => {
    await from.enqueue({ type: "a", runId: "last" });
    const [record] = await from.exportRecords();
    await withQueue(IN_MEMORY, async (to) => {
      await to.importRecords([{ ...record!, id: 2 ** 52, leaseToken: 2 ** 52 }]);
      const { task } = await to.enqueue({ type: "b" });
      const next = await to.enqueue({ type: "b" });
      assertEquals([task.id, next.task.id], [2 ** 52 + 1, 2 ** 52 + 2]);
      const [leased] = await to.claim({ workerId: "w", types: ["a"] });
      assertEquals(leased!.leaseToken, 2 ** 52 + 1);
      await to.release(leased!);
      const [again] = await to.claim({ workerId: "w", types: ["a"] });
      await assertRejects(() => to.complete(leased!), Error, "lease token");
      assertEquals((await to.complete(again!)).status, "completed");
      assertEquals((await to.integrityCheck()).ok, true);
    });
  }));
