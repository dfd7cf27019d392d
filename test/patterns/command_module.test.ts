/**
 * Command modules under a worker: their output, their end, and what is left of them.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import {
  type Handler,
  type HandlerEntry,
  HandlerRegistry,
  loadModules,
  type LogLine,
  MemoryLogStore,
  openQueue,
  runOfTask,
  type Task,
  type TaskQueue,
  Worker,
} from "../../src/mod.ts";
import { until } from "../support/until.ts";
import { FAMILY, FAMILY_SIZE, familyPids, isAnyAlive, withScripts } from "./scripts.ts";

interface Fixture {
  readonly queue: TaskQueue;
  readonly folder: string;
  /** Stores a task and resolves when it is final. */
  run(type: string, payload?: unknown): Promise<Task>;
  /** What a task has logged so far. */
  logOf(taskId: number): Promise<LogLine[]>;
}

/** Knows when its handlers have ended: a worker does not wait for what it has cancelled. */
class WatchedHandlers extends HandlerRegistry {
  readonly #running: Promise<unknown>[] = [];

  override get(type: string): HandlerEntry | undefined {
    const entry = super.get(type);
    if (entry === undefined) return undefined;
    const handler: Handler = (task, context) => {
      const run = Promise.resolve(entry.handler(task, context));
      this.#running.push(run);
      return run;
    };
    return { ...entry, handler };
  }

