/**
 * `holdfast explain | health | prune`: running a queue from the command line.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { shellWord } from "../../cli/shell_quoting.ts";
import { holdfast, Scratch } from "./cli_harness.ts";

Deno.test("explain says why in one line, and as JSON", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "a", "--run-id", "r-1"]);
  const { code, out } = await scratch.run(["explain", "r-1"]);
  assertEquals(code, 0);
  assertMatch(out, /^Task 1 is due, but no worker lives: [^\n]+\n$/);
  const { doc } = await scratch.json(["explain", "1"]);
  assertEquals([doc.run_id, doc.task_id, doc.status, doc.reason, doc.data], [
    "r-1",
    1,
    "queued",
    "no_worker",
    { type: "a" },
  ]);
});

Deno.test("health says the verdict", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "a"]);
  assertEquals((await scratch.run(["health"])).out, "healthy\n");
  const { code, doc } = await scratch.json(["health"]);
  assertEquals([code, doc], [0, { status: "healthy", reasons: [] }]);
});

Deno.test("prune deletes finished tasks by age and count", async () => {
  await using scratch = new Scratch();
  for (const id of ["1", "2", "3"]) {
    await scratch.run(["enqueue", "a"]);
    await scratch.run(["cancel", id]);
  }
  assertEquals((await scratch.json(["prune", "--older-than", "1h"])).doc.pruned, 0);
  assertEquals((await scratch.json(["prune", "--keep", "0", "--status", "failed"])).doc.pruned, 0);
  const { code, doc } = await scratch.json(["prune", "--keep", "2"]);
  assertEquals([code, doc], [0, {
    pruned: 1,
    by_status: { completed: 0, failed: 0, cancelled: 1 },
  }]);
  const { out } = await scratch.run(["prune", "--keep", "0"]);
  assertEquals(out, "2 tasks deleted: 0 completed, 0 failed, 2 cancelled\n");
});

Deno.test("prune without a limit, or with a wrong one, ends with 2 and deletes nothing", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "a"]);
  await scratch.run(["cancel", "1"]);
  for (
    const args of [[], ["--keep", "-1"], ["--older-than", "soon"], [
      "--keep",
      "0",
      "--status",
      "queued",
    ]]
  ) {
    const { code, out, err } = await scratch.run(["prune", ...args]);
    assertEquals([code, out], [2, ""], args.join(" "));
    assertMatch(err, /^holdfast: [^\n]+\n$/);
  }
  assertEquals((await scratch.json(["list"])).doc.total, 1);
});

Deno.test("backup, restore and check work together, and nothing is overwritten", async () => {
  await using scratch = new Scratch();
  const copy = scratch.path("copy.bak");
  for (const type of ["a", "b"]) await scratch.run(["enqueue", type]);
  const made = await scratch.json(["backup", copy]);
  assertEquals([made.code, made.doc.path, made.doc.tasks], [0, copy, 2]);
  const again = await scratch.run(["backup", copy]);
  assertEquals([again.code, again.out], [4, ""]);
  await scratch.run(["enqueue", "c"]);
  const restored = await scratch.json(["restore", copy]);
  assertEquals([restored.code, restored.doc.tasks], [0, 2]);
  assertMatch(restored.doc.kept_in, /queue\.db\.replaced-/);
  assertEquals((await scratch.json(["list"])).doc.total, 2);
  const { code, doc } = await scratch.json(["check"]);
  assertEquals([code, doc.success, doc.errors], [0, true, []]);
});

Deno.test("check ends with 4 on a damaged queue, and repair and restore bring back the rest", async () => {
  await using scratch = new Scratch();
  for (const type of ["a", "b", "c"]) await scratch.run(["enqueue", type]);
  const journal = `${scratch.db}.journal-1`;
  const bytes = await Deno.readFile(journal);
  bytes[100]! ^= 0xff;
  await Deno.writeFile(journal, bytes);
  const checked = await scratch.json(["check"]);
  assertEquals([checked.code, checked.doc.success], [4, false]);
  const repaired = await scratch.json(["repair"]);
  assertEquals([repaired.code, repaired.doc.tasks, repaired.doc.lost.length], [0, 2, 1]);
  assertEquals((await scratch.run(["restore", repaired.doc.path])).code, 0);
  assertEquals((await scratch.json(["list"])).doc.total, 2);
  assertEquals((await scratch.run(["check"])).code, 0);
});

Deno.test("the line that repair prints restores this queue, and no other, also with blanks in its path", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "a"]);
  const { out } = await scratch.run(["repair"]);
  const line = /with: holdfast (.*)\n/.exec(out)![1]!;
  const words = [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map((word) =>
    word[1] ?? word[2] ?? word[3]!
  );
  assertEquals(words, ["--db", scratch.db, "restore", `${scratch.db}.repaired`]);
  assertEquals((await holdfast(words)).code, 0);
});

Deno.test("shellWord() quotes what a shell would take apart", () => {
  for (
    const [word, posix, windows] of [
      ["queue.db", "queue.db", "queue.db"],
      ["/a b/q.db", "'/a b/q.db'", '"/a b/q.db"'],
      ["C:\\data\\q.db", "'C:\\data\\q.db'", "C:\\data\\q.db"],
      ["it's", "'it'\\''s'", `"it's"`],
      ["a&b", "'a&b'", '"a&b"'],
      ["$x y", "'$x y'", "'$x y'"],
      ["", "''", '""'],
    ] as const
  ) {
    assertEquals([shellWord(word, false), shellWord(word, true)], [posix, windows]);
  }
});

Deno.test("restore ends with 4 when there is no such backup", async () => {
  await using scratch = new Scratch();
  const { code, out, err } = await scratch.run(["restore", scratch.path("none")]);
  assertEquals([code, out], [4, ""]);
  assertMatch(err, /^holdfast: Cannot read [^\n]+\n$/);
});
