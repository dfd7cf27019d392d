import { assertEquals } from "@std/assert";
import { Echoes } from "../../src/remote_queue/echoes.ts";

Deno.test("a change is new once, by whichever way it comes first", () => {
  const echoes = new Echoes();
  assertEquals([echoes.answered(1, "queued"), echoes.streamed(1, "queued")], [true, false]);
  assertEquals([echoes.streamed(1, "leased"), echoes.answered(1, "leased")], [true, false]);
  assertEquals([echoes.streamed(2, "leased"), echoes.streamed(2, "leased")], [true, true]);
});

Deno.test("an echo of the last of several changes stands for all of them", () => {
  const echoes = new Echoes();
  for (const key of ["queued", "leased", "done"]) assertEquals(echoes.answered(1, key), true);
  assertEquals(echoes.streamed(1, "done"), false);
  assertEquals(echoes.streamed(1, "queued"), true, "it was queued again, by another process");
});

Deno.test("what waits for an echo is forgotten when something else comes in its place", () => {
  const echoes = new Echoes();
  assertEquals(echoes.answered(1, "10 %"), true);
  assertEquals(echoes.streamed(1, "cancelled"), true);
  assertEquals(echoes.streamed(1, "10 %"), true);
  echoes.answered(2, "queued");
  echoes.clear();
  assertEquals(echoes.streamed(2, "queued"), true);
});
