/**
 * `holdfast bulk` dies by `kill -9` in the middle: it has done a part, from the lowest id on, which the same command completes.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openQueue, type TaskQueue } from "../../src/mod.ts";
import { withTemporaryPath } from "../support/queues.ts";

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));

const TASKS = 6000;

Deno.test("a bulk cancel that is killed leaves a prefix that a second one completes", () =>
  withTemporaryPath(async (path) => {
    const queue = await openQueue(path);
    try {
      await queue.enqueueBatch(Array.from({ length: TASKS }, () => ({ type: "email" })));
      const begun = firstCancelled(queue);
      const killed = startBulk(path);
      await begun;
      killed.kill("SIGKILL");
      await killed.status;
      const [last] = await queue.list({ status: "cancelled", limit: 1 });
      const done = await queue.count({ status: "cancelled" });
      assertEquals(done, last!.id, "from the lowest id on, without a gap");
      assert(done < TASKS, "it was killed in the middle");
      const again = await startBulk(path).status;
      assertEquals(again.code, 0);
      assertEquals(await queue.count({ status: "cancelled" }), TASKS);
      for (const id of [1, done, done + 1, TASKS]) {
        const kinds = (await queue.transitions(id)).map(({ kind }) => kind);
        assertEquals(kinds, ["enqueued", "cancelled"], `task ${id}`);
      }
    } finally {
      await queue.close();
    }
  }));

function firstCancelled(queue: TaskQueue): Promise<void> {
  return new Promise((resolve) => {
    const stop = queue.watch((changes) => {
      if (typeof changes === "string" || changes[0]?.status !== "cancelled") return;
      stop();
      resolve();
    });
  });
}

function startBulk(path: string): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      `--config=${join(CHECKOUT, "deno.json")}`,
      "--allow-all",
      join(CHECKOUT, "cli", "main.ts"),
      ...["--db", path, "bulk", "cancel", "--type", "email"],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}
