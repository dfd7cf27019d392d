/**
 * What a process remembers of answers that nothing can be claimed.
 */
import { assertEquals } from "@std/assert";
import { Quiet } from "../../src/postgres_queue/quiet.ts";
import { FakeClock } from "../support/fake_clock.ts";

Deno.test("an instant that has come since an empty answer is still told, so that a worker wakes for it", () => {
  const clock = new FakeClock();
  const hearing = { isListening: true, changes: 3 };
  const quiet = new Quiet(clock, () => hearing);
  const opensAtMs = clock.nowMs() + 5;
  quiet.note("mail", quiet.changes, opensAtMs);
  assertEquals([quiet.isEmpty("mail"), quiet.nextDue()], [true, { atMs: opensAtMs }]);
  clock.jump(5);
  assertEquals([quiet.isEmpty("mail"), quiet.nextDue()], [false, { atMs: opensAtMs }]);
  hearing.changes++;
  assertEquals([quiet.isEmpty("mail"), quiet.nextDue()], [false, undefined]);
});

Deno.test("an empty answer is believed for two seconds at most, and only while the process hears", () => {
  const clock = new FakeClock();
  let isListening = true;
  const quiet = new Quiet(clock, () => ({ isListening, changes: 0 }));
  quiet.note("mail", 0, undefined);
  assertEquals([quiet.isEmpty("mail"), quiet.nextDue()], [true, { atMs: undefined }]);
  isListening = false;
  assertEquals([quiet.isEmpty("mail"), quiet.nextDue()], [false, undefined]);
  isListening = true;
  clock.jump(2000);
  assertEquals([quiet.isEmpty("mail"), quiet.nextDue()], [false, undefined]);
});
