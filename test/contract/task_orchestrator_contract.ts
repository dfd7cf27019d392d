/**
 * The contract of a TaskOrchestrator: what holds whichever back end `TASK_BACKEND` names.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import {
  type ExecuteOptions,
  type ModuleResult,
  type Run,
  type TaskBackend,
  TaskOrchestrator,
} from "../../src/mod.ts";
import { FAMILY, FAMILY_SIZE, familyPids, isAnyAlive, withScripts } from "../patterns/scripts.ts";
import { freshPlace } from "../support/engine.ts";
import { until } from "../support/until.ts";

/** An orchestrator under test, made as an application makes it. */
interface Fixture {
  readonly orchestrator: TaskOrchestrator;
  /** Where the scripts are. */
  readonly folder: string;
  /** Where the queue is, if there is one. */
  readonly queuePath: string;
  /** The run with this id. */
  run(runId: string): Promise<Run>;
}

const SCRIPTS: Readonly<Record<string, string>> = {
  ...FAMILY,
  "say.mjs": `
    console.log("said " + Deno.args.join(" "));
    console.error("careful");
    Deno.exit(Deno.args.includes("badly") ? 3 : 0);
  `,
  "stay.mjs": `
    Deno.writeTextFileSync("pids", Deno.pid + "\\n", { append: true });
    setInterval(() => {}, 1000);
  `,
  "note.mjs": `
    Deno.writeTextFileSync("notes", "x", { append: true });
    console.log("noted");
  `,
};

