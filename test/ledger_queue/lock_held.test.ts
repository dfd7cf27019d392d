/**
 * A commit lock that somebody else holds: it is told, nothing is refused, and all goes on when it is free.
 */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { StorageError } from "../../src/domain/errors.ts";
import { openQueue } from "../../src/compose/open_queue.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";

Deno.test("a commit lock that is held is told after 5 s, and health says so, until it is free", async () => {
  const disk = new MemoryDisk();
  const clock = new FakeClock();
  const told: string[] = [];
  const queue = await openQueue({
    storage: new MemoryStorage(disk),
    clock,
    onBackgroundError: ({ message }) => told.push(message),
  });
  const lock = new MemoryStorage(disk).tryLock("commit")!;
  const enqueued = queue.enqueue({ type: "t" });
  await settle();
  assertEquals((await queue.health()).verdict, "healthy");
  await clock.advance(5001);
  assertEquals(told.length, 1);
  assertStringIncludes(told[0]!, "another process has held the commit lock for 5 s");
  assertEquals((await queue.health()).reasons.map(({ code }) => code), ["lock_held"]);
  assertEquals((await queue.health()).verdict, "degraded");
  await clock.advance(26_000);
  assertEquals((await queue.health()).verdict, "unhealthy");
  lock.release();
  assertEquals((await enqueued).created, true);
  assertEquals((await queue.health()).verdict, "healthy");
  await queue.close();
});

Deno.test("with a bound, what waits for a held lock is refused and undone, and all goes on when it is free", async () => {
  const disk = new MemoryDisk();
  const clock = new FakeClock();
  const queue = await openQueue({
    storage: new MemoryStorage(disk),
    clock,
    lockWaitMaxMs: 10_000,
    onBackgroundError: () => {},
  });
  const lock = new MemoryStorage(disk).tryLock("commit")!;
  const early = queue.enqueue({ type: "early" });
  await settle();
  const refusals = [assertRejects(() => early, StorageError, "held the commit lock for 10 s")];
  await clock.advance(10_000);
  refusals.push(
    assertRejects(() => queue.enqueue({ type: "late" }), StorageError, "nothing was changed"),
  );
  await Promise.all(refusals);
  assertEquals(await queue.count(), 0);
  lock.release();
  await settle();
  const { task } = await queue.enqueue({ type: "after" });
  assertEquals((await queue.list()).map(({ type }) => type), ["after"]);
  assertEquals(task.id, 1);
  await queue.close();
});

Deno.test("opening a queue whose commit lock is held says so after 5 s, and goes on when it is free", async () => {
  const disk = new MemoryDisk();
  const clock = new FakeClock();
  const told: string[] = [];
  const lock = new MemoryStorage(disk).tryLock("commit")!;
  const opening = openQueue({
    storage: new MemoryStorage(disk),
    clock,
    onBackgroundError: ({ message }) => told.push(message),
  });
  while (clock.pendingTimers === 0) await settle();
  await clock.advance(5001);
  assertEquals(told.length, 1);
  lock.release();
  await (await opening).close();
});
