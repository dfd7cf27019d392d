/**
 * Checkpoints in one process, beside those of another and beside one that is just opening.
 */
import { assert, assertEquals } from "@std/assert";
import { openQueueHere, Program, QueueFolder } from "./support.ts";

const CHECKPOINTS = 25;

Deno.test("two processes that make checkpoints at once lose nothing and stop none", async () => {
  await using folder = new QueueFolder();
  await using bystander = await openQueueHere({ path: folder.path });
  await using one = new Program("endless_checkpointer", folder.path, "one");
  await using other = new Program("endless_checkpointer", folder.path, "other");
  const programs = [one, other];
  await Promise.all(programs.map((program) => program.report("ready")));
  const before = programs.map((program) => program.reports("checkpoint_done").length);
  await Promise.all(programs.map((program, i) =>
    program.until(
      () => program.reports("checkpoint_done").length >= before[i]! + CHECKPOINTS || undefined,
      `${CHECKPOINTS} checkpoints beside the other's`,
    )
  ));
  await Promise.all(programs.map((program) => program.stop()));

  const acknowledged = programs.flatMap((program) => program.reports("acknowledged"));
  await using reopened = await openQueueHere({ path: folder.path });
  for (const queue of [bystander, reopened]) {
    assertEquals(await queue.count(), acknowledged.length);
    for (const { id, runId } of acknowledged) {
      assertEquals((await queue.get(id))?.runId, runId, `task ${id} is lost`);
    }
  }
  const segments = Array.from(Deno.readDirSync(folder.path.slice(0, -"queue.db".length)))
    .filter(({ name }) => name.includes(".journal-"));
  assertEquals(segments.length, 1, "superseded segments are removed");
  console.log(`two checkpointers: ${acknowledged.length} tasks, as many checkpoints, none lost`);
});

Deno.test("a process that has read an old snapshot while others compact starts again from the new one", async () => {
  await using folder = new QueueFolder();
  await using queue = await openQueueHere({ path: folder.path });
  await queue.enqueue({ type: "anything" });
  await queue.checkpoint();
  await using opener = new Program("looker", folder.path);
  await opener.report("snapshot_read");
  await using compactor = new Program("endless_checkpointer", folder.path);
  await compactor.until(
    () => compactor.reports("checkpoint_done").length > 3 || undefined,
    "checkpoints while the other opens",
  );
  await compactor.stop();
  const tasks = 1 + compactor.reports("acknowledged").length;
  await opener.say("go");
  assertEquals((await opener.report("seen")).tasks, tasks);
  const reads = opener.reports("snapshot_read").length;
  assert(reads >= 2, "the old snapshot was good enough");
  for (const word of ["first", "second"]) await opener.say(word);
  await opener.until(() => opener.reports("acknowledged")[1], "both tasks enqueued");
  await opener.stop();
  assertEquals(await queue.count(), tasks + 2);
});