/** Registers the suite for a back end. */
export function taskOrchestratorContract(backend: TaskBackend): void {
  function test(behaviour: string, body: (fixture: Fixture) => Promise<void>): void {
    Deno.test(`TASK_BACKEND=${backend}: ${behaviour}`, () =>
      withScripts(
        SCRIPTS,
        (folder) => {
          const queuePath = freshPlace(folder);
          return withVariables({ TASK_BACKEND: backend, QUEUE_DB_PATH: queuePath }, async () => {
            const orchestrator = new TaskOrchestrator();
            const run = (runId: string): Promise<Run> => runOf(orchestrator, runId);
            try {
              await body({ orchestrator, folder, queuePath, run });
            } finally {
              await orchestrator.close({ graceMs: 0 });
            }
          });
        },
      ));
  }

  test("a script is executed simply unless more is asked for", async ({ orchestrator, folder }) => {
    const result = await orchestrator.execute(join(folder, "say.mjs"), { args: ["it", "badly"] });
    assertEquals(result, {
      pattern: "simple",
      exitCode: 3,
      stdout: "said it badly\n",
      stderr: "careful\n",
    });
  });

  test("with a listener its lines are streamed", async ({ orchestrator, folder }) => {
    const lines: string[] = [];
    const result = await orchestrator.execute(join(folder, "say.mjs"), {
      runId: "r1",
      onLine: ({ runId, stream, text }) => void lines.push(`${runId} ${stream} ${text.trim()}`),
    });
    const expected = { runId: "r1", exitCode: 0, lines: { stdout: 1, stderr: 1 } };
    assertEquals(result, { pattern: "streaming", ...expected });
    assertEquals(lines.sort(), ["r1 stderr careful", "r1 stdout said"]);
  });

  test("with lists of arguments it is executed concurrently, in order", async ({ orchestrator, folder }) => {
    const result = await orchestrator.execute(join(folder, "say.mjs"), {
      args: ["number"],
      argsList: [["1"], ["2", "badly"], ["3"]],
    });
    assert(result.pattern === "concurrent");
    assertEquals(
      result.results.map((outcome) =>
        outcome.status === "completed" ? [outcome.exitCode, outcome.stdout.trim()] : outcome
      ),
      [[0, "said number 1"], [3, "said number 2 badly"], [0, "said number 3"]],
    );
  });

  test("in the pool it waits for its place", async ({ orchestrator, folder }) => {
    const held = await Promise.all(
      Array.from({ length: orchestrator.pool.maxWorkers }, () => orchestrator.pool.acquire()),
    );
    const running = orchestrator.execute(join(folder, "say.mjs"), { pooled: true });
    await until(() => orchestrator.pool.waitingCount === 1, "the script to wait");
    for (const release of held) release();
    const result = await running;
    assert(result.pattern === "pooled");
    assertEquals([result.exitCode, result.stdout.trim()], [0, "said"]);
  });

  test("with an interval it is repeated until it is stopped", async ({ orchestrator, folder }) => {
    const results: ModuleResult[] = [];
    const result = await orchestrator.execute(join(folder, "note.mjs"), {
      intervalMs: 5,
      name: "notes",
      cwd: folder,
      onResult: (each) => void results.push(each),
    });
    assertEquals(result, { pattern: "periodic", name: "notes" });
    await until(() => results.length >= 3, "three times");
    await orchestrator.periodic.stop("notes");
    const { runs, errors } = orchestrator.periodic.statistics("notes");
    const notes = (await Deno.readTextFile(join(folder, "notes"))).length;
    assertEquals(errors, 0);
    assert(notes === runs || notes === runs - 1, `${notes} notes in ${runs} runs`);
    assertEquals(results[0], { exitCode: 0, stdout: "noted\n", stderr: "" });
  });

  test("an aborted signal stops what is repeated, and ends the script that runs", async ({ orchestrator, folder }) => {
    const controller = new AbortController();
    const { signal } = controller;
    const options = { intervalMs: 1, cwd: folder, name: "family", signal };
    await orchestrator.execute(join(folder, "family.mjs"), options);
    await until(
      async () => (await familyPids(folder)).length === FAMILY_SIZE,
      "the family",
    );
    const pids = await familyPids(folder);
    controller.abort();
    await orchestrator.periodic.stop();
    assertEquals(await isAnyAlive(pids), false);
    await until(() => orchestrator.periodic.statistics().length === 0, "its name to be free");
    await assertRejects(() => orchestrator.execute(join(folder, "say.mjs"), options), DOMException);
  });

  test("a run that nobody waits for is tracked to its end", async ({ orchestrator, folder, run }) => {
    const result = await orchestrator.execute(join(folder, "say.mjs"), {
      args: ["hello"],
      waitForResult: false,
    });
    assert(result.pattern === "fire-and-forget");
    const manager = await orchestrator.taskManager();
    await manager.waitAll();
    const { moduleId, parameters, ...ended } = await run(result.runId);
    assertEquals([moduleId, parameters], [
      "say.mjs",
      { script: join(folder, "say.mjs"), args: ["hello"] },
    ]);
    assertEquals([ended.status, ended.exitCode, ended.errorMessage], ["completed", 0, null]);
    assertEquals(ended.result, { exit_code: 0, stdout_tail: "said hello" });
    assert(ended.durationSeconds !== null);
  });

  test("such a run fails with the script's exit code and last words, and is not repeated", async ({ orchestrator, folder, run }) => {
    await orchestrator.execute(join(folder, "say.mjs"), {
      args: ["badly"],
      waitForResult: false,
      runId: "r1",
      moduleId: "speech",
    });
    await (await orchestrator.taskManager()).waitAll();
    const { moduleId, status, exitCode, errorMessage, attempts } = await run("r1");
    assertEquals([moduleId, status, exitCode, attempts], ["speech", "failed", 3, 1]);
    assertEquals(errorMessage, "Exit code 3: careful");
  });

  test("cancelling such a run ends its script and all that it started", async ({ orchestrator, folder, run }) => {
    await orchestrator.execute(join(folder, "family.mjs"), {
      cwd: folder,
      waitForResult: false,
      runId: "r1",
    });
    const manager = await orchestrator.taskManager();
    assert(manager.isTaskActive("r1"));
    await until(
      async () => (await familyPids(folder)).length === FAMILY_SIZE,
      "the family",
    );
    assert(await manager.cancelTask("r1"));
    const pids = await familyPids(folder);
    await until(async () => !await isAnyAlive(pids), "the family to end");
    await manager.waitAll();
    const { status, errorMessage, exitCode } = await run("r1");
    assertEquals([status, errorMessage, exitCode], ["cancelled", "Cancelled by user", null]);
  });

  test("closing ends what still runs", async ({ orchestrator, folder }) => {
    const options = { cwd: folder, waitForResult: false };
    await orchestrator.execute(join(folder, "family.mjs"), options);
    await until(
      async () => (await familyPids(folder)).length === FAMILY_SIZE,
      "the family",
    );
    const pids = await familyPids(folder);
    await orchestrator.close({ graceMs: 0 });
    await until(async () => !await isAnyAlive(pids), "the family to end");
    await assertRejects(() => orchestrator.execute("say.mjs"), Error, "is closed");
  });

  test("closing waits for scripts of every pattern, and ends those that go on after the grace time", async ({ orchestrator, folder }) => {
    const options = { cwd: folder, mode: "async" } as const;
    const script = join(folder, "stay.mjs");
    const running = [
      orchestrator.execute(script, options),
      orchestrator.execute(script, { ...options, onLine: () => {} }),
      orchestrator.execute(script, { ...options, argsList: [[]] }),
      orchestrator.execute(script, { ...options, pooled: true }),
    ];
    const ends = Promise.allSettled(running);
    const pids = (): Promise<number[]> => familyPids(folder);
    await until(async () => (await pids()).length === 4, "the scripts");
    await orchestrator.close({ graceMs: 0 });
    assertEquals(await isAnyAlive(await pids()), false);
    assertEquals((await ends).map(({ status }) => status), [
      ...["rejected", "rejected", "fulfilled", "rejected"],
    ]);
  });

  test("an aborted signal is refused, and one that aborts ends the wait for a place", async ({ orchestrator, folder }) => {
    const script = join(folder, "say.mjs");
    const reason = new Error("not now");
    const patterns = ["streaming", "fire-and-forget", "pooled", "simple"] as const;
    for (const pattern of patterns) {
      const options = { pattern, signal: AbortSignal.abort(reason) };
      assertEquals(await assertRejects(() => orchestrator.execute(script, options)), reason);
    }
    const release = await Promise.all(
      Array.from({ length: orchestrator.pool.maxWorkers }, () => orchestrator.pool.acquire()),
    );
    const controller = new AbortController();
    const waiting = orchestrator.execute(script, { pooled: true, signal: controller.signal });
    waiting.catch(() => {});
    await until(() => orchestrator.pool.waitingCount === 1, "the script to wait");
    controller.abort(reason);
    assertEquals(await assertRejects(() => waiting), reason);
    for (const giveBack of release) giveBack();
    assertEquals((await (await orchestrator.taskManager()).registry.getRecentRuns()).length, 0);
  });

  test("the most particular pattern that was asked for is taken", ({ orchestrator }) => {
    const all: ExecuteOptions = {
      intervalMs: 1,
      onLine: () => {},
      argsList: [],
      waitForResult: false,
      pooled: true,
    };
    const { intervalMs: _1, ...streaming } = all;
    const { onLine: _2, ...concurrent } = streaming;
    const { argsList: _3, ...forgotten } = concurrent;
    const { waitForResult: _4, ...pooled } = forgotten;
    const { pooled: _5, ...simple } = pooled;
    const chosen = [all, streaming, concurrent, forgotten, pooled, simple].map((options) =>
      orchestrator.choose(options)
    );
    assertEquals(chosen, [
      "periodic",
      "streaming",
      "concurrent",
      "fire-and-forget",
      "pooled",
      "simple",
    ]);
    assertEquals(orchestrator.choose({ ...all, pattern: "simple" }), "simple");
    return Promise.resolve();
  });

  test("what is missing is refused, whatever the pattern, and nothing is started or kept", async ({ orchestrator, folder, queuePath }) => {
    const patterns = ["periodic", "streaming", "fire-and-forget", "pooled", "simple"] as const;
    for (const pattern of patterns) {
      const options = { pattern, intervalMs: 1000 };
      await assertRejects(
        () => orchestrator.execute(join(folder, "none.mjs"), options),
        TypeError,
        "there is no such file",
      );
    }
    const script = join(folder, "say.mjs");
    const refused = async (options: ExecuteOptions, message: string): Promise<void> => {
      const error = await assertRejects(() => orchestrator.execute(script, options), TypeError);
      assertStringIncludes(error.message, message);
    };
    await refused({ pattern: "periodic" }, "the option intervalMs is needed");
    await refused({ pattern: "concurrent" }, "the option argsList is needed");
    for (const pattern of patterns) {
      const options = { pattern, intervalMs: 1000, mode: "dryrun" as "dry-run" };
      await refused(options, 'in mode "dryrun": allowed are async, dry-run');
    }
    await refused({ pattern: "fast" as "simple" }, "allowed are periodic, streaming");
    assertEquals(orchestrator.periodic.statistics(), []);
    await assertRejects(() => Deno.stat(queuePath), Deno.errors.NotFound);
  });

  test("a dry run runs nothing, whatever the pattern", async ({ orchestrator, folder, run }) => {
    const script = join(folder, "note.mjs");
    const mode = "dry-run";
    await orchestrator.execute(script, { mode, cwd: folder });
    await orchestrator.execute(script, { mode, cwd: folder, onLine: () => {} });
    await orchestrator.execute(script, { mode, cwd: folder, pooled: true });
    await orchestrator.execute(script, { mode, cwd: folder, argsList: [[], []] });
    await orchestrator.execute(script, { mode, cwd: folder, waitForResult: false, runId: "r1" });
    await (await orchestrator.taskManager()).waitAll();
    assertEquals((await run("r1")).status, "completed");
    assertStringIncludes(JSON.stringify((await run("r1")).result), "Would run");
    await assertRejects(() => Deno.stat(join(folder, "notes")), Deno.errors.NotFound);
  });
}

/** The run, as the orchestrator's task manager knows it. */
async function runOf(orchestrator: TaskOrchestrator, runId: string): Promise<Run> {
  const { registry } = await orchestrator.taskManager();
  const run = registry.getRun(runId);
  assert(run !== undefined, `run ${runId} is known`);
  return run;
}

async function withVariables(
  variables: Readonly<Record<string, string>>,
  body: () => Promise<void>,
): Promise<void> {
  const before = Object.keys(variables).map((name) => [name, Deno.env.get(name)] as const);
  for (const [name, value] of Object.entries(variables)) Deno.env.set(name, value);
  try {
    await body();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
}
