/**
 * The program as a whole: usage errors, help, where the queue is, and a queue that cannot be opened.
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { holdfast, Scratch } from "./cli_harness.ts";

Deno.test("an unknown command ends with 2 and the nearest one", async () => {
  const { code, out, err } = await holdfast(["enqueu"]);
  assertEquals([code, out], [2, ""]);
  assertEquals(err, "holdfast: unknown command 'enqueu' (Did you mean enqueue?)\n");
});

Deno.test("an unknown option ends with 2 and the nearest one", async () => {
  const { code, err } = await holdfast(["list", "--limt", "3"]);
  assertEquals([code, err], [2, "holdfast: unknown option '--limt' (Did you mean --limit?)\n"]);
});

Deno.test("no command ends with 2 and the help on standard error", async () => {
  const { code, out, err } = await holdfast([]);
  assertEquals([code, out], [2, ""]);
  assertStringIncludes(err, "Usage: holdfast");
});

Deno.test("--help ends with 0 and the help on standard output", async () => {
  const { code, out, err } = await holdfast(["--help"]);
  assertEquals([code, err], [0, ""]);
  for (const command of ["serve", "worker", "enqueue", "run", "list", "show", "cancel", "retry"]) {
    assertMatch(out, new RegExp(`^  ${command} `, "m"));
  }
});

Deno.test("a command's help names the options that all commands have", async () => {
  const { code, out } = await holdfast(["list", "--help"]);
  assertEquals(code, 0);
  for (const option of ["--status", "--db <path>", "--json"]) assertStringIncludes(out, option);
});

Deno.test("the queue is --db, before or after the command, else QUEUE_DB_PATH", async () => {
  await using scratch = new Scratch();
  const total = async (args: string[], environment?: Record<string, string>): Promise<number> =>
    JSON.parse((await holdfast([...args, "--json"], { environment })).out).total;
  await scratch.run(["enqueue", "a"]);
  assertEquals(await total(["--db", scratch.db, "list"]), 1);
  assertEquals(await total(["list", "--db", scratch.db]), 1);
  assertEquals(await total(["list"], { QUEUE_DB_PATH: scratch.db }), 1);
  const other = ["list", "--db", scratch.path("other.db")];
  assertEquals((await holdfast(other, { environment: { QUEUE_DB_PATH: scratch.db } })).code, 4);
});

Deno.test("an empty --db ends with 2", async () => {
  const { code, err } = await holdfast(["--db", "", "list"]);
  assertEquals([code, err], [2, "holdfast: --db needs the path of a queue\n"]);
});

Deno.test("a command that only looks ends with 4 where there is no queue, and makes none", async () => {
  await using scratch = new Scratch();
  for (
    const command of [
      ["list"],
      ["show", "1"],
      ["cancel", "1"],
      ["retry", "1"],
      ["logs", "1"],
      ["explain", "1"],
      ["stats"],
      ["health"],
      ["prune", "--keep", "1"],
      ["checkpoint"],
    ]
  ) {
    const { code, err } = await scratch.run(command);
    assertEquals(code, 4, command.join(" "));
    assertMatch(err, /^holdfast: Cannot open [^\n]+: there is no queue\n$/);
  }
});

Deno.test("a folder as --db ends with 4, and is left alone", async () => {
  await using scratch = new Scratch();
  const { code, out, err } = await holdfast(["--db", scratch.folder, "enqueue", "a", "--json"]);
  assertEquals([code, out], [4, ""]);
  assertMatch(err, /^holdfast: [^\n]*folder[^\n]*\n$/);
  assertEquals([...Deno.readDirSync(scratch.folder)], []);
});

Deno.test("a file that is not a queue ends with 4, and is left alone", async () => {
  await using scratch = new Scratch();
  const text = "this is not a queue\n".repeat(100);
  await Deno.writeTextFile(scratch.db, text);
  const { code, out, err } = await scratch.run(["enqueue", "a", "--json"]);
  assertEquals([code, out], [4, ""]);
  assertMatch(err, /^holdfast: [^\n]+\n$/);
  assertEquals(await Deno.readTextFile(scratch.db), text);
});

Deno.test("a path through a file ends with 4", async () => {
  await using scratch = new Scratch();
  await Deno.writeTextFile(scratch.path("file"), "");
  const { code, out, err } = await holdfast(["--db", scratch.path("file/queue.db"), "list"]);
  assertEquals([code, out], [4, ""]);
  assertMatch(err, /^holdfast: [^\n]+\n$/);
});
