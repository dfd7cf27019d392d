/**
 * Parameters and arguments: what is refused is named, what is accepted reaches the program in one piece.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { z, type ZodType } from "zod";
import { effectiveValues } from "../../src/domain/module_parameter.ts";
import { expandArguments, placeholdersOf } from "../../src/patterns/module_arguments.ts";
import { type CommandModule, parseModuleList } from "../../src/patterns/module_list.ts";
import { parametersSchema } from "../../src/patterns/module_parameters.ts";

const PRINTER = moduleWith({
  parameters: [
    { name: "mode", type: "select", options: ["text", "image", 3], default: "text" },
    { name: "copies", type: "number", integer: true, min: 1, max: 9, default: 1 },
    { name: "scale", type: "number", min: 0.1 },
    { name: "title", type: "text", required: true, pattern: "[a-z ]+", max_length: 10 },
    { name: "draft", type: "checkbox" },
    {
      name: "width",
      type: "number",
      required: true,
      max: 100,
      visible_when: { parameter: "mode", equals: "image" },
    },
    {
      name: "frame",
      type: "text",
      default: "thin",
      visible_when: { parameter: "width", one_of: [50, 100] },
    },
  ],
});
const SCHEMA = parametersSchema(PRINTER.parameters);

Deno.test("what is not given has its default, and what is hidden has none", () => {
  assertEquals(accepted(SCHEMA, { title: "a b" }), { mode: "text", copies: 1, title: "a b" });
  assertEquals(
    accepted(SCHEMA, { title: "a", mode: "image", width: 7, draft: false, scale: 0.5 }),
    {
      mode: "image",
      copies: 1,
      scale: 0.5,
      title: "a",
      draft: false,
      width: 7,
    },
  );
  assertEquals(accepted(SCHEMA, { title: "a", mode: "image", width: 50 }), {
    mode: "image",
    copies: 1,
    title: "a",
    width: 50,
    frame: "thin",
  });
});

Deno.test("each problem is named, all of them at once", () => {
  assertEquals(problems(SCHEMA, {}), ["title: Required"]);
  assertEquals(problems(SCHEMA, { title: 5, copies: 10, mode: "film", draft: "yes", scale: 0 }), [
    'mode: allowed are "text", "image", 3',
    "copies: an integer from 1 to 9 is needed",
    "scale: a number of at least 0.1 is needed",
    "title: a string is needed",
    "draft: true or false is needed",
  ]);
  assertEquals(problems(SCHEMA, { title: "A", copies: 1.5 }), [
    "copies: an integer from 1 to 9 is needed",
    "title: all of it must match [a-z ]+",
  ]);
  assertEquals(problems(SCHEMA, { title: "aaaaaaaaaaa" }), [
    "title: at most 10 characters are allowed",
  ]);
  assertEquals(problems(SCHEMA, { title: "a", colour: "red" }), [': Unrecognized key: "colour"']);
  assertEquals(problems(SCHEMA, { title: "a\n" }), ["title: all of it must match [a-z ]+"]);
  for (const wrong of [null, [], "x", 5]) {
    assertEquals(problems(SCHEMA, wrong), [": an object is needed"]);
  }
});

Deno.test("a parameter is needed when it is visible and refused when it is not, beside other problems", () => {
  assertEquals(problems(SCHEMA, { title: "a", mode: "image" }), ["width: Required"]);
  assertEquals(problems(SCHEMA, { mode: "image" }), ["title: Required", "width: Required"]);
  assertEquals(problems(SCHEMA, { title: "a", width: 5 }), [
    'width: only allowed when mode is "image"',
  ]);
  assertEquals(problems(SCHEMA, { title: "a", width: 50, frame: "thick" }), [
    'width: only allowed when mode is "image"',
    "frame: only allowed when width is 50 or 100",
  ]);
});

Deno.test("a parameter may be called as what every object inherits", () => {
  const names = ["constructor", "toString", "valueOf", "hasOwnProperty"];
  const parameters = names.map((name) => ({ name, type: "text" }));
  const schema = parametersSchema(moduleWith({ parameters }).parameters);
  assertEquals(accepted(schema, {}), {});
  assertEquals(accepted(schema, { toString: "a" }), Object.fromEntries([["toString", "a"]]));
});

Deno.test("✗ stopped the server: a pattern takes its time only, whatever the text", () => {
  const parameters = [{ name: "x", type: "text", pattern: "(a+)+b" }];
  const schema = parametersSchema(moduleWith({ parameters }).parameters);
  assertEquals(problems(schema, { x: "a".repeat(10_000) }), ["x: all of it must match (a+)+b"]);
  const { properties } = z.toJSONSchema(schema, { io: "input" });
  assertEquals((properties!.x as { pattern: string }).pattern, "^(?:(a+)+b)$");
});

Deno.test("a text with the character that ends a program's argument is refused", () => {
  const schema = parametersSchema(
    moduleWith({ parameters: [{ name: "x", type: "text" }] }).parameters,
  );
  assertEquals(problems(schema, { x: "a\0b" }), ["x: the character U+0000 is not allowed"]);
});

Deno.test("placeholders stand for values, as whole arguments or parts, and double braces for braces", () => {
  const { arguments: groups, parameters } = moduleWith({
    arguments: ["{n}", "--name={t}{n}", "{{n}}", "{c}", "plain"],
    parameters: [
      { name: "n", type: "number" },
      { name: "t", type: "text" },
      { name: "c", type: "checkbox" },
    ],
  });
  const values = effectiveValues(parameters, { n: 1.5, t: "{n} {{x", c: false });
  assertEquals(expandArguments(groups, values), [
    "1.5",
    "--name={n} {{x1.5",
    "{n}",
    "false",
    "plain",
  ]);
});

Deno.test("what needs a value that is not there is left out, together with its group", () => {
  const { arguments: groups, parameters } = moduleWith({
    arguments: [
      ["--size", "{size}"],
      "--size={size}",
      { when: { parameter: "loud", equals: true }, arguments: ["--loud"] },
      { when: { parameter: "size", one_of: [1, 2] }, arguments: ["--small", "{size}"] },
      "end",
    ],
    parameters: [{ name: "size", type: "number" }, { name: "loud", type: "checkbox" }],
  });
  const expanded = (given: Record<string, unknown>): string[] =>
    expandArguments(groups, effectiveValues(parameters, given));
  assertEquals(expanded({}), ["end"]);
  assertEquals(expanded({ loud: false }), ["end"]);
  assertEquals(expanded({ loud: true, size: 2 }), [
    "--size",
    "2",
    "--size=2",
    "--loud",
    "--small",
    "2",
    "end",
  ]);
  assertEquals(expanded({ size: 3 }), ["--size", "3", "--size=3", "end"]);
});

Deno.test("a brace that is neither a placeholder's nor double is refused", () => {
  for (const wrong of ["{", "a}", "{a", "{{{", "{}}"]) {
    assertThrows(() => placeholdersOf(wrong), TypeError, "for the character");
  }
  assertEquals(placeholdersOf("{a}{b}{{c}}"), ["a", "b"]);
});

Deno.test("property: a value never becomes more or less than the part in which it stands", () => {
  const { arguments: groups } = moduleWith({
    arguments: ["<{x}>", ["{x}", "{x}{x}"]],
    parameters: [{ name: "x", type: "text" }],
  });
  let braces = 0;
  const anyText = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.string({ unit: fc.constantFrom("{", "}", "{x}", '"', "\\", "$", "&", " ", "$&", "$1") }),
  );
  fc.assert(fc.property(anyText, (x) => {
    if (x.includes("{")) braces++;
    assertEquals(expandArguments(groups, new Map([["x", x]])), [`<${x}>`, x, x + x]);
  }));
  assert(braces > 10, `${braces} had braces`);
});

function moduleWith(fields: Readonly<Record<string, unknown>>): CommandModule {
  return parseModuleList([{ id: "m", command: "c", ...fields }])[0]!;
}

function accepted(schema: ZodType, value: unknown): unknown {
  return schema.parse(value);
}

function problems(schema: ZodType, value: unknown): string[] {
  const { issues } = schema.safeParse(value).error ?? { issues: [] };
  return issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
}
