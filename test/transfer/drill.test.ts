/**
 * The drill: over to Holdfast, half of the work there, back within minutes, the rest in the Python system, and over once more.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { exportTasks } from "../../src/compose/export_tasks.ts";
import { ImportRefusedError } from "../../src/transfer/import_report.ts";
import { importTasks } from "../../src/compose/import_tasks.ts";
import { openQueue } from "../../src/compose/open_queue.ts";
import { HandlerRegistry } from "../../src/worker/handler_registry.ts";
import { Worker } from "../../src/worker/worker.ts";
import { inFolder, original, originalDatabase, pythonTest } from "./original_system.ts";

const TASKS = 200;

const HALF = TASKS / 2;

/** Works with a Holdfast worker until `count` tasks are done; gives their numbers. */
async function workHere(path: string, count: number): Promise<number[]> {
  const queue = await openQueue({ path, mustExist: true });
  const done: number[] = [];
  const enough = Promise.withResolvers<void>();
  const handlers = new HandlerRegistry();
  handlers.register("job", ({ payload }) => {
    done.push((payload as { n: number }).n);
    if (done.length === count) enough.resolve();
  });
  const worker = new Worker({ queue, handlers, concurrency: 4 });
  worker.start();
  await enough.promise;
  await worker.stop({ graceMs: 5000 });
  await queue.close();
  return done;
}

pythonTest(
  "import, work half, roll back, work the rest in the Python system: none lost, none twice",
  () =>
    inFolder(async (path) => {
      const rows = Array.from({ length: TASKS }, (_, n) => ({
        type: "job",
        payload: JSON.stringify({ n, text: "ü" }),
        priority: n % 7 + 1,
        status: n % 10 === 0 ? "processing" : "queued",
        run_after_utc: "2026-01-01T00:00:00.123456+00:00",
        idempotency_key: `job-${n}`,
      }));
      const before = await originalDatabase(path("before.db"), rows);

      const queue = await openQueue(path("queue.db"));
      const imported = await importTasks(queue, before);
      assertEquals([imported.added, imported.byStatus.queued], [TASKS, TASKS]);
      await queue.close();
      const here = await workHere(path("queue.db"), HALF);

      const rollback = await openQueue({ path: path("queue.db"), mustExist: true });
      const exported = await exportTasks(rollback, {
        format: "original",
        output: path("after.db"),
      });
      await rollback.close();
      assertEquals([exported.exported, exported.returned], [TASKS, 0]);
      assertEquals(exported.byStatus.completed, here.length);

      await original(["enqueue", path("after.db"), "3"]);
      const there = (await original(["drain", path("after.db")])).trim().split("\n").map((line) =>
        JSON.parse(line)
      );
      const jobs = there.filter(({ type }) => type === "job").map(({ payload }) =>
        payload.n as number
      );
      assert(here.length >= HALF && jobs.length > 0, `${here.length} here, ${jobs.length} there`);
      const all = [...here, ...jobs].sort((a, b) => a - b);
      assertEquals(all, Array.from({ length: TASKS }, (_, n) => n));
      // its own comparison of instants leaves what it has stored itself unclaimable until midnight
      const own = there.length - jobs.length;

      // over once more: the old queue would do the work again, so it refuses; a new one takes everything
      const old = await openQueue({ path: path("queue.db"), mustExist: true });
      await assertRejects(() => importTasks(old, path("after.db")), ImportRefusedError);
      await old.close();
      const next = await openQueue(path("next.db"));
      const again = await importTasks(next, path("after.db"));
      assertEquals(again.added, TASKS + 3);
      assertEquals([again.byStatus.completed, again.byStatus.queued], [TASKS + own, 3 - own]);
      assertEquals((await next.getByRunId("job-7"))!.id, 8);
      await next.close();
    }),
);

pythonTest("50,000 rows come in and go out whole", () =>
  inFolder(async (path) => {
    await original(["create", path("old.db")]);
    await original(["bulk", path("old.db"), "50000"]);
    const queue = await openQueue(path("queue.db"));
    try {
      const startedAtMs = performance.now();
      const report = await importTasks(queue, path("old.db"));
      const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
      const rss = Math.round(Deno.memoryUsage().rss / 1024 / 1024);
      console.log(`50,000 rows in ${seconds} s, ${rss} MiB resident`);
      assertEquals([report.added, report.returned], [50_000, 12_500]);
      assertEquals(report.byStatus, {
        queued: 25_000,
        leased: 0,
        completed: 12_500,
        failed: 12_500,
        cancelled: 0,
      });
      const again = await importTasks(queue, path("old.db"));
      assertEquals([again.added, again.present], [0, 50_000]);
      const out = await exportTasks(queue, { format: "original", output: path("out.db") });
      assertEquals(out.exported, 50_000);
    } finally {
      await queue.close();
    }
    const reopened = await openQueue({ path: path("queue.db"), mustExist: true });
    assertEquals((await reopened.stats()).byStatus.queued, 25_000);
    await reopened.close();
  }));
