/**
 * `withoutRepeats`: a trouble that lasts is told once a minute, another one at once.
 */
import { assertEquals } from "@std/assert";
import { withoutRepeats } from "../../src/domain/without_repeats.ts";
import { FakeClock } from "../support/fake_clock.ts";

Deno.test("withoutRepeats() tells each message once a minute, whatever comes between", () => {
  const clock = new FakeClock();
  const told: string[] = [];
  const tell = withoutRepeats((message) => told.push(message), clock);
  for (let second = 0; second < 61; second++) {
    tell("in doubt");
    tell("no heartbeat");
    clock.jump(1000);
  }
  assertEquals(told, ["in doubt", "no heartbeat", "in doubt", "no heartbeat"]);
});

Deno.test("withoutRepeats() is not silenced by a clock that is put back", () => {
  const clock = new FakeClock();
  const told: string[] = [];
  const tell = withoutRepeats((message) => told.push(message), clock);
  tell("in doubt");
  clock.jump(-3_600_000);
  tell("in doubt");
  assertEquals(told.length, 2);
});
