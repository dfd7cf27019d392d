/**
 * `holdfast run | worker | logs`: executing tasks and following them.
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { HANDLERS, Scratch } from "./cli_harness.ts";

Deno.test("run executes the task here, shows its log, and answers with its result", async () => {
  await using scratch = new Scratch();
  const { code, out, err } = await scratch.run([
    "run",
    "echo",
    ...["--payload", '{"n":1}', "--handlers", HANDLERS],
  ]);
  assertEquals([code, out], [0, '{"echoed":{"n":1}}\n']);
  assertMatch(err, /^\S+Z info +echoing \{"attempt":1\}$/m);
});

Deno.test("run --json answers with the final task and nothing else", async () => {
  await using scratch = new Scratch();
  const { code, doc } = await scratch.json(["run", "echo", "--handlers", HANDLERS]);
  assertEquals([code, doc.status, doc.attempts, doc.result], [0, "completed", 1, { echoed: {} }]);
});

Deno.test("run ends with 1 when the task fails, and says why in one line", async () => {
  await using scratch = new Scratch();
  const { code, out, err } = await scratch.run(["run", "broken", "--handlers", HANDLERS]);
  assertEquals([code, out], [1, ""]);
  assertStringIncludes(err, "holdfast: task 1 is failed: it is\\x0abroken\n");
});

Deno.test("run survives a promise that the handler left unawaited", async () => {
  await using scratch = new Scratch();
  const { code, out, err } = await scratch.run(["run", "stray", "--handlers", HANDLERS]);
  assertEquals([code, out], [0, '"finished all the same"\n']);
  assertStringIncludes(
    err,
    "a promise that nothing awaited (a handler's, most likely) rejected: nobody awaits this",
  );
});

Deno.test("run executes no other task", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "echo", "--priority", "1"]);
  assertEquals((await scratch.run(["run", "echo", "--handlers", HANDLERS])).code, 0);
  assertEquals((await scratch.json(["show", "1"])).doc.status, "queued");
});

for (
  const [what, args] of [
    ["a type without a handler", ["run", "nobody", "--handlers", HANDLERS]],
    ["a payload that the handler refuses", [
      "run",
      "strict.number",
      ...["--payload", '{"n":"1"}', "--handlers", HANDLERS],
    ]],
    ["a handler file that is missing", ["run", "echo", "--handlers", "no such file.ts"]],
  ] as const
) {
  Deno.test(`run refuses ${what} with 2 and stores nothing`, async () => {
    await using scratch = new Scratch();
    const { code, out, err } = await scratch.run([...args, "--json"]);
    assertEquals([code, out], [2, ""]);
    assertMatch(err, /^holdfast: [^\n]+\n$/);
    assertEquals((await scratch.run(["list"])).code, 4, "not even a queue was made");
  });
}

Deno.test("run ends with 130 when interrupted, and gives the task back", async () => {
  await using scratch = new Scratch();
  const interrupt = new AbortController();
  const { code, err } = await scratch.run(["run", "endless", "--handlers", HANDLERS], {
    interrupt: interrupt.signal,
    onErr: (text) => text.includes("handler started") && interrupt.abort(),
  });
  assertEquals(code, 130);
  assertStringIncludes(err, "holdfast: interrupted; task 1 stays queued\n");
  assertEquals((await scratch.json(["show", "1"])).doc.attempts, 0);
});

Deno.test("run without handlers follows what another worker does", async () => {
  await using scratch = new Scratch();
  let work: Promise<unknown> = Promise.resolve();
  const { code, out } = await scratch.run(["run", "echo"], {
    onErr: (text) => {
      if (!text.includes("is queued")) return;
      work = scratch.run(["worker", "--handlers", HANDLERS, "--until-empty"]);
    },
  });
  await work;
  assertEquals([code, out], [0, '{"echoed":{}}\n']);
});

Deno.test("worker --until-empty executes every task of its types and no other", async () => {
  await using scratch = new Scratch();
  for (const type of ["echo", "broken", "echo", "unknown"]) await scratch.run(["enqueue", type]);
  const { code, doc } = await scratch.json([
    "worker",
    ...["--handlers", HANDLERS, "--until-empty", "--worker-id", "w-1", "--concurrency", "2"],
  ]);
  const { seconds, ...counts } = doc;
  assertEquals([code, typeof seconds], [0, "number"]);
  assertEquals(counts, {
    worker_id: "w-1",
    completed: 2,
    failed: 1,
    retried: 0,
    released: 0,
    lost: 0,
    cancelled: 0,
  });
  const { by_status } = (await scratch.json(["stats"])).doc;
  assertEquals([by_status.completed, by_status.failed, by_status.queued], [2, 1, 1]);
});

Deno.test("worker writes a line per finished task", async () => {
  await using scratch = new Scratch();
  for (const type of ["echo", "broken"]) await scratch.run(["enqueue", type]);
  const { out, err } = await scratch.run(["worker", "--handlers", HANDLERS, "--until-empty"]);
  assertEquals(out, "");
  assertMatch(err, /^completed task 1 echo \(attempt 1\)$/m);
  assertMatch(err, /^failed task 2 broken \(attempt 1\)/m);
});

Deno.test("worker stops when interrupted and ends with 0", async () => {
  await using scratch = new Scratch();
  const interrupt = new AbortController();
  const { code, err } = await scratch.run(["worker", "--handlers", HANDLERS], {
    interrupt: interrupt.signal,
    onErr: (text) => text.includes("executes broken") && interrupt.abort(),
  });
  assertEquals(code, 0);
  assertMatch(err, /has stopped: 0 completed\n$/);
});

for (
  const [what, args] of [
    ["no handlers", ["worker"]],
    ["concurrency 0", ["worker", "--handlers", HANDLERS, "--concurrency", "0"]],
    ["an unknown strategy", ["worker", "--handlers", HANDLERS, "--strategy", "random"]],
    ["a lease of 10 ms", ["worker", "--handlers", HANDLERS, "--lease-ms", "10"]],
    ["a blank worker id", ["worker", "--handlers", HANDLERS, "--worker-id", " "]],
  ] as const
) {
  Deno.test(`worker refuses ${what} with 2`, async () => {
    await using scratch = new Scratch();
    const { code, out, err } = await scratch.run([...args, "--json"]);
    assertEquals([code, out], [2, ""]);
    assertMatch(err, /^holdfast: [^\n]+\n$/);
  });
}

Deno.test("logs prints what the handler said", async () => {
  await using scratch = new Scratch();
  await scratch.run(["run", "echo", "--handlers", HANDLERS, "--run-id", "r-1"]);
  const { out } = await scratch.run(["logs", "r-1"]);
  assertMatch(out, /^\S+Z info +echoing \{"attempt":1\}$/m);
  const { doc } = await scratch.json(["logs", "1"]);
  assertEquals([doc.task_id, doc.run_id], [1, "r-1"]);
  const line = doc.lines.find((line: { message: string }) => line.message === "echoing");
  assertEquals([line.level, line.attempt, line.details], ["info", 1, { attempt: 1 }]);
});

Deno.test("logs of a task that said nothing are empty", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "echo"]);
  assertEquals(await scratch.run(["logs", "1"]), { code: 0, out: "", err: "" });
});

Deno.test("logs --follow goes on until the task is final", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "echo"]);
  const following = scratch.run(["logs", "1", "-f"]);
  await scratch.run(["worker", "--handlers", HANDLERS, "--until-empty"]);
  const { code, out } = await following;
  assertEquals(code, 0);
  assertMatch(out, /^\S+Z info +echoing \{"attempt":1\}$/m);
});

Deno.test("logs --follow ends with 130 when interrupted", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "echo"]);
  const { code } = await scratch.run(["logs", "1", "-f"], { interrupt: AbortSignal.timeout(50) });
  assertEquals(code, 130);
});

Deno.test("errors called PermanentError and RetryAfterError count in a handler file that imports nothing", async () => {
  await using scratch = new Scratch();
  const handlers = scratch.path("alone.js");
  await Deno.writeTextFile(
    handlers,
    `const error = (name, more) => Object.assign(new Error("no"), { name }, more);
export function forGood() { throw error("PermanentError"); }
export function later() { throw error("RetryAfterError", { delayMs: 3_600_000 }); }
export function nonsense() { throw error("RetryAfterError", { delayMs: -1 }); }
`,
  );
  for (const type of ["forGood", "later", "nonsense"]) await scratch.run(["enqueue", type]);
  const stop = new AbortController();
  let retried = 0;
  await scratch.run(["worker", "--handlers", handlers], {
    interrupt: stop.signal,
    onErr: (text) => text.startsWith("retried") && ++retried === 2 && stop.abort(),
  });
  const tasks = (await scratch.json(["list"])).doc.tasks.toReversed();
  assertEquals(tasks.map(({ status }: { status: string }) => status), [
    "failed",
    "queued",
    "queued",
  ]);
  const waits = tasks.map((task: Record<string, string>) =>
    Date.parse(task.run_after_utc!) - Date.parse(task.updated_at_utc!)
  );
  assertEquals([waits[1], waits[2] > 0 && waits[2] < 5000], [3_600_000, true]);
});
