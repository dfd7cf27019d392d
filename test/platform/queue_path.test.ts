import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { dirname, join } from "node:path";
import { StorageError } from "../../src/domain/errors.ts";
import { openEmbeddedQueue } from "../../src/compose/open_embedded.ts";
import { checkStreamless } from "../../src/platform/queue_path.ts";
import { withTemporaryPath } from "../support/queues.ts";

const IS_WINDOWS = Deno.build.os === "windows";

Deno.test("checkStreamless() refuses a colon behind the drive, on Windows", () => {
  for (
    const path of ["C:\\q.db:x", "\\\\?\\C:\\q.db:x", "\\\\server\\share\\q.db:x", "C:\\a:b\\q.db"]
  ) {
    assertThrows(() => checkStreamless(path, true), Error, "colon");
    checkStreamless(path, false);
  }
  for (
    const path of [
      "C:\\q.db",
      "c:q.db",
      "\\\\?\\C:\\q.db",
      "\\\\.\\C:\\q.db",
      "\\\\server\\share\\q.db",
    ]
  ) {
    checkStreamless(path, true);
  }
});

Deno.test({
  name: "openEmbeddedQueue() takes every way in which Windows lets a path be written for one queue",
  ignore: !IS_WINDOWS, // elsewhere these are paths of other files
  fn: () =>
    withTemporaryPath(async (path) => {
      const ways = [`${path} `, path, `${path}.`, path.toUpperCase(), `\\\\?\\${path}`];
      const queues = [];
      for (const [index, way] of ways.entries()) {
        const queue = await openEmbeddedQueue(way);
        queues.push(queue);
        await queue.enqueue({ type: "t", runId: `${index}` });
        await queue.checkpoint();
      }
      for (const queue of queues) assertEquals(await queue.count(), ways.length);
      for (const queue of queues) await queue.close();
      const names = [...Deno.readDirSync(dirname(path))].map(({ name }) => name.toLowerCase());
      assertEquals(names.filter((name) => !name.startsWith("queue.db")), []);
      assertEquals(names.filter((name) => name.endsWith(".commit.lock")), ["queue.db.commit.lock"]);
    }),
});

Deno.test({
  name: "openEmbeddedQueue() refuses what is not an ordinary file, and makes nothing beside it",
  ignore: IS_WINDOWS, // there are no such files in folders
  fn: () =>
    withTemporaryPath(async (path) => {
      const pipe = join(dirname(path), "pipe");
      const made = await new Deno.Command("mkfifo", { args: [pipe] }).output();
      assertEquals(made.code, 0);
      await Deno.symlink("/dev/null", `${path}.null`);
      for (const special of ["/dev/null", pipe, `${path}.null`]) {
        const { message } = await assertRejects(() => openEmbeddedQueue(special), StorageError);
        assertStringIncludes(message, "a device, a pipe or a socket");
      }
      const names = [...Deno.readDirSync(dirname(path))].map(({ name }) => name).toSorted();
      assertEquals(names, ["pipe", "queue.db.null"]);
    }),
});
