/**
 * The Dockerfile of docs/deploy.md: what it starts runs as it is printed, with nothing but its folder, its queue and its variable. The
 * image itself is not built here.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { CHECKOUT, commandOf, Listener, Scratch } from "./cli_harness.ts";

/** Windows has no SIGTERM. */
const ignore = Deno.build.os === "windows";

Deno.test({
  name:
    "the printed CMD works and ends by the STOPSIGNAL, and the HEALTHCHECK says how the queue is",
  ignore,
  fn: async () => {
    await using scratch = new Scratch();
    const file = await printedDockerfile();
    const container = new Container(scratch.folder, file);
    await Deno.writeTextFile(
      join(scratch.folder, word("COPY", file)[0]!),
      "export const email = ({ payload }) => payload.to;",
    );
    assertEquals((await container.run(health(file))).code, 4, "there is no queue yet");
    const worker = container.command(JSON.parse(word("CMD", file).join(" "))).spawn();
    const err = new Listener(worker.stderr);
    await err.until("executes email");
    assertEquals((await container.run(["holdfast", "enqueue", "email"])).code, 0);
    await err.until("completed task 1");
    assertEquals((await container.run(health(file))).code, 0);
    worker.kill(word("STOPSIGNAL", file)[0] as Deno.Signal);
    assertEquals((await worker.status).code, 0);
    await Promise.all([err.ended, worker.stdout.cancel()]);
    assert((await Deno.stat(join(scratch.folder, "queue.db"))).isFile);
  },
});

/** A process as the image starts it; `/data` is a folder of the test's. */
class Container {
  readonly #folder: string;
  readonly #db: string;

  constructor(folder: string, file: string) {
    const [name, path] = word("ENV", file)[0]!.split("=");
    assertEquals([name, path], ["QUEUE_DB_PATH", "/data/queue.db"]);
    this.#folder = folder;
    this.#db = join(folder, "queue.db");
  }

  command([program, ...args]: readonly string[]): Deno.Command {
    assertEquals(program, "holdfast");
    return new Deno.Command(Deno.execPath(), {
      args: commandOf(args),
      cwd: this.#folder,
      clearEnv: true,
      env: { QUEUE_DB_PATH: this.#db, DENO_DIR: cacheFolder },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  }

  async run(command: readonly string[]): Promise<Deno.CommandOutput> {
    return await this.command(command).output();
  }
}

/** Where this Deno keeps what it has loaded: the program is run from source here. */
const cacheFolder = JSON.parse(
  new TextDecoder().decode(
    (await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output()).stdout,
  ),
).denoDir as string;

async function printedDockerfile(): Promise<string> {
  const page = await Deno.readTextFile(join(CHECKOUT, "docs", "deploy.md"));
  return /```dockerfile\r?\n([\s\S]*?)```/.exec(page)![1]!.replaceAll("\r\n", "\n");
}

function health(file: string): string[] {
  const check = word("HEALTHCHECK", file).join(" ");
  assertStringIncludes(check, "CMD [");
  return JSON.parse(check.slice(check.indexOf("[")));
}

/** What stands behind the last such instruction. */
function word(instruction: string, file: string): string[] {
  const line = file.split("\n").findLast((text) => text.startsWith(`${instruction} `));
  return line!.split(" ").slice(1);
}
