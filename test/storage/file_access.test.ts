/**
 * Who may use a queue's files: whatever makes a file of a queue, whoever could use the queue still can.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { dirname, join } from "node:path";
import { restoreBackup } from "../../src/compose/backups.ts";
import { StorageError } from "../../src/domain/errors.ts";
import { openEmbeddedQueue } from "../../src/compose/open_embedded.ts";
import { openLogStore } from "../../src/compose/open_queue.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import { withTemporaryPath } from "../support/queues.ts";

/** Windows gives a file the access rights of its folder. */
/** There files have no modes. */
const IS_WINDOWS = Deno.build.os === "windows";

/** A user and a group that are not this process's. */
const SERVICE = { uid: 4321, gid: 8765 };

/** The mode and owner of each file below the queue's folder. */
function accessIn(folder: string, prefix = ""): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const { mode, uid, gid } = Deno.lstatSync(join(folder, name));
    found[prefix + name] = `${(mode! & 0o777).toString(8)} ${uid}:${gid}`;
    if (isDirectory) Object.assign(found, accessIn(join(folder, name), `${prefix}${name}/`));
  }
  return found;
}

async function use(path: string, work: (queue: EmbeddedQueue) => Promise<unknown>): Promise<void> {
  const queue = await openEmbeddedQueue(path);
  try {
    await work(queue);
  } finally {
    await queue.close();
  }
}

/** Everything that makes files. */
async function makeEveryFile(path: string): Promise<void> {
  const folder = dirname(path);
  await use(path, async (queue) => {
    await queue.enqueue({ type: "t" });
    await queue.checkpoint();
    await queue.backup(join(folder, "backup.db"));
  });
  openLogStore(path).append(1, {
    at: "2026-01-01T00:00:00.000Z",
    level: "info",
    message: "said",
    attempt: 1,
  });
  await restoreBackup(join(folder, "backup.db"), path);
}

/** Changes every file of the queue, as `chown` and `chmod queue.db*` do. */
async function changeAll(path: string, change: (file: string) => Promise<void>): Promise<void> {
  for (const { name } of Deno.readDirSync(dirname(path))) await change(join(dirname(path), name));
}

/** Whether this user may give files away. */
function isRoot(): boolean {
  const file = Deno.makeTempFileSync();
  try {
    Deno.chownSync(file, SERVICE.uid, SERVICE.gid);
    return true;
  } catch {
    return false;
  } finally {
    Deno.removeSync(file);
  }
}

Deno.test({
  name: "a new queue is its owner's alone, with all of its files",
  ignore: IS_WINDOWS,
  fn: () =>
    withTemporaryPath(async (path) => {
      await makeEveryFile(path);
      const modes = Object.entries(accessIn(dirname(path))).map(([name, access]) =>
        [name, access.split(" ")[0]] as const
      );
      assert(modes.length > 8, `${modes.length} files`);
      for (const [name, mode] of modes) {
        const isFolder = name.endsWith(".logs") || /replaced-[^/]*$/.test(name);
        assertEquals(mode, isFolder ? "700" : "600", name);
      }
    }),
});

Deno.test({
  name: "files to come get the mode that the queue was given with chmod",
  ignore: IS_WINDOWS,
  fn: () =>
    withTemporaryPath(async (path) => {
      await use(path, (queue) => queue.enqueue({ type: "t" }));
      await changeAll(path, (file) => Deno.chmod(file, 0o660));
      await makeEveryFile(path);
      for (const [name, access] of Object.entries(accessIn(dirname(path)))) {
        const isFolder = name.endsWith(".logs") || /replaced-[^/]*$/.test(name);
        assertEquals(access.split(" ")[0], isFolder ? "770" : "660", name);
      }
    }),
});

Deno.test({
  name: "what root does on a service's queue leaves every file to the service",
  ignore: IS_WINDOWS || !isRoot(),
  fn: () =>
    withTemporaryPath(async (path) => {
      await use(path, (queue) => queue.enqueue({ type: "t" }));
      for (const lock of ["commit", "open"]) await Deno.remove(`${path}.${lock}.lock`);
      await changeAll(path, (file) => Deno.chown(file, SERVICE.uid, SERVICE.gid));
      await makeEveryFile(path);
      for (const [name, access] of Object.entries(accessIn(dirname(path)))) {
        assertEquals(access.split(" ")[1], `${SERVICE.uid}:${SERVICE.gid}`, name);
      }
    }),
});

Deno.test({
  name: "a backup that is there already is left alone",
  fn: () =>
    withTemporaryPath(async (path) => {
      await Deno.writeTextFile(`${path}.old`, "kept");
      await use(path, (queue) =>
        assertRejects(
          () => queue.backup(`${path}.old`),
          StorageError,
          "it is there already",
        ));
      assertEquals(await Deno.readTextFile(`${path}.old`), "kept");
    }),
});
