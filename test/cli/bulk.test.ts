/**
 * `holdfast bulk`: what it refuses.
 */
import { assertEquals } from "@std/assert";
import { Scratch } from "./cli_harness.ts";

Deno.test("bulk without an option that says which tasks wants --all, and changes nothing", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "t"]);
  const { code, err } = await scratch.run(["bulk", "cancel"]);
  assertEquals([code, err], [
    2,
    "holdfast: --all is needed for every task; otherwise an option that says which\n",
  ]);
  assertEquals((await scratch.json(["stats"])).doc.by_status.queued, 1);
  assertEquals((await scratch.json(["bulk", "cancel", "--all"])).doc.changed, 1);
});

Deno.test("a unique key without a mode names the modes", async () => {
  await using scratch = new Scratch();
  const { code, err } = await scratch.run(["enqueue", "t", "--unique-key", "k"]);
  assertEquals([code, err], [
    2,
    "holdfast: --unique-mode is needed, too: throttle, debounce, queued, incomplete\n",
  ]);
});
