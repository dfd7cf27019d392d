/**
 * Command modules from the command line: `--modules` of `worker`, `run` and `serve`.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { dirname, join } from "node:path";
import { FAMILY, FAMILY_SIZE, familyPids, isAnyAlive } from "../patterns/scripts.ts";
import { until } from "../support/until.ts";
import { HANDLERS, holdfast, holdfastProcess, Listener, Scratch } from "./cli_harness.ts";
import { startInterruptible } from "./interruptible.ts";

const GREET = `
  console.log("hello " + Deno.args[0]);
  if (Deno.args[0] === "nobody") {
    console.error("there is nobody");
    Deno.exit(7);
  }
`;

const WAIT = `
  Deno.writeTextFileSync("begun", "");
  while (!await Deno.stat("go").then(() => true, () => false)) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  console.log("in peace");
`;

const MODULES = {
  modules: [
    {
      id: "greet",
      script: "greet.mjs",
      arguments: ["{name}"],
      retry: { max_attempts: 1 },
      parameters: [{ name: "name", type: "text", required: true }],
    },
    { id: "family", script: "family.mjs" },
    { id: "wait", script: "wait.mjs" },
  ],
};

/** Runs `test` with a queue in a folder that also holds the modules. */
async function withModules(
  test: (scratch: Scratch, modules: string) => Promise<void>,
): Promise<void> {
  await using scratch = new Scratch();
  const modules = scratch.path("modules.json");
  await Deno.writeTextFile(modules, JSON.stringify(MODULES));
  await Deno.writeTextFile(scratch.path("greet.mjs"), GREET);
  await Deno.writeTextFile(scratch.path("wait.mjs"), WAIT);
  await Deno.writeTextFile(scratch.path("family.mjs"), FAMILY["family.mjs"]!);
  await test(scratch, modules);
}

Deno.test("run --modules runs a command module, shows its lines, and exits by its outcome", () =>
  withModules(async (scratch, modules) => {
    const run = (name: string) =>
      scratch.run(["run", "greet", "--payload", JSON.stringify({ name }), "--modules", modules]);
    const good = await run("you");
    assertEquals(good.code, 0);
    assertStringIncludes(good.err, "hello you");
    assertEquals(JSON.parse(good.out), { exit_code: 0, stdout_tail: "hello you" });
    const bad = await run("nobody");
    assertEquals(bad.code, 1);
    assertStringIncludes(bad.err, "Exit code 7: there is nobody");
    const wrong = await scratch.run(["run", "greet", "--modules", modules]);
    assertEquals(wrong.code, 2);
    assertStringIncludes(wrong.err, "payload.name: Required");
  }));

Deno.test("worker --modules executes modules beside handlers, and needs one of them", () =>
  withModules(async (scratch, modules) => {
    await scratch.run(["enqueue", "greet", "--payload", '{"name":"all"}']);
    await scratch.run(["enqueue", "echo", "--payload", '{"a":1}']);
    const files = ["--handlers", HANDLERS, "--modules", modules];
    const worked = await scratch.run(["worker", ...files, "--until-empty"]);
    assertEquals(worked.code, 0, worked.err);
    assertEquals((await scratch.json(["show", "1"])).doc.result, {
      exit_code: 0,
      stdout_tail: "hello all",
    });
    assertEquals((await scratch.json(["show", "2"])).doc.status, "completed");
    assertStringIncludes((await scratch.run(["logs", "1"])).out, "hello all");
    const idle = await scratch.run(["worker", "--until-empty"]);
    assertEquals(idle.code, 2);
    assertStringIncludes(
      idle.err,
      "Cannot work without handlers: write handlers.ts here, or name a file by --handlers FILE",
    );
    const wrong = await scratch.run(["worker", "--modules", scratch.path("greet.mjs")]);
    assertEquals(wrong.code, 2);
    assertStringIncludes(wrong.err, "Cannot load modules from");
  }));

