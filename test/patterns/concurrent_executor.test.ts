/**
 * Batches of scripts.
 */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "node:path";
import { ConcurrentExecutor, ResourcePool } from "../../src/mod.ts";
import { ConcurrentModules } from "../../src/patterns/concurrent_executor.ts";
import type { Processes, Program, RunningProgram } from "../../src/patterns/processes.ts";
import { settle } from "../support/fake_clock.ts";
import { withScripts } from "./scripts.ts";

Deno.test("a batch never rejects: each outcome stands in its place, whatever became of it", async () => {
  const files = {
    "say.mjs": "console.log(Deno.args[0]); Deno.exit(Number(Deno.args[1] ?? 0));",
    "loud.mjs": 'console.error("x".repeat(300_000)); console.log("y".repeat(300_000));',
  };
  await withScripts(files, async (folder) => {
    const say = join(folder, "say.mjs");
    const executor = new ConcurrentExecutor(3);
    const outcomes = await executor.executeBatch([
      { script: say, args: ["first"] },
      { script: join(folder, "none.mjs") },
      { script: say, args: ["third", "3"] },
      { script: say, signal: AbortSignal.abort(new Error("not now")) },
      { script: join(folder, "loud.mjs") },
      { script: "" },
    ]);
    assertEquals(outcomes.map(({ status }) => status), [
      "completed",
      "failed",
      "completed",
      "failed",
      "completed",
      "failed",
    ]);
    const [first, missing, third, aborted, loud] = outcomes;
    assert(first?.status === "completed" && third?.status === "completed");
    assertEquals([first.stdout.trim(), first.exitCode], ["first", 0]);
    assertEquals([third.stdout.trim(), third.exitCode], ["third", 3]);
    assert(missing?.status === "failed" && aborted?.status === "failed");
    assertStringIncludes(missing.errorMessage, "there is no such file");
    assertEquals(aborted.errorMessage, "not now");
    assert(loud?.status === "completed");
    assertEquals([loud.stdout.length, loud.stderr.length], [300_001, 300_001]);
    assertEquals(await executor.executeBatch([]), []);
  });
});

Deno.test("no more than maxConcurrent scripts run at the same time, over all batches", async () => {
  const processes = new CountedProcesses();
  const executor = new ConcurrentModules(processes, 4);
  const batch = Array.from({ length: 15 }, (_, n) => ({ script: `${n}` }));
  const outcomes = (await Promise.all([batch, batch].map((jobs) => executor.executeBatch(jobs))))
    .flat();
  assertEquals(processes.most, 4);
  assertEquals(outcomes.length, 30);
  assert(outcomes.every(({ status }) => status === "completed"));
});

Deno.test("a pool that others use too limits a batch further, and gets all its places back", async () => {
  const processes = new CountedProcesses();
  const pool = new ResourcePool(2);
  const executor = new ConcurrentModules(processes, 10, pool);
  const held = await pool.acquire();
  await executor.executeBatch(Array.from({ length: 8 }, (_, n) => ({ script: `${n}` })));
  assertEquals([processes.most, pool.activeCount], [1, 1]);
  held();
  await executor.executeBatch([{ script: "unknown" }, { script: "1" }]);
  await pool.drain();
  assertEquals(pool.activeCount, 0);
});

Deno.test("ten scripts at a time unless said otherwise; a limit out of its range is refused", () => {
  assertThrows(() => new ConcurrentExecutor(0), RangeError, "from 1 to 10000");
  new ConcurrentExecutor();
});

/** Programs that only take their time; `unknown` is not found. */
class CountedProcesses implements Processes {
  most = 0;
  #running = 0;

  find({ script = "", args = [] }: { script?: string; args?: readonly string[] }): Promise<
    Program
  > {
    if (script === "unknown") return Promise.reject(new TypeError("unknown"));
    return Promise.resolve({ file: script, args, cwd: ".", environment: null, stdin: null });
  }

  start(): RunningProgram {
    this.most = Math.max(this.most, ++this.#running);
    const exitCode = settle().then(() => {
      this.#running--;
      return 0;
    });
    return { stdout: nothing(), stderr: nothing(), exitCode, end: () => Promise.resolve() };
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
