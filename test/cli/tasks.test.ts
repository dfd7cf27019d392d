/**
 * `holdfast list | show | cancel | retry | stats | checkpoint`: looking at tasks and deciding about them.
 */
import { assertEquals, assertGreaterOrEqual, assertMatch, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { HANDLERS, type Json, Scratch } from "./cli_harness.ts";

Deno.test("list shows the newest first, and filters combine", async () => {
  await using scratch = new Scratch();
  for (const type of ["a", "b", "a"]) await scratch.run(["enqueue", type]);
  await scratch.run(["cancel", "1"]);
  const ids = async (...args: string[]): Promise<number[]> => {
    const { doc } = await scratch.json(["list", ...args]);
    return doc.tasks.map((task: { id: number }) => task.id);
  };
  assertEquals(await ids(), [3, 2, 1]);
  assertEquals(await ids("--type", "a"), [3, 1]);
  assertEquals(await ids("--type", "a", "--status", "queued"), [3]);
  assertEquals(await ids("--limit", "1"), [3]);
});

Deno.test("list writes a line per task into a pipe and a table on a terminal", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "a", "--run-id", "r-1"]);
  const piped = await scratch.run(["list"]);
  assertMatch(piped.out, /^1\tqueued\ta\t100\t0\/5\t\S+Z\tr-1\n$/);
  const surroundings = { terminal: true, environment: { NO_COLOR: "1" } };
  const shown = await scratch.run(["list"], surroundings);
  assertMatch(shown.out, /^id +status +type .* run id *\n1 +queued +a .* r-1 *\n$/);
  // deno-lint-ignore no-control-regex
  assertEquals(/\u001b/.test(shown.out), false);
});

Deno.test("transitions gives pages, and says where the next one begins", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "a"]);
  await scratch.run(["cancel", "1"]);
  const { err } = await scratch.run(["transitions", "1", "--limit", "1"]);
  assertEquals(err, "the next ones: --cursor 1\n");
  const { doc } = await scratch.json(["transitions", "1", "--cursor", "1"]);
  const kinds = doc.transitions.map(({ kind }: Json) => kind);
  assertEquals([kinds, doc.next_cursor], [["cancelled"], null]);
});

Deno.test("list says on standard error that there is nothing, or more", async () => {
  await using scratch = new Scratch();
  await scratch.makeQueue();
  assertEquals(await scratch.run(["list"]), { code: 0, out: "", err: "no tasks\n" });
  for (const type of ["a", "b"]) await scratch.run(["enqueue", type]);
  const { err } = await scratch.run(["list", "--limit", "1"]);
  assertEquals(err, "1 of 2 tasks; the next ones: --cursor 2\n");
  const first = (await scratch.json(["list", "--limit", "1"])).doc;
  assertEquals([first.tasks.map(({ id }: Json) => id), first.next_cursor], [[2], "2"]);
  const last = (await scratch.json(["list", "--limit", "1", "--cursor", first.next_cursor])).doc;
  assertEquals([last.tasks.map(({ id }: Json) => id), last.total, last.next_cursor], [
    [1],
    2,
    null,
  ]);
  assertEquals((await scratch.run(["list", "--cursor", "2"])).err, "");
});

Deno.test("list refuses a status that does not exist and names those that do", async () => {
  await using scratch = new Scratch();
  const { code, err } = await scratch.run(["list", "--status", "done"]);
  assertEquals(code, 2);
  assertStringIncludes(err, "queued, leased, completed, failed, cancelled");
});

Deno.test("show finds a task by its id and by its run id, and never confuses the two", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "first", "--run-id", "2"]);
  await scratch.run(["enqueue", "second", "--run-id", "r-2"]);
  const typeOf = async (id: string): Promise<string> => (await scratch.json(["show", id])).doc.type;
  assertEquals(await typeOf("2"), "second");
  assertEquals(await typeOf("run:2"), "first");
  assertEquals(await typeOf("r-2"), "second");
  assertEquals(await typeOf("run:r-2"), "second");
});

Deno.test("show writes one field a line, and stored text cannot command the terminal", async () => {
  await using scratch = new Scratch();
  await scratch.run(["run", "broken", "--handlers", HANDLERS]);
  const { out } = await scratch.run(["show", "1"]);
  assertMatch(out, /^status +failed$/m);
  assertMatch(out, /^error +it is\\x0abroken$/m);
});

for (const command of ["show", "cancel", "retry", "explain", "logs"]) {
  for (const id of ["7", "nobody", "run:7", "99999999999999999999"]) {
    Deno.test(`${command} ${id} ends with 3 when there is no such task`, async () => {
      await using scratch = new Scratch();
      await scratch.makeQueue();
      const { code, out, err } = await scratch.run([command, id, "--json"]);
      assertEquals([code, out], [3, ""]);
      assertMatch(err, /^holdfast: [^\n]+\n$/);
    });
  }
}

Deno.test("cancel answers yes once, then no with 1", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "a"]);
  const first = await scratch.json(["cancel", "1"]);
  assertEquals([first.code, first.doc.cancelled, first.doc.task.status], [0, true, "cancelled"]);
  const second = await scratch.json(["cancel", "1"]);
  assertEquals([second.code, second.doc.cancelled], [1, false]);
  assertEquals(second.doc.task, first.doc.task);
  assertEquals((await scratch.run(["cancel", "1"])).out, "task 1 is cancelled already\n");
});