Deno.test("✗ killed at once: a command that runs at Ctrl-C has the worker's grace time", () =>
  withModules(async (scratch, modules) => {
    await scratch.run(["enqueue", "wait"]);
    const worker = startInterruptible(["--db", scratch.db, "worker", "--modules", modules]);
    const [out, err] = [new Listener(worker.stdout), new Listener(worker.stderr)];
    const hasBegun = () => Deno.stat(scratch.path("begun")).then(() => true, () => false);
    await until(hasBegun, "the command to begin");
    await worker.interrupt();
    await err.until("stopping:");
    await Deno.writeTextFile(scratch.path("go"), "");
    assertEquals((await worker.status).code, 0);
    await Promise.all([out.ended, err.ended]);
    const { doc } = await scratch.json(["show", "1"]);
    assertEquals([doc.status, doc.result], [
      "completed",
      { exit_code: 0, stdout_tail: "in peace" },
    ]);
  }));

Deno.test("when a worker is killed, the command that it ran ends with all that it started", () =>
  withModules(async (scratch, modules) => {
    await scratch.run(["enqueue", "family"]);
    const worker = holdfastProcess(["--db", scratch.db, "worker", "--modules", modules], {
      stdout: "null",
      stderr: "null",
    }).spawn();
    const folder = dirname(modules);
    await until(
      async () => (await familyPids(folder)).length === FAMILY_SIZE,
      "the family",
    );
    const pids = await familyPids(folder);
    assert(await isAnyAlive(pids));
    worker.kill("SIGKILL");
    const killedAtMs = performance.now();
    await worker.status;
    await until(async () => !await isAnyAlive(pids), "all of the family to end");
    const endedMs = Math.round(performance.now() - killedAtMs);
    console.log(
      `killed worker: its command's ${FAMILY_SIZE} processes were gone after ${endedMs} ms`,
    );
    assertEquals((await scratch.json(["show", "1"])).doc.status, "leased");
  }));

Deno.test("the command line itself can be a watcher, as a compiled one must be", async () => {
  await using scratch = new Scratch();
  await Deno.writeTextFile(scratch.path("family.mjs"), FAMILY["family.mjs"]!);
  const watcher = holdfastProcess(["__holdfast_process_watcher"], { stdin: "piped" }).spawn();
  const program = {
    file: Deno.execPath(),
    args: ["run", "--allow-all", "family.mjs"],
    cwd: scratch.folder,
    environment: null,
    stdin: null,
  };
  const lifeline = watcher.stdin.getWriter();
  await lifeline.write(new TextEncoder().encode(`${JSON.stringify({ program, mark: "mark" })}\n`));
  const { folder } = scratch;
  await until(async () => (await familyPids(folder)).length === FAMILY_SIZE, "the family");
  const pids = await familyPids(folder);
  await lifeline.close();
  const { code, stdout } = await watcher.output();
  assertStringIncludes(new TextDecoder().decode(stdout), "generation 0");
  assert(code !== 0, `exit code ${code}`);
  assertEquals(await isAnyAlive(pids), false);
});

Deno.test("serve --modules lists and runs modules without any handler file", () =>
  withModules(async (scratch, modules) => {
    const interrupt = new AbortController();
    const listening = Promise.withResolvers<string>();
    const onErr = (text: string): void => {
      const url = /listening on (\S+)/.exec(text)?.[1];
      if (url !== undefined) listening.resolve(url);
    };
    const serving = holdfast(
      ["--db", join(scratch.folder, "queue.db"), "serve", "--port", "0", "--modules", modules],
      { interrupt: interrupt.signal, onErr },
    );
    const url = await listening.promise;
    const listed = await (await fetch(`${url}/api/modules`)).json();
    assertEquals(listed.modules.map(({ id }: { id: string }) => id), ["greet", "family", "wait"]);
    const accepted = await fetch(`${url}/api/modules/greet/run`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ parameters: { name: "nobody" } }),
    });
    const { run_id } = await accepted.json();
    let run: { status: string; exit_code: number | null; error_message: string | null };
    await until(
      async () => {
        run = await (await fetch(`${url}/api/runs/${run_id}`)).json();
        return run.status === "failed";
      },
      "the run to fail",
      20_000,
    );
    assertEquals([run!.exit_code, run!.error_message], [7, "Exit code 7: there is nobody"]);
    interrupt.abort();
    assertEquals((await serving).code, 0);
  }));
