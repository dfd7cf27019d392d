/**
 * A large queue's files are folded in a thread, where this program may read itself.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { StorageError } from "../../src/domain/errors.ts";
import { foldInThread } from "../../src/platform/fold_thread.ts";
import { openEmbeddedQueue } from "../../src/compose/open_embedded.ts";
import { QUEUE_SCHEMA } from "../../src/ledger_queue/rows/schema.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import { thoroughTest } from "../support/thorough.ts";

const never = new AbortController().signal;

/** Counts the threads that are started while `act` runs. */
async function threadsIn(act: () => Promise<void>): Promise<number> {
  const real = globalThis.Worker;
  let count = 0;
  globalThis.Worker = class extends real {
    constructor(...how: ConstructorParameters<typeof Worker>) {
      super(...how);
      count++;
    }
  };
  try {
    await act();
  } finally {
    globalThis.Worker = real;
  }
  return count;
}

async function withQueue(
  use: (queue: EmbeddedQueue, path: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "queue.db");
  const fail = (error: Error): never => {
    throw error;
  };
  const queue = await openEmbeddedQueue({ path, onBackgroundError: fail });
  try {
    await use(queue, path);
  } finally {
    await queue.close();
    await Deno.remove(folder, { recursive: true });
  }
}

async function addMebibytes(queue: EmbeddedQueue, mebibytes: number): Promise<void> {
  const text = "x".repeat(128 * 1024 - 100);
  for (let i = 0; i < mebibytes; i++) {
    await queue.enqueueBatch(Array.from({ length: 8 }, () => ({ type: "t", payload: text })));
  }
}

thoroughTest(
  "a checkpoint of a large queue is made in a thread, that of a small one is not",
  async () => {
    await withQueue(async (queue, path) => {
      await queue.enqueue({ type: "t" });
      assertEquals(await threadsIn(async () => void await queue.checkpoint()), 0);
      await addMebibytes(queue, 17);
      assert(
        await threadsIn(async () => {
          const [{ snapshotBytes }] = await Promise.all([
            queue.checkpoint(),
            queue.enqueue({ type: "meanwhile" }),
          ]);
          assert(snapshotBytes > 17 * 1024 * 1024, `${snapshotBytes}`);
        }) >= 1,
      );
      assertEquals((await queue.integrityCheck()).problems, []);
      const reader = await openEmbeddedQueue({ path, readOnly: true });
      assertEquals((await reader.stats()).total, 1 + 17 * 8 + 1);
      await reader.close();
    });
  },
);

Deno.test("a thread says why it cannot fold, and ends when it is told to", async () => {
  await withQueue(async (queue, path) => {
    await queue.enqueue({ type: "t" });
    const upTo = { queueId: "f".repeat(32), sequence: 1 };
    const request = { path, upTo, schema: QUEUE_SCHEMA };
    const error = await assertRejects(
      () => foldInThread(request, never),
      StorageError,
      "Cannot fold",
    );
    assert(error.message.includes("they are queue"), error.message);
    const abandoned = new AbortController();
    const folded = foldInThread(request, abandoned.signal);
    abandoned.abort(new Error("enough"));
    await assertRejects(() => folded, Error, "enough");
    await assertRejects(() => foldInThread(request, abandoned.signal), Error, "enough");
  });
});

Deno.test("a thread is started in a turn of its own, as that holds this one up", async () => {
  const upTo = { queueId: "ab".repeat(16), sequence: 1 };
  const request = { path: "/nothing/here", schema: QUEUE_SCHEMA, upTo };
  let failed: Promise<unknown> | undefined;
  const inThisTurn = await threadsIn(async () => {
    failed = assertRejects(() => foldInThread(request, never), StorageError);
    await Promise.resolve();
  });
  const later = await threadsIn(async () => void await failed);
  assertEquals([inThisTurn, later], [0, 1]);
});
