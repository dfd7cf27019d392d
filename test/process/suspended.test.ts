/**
 * A process that stands still: it is neither dead nor at work, and wakes up in a world that went on without it.
 */
import { assertEquals } from "@std/assert";
import { openQueueHere, Program, QueueFolder, waitFor } from "./support.ts";

const LEASE_MS = 300;
const CHECKPOINTS = 3;
const IS_WINDOWS = Deno.build.os === "windows";

if (IS_WINDOWS) {
  console.log("skipped, Windows has no SIGSTOP: a suspended process (suspended.test.ts)");
}

Deno.test({
  name: "a lease holder that was suspended beyond its lease cannot complete its task any more",
  ignore: IS_WINDOWS,
  fn: async () => {
    await using folder = new QueueFolder();
    await using queue = await openQueueHere({ path: folder.path });
    const { task: { id } } = await queue.enqueue({ type: "t" });
    await using holder = new Program("lease_holder", folder.path, String(LEASE_MS));
    const { leaseToken } = await holder.report("claimed", id);
    holder.suspend();
    await holder.say("complete");
    const heir = await waitFor(async () => {
      return (await queue.claim({ workerId: "heir", types: ["t"] }))[0];
    }, "the task claimed by an heir");
    assertEquals([heir.id, heir.attempts, heir.leaseToken], [id, 2, leaseToken + 1]);
    holder.resume();
    assertEquals((await holder.report("refused", id)).code, "lease_lost");
    assertEquals((await queue.get(id))?.lockedBy, "heir");
    await queue.complete(heir, "from the heir");
    await holder.stop();
    const finished = await queue.get(id);
    assertEquals([finished?.status, finished?.result], ["completed", "from the heir"]);
  },
});

Deno.test({
  name: "a lease holder that was suspended within its lease completes its task",
  ignore: IS_WINDOWS,
  fn: async () => {
    await using folder = new QueueFolder();
    await using queue = await openQueueHere({ path: folder.path });
    const { task: { id } } = await queue.enqueue({ type: "t" });
    await using holder = new Program("lease_holder", folder.path, "60000");
    await holder.report("claimed", id);
    holder.suspend();
    await holder.say("complete");
    await queue.enqueue({ type: "other" });
    assertEquals(await queue.claim({ workerId: "heir", types: ["t"] }), []);
    holder.resume();
    assertEquals((await holder.report("refused", id)).code, null);
    await holder.stop();
    assertEquals((await queue.get(id))?.result, "from the holder");
  },
});

Deno.test({
  name:
    "a process that was suspended while others made checkpoints sees everything when it wakes up",
  ignore: IS_WINDOWS,
  fn: async () => {
    await using folder = new QueueFolder();
    await using queue = await openQueueHere({ path: folder.path });
    await using sleeper = new Program("looker", folder.path);
    await sleeper.say("go");
    await sleeper.report("seen");
    sleeper.suspend();
    for (let n = 1; n <= CHECKPOINTS; n++) {
      await queue.enqueue({ type: "anything" });
      await queue.checkpoint();
    }
    sleeper.resume();
    await sleeper.say("first");
    await sleeper.say("second");
    await sleeper.until(() => sleeper.reports("seen")[4], "what it sees in the end");
    const seen = sleeper.reports("seen").map(({ tasks }) => tasks);
    assertEquals(seen, [0, CHECKPOINTS, CHECKPOINTS + 1, CHECKPOINTS + 1, CHECKPOINTS + 2]);
    await sleeper.stop();
    assertEquals(await queue.count(), CHECKPOINTS + 2);
  },
});
