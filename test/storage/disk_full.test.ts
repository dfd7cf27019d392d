/**
 * A disk that is really full: a small tmpfs, where this machine lets us mount one.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { StorageError } from "../../src/domain/errors.ts";
import { openEmbeddedQueue } from "../../src/mod.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";

const DISK_BYTES = 1024 * 1024;

/** Mounting is for root on Linux; elsewhere the faults of `ledger.test.ts` stand for it. */
const isAbleToMount = Deno.build.os === "linux" && await canMount();

Deno.test({
  name:
    "on a full disk enqueue is refused with operation and path, nothing changes, and space makes it work again",
  ignore: !isAbleToMount,
  fn: () =>
    withSmallDisk(async (folder) => {
      const path = join(folder, "queue.db");
      const ballast = join(folder, "ballast");
      await Deno.writeFile(ballast, new Uint8Array(DISK_BYTES * 0.7));
      const queue = await openEmbeddedQueue(path);
      const acknowledged = await fillDisk(queue);
      assert(acknowledged > 5, `${acknowledged} tasks fitted`);
      const error = await assertRejects(() => enqueue(queue), StorageError, "No space left");
      assertEquals([error.operation, error.path], ["append to", `${path}.journal-1`]);
      assertEquals((await queue.stats()).total, acknowledged);
      await assertRejects(() => queue.checkpoint(), StorageError);
      const other = await openEmbeddedQueue({ path, onBackgroundError: () => {} });
      assertEquals((await other.stats()).total, acknowledged);
      await other.close().catch((error) => assert(error instanceof StorageError, String(error)));
      await Deno.remove(ballast);
      await enqueue(queue);
      assertEquals((await queue.checkpoint()).removedSegments > 0, true);
      await queue.close();
      const again = await openEmbeddedQueue(path);
      assertEquals((await again.stats()).total, acknowledged + 1);
      await again.close();
    }),
});

function enqueue(queue: TaskQueue): Promise<unknown> {
  return queue.enqueue({ type: "t", payload: "x".repeat(20_000) });
}

/** Enqueues until the disk is full; how many tasks were acknowledged. */
async function fillDisk(queue: TaskQueue): Promise<number> {
  for (let acknowledged = 0;; acknowledged++) {
    try {
      await enqueue(queue);
    } catch (error) {
      assert(error instanceof StorageError, String(error));
      return acknowledged;
    }
  }
}

async function withSmallDisk(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "holdfast-disk-" });
  assert(await command("mount", "-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "tmpfs", folder));
  try {
    await test(folder);
  } finally {
    assert(await command("umount", "-l", folder));
    await Deno.remove(folder);
  }
}

async function canMount(): Promise<boolean> {
  const folder = await Deno.makeTempDir();
  const isMounted = await command("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder);
  if (isMounted) await command("umount", "-l", folder);
  await Deno.remove(folder);
  return isMounted;
}

async function command(name: string, ...args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(name, { args, stdout: "null", stderr: "null" }).output())
      .success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
