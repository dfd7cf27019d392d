/**
 * Lock files that somebody else writes to, deletes or replaces while the queue is open: whatever two processes are told is
 * stored stays stored.
 */
import { assert, assertEquals } from "@std/assert";
import { dirname, join } from "node:path";
import { StorageError } from "../../src/domain/errors.ts";
import { DenoStorage } from "../../src/platform/deno_storage.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import { withTemporaryPath } from "../support/queues.ts";
import { openStill } from "./scenarios.ts";
import { Told } from "./told.ts";

const ROUNDS = 40;
const LOCKS = ["commit", "checkpoint"];

/** What is done to a lock file while one process has the queue open, before another opens it. */
const MISDEEDS: Record<string, (lockFile: string) => Promise<void>> = {
  "filled with garbage": (lockFile) => Deno.writeTextFile(lockFile, "garbage".repeat(1000)),
  "emptied": (lockFile) => Deno.truncate(lockFile),
  "deleted": (lockFile) => Deno.remove(lockFile),
  "replaced": async (lockFile) => {
    await Deno.writeTextFile(`${lockFile}.other`, "garbage");
    await Deno.rename(`${lockFile}.other`, lockFile);
  },
};

for (const [misdeed, commit] of Object.entries(MISDEEDS)) {
  Deno.test({
    name: `lock files that are ${misdeed} while the queue is open lose nothing`,
    sanitizeOps: true,
    sanitizeResources: true,
    fn: () => withTemporaryPath((path) => loseNothing(path, commit)),
  });
}

Deno.test({
  name: "a queue whose whole folder is deleted while it is open acknowledges nothing more",
  sanitizeOps: true,
  sanitizeResources: true,
  fn: () =>
    withTemporaryPath(async (outer) => {
      const path = join(dirname(outer), "folder", "queue.db");
      const told = new Told();
      const queue = await openStill(new DenoStorage(path));
      assert(await enqueue(told, queue, "before"));
      await Deno.remove(dirname(path), { recursive: true });
      assertEquals(await enqueue(told, queue, "into the void"), false);
      assert(told.refusals[0] instanceof StorageError);
      await told.answerOf(() => queue.close());
    }),
});

/** Two processes write at the same moments, one with the old lock file open, one with the new; both checkpoint. */
async function loseNothing(
  path: string,
  misdeed: (lockFile: string) => Promise<void>,
): Promise<void> {
  const told = new Told();
  const one = await openStill(new DenoStorage(path));
  await enqueue(told, one, "before");
  for (const lock of LOCKS) await misdeed(`${path}.${lock}.lock`);
  const other = await openStill(new DenoStorage(path));
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all([
      enqueue(told, one, `one ${round}`),
      enqueue(told, other, `other ${round}`),
    ]);
    if (round % 10 === 5) {
      await Promise.all([one, other].map((queue) => told.answerOf(() => queue.checkpoint())));
    }
  }
  assertEquals(told.refusals, []);
  for (const queue of [one, other]) {
    told.check(await queue.list({ limit: 1000 }), "a process that wrote");
    await queue.close();
  }
  const again = await openStill(new DenoStorage(path));
  told.check(await again.list({ limit: 1000 }), "a healthy process");
  await again.close();
}

function enqueue(told: Told, queue: EmbeddedQueue, runId: string): Promise<boolean> {
  return told.enqueue(runId, () => queue.enqueue({ type: "t", runId }));
}
