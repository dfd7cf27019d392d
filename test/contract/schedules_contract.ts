/**
 * What every TaskQueue must do with schedules.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { PermanentError, QueueError } from "../../src/domain/errors.ts";
import { WEBHOOK_TYPE } from "../../src/domain/webhook.ts";
import type { NewSchedule } from "../../src/queue/schedule.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import type { FakeClock } from "../support/fake_clock.ts";
import { behavioursOf, type UseQueue } from "./suite.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Registers the suite for one implementation. */
export function schedulesContract(name: string, useQueue: UseQueue): void {
  const behaviour = behavioursOf(name, useQueue);

  behaviour(
    "the webhook of a schedule is told of the ends of its tasks, and one that differs makes it another",
    async (queue) => {
      const webhook = { url: "https://hooks.example.com/done", events: ["failed"] } as const;
      const wanted: NewSchedule = { id: "s", type: "t", everyMs: MINUTE_MS, webhook };
      assertEquals((await queue.addSchedule(wanted)).schedule.webhook, webhook);
      assertEquals((await queue.addSchedule(wanted)).created, false);
      for (const other of [undefined, { ...webhook, events: ["completed"] as const }]) {
        await assertRejects(() => queue.addSchedule({ ...wanted, webhook: other }), QueueError);
      }
      await assertRejects(
        () => queue.addSchedule({ ...wanted, id: "bad", webhook: { url: "nowhere" } }),
        TypeError,
        '"nowhere" as webhook url',
      );
      await queue.fireSchedules();
      const [task] = await queue.claim({ workerId: "w", types: ["t"] });
      await queue.fail(task!, new PermanentError("broken"));
      const told = (await queue.list({ type: WEBHOOK_TYPE })).map(({ payload }) => payload);
      assertEquals(told.map((each) => (each as { event: string }).event), ["task.failed"]);
      const replaced = await queue.addSchedule({ ...wanted, webhook: undefined }, {
        replace: true,
      });
      assertEquals(replaced.schedule.webhook, null);
    },
  );

  behaviour(
    "addSchedule() stores every field and gives defaults to the rest",
    async (queue, clock) => {
      const now = new Date(clock.nowMs());
      const { schedule, created } = await queue.addSchedule({
        id: " nightly ",
        type: "report",
        cron: " 30  2 * * * ",
        timeZone: "Europe/Berlin",
      });
      assertEquals(created, true);
      assertEquals(schedule, {
        id: "nightly",
        type: "report",
        payload: {},
        priority: 100,
        compatibility: {},
        maxAttempts: 5,
        retryPolicy: null,
        timeoutMs: null,
        group: null,
        orderingKey: null,
        onPredecessorFailure: null,
        tags: [],
        unique: null,
        expiresInMs: null,
        everyMs: null,
        cron: "30 2 * * *",
        timeZone: "Europe/Berlin",
        catchUp: "once",
        catchUpMax: 100,
        overlap: false,
        paused: false,
        nextAt: new Date("2026-01-01T01:30:00Z"),
        lastFiredAt: null,
        lastTaskId: null,
        firings: 0,
        webhook: null,
        waitsForTaskId: null,
        createdAt: now,
        updatedAt: now,
      });
      assertEquals(await queue.getSchedule("nightly"), schedule);
      assertEquals(await queue.listSchedules(), [schedule]);
      assertEquals(await queue.getSchedule("other"), undefined);
    },
  );

  behaviour(
    "addSchedule() refuses bad fields before any effect, and says what is allowed",
    async (queue) => {
      const bad: readonly [Partial<NewSchedule>, typeof TypeError | typeof RangeError, string][] = [
        [{}, TypeError, "neither of everyMs and cron"],
        [{ everyMs: 1000, cron: "@daily" }, TypeError, "both of everyMs and cron"],
        [{ everyMs: 999 }, RangeError, "everyMs: an integer from 1000"],
        [{ cron: "99 * * * *" }, TypeError, '"99 * * * *" as cron'],
        [{ cron: "0 0 30 2 *" }, RangeError, "it never comes"],
        [{ cron: "@daily", timeZone: "Nowhere" }, TypeError, '"Nowhere" as timeZone'],
        [{ everyMs: 1000, catchUp: "all" }, TypeError, '"all" as catchUp with everyMs'],
        [{ cron: "@daily", catchUp: "some" as never }, TypeError, "once, skip, all"],
        [{ cron: "@daily", catchUpMax: 0 }, RangeError, "catchUpMax"],
        [{ everyMs: 1000, overlap: true }, TypeError, "overlap with everyMs"],
        [{ cron: "@daily", overlap: 1 as never }, TypeError, "1 as overlap"],
        [{ cron: "@daily", id: "" }, TypeError, "blank schedule id"],
        [{ cron: "@daily", id: "x".repeat(161) }, TypeError, "161 characters"],
        [{ cron: "@daily", type: " " }, TypeError, "blank task type"],
        [{ cron: "@daily", priority: 0 }, RangeError, "priority"],
        [{ cron: "@daily", payload: NaN }, TypeError, "payload"],
      ];
      for (const [fields, errorClass, message] of bad) {
        const schedule = { id: "s", type: "t", ...fields };
        await assertRejects(() => queue.addSchedule(schedule), errorClass, message);
      }
      assertEquals(await queue.listSchedules(), []);
    },
  );

  behaviour(
    "adding the same schedule again changes nothing; another one needs replace",
    async (queue, clock) => {
      const wanted: NewSchedule = {
        id: "s",
        type: "t",
        payload: { a: 1, b: 2 },
        cron: "0 * * * *",
      };
      const { schedule } = await queue.addSchedule(wanted);
      await pass(queue, clock, HOUR_MS);
      const before = (await queue.getSchedule("s"))!;
      assertEquals([before.firings, before.nextAt], [
        1,
        new Date(schedule.nextAt!.getTime() + HOUR_MS),
      ]);
      assertEquals(await queue.addSchedule({ ...wanted, payload: { b: 2, a: 1 } }), {
        schedule: before,
        created: false,
      });
      const other = { ...wanted, priority: 5 };
      const error = await assertRejects(() => queue.addSchedule(other), QueueError);
      assertEquals(error.code, "schedule_conflict");
      assertEquals(await queue.getSchedule("s"), before);
      const replaced = await queue.addSchedule(other, { replace: true });
      assertEquals([replaced.created, replaced.schedule.priority, replaced.schedule.firings], [
        false,
        5,
        1,
      ]);
      assertEquals(replaced.schedule.nextAt, before.nextAt);
      const later = await queue.addSchedule({ ...other, cron: "30 * * * *" }, { replace: true });
      assertEquals(later.schedule.nextAt, new Date(clock.nowMs() + HOUR_MS / 2));
    },
  );

  behaviour(
    "a cron schedule enqueues its task at its instants, with a run id that says which",
    async (queue, clock) => {
      await queue.addSchedule({
        id: "s",
        type: "t",
        payload: { n: 1 },
        priority: 7,
        maxAttempts: 2,
        cron: "*/10 * * * *",
      });
      await pass(queue, clock, 10 * MINUTE_MS - 1);
      assertEquals(await queue.count(), 0);
      await pass(queue, clock, 1);
      const [task] = await queue.list();
      assertEquals([task!.type, task!.payload, task!.priority, task!.maxAttempts, task!.runId], [
        "t",
        { n: 1 },
        7,
        2,
        "s@2026-01-01T00:10:00.000Z",
      ]);
      const { lastFiredAt, lastTaskId, firings, waitsForTaskId } = (await queue.getSchedule("s"))!;
      assertEquals([lastFiredAt, lastTaskId, firings, waitsForTaskId], [
        new Date(clock.nowMs()),
        task!.id,
        1,
        task!.id,
      ]);
    },
  );

  behaviour(
    "a schedule waits until the task of its last firing is final, unless it may overlap",
    async (queue, clock) => {
      await queue.addSchedule({ id: "alone", type: "t", cron: "* * * * *" });
      await queue.addSchedule({ id: "many", type: "m", cron: "* * * * *", overlap: true });
      for (let minute = 0; minute < 3; minute++) await pass(queue, clock, MINUTE_MS);
      assertEquals([await queue.count({ type: "t" }), await queue.count({ type: "m" })], [1, 3]);
      await pass(queue, clock, MINUTE_MS / 2);
      await finish(queue, "t");
      await pass(queue, clock, 2000);
      assertEquals(await queue.count({ type: "t" }), 2, "one makes up for those that were missed");
      await finish(queue, "t");
      await pass(queue, clock, MINUTE_MS);
      assertEquals(await queue.count({ type: "t" }), 3);
    },
  );

  behaviour(
    "an interval fires at once, and then that long after each task has ended",
    async (queue, clock) => {
      await queue.addSchedule({ id: "s", type: "t", everyMs: 10_000 });
      await pass(queue, clock, 1000);
      assertEquals(await queue.count(), 1);
      await pass(queue, clock, 30_000);
      assertEquals(await queue.count(), 1);
      assertEquals((await queue.getSchedule("s"))!.nextAt, null);
      await finish(queue, "t");
      const endedMs = clock.nowMs();
      assertEquals((await queue.getSchedule("s"))!.nextAt, new Date(endedMs + 10_000));
      await pass(queue, clock, 9_999);
      assertEquals(await queue.count(), 1);
      await pass(queue, clock, 1);
      assertEquals(await queue.count(), 2);
      assertEquals((await queue.getSchedule("s"))!.lastFiredAt, new Date(endedMs + 10_000));
    },
  );

  behaviour(
    "scheduleRuns() gives the tasks of a schedule, the latest instant first, and no others",
    async (queue, clock) => {
      await queue.addSchedule({ id: "s", type: "t", cron: "* * * * *", catchUp: "all" });
      await queue.addSchedule({ id: "s@2", type: "t", cron: "* * * * *", overlap: true });
      assertEquals(await queue.scheduleRuns("s"), []);
      const outcomes = ["completed", "failed", "leased"] as const;
      for (const outcome of outcomes) {
        await clock.advance(MINUTE_MS);
        await queue.fireSchedules();
        for (const task of await queue.claim({ workerId: "w", types: ["t"], limit: 2 })) {
          if (outcome === "completed") await queue.complete(task);
          if (outcome === "failed") await queue.fail(task, new PermanentError("broken"));
        }
      }
      const runs = await queue.scheduleRuns("s");
      assertEquals(runs.map(({ status }) => status), [...outcomes].reverse());
      const tasks = await Promise.all(runs.map(({ taskId }) => queue.get(taskId)));
      assertEquals(
        runs.map(({ runId, finishedAt }) => [runId, finishedAt]),
        tasks.map((task) => [task!.runId, task!.finishedAt]),
      );
      for (const { runId, at } of runs) assertEquals(runId, `s@${at.toISOString()}`);
      const instants = runs.map(({ at }) => at.getTime());
      assertEquals([instants[0]! - instants[1]!, instants[1]! - instants[2]!], [
        MINUTE_MS,
        MINUTE_MS,
      ]);
      assertEquals(await queue.scheduleRuns("s", { limit: 2 }), runs.slice(0, 2));
      assertEquals((await queue.scheduleRuns("s@2")).length, 3);
      // looks like a run of the schedule, but for its instant
      await queue.enqueue({ type: "t", runId: "s@2026-13-45T03:04:05.006Z" });
      await queue.removeSchedule("s");
      await queue.remove(runs[1]!.taskId);
      assertEquals(await queue.scheduleRuns("s"), [runs[0], runs[2]]);
      for (const unknown of ["", "S", "s@", "%", "s\u0000"]) {
        assertEquals(await queue.scheduleRuns(unknown), []);
      }
    },
  );

  behaviour("after downtime the policy decides what is made up for", async (queue, clock) => {
    for (const catchUp of ["skip", "once", "all"] as const) {
      await queue.addSchedule({
        id: catchUp,
        type: catchUp,
        cron: "0 * * * *",
        catchUp,
        catchUpMax: 3,
        overlap: true,
      });
    }
    clock.jump(5 * HOUR_MS + HOUR_MS / 2);
    await queue.fireSchedules();
    const runs = async (type: string): Promise<string[]> =>
      (await queue.list({ type })).map(({ runId }) => runId.slice(-13, -8)).reverse();
    assertEquals([await runs("skip"), await runs("once"), await runs("all")], [
      [],
      ["05:00"],
      ["03:00", "04:00", "05:00"],
    ]);
    await pass(queue, clock, HOUR_MS / 2);
    assertEquals([await runs("skip"), await runs("once")], [["06:00"], ["05:00", "06:00"]]);
  });

  behaviour(
    "a paused schedule fires nothing, and makes nothing up when it goes on",
    async (queue, clock) => {
      await queue.addSchedule({
        id: "s",
        type: "t",
        cron: "0 * * * *",
        overlap: true,
        paused: true,
      });
      await pass(queue, clock, 2 * HOUR_MS + 1000);
      assertEquals([await queue.count(), await queue.fireSchedules()], [0, []]);
      const goesOn = await queue.pauseSchedule("s", false);
      assertEquals([goesOn.paused, goesOn.nextAt], [false, new Date("2026-01-01T03:00:00Z")]);
      await pass(queue, clock, HOUR_MS);
      assertEquals(await queue.count(), 1);
      assertEquals((await queue.pauseSchedule("s", true)).paused, true);
      await pass(queue, clock, HOUR_MS);
      assertEquals(await queue.count(), 1);
      const error = await assertRejects(() => queue.pauseSchedule("none", true), QueueError);
      assertEquals([error.code, error.message], [
        "schedule_not_found",
        'Cannot find schedule "none"',
      ]);
    },
  );

  behaviour(
    "replacing a paused schedule leaves it paused unless told otherwise, and makes nothing up",
    async (queue, clock) => {
      const schedule = { id: "s", type: "t", cron: "0 * * * *" };
      const replace = async (change: Partial<NewSchedule>): Promise<[boolean, Date | null]> => {
        const options = { replace: true };
        const replaced = (await queue.addSchedule({ ...schedule, ...change }, options)).schedule;
        return [replaced.paused, replaced.nextAt];
      };
      await queue.addSchedule({ ...schedule, paused: true });
      await pass(queue, clock, 2 * HOUR_MS + 1000);
      assertEquals((await replace({ payload: 2 }))[0], true);
      await pass(queue, clock, 1000);
      assertEquals(await queue.count(), 0);
      assertEquals(await replace({ payload: 3, paused: false }), [
        false,
        new Date("2026-01-01T03:00:00Z"),
      ]);
      await pass(queue, clock, 1000);
      assertEquals(await queue.count(), 0);
      assertEquals((await replace({ payload: 4 }))[0], false);
      // The same schedule in all but its pause.
      assertEquals((await replace({ payload: 4, paused: true }))[0], true);
      assertEquals((await replace({ payload: 4, paused: false }))[0], false);
    },
  );

  behaviour(
    "removeSchedule() ends a schedule and leaves its tasks, and its run ids may be there again",
    async (queue, clock) => {
      const schedule = { id: "s", type: "t", cron: "0 * * * *", overlap: true };
      await queue.addSchedule(schedule);
      await pass(queue, clock, HOUR_MS);
      assertEquals([await queue.removeSchedule("s"), await queue.removeSchedule("s")], [
        true,
        false,
      ]);
      await pass(queue, clock, HOUR_MS);
      assertEquals(await queue.count(), 1);
      await queue.enqueue({ type: "x", runId: "s@2026-01-01T03:00:00.000Z" });
      await queue.addSchedule(schedule);
      await pass(queue, clock, HOUR_MS);
      assertEquals(await queue.count({ type: "t" }), 2);
    },
  );

  behaviour(
    "a schedule goes on when the task of its last firing has been pruned",
    async (queue, clock) => {
      await queue.addSchedule({ id: "s", type: "t", everyMs: 60_000 });
      await pass(queue, clock, 1000);
      await finish(queue, "t");
      await queue.prune({ keep: 0 });
      await pass(queue, clock, 30_000);
      assertEquals(await queue.count(), 0);
      await pass(queue, clock, 31_000);
      assertEquals(await queue.count(), 1);
    },
  );
}

/** Lets time pass, and what is due then happen, also where that takes real time. */
async function pass(queue: TaskQueue, clock: FakeClock, ms: number): Promise<void> {
  await clock.advance(ms);
  await queue.fireSchedules();
}

async function finish(queue: TaskQueue, type: string): Promise<void> {
  const tasks = await queue.claim({ workerId: "w", types: [type], limit: 100 });
  for (const task of tasks) await queue.complete(task);
}
