/**
 * Tags at the command line.
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Scratch } from "./cli_harness.ts";

Deno.test("tasks are listed, changed and shown by their tags", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "t", "--tag", "b, c", "--tag", "a"]);
  await scratch.run(["enqueue", "t", "--tag", "a"]);
  await scratch.run(["enqueue", "t"]);
  const tagged = async (tag: string): Promise<unknown> => {
    const { doc } = await scratch.json(["list", "--tag", tag]);
    assertEquals(doc.total, doc.tasks.length);
    return doc.tasks.map(({ id }: { readonly id: number }) => id);
  };
  assertEquals(await tagged("a"), [2, 1]);
  assertEquals(await tagged("b, c"), [1]);
  assertMatch((await scratch.run(["show", "1"])).out, /^tags +a, b, c$/m);
  assertEquals((await scratch.run(["show", "3"])).out.includes("tags"), false);
  const { doc } = await scratch.json(["update", "1", "--tag", "d", "--tag", "a"]);
  assertEquals(doc.tags, ["a", "d"]);
  assertEquals((await scratch.json(["update", "2", "--no-tag"])).doc.tags, []);
  assertEquals([await tagged("a"), await tagged("d")], [[1], [1]]);
  const next = await scratch.json(["replace", "1", "--payload", "1", "--tag", "e"]);
  assertEquals(next.doc.tags, ["e"]);
  await scratch.json(["bulk", "cancel", "--tag", "e"]);
  const cancelled = await scratch.json(["list", "--tag", "e", "--status", "cancelled"]);
  assertEquals(cancelled.doc.total, 1);
});

Deno.test("a tag that cannot be is refused, and nothing is stored", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "t"]);
  const { code, err } = await scratch.run(["enqueue", "t", "--tag", " "]);
  assertEquals(code, 2);
  assertStringIncludes(err, "Cannot use a blank tag: 1 to 100 characters are needed");
  const eleven = Array.from({ length: 11 }, (_, i) => ["--tag", `t${i}`]).flat();
  const many = await scratch.run(["enqueue", "t", ...eleven]);
  assertEquals(many.code, 2);
  assertStringIncludes(many.err, "Cannot use 11 as number of tags");
  assertEquals((await scratch.json(["stats"])).doc.by_status.queued, 1);
});
