/**
 * Programs without a watcher, as a compiled program has them that does not serve as one.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { executeModule } from "../../src/patterns/execute_module.ts";
import { processesUnder } from "../../src/platform/deno_processes.ts";
import { until } from "../support/until.ts";
import { FAMILY, FAMILY_SIZE, familyPids, isAnyAlive, withScripts } from "./scripts.ts";

const alone = processesUnder(() => undefined);

Deno.test("without a watcher too, all output arrives, and the exit code is the program's", async () => {
  const script = `
    const text = await new Response(Deno.stdin.readable).text();
    console.log("x".repeat(1_000_000));
    console.error(text.length);
    Deno.exit(5);
  `;
  await withScripts({ "loud.mjs": script }, async (folder) => {
    const request = { script: "loud.mjs", folder, stdin: "y".repeat(300_000) };
    const { exitCode, stdout, stderr } = await executeModule(alone, request);
    assertEquals([exitCode, stdout.length, stderr.trim()], [5, 1_000_001, "300000"]);
  });
});

Deno.test("without a watcher too, cancelling ends the program with all that it started", async () => {
  await withScripts(FAMILY, async (folder) => {
    const controller = new AbortController();
    const { signal } = controller;
    const running = executeModule(alone, { script: "family.mjs", folder }, { signal });
    running.catch(() => {});
    await until(
      async () => (await familyPids(folder)).length === FAMILY_SIZE,
      "the family",
    );
    const pids = await familyPids(folder);
    assert(await isAnyAlive(pids));
    controller.abort();
    await assertRejects(() => running, DOMException);
    assertEquals(await isAnyAlive(pids), false);
  });
});

Deno.test({
  name: "without a watcher too, a program that the system will not start is an error that says why",
  ignore: Deno.build.os === "windows", // `#!` is POSIX's
  fn: () =>
    withScripts({ "broken": "#!/no/such/interpreter\n" }, async (folder) => {
      const run = () => executeModule(alone, { script: "broken", folder });
      await assertRejects(run, Error, "No such file or directory");
    }),
});
