/**
 * Processes whose clocks are wrong: what is compared is the server's clock.
 */
import { assert, assertEquals } from "@std/assert";
import { type Clock, systemClock } from "../../src/domain/clock.ts";
import { HandlerRegistry } from "../../src/worker/handler_registry.ts";
import { Worker } from "../../src/worker/worker.ts";
import { freshSchema, openPostgresQueue, postgresForTests } from "../support/postgres_queues.ts";
import { until } from "../support/until.ts";

const FIVE_MINUTES_MS = 300_000;
const server = postgresForTests();

function wrongBy(ms: number): Clock {
  return { ...systemClock, nowMs: () => systemClock.nowMs() + ms };
}

for (const [name, wrongMs] of [["ahead", FIVE_MINUTES_MS], ["behind", -FIVE_MINUTES_MS]] as const) {
  Deno.test({
    name:
      `a process whose clock is five minutes ${name} rescues no task early and gives no lease that is over`,
    fn: async () => {
      const schema = freshSchema();
      const right = await openPostgresQueue(server.url, { schema });
      const wrong = await openPostgresQueue(server.url, { schema, clock: wrongBy(wrongMs) });
      await right.enqueueBatch([{ type: "t" }, { type: "t" }]);
      const [one] = await right.claim({ workerId: "right", types: ["t"], leaseDurationMs: 60_000 });
      const [two] = await wrong.claim({ workerId: "wrong", types: ["t"], leaseDurationMs: 60_000 });
      assertEquals([await wrong.rescue(), await right.rescue()], [[], []]);
      await right.complete(one!);
      await wrong.complete(two!);
      const apartMs = Math.abs(two!.leaseUntil!.getTime() - one!.leaseUntil!.getTime());
      assert(apartMs < FIVE_MINUTES_MS / 2, `the leases end ${apartMs} ms apart`);
      await wrong.close();
      await right.close();
    },
  });

  Deno.test({
    name: `a process whose clock is five minutes ${name} rescues what is due, and nothing else`,
    fn: async () => {
      const wrong = await openPostgresQueue(server.url, {
        schema: freshSchema(),
        clock: wrongBy(wrongMs),
      });
      await wrong.enqueueBatch([{ type: "t" }, { type: "t" }]);
      const claim = { workerId: "w", types: ["t"] };
      const [long] = await wrong.claim({ ...claim, leaseDurationMs: 60_000 });
      const [short] = await wrong.claim({ ...claim, leaseDurationMs: 1000 });
      await until(async () => (await wrong.get(short!.id))!.status === "queued", "the rescue");
      assertEquals((await wrong.get(long!.id))!.status, "leased");
      await wrong.close();
    },
  });

  Deno.test({
    name:
      `a worker whose clock is five minutes ${name} takes a scheduled task, and does not ask all the time until then`,
    fn: async () => {
      const schema = freshSchema();
      const right = await openPostgresQueue(server.url, { schema });
      const wrong = await openPostgresQueue(server.url, { schema, clock: wrongBy(wrongMs) });
      const { task } = await right.enqueue({ type: "t", runAfter: new Date(Date.now() + 1500) });
      const dueAt = (await wrong.nextDueAt())!;
      const inMs = dueAt.getTime() - (Date.now() + wrongMs);
      assert(inMs > -60_000 && inMs < 60_000, `it is due in ${inMs} ms by the clock that is wrong`);
      const handlers = new HandlerRegistry();
      handlers.register("t", () => Promise.resolve("done"));
      const worker = new Worker({ queue: wrong, handlers, clock: wrongBy(wrongMs) });
      worker.start();
      await until(async () => (await right.get(task.id))!.status === "completed", "the task");
      const [, leased] = await right.transitions(task.id);
      assert(leased!.at.getTime() >= task.runAfter.getTime(), "it was leased before its time");
      await worker.stop();
      await wrong.close();
      await right.close();
    },
  });
}

Deno.test({
  name: "a process hears of another's changes: at once for a claim, and its watchers for each",
  fn: async () => {
    const schema = freshSchema();
    const one = await openPostgresQueue(server.url, { schema });
    const other = await openPostgresQueue(server.url, { schema });
    const heard: string[] = [];
    const stop = other.watch((changes) => {
      if (typeof changes === "string") return;
      for (const { taskId, status, progress } of changes) {
        heard.push(`${taskId} ${status} ${progress}`);
      }
    });
    const { task } = await one.enqueue({ type: "t" });
    await until(() => heard.includes(`${task.id} queued null`), "the new task");
    const [leased] = await one.claim({ workerId: "w", types: ["t"] });
    await one.reportProgress(leased!, 50);
    await until(() => heard.includes(`${task.id} leased 50`), "its progress");
    await one.complete(leased!);
    await until(() => heard.includes(`${task.id} completed 100`), "its end");
    stop();
    await one.close();
    await other.close();
  },
});
