/**
 * `holdfast worker`: its settings from options, environment and file, and its log.
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { HANDLERS, type Outcome, Scratch, type Surroundings } from "./cli_harness.ts";

/** Runs a worker on this queue until it is empty. */
function work(
  scratch: Scratch,
  args: readonly string[],
  surroundings?: Surroundings,
): Promise<Outcome> {
  return scratch.run(
    ["worker", "--handlers", HANDLERS, "--until-empty", ...args],
    surroundings,
  );
}

Deno.test("worker takes its settings from --config, the environment and options, the last one first", async () => {
  await using scratch = new Scratch();
  await Deno.writeTextFile(scratch.path("worker.yaml"), "worker_id: from-file\nconcurrency: 2\n");
  const config = ["--config", scratch.path("worker.yaml")];
  const environment = { HOLDFAST_WORKER_ID: "from-environment" };
  const said = async (args: string[], surroundings: Surroundings): Promise<string | undefined> =>
    /worker (\S+) executes/.exec((await work(scratch, args, surroundings)).err)?.[1];
  assertEquals(await said(config, {}), "from-file");
  assertEquals(await said(config, { environment }), "from-environment");
  assertEquals(
    await said([...config, "--worker-id", "from-option"], { environment }),
    "from-option",
  );
});

Deno.test("worker --capabilities decides which tasks it may claim", async () => {
  await using scratch = new Scratch();
  const batch = JSON.stringify({ type: "echo", compatibility: { gpu: true } });
  await scratch.run(["enqueue", "--batch", "-"], { files: { "-": batch } });
  const interrupt = AbortSignal.timeout(500);
  await scratch.run(["worker", "--handlers", HANDLERS], { interrupt });
  assertEquals((await scratch.json(["show", "1"])).doc.status, "queued");
  await work(scratch, ["--capabilities", '{"gpu":true,"zone":"b"}']);
  assertEquals((await scratch.json(["show", "1"])).doc.status, "completed");
});

Deno.test("worker --log-level writes the library's log to standard error", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "echo", "--run-id", "r-1"]);
  const { code, out, err } = await work(scratch, ["--log-level", "info", "--worker-id", "w-1"]);
  assertEquals([code, out], [0, ""]);
  assertMatch(err, /^\S+Z info holdfast\.worker Worker "?w-1"? started \{/m);
  assertMatch(err, /^\S+Z info holdfast\.worker Task 1 completed \{.*"run":"r-1".*"attempt":1/m);
  await scratch.run(["enqueue", "echo"]);
  assertEquals((await work(scratch, [])).err.includes("holdfast.worker"), false);
});

for (
  const [what, args, environment, message] of [
    ["a missing config file", ["--config", "nowhere.yaml"], {}, 'from "nowhere.yaml": '],
    [
      "a wrong variable",
      [],
      { HOLDFAST_CONCURRENCY: "many" },
      'from the environment: HOLDFAST_CONCURRENCY: "many": an integer from 1 to 1000 is needed',
    ],
    ["capabilities that are not object", ["--capabilities", "[1]"], {}, "A JSON object such as"],
    ["an unknown log level", ["--log-level", "loud"], {}, "debug, info, warning, error"],
  ] as const
) {
  Deno.test(`worker refuses ${what} with 2`, async () => {
    await using scratch = new Scratch();
    const { code, out, err } = await work(scratch, args, { environment });
    assertEquals([code, out], [2, ""]);
    assertMatch(err, /^holdfast: [^\n]+\n$/);
    assertStringIncludes(err, message);
  });
}

Deno.test("serve and run read HOLDFAST_ variables and --config as worker does", async () => {
  await using scratch = new Scratch();
  const environment = { HOLDFAST_LEASE_DURATION_MS: "soon" };
  const message = 'HOLDFAST_LEASE_DURATION_MS: "soon"';
  for (const command of [["serve", "--port", "0"], ["run", "echo", "--handlers", HANDLERS]]) {
    const refused = await scratch.run(command, { environment });
    assertEquals(refused.code, 2);
    assertStringIncludes(refused.err, message);
    const missing = await scratch.run([...command, "--config", "nowhere.toml"]);
    assertEquals(missing.code, 2);
    assertStringIncludes(missing.err, 'from "nowhere.toml"');
  }
});

Deno.test("the worker of serve takes its name from HOLDFAST_WORKER_ID", async () => {
  await using scratch = new Scratch();
  const interrupt = new AbortController();
  const { code, doc } = await scratch.json(["serve", "--port", "0", "--handlers", HANDLERS], {
    environment: { HOLDFAST_WORKER_ID: "w-serve" },
    interrupt: interrupt.signal,
    onErr: (text) => text.includes("listening on") && interrupt.abort(),
  });
  assertEquals([code, doc.worker.worker_id], [0, "w-serve"]);
});
