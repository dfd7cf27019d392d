/**
 * A bulk request dies by `kill -9` in the middle: it has done a part, from the lowest id on, which the same request completes.
 */
import { assert, assertEquals } from "@std/assert";
import { openQueueHere, Program, QueueFolder } from "./support.ts";

const TASKS = 1000;
const STEPS = 3;

Deno.test("a bulk cancel that is killed leaves a prefix that a second one completes", async () => {
  await using folder = new QueueFolder();
  await using queue = await openQueueHere({ path: folder.path });
  await queue.enqueueBatch(Array.from({ length: TASKS }, () => ({ type: "email" })));
  await using bulk = new Program("bulk_steps", folder.path);
  for (let step = 1; step <= STEPS; step++) {
    await bulk.say(String(step));
    await bulk.until(() => bulk.reports("seen")[step - 1], `step ${step}`);
  }
  const reported = bulk.reports("seen").at(-1)!.tasks;
  await bulk.say(String(STEPS + 1));
  await bulk.kill();

  const done = await queue.count({ status: "cancelled" });
  const [last] = await queue.list({ status: "cancelled", limit: 1 });
  assertEquals(done, last!.id, "from the lowest id on, without a gap");
  assert(done >= reported && done < TASKS, `${done} of ${TASKS}, ${reported} were reported`);
  const rest = await queue.bulk({ action: "cancel", filter: { type: "email" }, budgetMs: 30_000 });
  assertEquals([rest.matched, rest.changed, rest.cursor], [TASKS - done, TASKS - done, null]);
  assertEquals(await queue.count({ status: "cancelled" }), TASKS);
  for (const id of [1, done, done + 1, TASKS]) {
    const kinds = (await queue.transitions(id)).map(({ kind }) => kind);
    assertEquals(kinds, ["enqueued", "cancelled"], `task ${id}`);
  }
});
