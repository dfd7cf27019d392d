/**
 * A run that nobody waits for, whose process dies by `kill -9`: a worker that has its module takes it over.
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadModules, openQueue, runOfTask, Worker } from "../../src/mod.ts";
import { withScripts } from "../patterns/scripts.ts";
import { until } from "../support/until.ts";

const MAIN = new URL("../../src/mod.ts", import.meta.url).href;
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));

/** It waits for ever, unless somebody else is to do the work. */
const WORK = `
  Deno.writeTextFileSync("begun", "");
  if (Deno.args[0] === "wait") setInterval(() => {}, 1000);
  else console.log("done for " + Deno.args[0]);
`;

const STARTER = `
  import { TaskOrchestrator } from ${JSON.stringify(MAIN)};
  const orchestrator = new TaskOrchestrator({
    taskManager: { taskBackend: "queue", queueDbPath: "queue.db", worker: { leaseDurationMs: 1000 } },
  });
  await orchestrator.execute("work.mjs", {
    args: ["wait"],
    waitForResult: false,
    runId: "r1",
    moduleId: "work",
    parameters: { name: "you" },
  });
`;

const MODULE = {
  id: "work",
  script: "work.mjs",
  arguments: ["{name}"],
  parameters: [{ name: "name", type: "text", required: true }],
};

Deno.test("when the process that started it is killed, a worker with its module runs it again", async () => {
  const files = {
    "work.mjs": WORK,
    "starter.ts": STARTER,
    "modules.json": JSON.stringify([MODULE]),
  };
  await withScripts(files, async (folder) => {
    const starter = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", `--config=${CONFIG}`, "--allow-all", "starter.ts"],
      cwd: folder,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const hasBegun = () => Deno.stat(join(folder, "begun")).then(() => true, () => false);
    await until(hasBegun, "the script to begin");
    starter.kill("SIGKILL");
    await starter.status;

    const queue = await openQueue(join(folder, "queue.db"));
    const handlers = await loadModules(join(folder, "modules.json"));
    const worker = new Worker({ queue, handlers });
    worker.start();
    try {
      const status = async () => (await queue.getByRunId("r1"))?.status;
      await until(async () => await status() === "completed", "the run to complete");
      const task = (await queue.getByRunId("r1"))!;
      assertEquals([task.attempts, runOfTask(task).exitCode], [2, 0]);
      assertEquals(task.result, { exit_code: 0, stdout_tail: "done for you" });
    } finally {
      await worker.stop();
      await queue.close();
    }
  });
});