Deno.test("retry queues a cancelled task again, and no other", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "a"]);
  assertEquals((await scratch.run(["retry", "1"])).code, 1);
  await scratch.run(["cancel", "1"]);
  const { code, doc } = await scratch.json(["retry", "1"]);
  assertEquals([code, doc.retried, doc.task.status, doc.task.attempts], [0, true, "queued", 0]);
});

Deno.test("stats counts tasks by status and type", async () => {
  await using scratch = new Scratch();
  for (const type of ["a", "b", "a"]) await scratch.run(["enqueue", type]);
  await scratch.run(["cancel", "1"]);
  const { code, doc } = await scratch.json(["stats"]);
  assertEquals([code, doc.total, doc.by_status.queued, doc.by_type.a.cancelled], [0, 3, 2, 1]);
  const { out } = await scratch.run(["stats"]);
  assertMatch(out, /^a\t1\t0\t0\t0\t1$/m);
  assertMatch(out, /^all\t2\t0\t0\t0\t1$/m);
});

Deno.test("checkpoint makes the snapshot readable for any SQLite tool", async () => {
  await using scratch = new Scratch();
  for (const type of ["a", "b"]) await scratch.run(["enqueue", type]);
  const { code, doc } = await scratch.json(["checkpoint"]);
  assertEquals(code, 0);
  assertGreaterOrEqual((await Deno.stat(scratch.db)).size, doc.snapshot_bytes);
  using database = new DatabaseSync(scratch.db, { readOnly: true });
  assertEquals(database.prepare("select count(*) as n from task_queue").get()?.n, 2);
});

Deno.test("cancel and retry take several ids, and one that is not there stops none of the others", async () => {
  await using scratch = new Scratch();
  for (const runId of ["a", "b", "c"]) await scratch.run(["enqueue", "t", "--run-id", runId]);
  const { code, out, err } = await scratch.run(["cancel", "1", "none", "c"]);
  assertEquals([code, out], [3, "task 1 is cancelled\ntask 3 is cancelled\n"]);
  assertEquals(err, 'holdfast: there is no task "none"\n');
  const retried = await scratch.json(["retry", "1", "2", "3"]);
  assertEquals(retried.code, 1); // task 2 is queued
  assertEquals(
    retried.doc.results.map((each: { retried: boolean; task: { id: number } }) => [
      each.task.id,
      each.retried,
    ]),
    [[1, true], [2, false], [3, true]],
  );
});

Deno.test("prune without a limit names its options", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "t"]);
  const { code, err } = await scratch.run(["prune"]);
  assertEquals(code, 2);
  assertStringIncludes(err, "--older-than or --keep is needed");
});

Deno.test("schedule add --replace --paused pauses the same schedule, and an interval is shown in words", async () => {
  await using scratch = new Scratch();
  const line = ["schedule", "add", "s", "t", "--every", "5m"];
  assertStringIncludes((await scratch.run(line)).out, "s: t every 5.0 min, next ");
  const { code, doc } = await scratch.json([...line, "--replace", "--paused"]);
  assertEquals([code, doc.schedule.paused], [0, true]);
});

Deno.test("token create takes scopes between commas, as its line writes them", async () => {
  await using scratch = new Scratch();
  for (const scopes of [["read,enqueue"], ["read", "enqueue"]]) {
    const { doc } = await scratch.json(["token", "create", "ci", "--scopes", ...scopes]);
    assertEquals(doc.scopes, ["read", "enqueue"]);
  }
  assertEquals((await scratch.json(["token", "create", "ci"])).doc.scopes, ["read"]);
  const wrong = await scratch.run(["token", "create", "ci", "--scopes", "read,root"]);
  assertEquals(wrong.code, 2);
  assertStringIncludes(wrong.err, "Allowed choices are read, enqueue, operate, admin");
});

Deno.test("--run-after that is not an instant names its option and what it takes", async () => {
  await using scratch = new Scratch();
  for (const when of ["+10", "tomorrow", "2026-01-31", "+99999999d"]) {
    const { code, err } = await scratch.run(["enqueue", "t", "--run-after", when]);
    assertEquals(code, 2);
    assertStringIncludes(err, "--run-after");
  }
  const { err } = await scratch.run(["enqueue", "t", "--run-after", "+10"]);
  assertStringIncludes(err, "+10s, +5m, +2h or +1d from now");
});

Deno.test("a batch tells of every line that is wrong, up to ten", async () => {
  await using scratch = new Scratch();
  const lines = ['{"type":"t"}', "{", '{"type":"t","run_after":"+10"}', '{"type":""}'];
  await Deno.writeTextFile(scratch.path("b.ndjson"), [...lines, ...Array(9).fill("[")].join("\n"));
  const { code, err } = await scratch.run(["enqueue", "--batch", scratch.path("b.ndjson")]);
  assertEquals(code, 2);
  for (const line of ["line 2 is", "line 3: +10s, +5m", "line 4: ", "and 2 more lines"]) {
    assertStringIncludes(err, line);
  }
  assertEquals(err.split("; line ").length, 10);
});

Deno.test("export --output - writes lines to standard output and no file", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "t"]);
  const { code, out } = await scratch.run(["export", "--format", "ndjson", "--output", "-"]);
  assertEquals([code, out.trimEnd().split("\n").length], [0, 1]);
  assertEquals((await scratch.run(["export", "--format", "original", "--output", "-"])).code, 2);
});
