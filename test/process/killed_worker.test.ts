/**
 * A worker dies by `kill -9`: another one takes its task over, and the dead one's lease is worth nothing.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { QueueError } from "../../src/mod.ts";
import { openQueueHere, Program, QueueFolder, waitFor } from "./support.ts";

/** So that its end need not be waited for long. */
const LEASE_MS = "1000";

Deno.test("a killed worker's task runs again in another process when its lease has ended", async () => {
  await using folder = new QueueFolder();
  await using queue = await openQueueHere({ path: folder.path });
  await using doomed = new Program("worker", folder.path, "doomed", LEASE_MS);
  await doomed.report("ready");
  const { task: { id } } = await queue.enqueue({ type: "hang_once" });
  const { leaseToken } = await doomed.report("started", id);
  await using heir = new Program("worker", folder.path, "heir", LEASE_MS);
  await heir.report("ready");
  await renewed(id);
  const killedAtMs = Date.now();
  await doomed.kill();

  const again = await heir.report("started", id);
  const takenOverMs = again.atMs - killedAtMs;
  console.log(`killed worker: its task ran again ${takenOverMs} ms after the kill`);
  assertEquals([again.attempt, again.leaseToken], [2, leaseToken + 1]);
  const lost = { taskId: id, workerId: "doomed", leaseToken };
  await refusesEverything();
  const held = await queue.get(id);
  assertEquals(
    [held?.status, held?.lockedBy, held?.attempts, held?.leaseToken],
    ["leased", "heir", 2, leaseToken + 1],
  );

  await heir.say("finish");
  assertEquals((await heir.report("ended", id)).end, "completed");
  await refusesEverything();
  await heir.stop();
  const finished = await queue.get(id);
  assertEquals([finished?.status, finished?.attempts, finished?.result], ["completed", 2, null]);

  /** The worst moment to die: the lease has just begun anew. */
  async function renewed(id: number): Promise<void> {
    const before = (await queue.get(id))?.leaseUntil?.getTime() ?? Infinity;
    await waitFor(async () => {
      const leaseUntil = (await queue.get(id))?.leaseUntil?.getTime() ?? 0;
      return leaseUntil > before || undefined;
    }, "the lease renewed");
  }

  async function refusesEverything(): Promise<void> {
    const attempts = [
      () => queue.complete(lost, "from the grave"),
      () => queue.renew(lost),
      () => queue.fail(lost, new Error("from the grave")),
      () => queue.release(lost),
    ];
    for (const attempt of attempts) {
      assertEquals((await assertRejects(attempt, QueueError)).code, "lease_lost");
    }
  }
});
