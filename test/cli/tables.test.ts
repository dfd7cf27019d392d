/**
 * Tables, widths and colours: what fits a terminal, and when it is coloured.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { chooseStyle, COLOURED, PLAIN } from "../../cli/style.ts";
import { tableOf } from "../../cli/table.ts";
import { cutText, padText, textWidth } from "../../cli/text_width.ts";
import { HANDLERS, Scratch } from "./cli_harness.ts";

// deno-lint-ignore no-control-regex
const COLOUR = /\u001b\[\d+m/g;

for (
  const [text, width] of [
    ["abc", 3],
    ["", 0],
    ["ä", 1],
    ["a\u0308", 1],
    ["漢字", 4],
    ["ハンバーガー", 12],
    ["한국", 4],
    ["🚀", 2],
    ["👩‍👩‍👧", 2],
    ["ｆｕｌｌ", 8],
    ["…", 1],
  ] as const
) {
  Deno.test(`${JSON.stringify(text)} is ${width} columns wide`, () => {
    assertEquals(textWidth(text), width);
  });
}

const texts = fc.array(fc.constantFrom("a", "b", " ", "ä", "漢", "🚀", "e\u0301", "-"), {
  maxLength: 30,
}).map((parts) => parts.join(""));

Deno.test("a cut text is never wider than asked, and whole when it fits", () => {
  fc.assert(fc.property(texts, fc.integer({ min: 1, max: 40 }), (text, width) => {
    const cut = cutText(text, width);
    assert(textWidth(cut) <= width);
    assertEquals(cut === text, textWidth(text) <= width);
    assertEquals(textWidth(padText(cut, width)), width);
  }));
});

Deno.test("no line of a table is wider than the terminal", () => {
  const rows = fc.array(fc.tuple(texts, texts, texts), { maxLength: 8 });
  fc.assert(fc.property(rows, fc.integer({ min: 16, max: 60 }), (cells, width) => {
    const lines = tableOf(["id", "a head", "漢字"], cells, { width }).split("\n");
    assertEquals(lines.length, cells.length + 1);
    for (const line of lines) assert(textWidth(line) <= width, `${textWidth(line)}: ${line}`);
  }));
});

Deno.test("columns begin at the same place in every line, whatever stands before", () => {
  const lines = tableOf(["a", "b"], [["漢字", "x"], ["é", "x"], ["🚀🚀🚀", "x"]]).split("\n");
  const starts = lines.slice(1).map((line) => textWidth(line.slice(0, line.indexOf("x"))));
  assertEquals(starts, [8, 8, 8]);
});

Deno.test("the widest column is cut first, with an ellipsis", () => {
  const table = tableOf(["id", "type"], [["1", "x".repeat(40)]], { width: 20 });
  assertEquals(table, `id  type\n1   ${"x".repeat(15)}…`);
});

Deno.test("colours do not move columns", () => {
  const rows = [["a", "failed", "z"], ["b", "ok", "z"]];
  const options = { paint: COLOURED.red, paintHead: COLOURED.bold };
  const painted = tableOf(["k", "status", "l"], rows, options);
  assertEquals(painted.replaceAll(COLOUR, ""), tableOf(["k", "status", "l"], rows));
});

for (
  const [isTerminal, environment, isColoured] of [
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: "1" }, false],
    [true, { NO_COLOR: "" }, true],
    [false, { FORCE_COLOR: "1" }, true],
    [true, { FORCE_COLOR: "0" }, false],
    [true, { NO_COLOR: "1", FORCE_COLOR: "1" }, false],
    [true, { TERM: "dumb" }, false],
  ] as const
) {
  Deno.test(`${isTerminal ? "a terminal" : "a pipe"} with ${JSON.stringify(environment)} has ${isColoured ? "" : "no "}colour`, () => {
    const variables: Readonly<Record<string, string>> = environment;
    const style = chooseStyle(isTerminal, (name) => variables[name]);
    assertEquals(style, isColoured ? COLOURED : PLAIN);
  });
}

Deno.test("list and show are coloured on a terminal only, and with FORCE_COLOR", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "a"]);
  await scratch.run(["cancel", "1"]);
  for (const command of [["list"], ["show", "1"], ["stats"], ["transitions", "1"]]) {
    assertEquals((await scratch.run(command)).out.match(COLOUR), null);
    const plain = { terminal: true, environment: { NO_COLOR: "1" } };
    assertEquals((await scratch.run(command, plain)).out.match(COLOUR), null);
    assertMatch((await scratch.run(command, { terminal: true })).out, COLOUR);
  }
  const forced = await scratch.run(["show", "1"], { environment: { FORCE_COLOR: "1" } });
  assertMatch(forced.out, COLOUR);
  assertEquals((await scratch.json(["list"], { environment: { FORCE_COLOR: "1" } })).code, 0);
});

Deno.test("list fits a narrow terminal, and cuts nothing in a pipe", async () => {
  await using scratch = new Scratch();
  const runId = `漢字-${"long ".repeat(30)}end`;
  await scratch.run(["enqueue", "t".repeat(200), "--run-id", runId]);
  const surroundings = { terminal: true, columns: 60, environment: { NO_COLOR: "1" } };
  for (const line of (await scratch.run(["list"], surroundings)).out.trimEnd().split("\n")) {
    assert(textWidth(line) <= 60, line);
  }
  assertMatch((await scratch.run(["list"])).out, new RegExp(`\t${runId}\n$`));
  // What is typed again and what is looked for stay whole, however narrow it is.
  for (const columns of [40, 36]) {
    const [, row] = (await scratch.run(["list"], { ...surroundings, columns })).out.split("\n");
    assert(textWidth(row!) <= columns, row);
    assertMatch(row!, /^1 {3}queued {2}/);
  }
});

Deno.test("stored text that would command the terminal is made visible in a table", async () => {
  await using scratch = new Scratch();
  await scratch.run(["run", "broken", "--handlers", HANDLERS]);
  const { out } = await scratch.run(["transitions", "1"], { terminal: true });
  assertMatch(out, /it is\\x0abroken/);
  assertEquals(out.trimEnd().split("\n").length, 4);
});

Deno.test("what turns the direction of text around or commands a terminal is shown, also with --json", async () => {
  await using scratch = new Scratch();
  const type = "a\u202eb\u009bc";
  await scratch.run(["enqueue", "--batch", "-"], {
    files: { "-": JSON.stringify({ type, payload: type }) },
  });
  const table = await scratch.run(["list"]);
  const page = await scratch.run(["show", "1"]);
  const { out, doc } = await scratch.json(["show", "1"]);
  for (const text of [table.out, page.out, out]) assert(!/[\u202e\u009b]/.test(text), text);
  assertEquals(doc.payload, type);
});
