/**
 * A large queue's files are folded in a thread, where this program may read itself.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { StorageError } from "../../src/domain/errors.ts";
import { ThreadFolding } from "../../src/platform/fold_thread.ts";
import { openEmbeddedQueue } from "../../src/compose/open_embedded.ts";
import { QUEUE_SCHEMA } from "../../src/ledger_queue/rows/schema.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import { threadsParkedIn } from "../support/parked_threads.ts";
import { programTest, thoroughTest } from "../support/thorough.ts";

const never = new AbortController().signal;
const NOWHERE = { location: "/nothing/here" };
const UP_TO = { queueId: "ab".repeat(16), sequence: 1 };

/** Counts what is folded while `act` runs. */
async function foldsIn(act: () => Promise<void>): Promise<number> {
  const { fold } = ThreadFolding.prototype;
  let count = 0;
  ThreadFolding.prototype.fold = async function (...how): ReturnType<typeof fold> {
    const image = await fold.apply(this, how);
    count++;
    return image;
  };
  try {
    await act();
  } finally {
    ThreadFolding.prototype.fold = fold;
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
      assertEquals(await foldsIn(async () => void await queue.checkpoint()), 0);
      await addMebibytes(queue, 17);
      const folds = await foldsIn(async () => {
        const [{ snapshotBytes }] = await Promise.all([
          queue.checkpoint(),
          queue.enqueue({ type: "meanwhile" }),
        ]);
        assert(snapshotBytes > 17 * 1024 * 1024, `${snapshotBytes}`);
      });
      assert(folds >= 1, `${folds}`);
      assertEquals((await queue.integrityCheck()).problems, []);
      const parked = await threadsParkedIn(async () => {
        const reader = await openEmbeddedQueue({ path, readOnly: true });
        assertEquals((await reader.stats()).total, 1 + 17 * 8 + 1);
        await reader.close();
      });
      assertEquals(parked.length, 0, "one that reads only folds nothing");
      const again = await threadsParkedIn(async () => {
        const second = await openEmbeddedQueue(path);
        await second.close();
      });
      assertEquals(again.length, 1, "a large queue is being opened");
    });
  },
);

Deno.test("a thread says why it cannot fold, and ends when it is told to", async () => {
  await withQueue(async (queue, path) => {
    await queue.enqueue({ type: "t" });
    const upTo = { queueId: "f".repeat(32), sequence: 1 };
    const folding = new ThreadFolding({ location: path }, { schema: QUEUE_SCHEMA });
    const error = await assertRejects(
      () => folding.fold(upTo, never),
      StorageError,
      "Cannot fold",
    );
    assert(error.message.includes("they are queue"), error.message);
    const abandoned = new AbortController();
    const folded = folding.fold(upTo, abandoned.signal);
    abandoned.abort(new Error("enough"));
    await assertRejects(() => folded, Error, "enough");
    await assertRejects(() => folding.fold(upTo, abandoned.signal), Error, "enough");
    await folding.close();
  });
});

Deno.test("a thread is parked in a turn of its own, as that holds this one up, and once", async () => {
  const folding = new ThreadFolding(NOWHERE, { schema: QUEUE_SCHEMA });
  const fails = (): Promise<unknown> =>
    assertRejects(() => folding.fold(UP_TO, never), StorageError);
  let failed: Promise<unknown> | undefined;
  const inThisTurn = await threadsParkedIn(async () => {
    failed = fails();
    await Promise.resolve();
  });
  assertEquals(inThisTurn.length, 0);
  const later = await threadsParkedIn(async () => {
    await failed;
    folding.prepare();
    await fails();
  });
  assertEquals(later.length, 1);
  await folding.close();
});

Deno.test("where the parked thread has ended another one is parked", async () => {
  const folding = new ThreadFolding(NOWHERE, { schema: QUEUE_SCHEMA });
  const parked = await threadsParkedIn(() => folding.prepare());
  await parked[0]!.terminate();
  const again = await threadsParkedIn(async () => {
    await assertRejects(() => folding.fold(UP_TO, never), StorageError, "here");
  });
  assertEquals([parked.length, again.length], [1, 1]);
  await folding.close();
});

programTest(
  "what was prepared for folding keeps no process alive, and neither once it has folded",
  async () => {
    const module = new URL("../../src/platform/fold_thread.ts", import.meta.url).href;
    const prepare = `import { ThreadFolding } from ${JSON.stringify(module)};
    const folding = new ThreadFolding(${JSON.stringify(NOWHERE)}, { schema: { migrations: [] } });
    folding.prepare();`;
    const fold = `await folding.fold(${JSON.stringify(UP_TO)}, new AbortController().signal)
    .catch((error) => console.log(error.message));`;
    assertEquals(await outputOf(prepare), "");
    const problem = await outputOf(prepare + fold);
    assert(problem.startsWith('Cannot fold "/nothing/here": '), problem);
  },
);

/** What a program writes that ends by itself. */
async function outputOf(code: string): Promise<string> {
  const program = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", code],
    cwd: new URL("../..", import.meta.url),
    stderr: "inherit",
    signal: AbortSignal.timeout(60_000), // ends one that does not
  });
  const { success, stdout } = await program.output();
  assert(success);
  return new TextDecoder().decode(stdout);
}
