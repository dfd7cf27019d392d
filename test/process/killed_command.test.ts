/**
 * A worker that runs commands dies by `kill -9`, at any moment: no command outlives it by more than a moment.
 */
import { assert } from "@std/assert";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openQueue } from "../../src/mod.ts";
import { withTemporaryPath } from "../support/queues.ts";
import { until } from "../support/until.ts";

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));

const KILLS = 8;

const SCRIPT = `
  Deno.writeTextFileSync("started", "x", { append: true });
  setTimeout(() => {}, Number(Deno.args[0]));
`;

Deno.test({
  name: "a worker killed while it starts and ends commands leaves none of them behind",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withTemporaryPath(async (path) => {
      const folder = dirname(path);
      await Deno.writeTextFile(join(folder, "brief.mjs"), SCRIPT);
      const module = {
        id: "brief",
        script: "brief.mjs",
        arguments: ["{ms}"],
        parameters: [{ name: "ms", type: "number", required: true }],
      };
      await Deno.writeTextFile(join(folder, "modules.json"), JSON.stringify([module]));
      const queue = await openQueue(path);
      await queue.enqueueBatch(Array.from({ length: 400 }, (_, n) => ({
        type: "brief",
        payload: { ms: n % 4 === 0 ? 60_000 : 20 },
      })));
      await queue.close();
      let seen = 0;
      for (let kill = 1; kill <= KILLS; kill++) {
        const before = await startedIn(folder);
        const worker = startWorker(path);
        await until(async () => await startedIn(folder) >= before + 3, "commands to start", 30_000);
        seen += (await commandsOf(folder)).length;
        // Each time a little later in the life of a command.
        await new Promise((resolve) => setTimeout(resolve, kill * 7));
        worker.kill("SIGKILL");
        await worker.status;
        await until(async () => (await commandsOf(folder)).length === 0, "no command", 10_000);
      }
      assert(seen >= KILLS, `${seen} commands were seen while they ran`);
      // One that was just being started when its worker died is seen only a little later.
      await new Promise((resolve) => setTimeout(resolve, 500));
      await until(async () => (await commandsOf(folder)).length === 0, "no command", 10_000);
    }),
});

function startWorker(path: string): Deno.ChildProcess {
  const files = ["--modules", join(dirname(path), "modules.json")];
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      `--config=${join(CHECKOUT, "deno.json")}`,
      "--allow-all",
      join(CHECKOUT, "cli", "main.ts"),
      ...["--db", path, "worker", "--lease-ms", "1000", "--concurrency", "6", ...files],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

/** How many commands have started so far. */
async function startedIn(folder: string): Promise<number> {
  return (await Deno.readTextFile(join(folder, "started")).catch(() => "")).length;
}

/** The command lines of the commands that live. */
async function commandsOf(folder: string): Promise<string[]> {
  const ps = new Deno.Command("ps", { args: ["-A", "-ww", "-o", "stat=,args="] });
  const text = new TextDecoder().decode((await ps.output()).stdout);
  return text.split("\n").filter((line) => line.includes(join(folder, "brief.mjs")));
}
