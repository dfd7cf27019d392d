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

const IS_WINDOWS = Deno.build.os === "windows";
const KILLS = IS_WINDOWS ? 3 : 8; // there a worker takes seconds to start

const SCRIPT = `
  Deno.writeTextFileSync("started", Deno.pid + "\\n", { append: true });
  setTimeout(() => {}, Number(Deno.args[0]));
`;

Deno.test("a worker killed while it starts and ends commands leaves none of them behind", () =>
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
      const before = (await startedIn(folder)).length;
      const worker = startWorker(path);
      await until(
        async () => (await startedIn(folder)).length >= before + 3,
        "commands to start",
      );
      seen += (await commandsOf(folder)).length;
      // Each time a little later in the life of a command.
      await new Promise((resolve) => setTimeout(resolve, kill * 7));
      worker.kill("SIGKILL");
      await worker.status;
      await until(async () => (await commandsOf(folder)).length === 0, "no command");
    }
    assert(seen >= KILLS, `${seen} commands were seen while they ran`);
    // One that was just being started when its worker died is seen only a little later.
    await new Promise((resolve) => setTimeout(resolve, 500));
    await until(async () => (await commandsOf(folder)).length === 0, "no command");
  }));

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

/** The process ids of the commands that have started so far. */
async function startedIn(folder: string): Promise<string[]> {
  const text = await Deno.readTextFile(join(folder, "started")).catch(() => "");
  return text.split("\n").slice(0, -1);
}

/** The commands that live: their command lines, on Windows the process ids of those that have written theirs. */
async function commandsOf(folder: string): Promise<string[]> {
  if (IS_WINDOWS) {
    const living = await outputOf("tasklist", ["/NH", "/FO", "CSV"]);
    return (await startedIn(folder)).filter((pid) => living.includes(`"${pid}"`));
  }
  const text = await outputOf("ps", ["-A", "-ww", "-o", "stat=,args="]);
  return text.split("\n").filter((line) => line.includes(join(folder, "brief.mjs")));
}

async function outputOf(program: string, args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(program, { args, stderr: "null" }).output();
  // Where Windows is emulated, the list comes as UTF-16.
  return new TextDecoder().decode(stdout).replaceAll("\0", "");
}
