import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { brieflyPatient, patiently } from "../../src/platform/patience.ts";

const HELD = new Error("The process cannot access the file (os error 32): open 'q.db'");
const DENIED = new Error("Access is denied. (os error 5): rename 'q.db'");

/** Fails with `error` so many times, then gives how often it was called. */
function failing(error: Error, times: number): () => number {
  let calls = 0;
  return () => {
    if (++calls <= times) throw error;
    return calls;
  };
}

/** Options with pauses that take no time, and how long they would have taken. */
function noTime(): {
  readonly isWindows: true;
  pause(ms: number): Promise<void>;
  waitedMs: number;
} {
  const options = {
    isWindows: true as const,
    waitedMs: 0,
    pause: (ms: number) => {
      options.waitedMs += ms;
      return Promise.resolve();
    },
  };
  return options;
}

Deno.test("patiently() waits for a file that another program holds, for a minute", async () => {
  const options = noTime();
  assertEquals(await patiently(failing(HELD, 300), options), 301);
  assert(options.waitedMs > 20_000, `${options.waitedMs} ms`);
  const endless = noTime();
  await assertRejects(() => patiently(failing(HELD, Infinity), endless), Error, "os error 32");
  assert(endless.waitedMs >= 60_000 && endless.waitedMs < 61_000, `${endless.waitedMs} ms`);
});

Deno.test("patiently() takes access denied for passing when a file is renamed, and for final else", async () => {
  assertEquals(await patiently(failing(DENIED, 3), { ...noTime(), isRenaming: true }), 4);
  await assertRejects(() => patiently(failing(DENIED, 3), noTime()), Error, "os error 5");
});

Deno.test("patiently() and brieflyPatient() try nothing again where files are not held, or for another reason", async () => {
  const onLinux = { ...noTime(), isWindows: false };
  await assertRejects(() => patiently(failing(HELD, 1), onLinux), Error, "os error 32");
  assertThrows(() => brieflyPatient(failing(HELD, 1), onLinux), Error, "os error 32");
  const missing = new Error("No such file (os error 2)");
  await assertRejects(() => patiently(failing(missing, 1), noTime()), Error, "os error 2");
  assertThrows(() => brieflyPatient(failing(missing, 1), noTime()), Error, "os error 2");
});

Deno.test("brieflyPatient() tries again a few times", () => {
  assertEquals(brieflyPatient(failing(HELD, 2), noTime()), 3);
  assertThrows(() => brieflyPatient(failing(HELD, Infinity), noTime()), Error, "os error 32");
});
