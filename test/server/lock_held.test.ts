/**
 * A request while another process stands still with the queue's lock: it is answered, and nothing of it is done later.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { createApp } from "../../server/app.ts";
import { openQueue, systemClock } from "../../src/mod.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { NOW, readError } from "./fixture.ts";

Deno.test("POST /api/queue/enqueue answers 503 with Retry-After when the lock is held for too long", async () => {
  const disk = new MemoryDisk();
  const clock = new FakeClock();
  const queue = await openQueue({
    storage: new MemoryStorage(disk),
    clock,
    lockWaitMaxMs: 10_000,
    onBackgroundError: () => {},
  });
  const app = createApp({
    queue,
    clock: { ...systemClock, nowMs: () => Date.parse(NOW) },
    onError: () => {},
  });
  const enqueue = async (): Promise<Response> =>
    await app.request("/api/queue/enqueue", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"type":"t"}',
    });
  const lock = new MemoryStorage(disk).tryLock("commit")!;
  let answer: Response | undefined;
  const asked = enqueue().then((response) => answer = response);
  while (answer === undefined) await clock.advance(1000);
  const refused = await asked;
  assertEquals(refused.headers.get("retry-after") === null, false);
  const { detail } = await readError(refused, 503, "QUEUE_UNAVAILABLE");
  assertStringIncludes(detail, "try again");
  lock.release();
  await settle();
  assertEquals((await enqueue()).status, 201);
  assertEquals(await queue.count(), 1);
  await queue.close();
});
