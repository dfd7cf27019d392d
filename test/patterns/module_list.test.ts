/**
 * Module lists: what is wrong with one is said of the entry, the field and the value; what is right is told to editors.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify as toToml } from "smol-toml";
import { stringify as toYaml } from "yaml";
import { HandlerRegistry, loadModules } from "../../src/mod.ts";
import { moduleListSchema, parseModuleList } from "../../src/patterns/module_list.ts";
import { SCHEMA_FILE } from "../support/modules_schema.ts";
import { withScripts } from "./scripts.ts";

const BASE = { id: "a", command: "python3" };

Deno.test("a module needs no more than an id and a command or a script, and the rest has defaults", () => {
  const [first, second] = parseModuleList([BASE, { id: " b ", script: "b.py" }]);
  assertEquals(first, {
    id: "a",
    name: "a",
    description: "",
    version: null,
    command: ["python3"],
    script: null,
    arguments: [],
    workingDirectory: ".",
    environment: [],
    environmentSet: {},
    readsParameters: false,
    successExitCodes: [0],
    timeoutMs: null,
    retry: {
      maxAttempts: undefined,
      initialDelayMs: undefined,
      multiplier: undefined,
      maxDelayMs: undefined,
    },
    concurrency: null,
    parameters: [],
  });
  assertEquals([second!.id, second!.script, second!.command], ["b", "b.py", null]);
});

Deno.test("a refusal names the entry, the field, the value, and what is allowed", () => {
  const refusals: readonly (readonly [unknown, string])[] = [
    [[{ ...BASE, foo: 1 }], 'entry 0 ("a"): unknown are "foo", known are id, name, description'],
    [[BASE, 5], "entry 1: 5: an object is needed"],
    [[BASE, BASE], 'entry 1 ("a"): id: entry 0 has it already'],
    [[{ command: "x" }], "entry 0: id: a string is needed"],
    [[{ id: "a" }], 'entry 0 ("a"): command: a command or a script is needed'],
    [[{ ...BASE, command: [] }], "command: []: at least one program is needed"],
    [[{ ...BASE, command: ["x", ""] }], 'command.1: "": a program is needed'],
    [[{ ...BASE, arguments: "x" }], 'arguments: "x": a list is needed'],
    [[{ ...BASE, arguments: ["{x"] }], 'arguments.0: "{x": a single { is neither: write {{'],
    [[{ ...BASE, arguments: [["{x}"]] }], 'arguments.0: ["{x}"]: there is no parameter "x"'],
    [
      [{ ...BASE, arguments: ["a", 5] }],
      "arguments.1: 5: a string, a list of strings, or an object",
    ],
    [[{ ...BASE, arguments: ["a\0"] }], "the character U+0000 is not allowed"],
    [[{ ...BASE, environment: ["A=B"] }], 'environment.0: "A=B": the name of an environment'],
    [[{ ...BASE, environment_set: { A: 1 } }], "environment_set.A: 1: a string is needed"],
    [[{ ...BASE, stdin: "yes" }], 'stdin: "yes": allowed are "none", "parameters"'],
    [[{ ...BASE, timeout_ms: 0 }], "timeout_ms: 0: an integer from 1 to 604800000 is needed"],
    [[{ ...BASE, success_exit_codes: [] }], "success_exit_codes: []: at least one exit code"],
    [[{ ...BASE, success_exit_codes: [-1] }], "success_exit_codes.0: -1: an integer from 0 to"],
    [[{ ...BASE, command: "a\0b" }], "the character U+0000 is not allowed"],
    [[{ ...BASE, environment_set: { A: "a\0b" } }], "environment_set.A: "],
    [[{ ...BASE, environment_set: { "A=B": "1" } }], "environment_set"],
    [[{ ...BASE, retry: { max_attempts: 0 } }], "retry.max_attempts: 0: an integer from 1 to 100"],
    [[{ ...BASE, retry: { max: 3 } }], 'retry: unknown are "max", known are max_attempts'],
    [[{ ...BASE, concurrency: 1.5 }], "concurrency: 1.5: an integer from 1 to 1000 is needed"],
  ];
  for (const [content, message] of refusals) assertRefused(content, message);
  const both = assertThrows(() => parseModuleList([{ id: 1 }, { ...BASE, stdin: 1 }]), TypeError);
  assert(/^entry 0: .*; entry 1 \("a"\): stdin: 1: /.test(both.message), both.message);
});

Deno.test("a refusal of a parameter names it by its index", () => {
  const refused = (parameters: readonly unknown[], message: string): void =>
    assertRefused([{ ...BASE, parameters }], `entry 0 ("a"): parameters.${message}`);
  refused([{ name: "x", type: "date" }], '0.type: "date": an object is needed, its type one of');
  refused([{ name: "1x", type: "text" }], '0.name: "1x": a name of 1 to 64 letters');
  refused([{ name: "__proto__", type: "text" }], '0.name: "__proto__": a name');
  refused([{ name: "x", type: "text", min: 1 }], '0: unknown are "min", known are name');
  refused([{ name: "x", type: "number", min: 2, max: 1 }], "0.max: 1: at least min, which is 2");
  refused([{ name: "x", type: "number", max: 1, default: 2 }], "0.default: 2: a number of at most");
  refused(
    [{ name: "x", type: "number", default: "2" }],
    '0.default: "2": a number is needed',
  );
  refused(
    [{ name: "x", type: "select", options: ["a", "b", "a"] }],
    '0.options: ["a","b","a"]: each option may stand there once',
  );
  refused(
    [{ name: "x", type: "text", pattern: "a)|(b" }],
    '0.pattern: "a)|(b": Invalid regular expression',
  );
  refused(
    [{ name: "x", type: "text", pattern: "(?=a).*" }],
    '0.pattern: "(?=a).*": look-around, back-references and modifiers are not possible',
  );
  refused(
    [{ name: "x", type: "text", pattern: "(" }],
    '0.pattern: "(": Invalid regular expression',
  );
  refused(
    [{ name: "x", type: "text", pattern: "a+", default: "ab" }],
    '0.default: "ab": all of it must match a+',
  );
  refused([{ name: "x", type: "text", min_length: 3, max_length: 2 }], "0.min_length: 3: at most");
  refused([{ name: "x", type: "select" }], "0.options: a list is needed");
  refused([{ name: "x", type: "select", options: ["a"], default: "b" }], '0.default: "b": allowed');
  refused([{ name: "x", type: "text" }, { name: "x", type: "text" }], '1.name: "x": another');
});

Deno.test("a condition names an earlier parameter and a value that it can have", () => {
  const mode = { name: "mode", type: "select", options: ["fast", "slow"] };
  const refused = (visible_when: unknown, message: string): void =>
    assertRefused(
      [{ ...BASE, parameters: [mode, { name: "size", type: "number", visible_when }] }],
      `parameters.1.visible_when${message}`,
    );
  refused({ parameter: "size", equals: 1 }, '.parameter: "size": there is no such parameter');
  refused(
    { parameter: "mode", equals: "mid" },
    ': {"parameter":"mode","equals":"mid"}: "mode" can',
  );
  refused({ parameter: "mode" }, ": ");
  refused({ parameter: "mode", equals: "fast", one_of: ["fast"] }, ": ");
  refused({ parameter: "mode", one_of: [] }, ".one_of: []: at least one value is needed");
  assertRefused(
    [{
      ...BASE,
      parameters: [mode],
      arguments: [{ when: { parameter: "x", equals: 1 }, arguments: [] }],
    }],
    'arguments.0.when.parameter: "x": there is no such parameter, known here are mode',
  );
});

Deno.test("what is not a list of modules is refused", () => {
  for (const content of [{}, [], null, "x", { modules: [] }, { modules: [BASE], more: 1 }]) {
    assertRefused(content, "it holds no list of modules");
  }
  assertEquals(parseModuleList({ $schema: "x.json", modules: [BASE] }).length, 1);
});

Deno.test("modules are read from JSON, YAML and TOML alike, all or none", async () => {
  const modules = [
    { ...BASE, name: "Alpha", parameters: [{ name: "n", type: "number", default: 3 }] },
    { id: "b", script: "b.py", arguments: [["--n", "5"]] },
  ];
  const files = {
    "m.json": `\uFEFF${JSON.stringify(modules)}`,
    "m.yaml": toYaml({ modules }).replaceAll("\n", "\r\n"),
    "m.toml": toToml({ modules }),
    "bad.json": JSON.stringify([{ ...BASE, id: "new" }, { id: "c" }]),
  };
  await withScripts(files, async (folder) => {
    for (const name of ["m.json", "m.yaml", "m.toml"]) {
      const registry = await loadModules(join(folder, name));
      assertEquals(registry.types(), ["a", "b"], name);
      const { name: label, parameters } = registry.get("a")!;
      assertEquals([label, parameters!.map((parameter) => parameter.default)], ["Alpha", [3]]);
    }
    const registry = new HandlerRegistry().register("a", () => {});
    const refused = (name: string, message: string): Promise<Error> =>
      assertRejects(() => loadModules(join(folder, name), registry), TypeError, message);
    await refused("m.json", 'entry 0 ("a"): id: there is a handler of this type already');
    await refused("bad.json", 'entry 1 ("c"): command: a command or a script is needed');
    await refused("none.json", "Cannot load modules from");
    await refused("m.txt", "its name ends in none of .json");
    assertEquals(registry.types(), ["a"]);
  });
});

Deno.test("docs/modules.schema.json is what the schema says", async () => {
  const kept = JSON.parse(await Deno.readTextFile(SCHEMA_FILE));
  assertEquals(
    kept,
    JSON.parse(JSON.stringify(moduleListSchema())),
    "it is stale: run test/support/modules_schema.ts",
  );
  const module = kept.$defs.CommandModule;
  assertEquals(module.required, ["id"]);
  assertEquals(module.additionalProperties, false);
  assert(Object.keys(module.properties).length > 15);
});

Deno.test("the example is a list of modules, and names its schema", async () => {
  const file = fileURLToPath(new URL("../../examples/modules.json", import.meta.url));
  assertEquals((await loadModules(file)).types(), ["word-count", "pack-folder"]);
  const { $schema } = JSON.parse(await Deno.readTextFile(file));
  assertEquals(
    new URL($schema, new URL("../../examples/", import.meta.url)).href,
    SCHEMA_FILE.href,
  );
});

function assertRefused(content: unknown, message: string): void {
  assertThrows(() => parseModuleList(content), TypeError, message);
}
