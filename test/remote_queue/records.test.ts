/**
 * Records of a queue behind a server: out and in again, as they are stored.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { StorageError } from "../../src/domain/errors.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { withMemoryQueue } from "../support/queues.ts";
import { type Network, withRemote } from "./remote_fixture.ts";

/** Tasks in every status, with parents, a webhook, results and failures; and schedules. */
async function fill(queue: TaskQueue): Promise<void> {
  const webhook = { url: "https://hooks.example.com/done", events: ["failed"] as const };
  await queue.enqueueBatch([
    { type: "a", runId: "p", payload: { big: "ü", n: 0.1 }, webhook, idempotencyKey: "k" },
    { type: "b", dependsOn: ["p"], onParentFailure: "run", compatibility: { gpu: true } },
    {
      type: "c",
      retryPolicy: { initialDelayMs: 5 },
      timeoutMs: 70,
      runAfter: "2030-01-01T00:00:00Z",
    },
    { type: "d" },
    { type: "d" },
  ]);
  const tasks = await queue.claim({ workerId: "w", types: ["a", "d"], limit: 3 });
  await queue.reportProgress(tasks[1]!, 40, "almost");
  await queue.complete(tasks[1]!, { done: [1] });
  await queue.fail(tasks[0]!, new Error("no"));
  await queue.release(tasks[2]!);
  await queue.cancel(4);
  await queue.addSchedule({ id: "s/1", type: "e", cron: "@daily", payload: [1], webhook });
  await queue.addSchedule({ id: "s2", type: "e", everyMs: 5000, paused: true, timeoutMs: 9 });
}

Deno.test("a queue behind a server gives its records as they are stored, and takes them", () =>
  withRemote({}, ({ remote, queue }) =>
    withMemoryQueue({}, async (other) => {
      await fill(other);
      const records = await other.exportAll();
      const { schedules } = records;
      const dry = await remote.importRecords(records.tasks, { schedules, dryRun: true });
      assertEquals([dry.stored, dry.additions.length, await queue.count()], [false, 5, 0]);
      const result = await remote.importRecords(records.tasks, { schedules });
      assertEquals([result.stored, result.storedIds], [true, [1, 2, 3, 4, 5]]);
      assertEquals(result.schedules.additions, ["s/1", "s2"]);
      assertEquals(await remote.exportAll(), await queue.exportAll());
      const statuses = ["cancelled", "completed"] as const;
      assertEquals(
        await remote.exportRecords({ statuses }),
        await queue.exportRecords({ statuses }),
      );
      assertEquals(await remote.exportRecords({ statuses: [] }), []);
      const again = await remote.importRecords(records.tasks);
      assertEquals([again.stored, again.present], [true, [1, 2, 3, 4, 5]]);
      const wrong = [{ ...records.tasks[0]!, id: 9, runId: "x", priority: 5000 }];
      const [there, here] = [await remote.importRecords(wrong), await queue.importRecords(wrong)];
      assertEquals([there, there.stored, there.problems.length], [here, false, 1]);
    })));

Deno.test("an export that is cut off is no export", async () => {
  const network: Network = async (request, send) => {
    const response = await send(request);
    if (!request.url.endsWith("/records")) return response;
    const lines = (await response.text()).trimEnd().split("\n");
    return new Response(lines.slice(0, -1).join("\n"), response);
  };
  await withRemote({ network }, async ({ remote, queue }) => {
    await fill(queue);
    await assertRejects(() => remote.exportAll(), StorageError, "and then nothing");
  });
});
