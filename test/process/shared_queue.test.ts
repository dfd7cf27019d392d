/**
 * Processes that write, open and fold the same queue at the same time.
 */
import { assert, assertEquals } from "@std/assert";
import { openQueueHere, pause, Program, QueueFolder, seededRandom } from "./support.ts";

const KEYS = 500;
const OPENS = 20;
const BACKLOG = 2000;

/** Opens begin at any moment of a checkpoint. */
const OPEN_WITHIN_MS = 60;
const SEED = 7;

Deno.test("two processes that enqueue under the same keys make each task once", async () => {
  await using folder = new QueueFolder();
  await using a = new Program("key_enqueuer", folder.path, String(KEYS));
  await using b = new Program("key_enqueuer", folder.path, String(KEYS));
  const programs = [a, b];
  await Promise.all(programs.map((program) => program.report("ready")));
  await Promise.all(programs.map((program) => program.say("go")));
  const [fromA, fromB] = await Promise.all(programs.map((program) => program.report("enqueued")));
  await Promise.all(programs.map((program) => program.stop()));

  const theirs = new Map(fromB!.tasks.map((task) => [task.key, task]));
  assertEquals([fromA!.tasks.length, theirs.size], [KEYS, KEYS]);
  for (const { key, id, created } of fromA!.tasks) {
    assertEquals(theirs.get(key), { key, id, created: !created }, `who created ${key}`);
  }
  await using queue = await openQueueHere({ path: folder.path });
  assertEquals(await queue.count(), KEYS);
  const byA = fromA!.tasks.filter(({ created }) => created).length;
  console.log(`same keys: ${byA} tasks created by one process, ${KEYS - byA} by the other`);
});

Deno.test("opening sees every acknowledged task while another process checkpoints", async () => {
  await using folder = new QueueFolder();
  await fill(folder.path);
  await using checkpointer = new Program("endless_checkpointer", folder.path);
  const random = seededRandom(SEED);
  const done = (): number => checkpointer.reports("checkpoint_done").length;
  let overtaken = 0;
  for (let n = 0; n < OPENS; n++) {
    const before = done();
    await checkpointer.until(() => done() > before || undefined, "another checkpoint");
    await pause(random() * OPEN_WITHIN_MS);
    const acknowledged = checkpointer.reports("acknowledged");
    const doneBefore = done();
    await using queue = await openQueueHere({ path: folder.path });
    if (done() > doneBefore) overtaken++;
    for (const { id, runId } of acknowledged) {
      assertEquals((await queue.get(id))?.runId, runId, `task ${id} is not there`);
    }
    assert(await queue.count() >= BACKLOG + acknowledged.length);
  }
  await checkpointer.stop();
  console.log(
    `opening beside checkpoints: ${OPENS} opens, ${overtaken} of them while a checkpoint ended, ` +
      `${done()} checkpoints in all`,
  );
});

const sqlite3 = sqlite3Version();
if (sqlite3 === undefined) {
  console.log("skipped, the sqlite3 tool is not installed: sqlite3 reads the snapshot");
}

Deno.test({
  name: "the ordinary sqlite3 tool reads the snapshot after checkpoint()",
  ignore: sqlite3 === undefined,
  fn: async () => {
    await using folder = new QueueFolder();
    await using queue = await openQueueHere({ path: folder.path });
    await queue.enqueueBatch([{ type: "a" }, { type: "b" }, { type: "b" }]);
    await queue.checkpoint();
    assertEquals(await sql(folder.path, "select count(*) from task_queue"), "3");
    assertEquals(await sql(folder.path, "select count(*) from task_queue where type = 'b'"), "2");
    assertEquals(await sql(folder.path, "pragma integrity_check"), "ok");
    await queue.enqueue({ type: "c" });
    await queue.checkpoint();
    assertEquals(await sql(folder.path, "select count(*) from task_queue"), "4");
    console.log(`sqlite3 ${sqlite3} reads the snapshot`);
  },
});

/** So many tasks that a checkpoint takes its time. */
async function fill(path: string): Promise<void> {
  await using queue = await openQueueHere({ path });
  const payload = { text: "x".repeat(200) };
  await queue.enqueueBatch(Array.from({ length: BACKLOG }, () => ({ type: "backlog", payload })));
}

function sqlite3Version(): string | undefined {
  try {
    const { stdout } = new Deno.Command("sqlite3", { args: ["-version"] }).outputSync();
    return new TextDecoder().decode(stdout).split(" ")[0];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function sql(path: string, query: string): Promise<string> {
  const command = new Deno.Command("sqlite3", { args: ["-readonly", path, query] });
  const { code, stdout, stderr } = await command.output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  return new TextDecoder().decode(stdout).trim();
}
