/**
 * What the fuzzing found, each with the smallest input that shows it.
 */
import { assertEquals } from "@std/assert";
import { z } from "zod";
import { createApp } from "../../server/app.ts";
import { HandlerRegistry, openQueue } from "../../src/mod.ts";
import { Scratch } from "../cli/cli_harness.ts";
import { post } from "../server/fixture.ts";

const DEEP_LEVELS = 5000;

Deno.test({
  name:
    "POST /api/modules/{id}/run refuses deeply nested parameters of a module with a recursive schema",
  fn: async () => {
    const queue = await openQueue({ memory: true });
    const handlers = new HandlerRegistry().register("tree", () => null, { payload: z.json() });
    const app = createApp({ queue, handlers, onError: () => {} });
    const deep = `{"parameters":${"[".repeat(DEEP_LEVELS)}${"]".repeat(DEEP_LEVELS)}}`;
    const response = await post(app, "/api/modules/tree/run", deep);
    await response.body?.cancel();
    await queue.close();
    assertEquals(response.status, 422);
  },
});

Deno.test({
  name:
    "POST /api/queue/enqueue keeps or refuses a compatibility pair named __proto__, and drops none",
  fn: async () => {
    const queue = await openQueue({ memory: true });
    const app = createApp({ queue });
    const body = '{"type":"t","compatibility":{"__proto__":"x"}}';
    const response = await post(app, "/api/queue/enqueue", body);
    await response.body?.cancel();
    const claimed = await queue.claim({ workerId: "w", types: ["t"] });
    await queue.close();
    assertEquals(claimed, []);
  },
});

Deno.test({
  name: "a name of a hundred emojis and one, which the queue counts as 202 characters, is refused",
  fn: async () => {
    const queue = await openQueue({ memory: true });
    const app = createApp({ queue, onError: () => {} });
    const name = "😀".repeat(101);
    const query = `type=${encodeURIComponent(name)}`;
    for (const [method, path] of [["DELETE", "/api/limits"], ["GET", "/api/queue/tasks"]]) {
      const response = await app.request(`${path}?${query}`, { method });
      await response.body?.cancel();
      assertEquals([path, response.status], [path, 422]);
    }
    const response = await post(app, "/api/queue/enqueue", JSON.stringify({ type: name }));
    await response.body?.cancel();
    await queue.close();
    assertEquals(response.status, 422);
  },
});

Deno.test({
  name: "enqueue and run make no queue for a task that they refuse",
  fn: async () => {
    for (const name of ["enqueue", "run"]) {
      await using scratch = new Scratch();
      const { code } = await scratch.run([name, "t", "--run-after", "tomorrow"]);
      assertEquals([code, [...Deno.readDirSync(scratch.folder)]], [2, []]);
    }
  },
});

Deno.test({
  name: "a command whose path goes on below a queue makes no folder in the queue's place",
  fn: async () => {
    await using scratch = new Scratch();
    await scratch.run(["enqueue", "t"]);
    await scratch.run([`--db=${scratch.db}/below`, "enqueue", "t"]);
    assertEquals((await scratch.run(["show", "1"])).code, 0);
  },
});