  async ended(): Promise<void> {
    await Promise.allSettled(this.#running);
  }
}

/** Runs `test` with a worker that has these modules, in the folder of these scripts. */
function withModules(
  modules: readonly Readonly<Record<string, unknown>>[],
  scripts: Readonly<Record<string, string>>,
  test: (fixture: Fixture) => Promise<void>,
): Promise<void> {
  const files = { ...scripts, "modules.json": JSON.stringify(modules) };
  return withScripts(files, async (folder) => {
    const queue = await openQueue({
      memory: true,
      retryPolicy: { initialDelayMs: 1, maxDelayMs: 1 },
    });
    const handlers = new WatchedHandlers();
    await loadModules(join(folder, "modules.json"), handlers);
    const logs = new MemoryLogStore();
    const worker = new Worker({ queue, handlers, logs });
    worker.start();
    const run = async (type: string, payload?: unknown): Promise<Task> => {
      const { task: { id } } = await queue.enqueue({ type, payload });
      await until(async () => !/queued|leased/.test((await queue.get(id))!.status), type, 20_000);
      return (await queue.get(id))!;
    };
    const logOf = async (id: number): Promise<LogLine[]> => (await logs.read(id, 0)).lines;
    try {
      await test({ queue, folder, run, logOf });
    } finally {
      await worker.stop({ graceMs: 0 });
      await handlers.ended();
      await queue.close();
    }
  });
}

const ECHO = `
  const { MODE, SECRET } = Deno.env.toObject();
  const stdin = await new Response(Deno.stdin.readable).text();
  console.log(JSON.stringify({ args: Deno.args, stdin, cwd: Deno.cwd(), MODE, SECRET }));
`;

Deno.test("a module's program is given its parameters as arguments and on its input, in its folder", async () => {
  const module = {
    id: "echo",
    script: "echo.mjs",
    arguments: ["--text={text}", ["--size", "{size}"]],
    stdin: "parameters",
    environment_set: { MODE: "quiet" },
    parameters: [
      { name: "text", type: "text", required: true },
      { name: "size", type: "number", default: 3 },
    ],
  };
  await withModules(
    [module, { id: "bare", script: "./echo.mjs" }],
    { "echo.mjs": ECHO },
    async ({ run, folder }) => {
      Deno.env.set("SECRET", "1");
      const text = `'; echo "$HOME" & %PATH%`;
      const said = JSON.parse(tailOf(await run("echo", { text })));
      assertEquals(said, {
        args: [`--text=${text}`, "--size", "3"],
        stdin: `${JSON.stringify({ text, size: 3 })}\n`,
        cwd: folder,
        MODE: "quiet",
      });
      assertEquals(JSON.parse(tailOf(await run("bare"))), { args: [], stdin: "", cwd: folder });
      Deno.env.delete("SECRET");
    },
  );
});

Deno.test("each line is in the run's log while the program runs, with the level of its stream", async () => {
  const script = `
    console.log("first");
    console.error("second");
    while (!await Deno.stat("go").then(() => true, () => false)) await new Promise((r) => setTimeout(r, 5));
    Deno.stdout.writeSync(new Uint8Array([0x74, 0xff, 0x0d, 0x0a, 0x6c, 0x61, 0x73, 0x74]));
  `;
  await withModules(
    [{ id: "slow", script: "slow.mjs" }],
    { "slow.mjs": script },
    async (fixture) => {
      const { queue, folder, logOf } = fixture;
      const { task } = await queue.enqueue({ type: "slow" });
      await until(async () => (await logOf(task.id)).length === 2, "two lines");
      assertEquals((await queue.get(task.id))!.status, "leased");
      await Deno.writeTextFile(join(folder, "go"), "");
      await until(
        async () => (await queue.get(task.id))!.status === "completed",
        "the end",
      );
      const lines = (await logOf(task.id)).map(({ level, message }) => `${level} ${message}`);
      assertEquals(lines.slice(0, 2).sort(), ["info first", "warn second"]);
      assertEquals(lines.slice(2), ["info t\ufffd", "info last"]);
    },
  );
});

Deno.test("an exit code that is not a success fails the task, with the last words as its message", async () => {
  const script = `
    for (let i = 1; i <= 9; i++) console.error("complaint " + i + "\\n");
    Deno.exit(Number(Deno.args[0]));
  `;
  const common = {
    script: "fail.mjs",
    arguments: ["{code}"],
    parameters: [{ name: "code", type: "number", required: true }],
    retry: { max_attempts: 2, initial_delay_ms: 1, max_delay_ms: 1 },
  };
  const modules = [
    { id: "strict", ...common },
    { id: "lenient", ...common, success_exit_codes: [0, 3] },
  ];
  await withModules(modules, { "fail.mjs": script }, async ({ run }) => {
    const failed = await run("strict", { code: 3 });
    const words = [5, 6, 7, 8, 9].map((n) => `complaint ${n}`).join("\n");
    assertEquals([failed.status, failed.attempts], ["failed", 2]);
    assertEquals(failed.errorMessage, `Exit code 3: ${words}`);
    assertEquals([runOfTask(failed).exitCode, failed.result], [3, { exit_code: 3 }]);
    const completed = await run("lenient", { code: 3 });
    assertEquals([completed.status, completed.attempts], ["completed", 1]);
    assertEquals(runOfTask(completed).exitCode, 3);
    assertEquals(runOfTask(await run("strict", { code: 0 })).exitCode, 0);
  });
});

Deno.test("without max_attempts a failure is retried as often as the task allows", async () => {
  const script = 'Deno.writeTextFileSync("tries", "x", { append: true }); Deno.exit(1);';
  const module = {
    id: "fail",
    script: "fail.mjs",
    retry: { initial_delay_ms: 0, max_delay_ms: 1 },
  };
  await withModules([module], { "fail.mjs": script }, async ({ queue, folder }) => {
    const { task } = await queue.enqueue({ type: "fail", maxAttempts: 3 });
    await until(async () => (await queue.get(task.id))!.status === "failed", "the end");
    const failed = (await queue.get(task.id))!;
    assertEquals([failed.attempts, failed.errorMessage], [3, "Exit code 1"]);
    assertEquals(await Deno.readTextFile(join(folder, "tries")), "xxx");
  });
});

Deno.test("what is missing fails the task at once, and parameters that are wrong too", async () => {
  const modules = [
    { id: "no-script", script: "none.py" },
    { id: "no-program", command: ["no-such-program", "nor-this"] },
    { id: "no-folder", command: [Deno.execPath()], working_directory: "none" },
    {
      id: "picky",
      command: [Deno.execPath()],
      parameters: [{ name: "n", type: "number", required: true }],
    },
  ];
  await withModules(modules, {}, async ({ run }) => {
    const expected = {
      "no-script": "there is no such file",
      "no-program": 'Cannot run any of "no-such-program", "nor-this"',
      "no-folder": "there is no such folder",
      "picky": "payload.n: Required",
    };
    for (const [type, message] of Object.entries(expected)) {
      const { status, attempts, errorMessage } = await run(type);
      assertEquals([type, status, attempts], [type, "failed", 1]);
      assertStringIncludes(errorMessage!, message);
    }
  });
});

Deno.test({
  name: "✗ tried five times: a program that the system does not start fails the task at once",
  ignore: Deno.build.os === "windows", // `#!` is POSIX's
  fn: () =>
    withModules(
      [{ id: "broken", command: "./broken" }],
      { "broken": "#!/no/such/interpreter\n" },
      async ({ run }) => {
        const { status, attempts, errorMessage } = await run("broken");
        assertEquals([status, attempts], ["failed", 1]);
        assertStringIncludes(errorMessage!, "No such file or directory");
      },
    ),
});

Deno.test("cancelling a run ends its program with all that it started", async () => {
  await withModules([{ id: "family", script: "family.mjs" }], FAMILY, async ({ queue, folder }) => {
    const { task } = await queue.enqueue({ type: "family" });
    await until(
      async () => (await familyPids(folder)).length === FAMILY_SIZE,
      "the family",
    );
    const pids = await familyPids(folder);
    assert(await isAnyAlive(pids));
    assert(await queue.cancel(task.id));
    await until(async () => !await isAnyAlive(pids), "the family to end");
    assertEquals((await queue.get(task.id))!.status, "cancelled");
  });
});

Deno.test("an attempt that takes too long is ended with all that it started", async () => {
  const module = {
    id: "family",
    script: "family.mjs",
    timeout_ms: 3000,
    retry: { max_attempts: 1 },
  };
  await withModules([module], FAMILY, async ({ run, folder }) => {
    const { status, attempts, errorMessage } = await run("family");
    assertEquals([status, attempts], ["failed", 1]);
    assertStringIncludes(errorMessage!, "Timed out in attempt 1");
    const pids = await familyPids(folder);
    assert(pids.length > 0);
    await until(async () => !await isAnyAlive(pids), "the family to end");
  });
});

Deno.test("ten thousand lines are in the log, in order and whole", async () => {
  const script = 'console.log(Array.from({ length: 10_000 }, (_, i) => "line " + i).join("\\n"));';
  await withModules(
    [{ id: "many", script: "many.mjs" }],
    { "many.mjs": script },
    async (fixture) => {
      const { id, status, result } = await fixture.run("many");
      assertEquals(status, "completed");
      const messages = (await fixture.logOf(id)).map(({ message }) => message);
      assertEquals(messages, Array.from({ length: 10_000 }, (_, i) => `line ${i}`));
      const tail = (result as { stdout_tail: string }).stdout_tail.split("\n");
      assertEquals([tail.length, tail[0], tail.at(-1)], [20, "line 9980", "line 9999"]);
    },
  );
});

function tailOf(task: Task): string {
  assertEquals([task.status, task.errorMessage], ["completed", null]);
  return (task.result as { stdout_tail: string }).stdout_tail;
}
