/**
 * The system's clock: it waits as long as it is told, also longer than `setTimeout` can.
 */
import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../src/domain/clock.ts";

const DAY_MS = 24 * 3_600_000;
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

/** Runs `test` with a function that fires the earliest pending `setTimeout` and gives its delay; 0 when there is none. */
function withTimeouts(test: (fireNext: () => number) => void): void {
  const { setTimeout, clearTimeout } = globalThis;
  const pending = new Map<number, { readonly fire: () => void; readonly delayMs: number }>();
  let last = 0;
  Object.assign(globalThis, {
    setTimeout: (fire: () => void, delayMs: number) => {
      pending.set(++last, { fire, delayMs });
      return last;
    },
    clearTimeout: (id: number) => void pending.delete(id),
  });
  try {
    test(() => {
      const [[id, { fire, delayMs }] = [0, { fire: () => {}, delayMs: 0 }]] = pending;
      pending.delete(id);
      fire();
      return delayMs;
    });
  } finally {
    Object.assign(globalThis, { setTimeout, clearTimeout });
  }
}

for (const delayMs of [0, 5, TIMEOUT_MAX_MS, TIMEOUT_MAX_MS + 1, 60 * DAY_MS]) {
  Deno.test(`a timer of ${delayMs} ms fires once, after that time`, () => {
    withTimeouts((fireNext) => {
      let fired = 0;
      systemClock.setTimer(() => fired++, delayMs);
      let waitedMs = 0;
      while (fired === 0) {
        const stepMs = fireNext();
        assert(stepMs <= TIMEOUT_MAX_MS, `setTimeout was given ${stepMs} ms`);
        waitedMs += stepMs;
      }
      assertEquals([waitedMs, fireNext(), fired], [delayMs, 0, 1]);
    });
  });
}

Deno.test("a long timer that is cancelled half-way, and an endless one, never fire", () => {
  withTimeouts((fireNext) => {
    let fired = 0;
    const cancel = systemClock.setTimer(() => fired++, 60 * DAY_MS);
    assertEquals(fireNext(), TIMEOUT_MAX_MS);
    cancel();
    const cancelNothing = systemClock.setTimer(() => fired++, Infinity);
    assertEquals(fireNext(), 0);
    cancelNothing();
    assertEquals(fired, 0);
  });
});
