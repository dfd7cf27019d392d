/**
 * `holdfast import | export | backend`.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { backendCommands } from "../../cli/backend_commands.ts";
import { showingPhases } from "../../cli/transfer_progress.ts";
import { openQueue } from "../../src/mod.ts";
import { Scratch } from "./cli_harness.ts";

const LINE = '{"id":5,"type":"a","status":"queued","created_at_utc":"2026-01-01T00:00:00Z"}';

async function filesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
}

Deno.test("import shows what a file holds, stores it, and stores it once", async () => {
  await using scratch = new Scratch();
  const lines = [
    LINE,
    LINE.replace("5", "6").replace("queued", "leased"),
    LINE.replace("5", "7").replace('"a"', '"b"').replace("queued", "completed"),
  ];
  await Deno.writeTextFile(scratch.path("tasks.ndjson"), lines.join("\r\n"));
  const { code, out, err } = await scratch.run(["import", scratch.path("tasks.ndjson")]);
  assertEquals([code, err], [0, ""]);
  assertMatch(out, /tasks\.ndjson is NDJSON with 3 tasks\n/);
  assertMatch(
    out,
    /\ntype +queued +completed +failed +cancelled\na +2 +0 +0 +0\nb +0 +1 +0 +0\nall types +2 +1 +0 +0\n/,
  );
  assertMatch(out, /\n1 were leased or in progress there and are queued here\n/);
  assertMatch(out, /\n3 tasks were added to .*(queue\.db|schema=test_\w+) and read back\n$/);
  const again = await scratch.json(["import", scratch.path("tasks.ndjson")]);
  assertEquals([again.code, again.doc.stored, again.doc.added, again.doc.present], [0, true, 0, 3]);
  assertEquals((await scratch.json(["list"])).doc.total, 3);
});

Deno.test("a refused import ends with 1 and makes no queue; --skip-invalid imports the rest", async () => {
  await using scratch = new Scratch();
  await Deno.writeTextFile(
    scratch.path("tasks.ndjson"),
    `${LINE}\n${LINE.replace("5", "6").replace('"a"', '""')}\n`,
  );
  const { code, out, err } = await scratch.run(["import", scratch.path("tasks.ndjson")]);
  assertEquals(code, 1);
  assertStringIncludes(out, "1 cannot be imported:\n  task 6: Cannot use a blank task type");
  assertEquals(
    err,
    "holdfast: nothing was imported: --clamp brings numbers and instants into range, --skip-invalid leaves these out\n",
  );
  assertEquals(await filesIn(scratch.folder), ["tasks.ndjson"]);
  const skipped = await scratch.json(["import", scratch.path("tasks.ndjson"), "--skip-invalid"]);
  assertEquals([skipped.code, skipped.doc.added, skipped.doc.problems.length], [0, 1, 1]);
});

Deno.test("import --clamp brings what is out of range into it, and says what", async () => {
  await using scratch = new Scratch();
  await Deno.writeTextFile(scratch.path("tasks.ndjson"), LINE.replace("}", ',"priority":1001}'));
  const { code, out } = await scratch.run(["import", scratch.path("tasks.ndjson"), "--clamp"]);
  assertEquals(code, 0);
  assertStringIncludes(
    out,
    "\npriority: 1 tasks were brought into range, such as task 5: 1001 became 1000\n",
  );
});

Deno.test("a dry run makes no queue, and says where ids are taken", async () => {
  await using scratch = new Scratch();
  await Deno.writeTextFile(scratch.path("tasks.ndjson"), LINE);
  const fresh = await scratch.run(["import", scratch.path("tasks.ndjson"), "--dry-run"]);
  assertEquals(fresh.code, 0);
  assertMatch(fresh.out, /\n1 tasks would be new in .*(queue\.db|schema=test_\w+)\n$/);
  assertEquals(await filesIn(scratch.folder), ["tasks.ndjson"]);
  for (let n = 0; n < 5; n++) await scratch.run(["enqueue", "own"]);
  const taken = await scratch.json(["import", scratch.path("tasks.ndjson"), "--dry-run"]);
  assertEquals([taken.code, taken.doc.conflicts[0].id, taken.doc.stored], [1, 5, false]);
  const { err } = await scratch.run(["import", scratch.path("tasks.ndjson")]);
  assertEquals(
    err,
    "holdfast: nothing was imported: --renumber gives new ids, another --db a new queue\n",
  );
  const renumbered = await scratch.json(["import", scratch.path("tasks.ndjson"), "--renumber"]);
  assertEquals([renumbered.code, renumbered.doc.added], [0, 1]);
  assertEquals((await scratch.json(["list"])).doc.tasks[0].run_id, "task-5");
  assertEquals((await scratch.json(["list"])).doc.tasks[0].id, 6);
});

Deno.test("a file that is damaged or of another kind ends with 4 and makes no queue", async () => {
  await using scratch = new Scratch();
  await Deno.writeTextFile(scratch.path("notes.txt"), "hello\n");
  for (const name of ["notes.txt", "none.db"]) {
    const { code, out, err } = await scratch.run(["import", scratch.path(name)]);
    assertEquals([code, out], [4, ""]);
    assertMatch(err, /^holdfast: Cannot (read|import) [^\n]+\n$/);
  }
  assertEquals(await filesIn(scratch.folder), ["notes.txt"]);
});

Deno.test("export writes lines to standard output, and they come back", async () => {
  await using scratch = new Scratch();
  for (const type of ["a", "b"]) await scratch.run(["enqueue", type]);
  await scratch.run(["cancel", "1"]);
  const { code, out, err } = await scratch.run(["export", "--format", "ndjson"]);
  assertEquals(code, 0);
  assertEquals(out.trimEnd().split("\n").map((line) => JSON.parse(line).status), [
    "cancelled",
    "queued",
  ]);
  assertMatch(err, /^standard output holds 2 tasks \(1 queued, 1 cancelled\)\n/);
  await Deno.writeTextFile(scratch.path("all.ndjson"), out);
  await using other = new Scratch();
  assertEquals((await other.json(["import", scratch.path("all.ndjson")])).doc.added, 2);
  const { doc } = await scratch.json([
    "export",
    "--format",
    "ndjson",
    "--output",
    scratch.path("q.ndjson"),
    "--status",
    "queued",
  ]);
  assertEquals([doc.exported, doc.left_out, doc.by_status.queued], [1, 1, 1]);
});

Deno.test("export --format original needs a new file, and refuses leased tasks with 1", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "a"]);
  const usage = await scratch.run(["export", "--format", "original"]);
  assertEquals([usage.code, usage.out], [2, ""]);
  assertEquals((await scratch.run(["export", "--format", "ndjson", "--json"])).code, 2);
  assertEquals((await scratch.run(["export", "--output", "x"])).code, 2);
  const output = scratch.path("back.db");
  const made = await scratch.run(["export", "--format", "original", "--output", output]);
  assertEquals([made.code, made.out], [0, `${output} holds 1 tasks (1 queued)\n`]);
  assertStringIncludes(made.err, "instants are cut to whole seconds");
  const again = await scratch.run(["export", "--format", "original", "--output", output]);
  assertEquals([again.code, again.out], [4, ""]);
  assertStringIncludes(again.err, "it is there already");
  const queue = await openQueue(scratch.db);
  await queue.claim({ workerId: "w-1", types: ["a"], leaseDurationMs: 60_000 });
  await queue.close();
  const other = ["export", "--format", "original", "--output", scratch.path("leased.db")];
  const leased = await scratch.run(other);
  assertEquals([leased.code, leased.out], [1, ""]);
  assertMatch(
    leased.err,
    /^holdfast: Cannot export task 1: worker "w-1" holds its lease until [^\n]+\n$/,
  );
  assertEquals((await scratch.json([...other, "--include-leased"])).doc.returned, 1);
});

Deno.test("a queue that is not there is not made by an export", async () => {
  await using scratch = new Scratch();
  assertEquals((await scratch.run(["export", "--format", "ndjson"])).code, 4);
  assertEquals(await filesIn(scratch.folder), []);
});

Deno.test("progress is shown on a terminal only", async () => {
  for (const errIsTerminal of [true, false]) {
    let written = "";
    const output = { errIsTerminal, writeErr: (text: string) => void (written += text) };
    const result = await showingPhases(output, (onProgress) => {
      onProgress({ phase: "read", done: 5, total: 10 });
      onProgress({ phase: "store", done: 10, total: 10 });
      onProgress({ phase: "verify", done: 0, total: 0 });
      return Promise.resolve("done");
    });
    assertEquals([result, written.includes("tasks read"), written.includes("tasks stored")], [
      "done",
      errIsTerminal,
      errIsTerminal,
    ]);
  }
});

for (
  const [environment, active, reason] of [
    [{}, "in-memory", "it is the default: neither TASK_BACKEND nor USE_QUEUE_SYSTEM is set"],
    [{ TASK_BACKEND: "queue" }, "queue", 'TASK_BACKEND is "queue"'],
    [
      { USE_QUEUE_SYSTEM: "true" },
      "queue",
      'USE_QUEUE_SYSTEM is "true", and TASK_BACKEND is not set',
    ],
    [
      { USE_QUEUE_SYSTEM: "false", TASK_BACKEND: "" },
      "in-memory",
      'USE_QUEUE_SYSTEM is "false", and TASK_BACKEND is not set',
    ],
    [
      { TASK_BACKEND: "in-memory", USE_QUEUE_SYSTEM: "true" },
      "in-memory",
      'TASK_BACKEND is "in-memory", which takes precedence over USE_QUEUE_SYSTEM',
    ],
  ] as const
) {
  Deno.test(`backend under ${JSON.stringify(environment)} is ${active}, and says why`, async () => {
    await using scratch = new Scratch();
    const { code, doc } = await scratch.json(["backend"], { environment });
    assertEquals([code, doc.active, doc.reason, doc.fallback], [0, active, reason, true]);
    assertEquals([doc.queue.state, doc.queue.total], ["missing", 0]);
    assertEquals(await filesIn(scratch.folder), []);
    const { out } = await scratch.run(["backend"], { environment });
    assertStringIncludes(out, `${active}, because ${reason}\n`);
    for (const { name, value } of doc.variables) {
      assertStringIncludes(
        out,
        `  ${name.padEnd(23)}${value === null ? "(not set)" : JSON.stringify(value)}\n`,
      );
    }
  });
}

Deno.test("backend counts the tasks of the queue", async () => {
  await using scratch = new Scratch();
  for (const type of ["a", "b"]) await scratch.run(["enqueue", type]);
  await scratch.run(["cancel", "1"]);
  const { doc } = await scratch.json(["backend"]);
  assertEquals([doc.queue.state, doc.queue.total], ["usable", 2]);
  assertEquals([doc.queue.by_status.queued, doc.queue.by_status.cancelled], [1, 1]);
  assertStringIncludes(
    (await scratch.run(["backend"])).out,
    `holds 2 tasks (1 queued, 1 cancelled).`,
  );
});

Deno.test("backend ends with 1 when the environment is wrong, or its queue cannot be opened", async () => {
  await using scratch = new Scratch();
  const wrong = await scratch.json(["backend"], { environment: { TASK_BACKEND: "redis" } });
  assertEquals([wrong.code, wrong.doc.active], [1, null]);
  assertStringIncludes(wrong.doc.reason, 'Cannot use "redis" as TASK_BACKEND');
  await Deno.writeTextFile(
    scratch.db,
    "this is not a queue, but something else of some length\n".repeat(20),
  );
  const environment = { TASK_BACKEND: "queue", QUEUE_FALLBACK_ENABLED: "false" };
  const unusable = await scratch.json(["backend"], { environment });
  assertEquals([unusable.code, unusable.doc.queue.state], [1, "unusable"]);
  const { out } = await scratch.run(["backend"], { environment });
  assertStringIncludes(out, "As it is, the application does not start (QUEUE_FALLBACK_ENABLED).");
  assertEquals((await scratch.run(["backend"])).code, 0);
});

Deno.test({
  name: "the commands for sh do what they say, also with a path that needs quoting",
  ignore: Deno.build.os === "windows", // there is no sh
  fn: async () => {
    const path = "/data/it's $HOME/queue ü.db";
    const { toQueue, toMemory, toPython } = backendCommands("posix", path);
    const script = [
      ...toQueue,
      ...toMemory,
      ...toPython.slice(1),
      'printf "%s|%s|%s" "$TASK_BACKEND" "$QUEUE_DB_PATH" "$USE_QUEUE_SYSTEM"',
    ];
    const { stdout } = await new Deno.Command("sh", { args: ["-c", script.join("\n")] }).output();
    assertEquals(
      new TextDecoder().decode(stdout),
      "in-memory|/data/it's $HOME/queue ü-python.db|true",
    );
    assert(
      toPython[0]!.startsWith(
        "holdfast export --db '/data/it'\\''s $HOME/queue ü.db' --format original --output ",
      ),
    );
  },
});

Deno.test("the commands for PowerShell double every kind of single quote", () => {
  const { toQueue } = backendCommands("powershell", "C:\\Data\\it's ’so’\\queue.db");
  assertEquals(toQueue, [
    "$env:QUEUE_DB_PATH = 'C:\\Data\\it''s ’’so’’\\queue.db'",
    "$env:TASK_BACKEND = 'queue'",
  ]);
});
