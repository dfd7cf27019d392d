import { assertEquals, assertRejects } from "@std/assert";
import { whileSound } from "../../cli/end_in_doubt.ts";
import { exitCodeOf, OpenError, RestartNeededError } from "../../cli/exit.ts";
import { aborted } from "../../cli/interrupt.ts";
import { HandlerRegistry, openQueue, StorageError } from "../../src/mod.ts";
import { tellThreadEnding } from "../../src/worker/thread_endings.ts";
import { withWorker } from "../../cli/embedded_worker.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FaultyStorage } from "../support/faulty_storage.ts";
import { MemoryStorage } from "../../src/storage/memory_storage.ts";

Deno.test("a service ends when its queue is in doubt, and says why", async () => {
  const clock = new FakeClock();
  const storage = new FaultyStorage(new MemoryStorage());
  const queue = await openQueue({ storage, clock, onBackgroundError: () => {} });
  const service = { queue, clock, signal: new AbortController().signal };
  const serving = whileSound(service, aborted);
  const refused = assertRejects(() => serving, StorageError, "open it again");
  await clock.advance(20_000);
  storage.fault = (point) => point === "sync" ? { message: "Input/output error" } : undefined;
  await assertRejects(() => queue.enqueue({ type: "t" }), StorageError);
  storage.fault = () => undefined;
  await clock.advance(10_000);
  await refused;
  await queue.close();
});

Deno.test("a service that is asked to end gives what its work gives", async () => {
  const clock = new FakeClock();
  const queue = await openQueue({ memory: true, clock });
  const asked = new AbortController();
  const serving = whileSound({ queue, clock, signal: asked.signal }, async (over) => {
    await aborted(over);
    return "served";
  });
  asked.abort();
  assertEquals(await serving, "served");
  await queue.close();
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("a service whose queue cannot be read for 30 s ends, and says why", async () => {
  const clock = new FakeClock();
  const storage = new FaultyStorage(new MemoryStorage());
  const queue = await openQueue({ storage, clock, onBackgroundError: () => {} });
  const unreadable = new StorageError("read", "queue.db", "Permission denied");
  let isReadable = true;
  const reading = Object.assign(Object.create(queue) as typeof queue, {
    nextDueAt: () => isReadable ? Promise.resolve(null) : Promise.reject(unreadable),
  });
  const service = { queue: reading, clock, signal: new AbortController().signal };
  let hasEnded = false;
  const serving = whileSound(service, aborted).finally(() => hasEnded = true);
  const refused = assertRejects(() => serving, OpenError, "Permission denied");
  for (const readable of [false, true, false]) {
    assertEquals(hasEnded, false);
    isReadable = readable;
    for (let n = 0; n < 5; n++) await clock.advance(5000);
  }
  assertEquals(hasEnded, false); // 25 s, twice
  for (let n = 0; n < 3; n++) await clock.advance(5000);
  await refused;
  await queue.close();
});

Deno.test("a service ends when its process is broken, and says why", async () => {
  const clock = new FakeClock();
  const queue = await openQueue({ memory: true, clock });
  const broken = new AbortController();
  const { signal } = new AbortController();
  const serving = whileSound({ queue, clock, signal, broken: broken.signal }, aborted);
  broken.abort(new RestartNeededError("a thread goes on"));
  await assertRejects(() => serving, RestartNeededError, "a thread goes on");
  assertEquals(exitCodeOf(broken.signal.reason), 4);
  await queue.close();
});

Deno.test("a worker's process is broken when a handler's thread goes on and only its end helps", async () => {
  const queue = await openQueue({ memory: true });
  const stuck = { problem: "it goes on", isFatal: true };
  const handlers = new HandlerRegistry().register("t", (_task, context) => {
    tellThreadEnding(context, Promise.resolve(stuck));
  });
  await queue.enqueue({ type: "t" });
  const reason = await withWorker(
    { queue, handlers, graceMs: () => 0 },
    async (_worker, broken) => {
      await aborted(broken);
      return broken.reason;
    },
  );
  await queue.close();
  assertEquals(exitCodeOf(reason), 4);
  assertEquals(reason.message, "Cannot end the thread of task 1: it goes on; start it anew");
});
