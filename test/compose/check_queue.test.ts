import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { dirname, join } from "node:path";
import { openEmbeddedQueue, validateQueueIntegration } from "../../src/mod.ts";
import { withTemporaryPath } from "../support/queues.ts";

/** Every file below a folder, with its content. */
function contentsOf(folder: string): Record<string, string> {
  const contents: Record<string, string> = {};
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = join(folder, name);
    if (isDirectory) contents[name] = JSON.stringify(contentsOf(path));
    else contents[name] = Deno.readFileSync(path).toHex();
  }
  return contents;
}

Deno.test("✗ the original deleted the database it checked: every file is as it was, and its tasks are there", () =>
  withTemporaryPath(async (path) => {
    const queue = await openEmbeddedQueue(path);
    await queue.enqueueBatch(
      Array.from({ length: 50 }, (_, n) => ({ type: "t", runId: `r${n}`, payload: { n } })),
    );
    await queue.checkpoint();
    await queue.enqueue({ type: "t", runId: "after the checkpoint" });
    await queue.close();
    const before = contentsOf(dirname(path));
    const report = await validateQueueIntegration(path);
    assertEquals(contentsOf(dirname(path)), before);
    assertEquals([report.success, report.errors], [true, []]);
    assertStringIncludes(report.checks[1]!.message, "beside 51 tasks");
    const again = await openEmbeddedQueue(path);
    assertEquals(await again.count(), 51);
    await again.close();
  }));

Deno.test("validateQueueIntegration() works while the queue is in use", () =>
  withTemporaryPath(async (path) => {
    const queue = await openEmbeddedQueue(path);
    let isOver = false;
    const busy = (async (): Promise<number> => {
      let stored = 0;
      for (; !isOver; stored++) await queue.enqueue({ type: "t" });
      return stored;
    })();
    for (let round = 0; round < 5; round++) {
      assertEquals((await validateQueueIntegration(path)).errors, []);
    }
    isOver = true;
    assertEquals(await queue.count(), await busy);
    await queue.close();
  }));

Deno.test("validateQueueIntegration() leaves nothing where there is no queue yet", () =>
  withTemporaryPath(async (path) => {
    const report = await validateQueueIntegration(join(dirname(path), "a", "b", "queue.db"));
    assertEquals(report.errors, []);
    assertEquals(
      report.checks.map(({ name, success }) => [name, success]),
      [["copy", true], ["run a task", true], ["read it again", true]],
    );
    assertStringIncludes(report.checks[0]!.message, "no queue yet");
    assertEquals(contentsOf(dirname(path)), {});
  }));

Deno.test("validateQueueIntegration() reports a damaged queue and leaves it alone", () =>
  withTemporaryPath(async (path) => {
    await Deno.writeTextFile(path, "no database ".repeat(1000));
    const report = await validateQueueIntegration(path);
    assert(!report.success);
    assertEquals(report.checks.map(({ success }) => success), [true, false]);
    assertEquals(report.errors, [report.checks[1]!.message]);
    assertEquals(await Deno.readTextFile(path), "no database ".repeat(1000));
  }));

Deno.test("validateQueueIntegration() reports a path where no queue can be", () =>
  withTemporaryPath(async (path) => {
    await Deno.writeTextFile(path, "");
    const report = await validateQueueIntegration(join(path, "queue.db"));
    assertEquals([report.success, report.checks.length, report.errors.length], [false, 1, 1]);
    assertStringIncludes(report.errors[0]!, dirname(path));
  }));
