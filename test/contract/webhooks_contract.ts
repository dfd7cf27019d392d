/**
 * What every TaskQueue must do with the webhooks of its tasks.
 */
import { maintenanceOf } from "../../src/queue/maintenance.ts";
import { assertEquals, assertRejects } from "@std/assert";
import { PermanentError } from "../../src/domain/errors.ts";
import type { Task } from "../../src/domain/task.ts";
import { type Webhook, WEBHOOK_TYPE } from "../../src/domain/webhook.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { behavioursOf, untilRescued, type UseQueue } from "./suite.ts";

const URL_GIVEN = "https://hooks.example.com/done?x=1#part";
const URL_KEPT = "https://hooks.example.com/done?x=1";

/** Registers the suite for one implementation. */
export function webhooksContract(name: string, useQueue: UseQueue): void {
  const behaviour = behavioursOf(name, useQueue);

  behaviour(
    "each way to end enqueues a delivery that says so, and nothing else does",
    async (queue, clock) => {
      const webhook = { url: URL_GIVEN };
      await queue.enqueueBatch([
        { type: "t", runId: "done", webhook },
        { type: "t", runId: "broken", webhook, maxAttempts: 2 },
        { type: "t", runId: "ended", webhook, dependsOn: ["broken"] },
        { type: "t", runId: "skipped", webhook, dependsOn: ["ended"], onParentFailure: "skip" },
        { type: "later", runId: "given up", webhook },
        { type: "t", runId: "silent" },
      ]);
      const [done, broken, silent] = await claim(queue, 10);
      await queue.complete(silent!);
      await queue.release(broken!);
      await queue.fail((await claim(queue))[0]!, new Error("not yet"));
      assertEquals(await told(queue), []);
      await queue.complete(done!, { secret: "result" });
      await clock.advance(2000);
      await queue.fail((await claim(queue))[0]!, new PermanentError("broken"));
      await queue.cancel((await queue.getByRunId("given up"))!.id);
      const deliveries = await told(queue);
      assertEquals(
        deliveries.map(({ event, task }) => [event, task.run_id, task.status]),
        [
          ["task.completed", "done", "completed"],
          ["task.failed", "broken", "failed"],
          ["task.failed", "ended", "failed"],
          ["task.cancelled", "skipped", "cancelled"],
          ["task.cancelled", "given up", "cancelled"],
        ],
      );
      const failed = (await queue.getByRunId("broken"))!;
      assertEquals(deliveries[1], {
        url: URL_KEPT,
        event: "task.failed",
        task: {
          id: failed.id,
          run_id: "broken",
          type: "t",
          status: "failed",
          attempts: 2,
          error_message: "broken",
          created_at: failed.createdAt.toISOString(),
          finished_at: failed.finishedAt!.toISOString(),
        },
      });
      assertEquals((await maintenanceOf(queue)?.integrityCheck())?.problems ?? [], []);
    },
  );

  behaviour(
    "a rescued last attempt is told too, and a task that is retried by hand is told of again",
    async (queue, clock) => {
      await queue.enqueue({ type: "t", maxAttempts: 1, webhook: { url: URL_GIVEN } });
      await claim(queue);
      await clock.advance(12_000);
      await untilRescued(queue, clock, 1);
      await queue.retry(1);
      await queue.complete((await claim(queue))[0]!);
      assertEquals((await told(queue)).map(({ event }) => event), [
        "task.failed",
        "task.completed",
      ]);
    },
  );

  behaviour("only the events asked for are told", async (queue) => {
    for (const event of ["completed", "failed", "cancelled"] as const) {
      await queue.enqueue({ type: "t", webhook: { url: URL_GIVEN, events: [event] } });
    }
    for (const task of await claim(queue, 3)) await queue.complete(task);
    assertEquals((await told(queue)).map(({ task }) => task.id), [1]);
  });

  behaviour("a task that has ended when it is enqueued is told of", async (queue) => {
    await queue.enqueue({ type: "t" });
    await queue.cancel(1);
    await queue.enqueue({ type: "t", dependsOn: [1], webhook: { url: URL_GIVEN } });
    assertEquals((await told(queue)).map(({ event, task }) => [event, task.id]), [
      ["task.failed", 2],
    ]);
  });

  behaviour(
    "a wrong webhook is refused before any effect, and so is a task of the reserved type",
    async (queue) => {
      const bad: readonly [Webhook, typeof TypeError | typeof RangeError, string][] = [
        [{ url: "hooks.example.com" }, TypeError, '"hooks.example.com" as webhook url'],
        [{ url: "ftp://hooks.example.com" }, TypeError, "http or https"],
        [{ url: "https://me:secret@hooks.example.com" }, TypeError, "without user name"],
        [{ url: 5 as never }, TypeError, "5 as webhook url"],
        [{ url: `https://x.example/${"x".repeat(2000)}` }, RangeError, "at most 2000"],
        [{ url: URL_GIVEN, events: [] }, TypeError, "completed, failed, cancelled"],
        [{ url: URL_GIVEN, events: ["queued" as never] }, TypeError, '["queued"]'],
      ];
      for (const [webhook, errorClass, message] of bad) {
        await assertRejects(() => queue.enqueue({ type: "t", webhook }), errorClass, message);
      }
      await assertRejects(() => queue.enqueue({ type: WEBHOOK_TYPE }), TypeError, "reserved");
      const schedule = { id: "s", type: WEBHOOK_TYPE, everyMs: 1000 };
      await assertRejects(() => queue.addSchedule(schedule), TypeError, "reserved");
      assertEquals(await queue.count(), 0);
    },
  );

  behaviour(
    "health() names the hosts that deliveries keep failing to reach, until they do",
    async (queue, clock) => {
      await queue.enqueue({ type: "t", webhook: { url: URL_GIVEN } });
      await queue.enqueue({ type: "t", webhook: { url: "https://gone.example:8443/secret" } });
      for (const task of await claim(queue, 2)) await queue.complete(task);
      const delivery = async (): Promise<Task> =>
        (await queue.claim({ workerId: "w", types: [WEBHOOK_TYPE] }))[0]!;
      const first = await delivery();
      await queue.fail(await delivery(), new PermanentError('"gone.example" answered 404\nmore'));
      await queue.fail(first, new Error("answered 500"));
      const gone =
        'A delivery to "gone.example:8443" failed, the latest: "gone.example" answered 404';
      assertEquals(await failingHosts(queue), [gone]);
      for (const message of ["answered 500", "answered 503"]) {
        await clock.advance(10_000);
        await queue.fail(await delivery(), new Error(message));
      }
      assertEquals(await failingHosts(queue), [
        gone,
        'A delivery to "hooks.example.com" failed, the latest: answered 503',
      ]);
      await clock.advance(10_000);
      await queue.complete(await delivery());
      assertEquals(await failingHosts(queue), [gone]);
    },
  );

  behaviour("pruning a task leaves its delivery to be made", async (queue) => {
    await queue.enqueue({ type: "t", webhook: { url: URL_GIVEN } });
    await queue.cancel(1);
    assertEquals((await queue.prune({ keep: 0 })).pruned, 1);
    assertEquals((await told(queue)).length, 1);
    assertEquals((await maintenanceOf(queue)?.integrityCheck())?.problems ?? [], []);
  });
}

interface Told {
  readonly url: string;
  readonly event: string;
  readonly task: Readonly<Record<string, unknown>>;
}

/** The deliveries, in order. */
async function told(queue: TaskQueue): Promise<Told[]> {
  const deliveries = await queue.list({ type: WEBHOOK_TYPE });
  return deliveries.reverse().map(({ payload }) => payload as Told);
}

/** What the queue's health says of webhooks. */
async function failingHosts(queue: TaskQueue): Promise<string[]> {
  const { reasons } = await queue.health();
  return reasons.filter(({ code }) => code === "webhook_failing").map(({ message }) => message);
}

function claim(queue: TaskQueue, limit = 1): Promise<Task[]> {
  return queue.claim({ workerId: "w", types: ["t"], limit });
}
