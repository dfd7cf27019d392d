/**
 * `loadHandlers` with lists: which function of which module executes which task type.
 */
import { basename } from "node:path";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { quotePath } from "../../src/domain/errors.ts";
import { HandlerRegistry, loadHandlers } from "../../src/mod.ts";
import { sourceOf } from "../../src/worker/isolated_handler.ts";
import { Scratch } from "./cli_harness.ts";

const MODULE = `
  globalThis.loaded = [...(globalThis.loaded ?? []), import.meta.url];
  export function double({ payload }) { return payload * 2; }
  export const triple = { description: "times three", timeoutMs: 5, concurrency: 3,
    handler: ({ payload }) => payload * 3 };
  export function echo({ payload }) { return payload; }
  export const limit = 5;
`;

const ENTRY = { task_type: "numbers.double", module: "./modules/numbers.js", function: "double" };

/** A folder with modules; \`list\` writes a list into it. */
async function withModules(
  test: (
    list: (content: unknown, name?: string) => Promise<string>,
    scratch: Scratch,
  ) => Promise<void>,
): Promise<void> {
  await using scratch = new Scratch();
  await Deno.mkdir(scratch.path("modules"));
  await Deno.writeTextFile(scratch.path("modules/numbers.js"), MODULE);
  await Deno.writeTextFile(scratch.path("modules/unlisted.js"), MODULE);
  await Deno.writeTextFile(scratch.path("modules/broken.js"), "export function (");
  await test(async (content, name = "handlers.json") => {
    const text = typeof content === "string" ? content : JSON.stringify(content);
    await Deno.writeTextFile(scratch.path(name), text);
    return scratch.path(name);
  }, scratch);
}

const SAME_LIST: Readonly<Record<string, string>> = {
  "list.json": JSON.stringify([{ ...ENTRY, version: "1.10", timeout_ms: 7 }]),
  "wrapped.json": JSON.stringify({ handlers: [{ ...ENTRY, version: "1.10", timeout_ms: 7 }] }),
  "list.yaml": `# the numbers
- task_type: numbers.double
  module: ./modules/numbers.js
  function: double
  version: "1.10"
  timeout_ms: 7
`,
  "LIST.YML": `handlers:
  - { task_type: numbers.double, module: modules/numbers.js, function: double, version: "1.10", timeout_ms: 7 }`,
  "list.toml": `[[handlers]]
task_type = "numbers.double"
module = "./modules/numbers.js"
function = "double"
version = "1.10"
timeout_ms = 7
`,
};

for (const [name, text] of Object.entries(SAME_LIST)) {
  Deno.test(`loadHandlers() reads the list ${name}`, async () => {
    await withModules(async (list) => {
      const registry = await loadHandlers(await list(text, name));
      const entry = registry.get("numbers.double")!;
      assertEquals([entry.version, entry.timeoutMs], ["1.10", 7]);
      assertEquals(await entry.handler({ payload: 21 } as never, {} as never), 42);
    });
  });
}

Deno.test("a list's options go before those of the export, which fill the rest", async () => {
  await withModules(async (list) => {
    const triple = { ...ENTRY, task_type: "t", function: "triple", timeout_ms: 9 };
    const file = await list([{ ...triple, retry_policy: { initial_delay_ms: 1 }, version: "2" }]);
    const entry = (await loadHandlers(file)).get("t")!;
    assertEquals(
      [entry.description, entry.timeoutMs, entry.concurrency, entry.version],
      ["times three", 9, 3, "2"],
    );
    assertEquals(entry.retryPolicy, { initialDelayMs: 1, multiplier: 2, maxDelayMs: 300_000 });
  });
});

Deno.test("only listed modules are ever imported, and those under isolation in threads alone", async () => {
  await withModules(async (list, scratch) => {
    await Deno.copyFile(scratch.path("modules/numbers.js"), scratch.path("modules/threads.js"));
    const isolatedEntry = { ...ENTRY, module: "modules/threads.js", isolation: "worker" };
    await loadHandlers(await list([ENTRY, { ...isolatedEntry, task_type: "in a thread" }]));
    const { loaded } = globalThis as unknown as { loaded: string[] };
    const here = loaded.filter((url) => url.includes(encodeURIComponent(basename(scratch.folder))));
    assertEquals(here.map((url) => url.split("/").at(-1)), ["numbers.js"]);
  });
});

const second = (change: Record<string, unknown>): unknown[] => [
  ENTRY,
  { ...ENTRY, task_type: "second", ...change },
];

const WRONG: Readonly<Record<string, readonly [content: unknown, reason: string]>> = {
  "no list": [{ a: 1 }, "it holds no list of handlers"],
  "an empty list": [[], "it holds no list of handlers"],
  "broken JSON": ["[{", "Cannot load handlers from"],
  "an entry that is not an object": [[ENTRY, 5], "entry 1: 5: "],
  "an entry without a function": [
    [ENTRY, { task_type: "second", module: "x" }],
    'entry 1 ("second"): function: ',
  ],
  "an unknown field": [
    second({ timeout: 5 }),
    'entry 1 ("second"): unknown are "timeout", known are task_type',
  ],
  "a version that is a number": [second({ version: 1.1 }), "version: 1.1: a string is needed"],
  "a timeout out of range": [
    second({ timeout_ms: 0 }),
    'entry 1 ("second"): Cannot use 0 as timeoutMs',
  ],
  "a retry policy out of range": [
    second({ retry_policy: { multiplier: 0 } }),
    'entry 1 ("second"): Cannot use 0 as multiplier',
  ],
  "an unknown isolation": [
    second({ isolation: "process" }),
    'entry 1 ("second"): isolation: "process": allowed are "none", "worker"',
  ],
  "permissions without isolation": [
    second({ permissions: "none" }),
    'entry 1 ("second"): permissions: "none": they need isolation "worker"',
  ],
  "an unknown permission": [
    second({ isolation: "worker", permissions: { network: true } }),
    'entry 1 ("second"): permissions: unknown are "network", known are env, ffi',
  ],
  "a type that is taken": [
    second({ task_type: "mine" }),
    'entry 1 ("mine"): type "mine" has a handler',
  ],
  "one type twice": [second({ task_type: " numbers.double " }), "it has a handler already"],
  "a module that is missing": [second({ module: "./nowhere.ts" }), 'entry 1 ("second"): '],
  "a module on the network": [
    second({ module: "https://example.com/handlers.ts" }),
    'entry 1 ("second"): ',
  ],
  "a module with a syntax error": [
    second({ module: "./modules/broken.js" }),
    'entry 1 ("second"): ',
  ],
  "a module with a syntax error under isolation": [
    second({ module: "./modules/broken.js", isolation: "worker" }),
    "SyntaxError",
  ],
  "a function that is missing": [
    second({ function: "half" }),
    'entry 1 ("second"): ./modules/numbers.js exports no "half", only double, echo, limit, triple',
  ],
  "a function that is missing under isolation": [
    second({ function: "half", isolation: "worker" }),
    'entry 1 ("second"): it exports no "half", only double, echo, limit, triple',
  ],
  "an export that is not a handler": [
    second({ function: "limit" }),
    'entry 1 ("second"): a function or',
  ],
};

for (const [what, [content, reason]] of Object.entries(WRONG)) {
  Deno.test(`loadHandlers() registers nothing from a list with ${what}`, async () => {
    await withModules(async (list) => {
      const registry = new HandlerRegistry().register("mine", () => 1);
      const file = await list(content);
      const error = await assertRejects(() => loadHandlers(file, registry), TypeError, reason);
      assertStringIncludes(error.message, `Cannot load handlers from ${quotePath(file)}`);
      assertEquals(registry.types(), ["mine"]);
    });
  });
}

Deno.test("every wrong entry of a list is named", async () => {
  await withModules(async (list) => {
    const file = await list([{ ...ENTRY, function: 1 }, ENTRY, { ...ENTRY, isolation: "x" }]);
    const { message } = await assertRejects(() => loadHandlers(file), TypeError, "entry 0");
    assert(message.includes("entry 2") && !message.includes("entry 1"), message);
  });
});

Deno.test("nothing in a payload chooses code", async () => {
  await withModules(async (list, scratch) => {
    const file = await list([{ ...ENTRY, task_type: "t", function: "echo" }]);
    const payload = JSON.stringify({ module: "./modules/unlisted.js", function: "triple" });
    const { code } = await scratch.run(["run", "t", "--payload", payload, "--handlers", file]);
    assertEquals(code, 0);
    const { loaded } = globalThis as unknown as { loaded: string[] };
    assertEquals(loaded.filter((url) => url.includes("unlisted")), []);
  });
});

Deno.test("worker executes what a list names, also in threads and with their schemas", async () => {
  await withModules(async (list, scratch) => {
    const threaded = { ...ENTRY, task_type: "threaded", isolation: "worker", permissions: "none" };
    const file = await list([ENTRY, threaded]);
    for (const type of ["numbers.double", "threaded"]) {
      await scratch.run(["enqueue", type, "--payload", "21"]);
    }
    await scratch.run(["worker", "--handlers", file, "--until-empty"]);
    for (const id of ["1", "2"]) {
      const { doc } = await scratch.json(["show", id]);
      assertEquals([doc.status, doc.result, doc.error_message], ["completed", 42, null]);
    }
  });
});

const THREADED = `
  export const walled = { isolation: "worker", permissions: "none", maxAttempts: 2, name: "Walled", timeoutMs: 70,
    handler: () => Deno.env.get("PATH") };
  export const many = { maxAttempts: 3, name: "Many", parameters: [], handler: () => 1 };
`;

Deno.test("a list keeps the isolation, permissions and other options of an export", async () => {
  await withModules(async (list, scratch) => {
    await Deno.writeTextFile(scratch.path("modules/threaded.js"), THREADED);
    const entry = { module: "modules/threaded.js" };
    const file = await list([
      { ...entry, task_type: "walled", function: "walled" },
      { ...entry, task_type: "many", function: "many" },
      {
        ...entry,
        task_type: "both",
        function: "walled",
        isolation: "worker",
        permissions: "none",
        timeout_ms: 90,
      },
    ]);
    const handlers = await loadHandlers(file);
    const isIsolated = (type: string): boolean =>
      sourceOf(handlers.get(type)!.handler) !== undefined;
    assertEquals(["walled", "many", "both"].map(isIsolated), [true, false, true]);
    assertEquals(sourceOf(handlers.get("walled")!.handler)!.permissions, "none");
    const said = handlers.entries().map(({ name, maxAttempts, timeoutMs }) => [
      name,
      maxAttempts,
      timeoutMs,
    ]);
    assertEquals(said, [["Walled", 2, 70], ["Many", 3, null], ["Walled", 2, 90]]);
  });
});

Deno.test("a list that isolates an export without its permissions is refused", async () => {
  await withModules(async (list, scratch) => {
    await Deno.writeTextFile(scratch.path("modules/threaded.js"), THREADED);
    const entry = { task_type: "t", module: "modules/threaded.js", function: "walled" };
    const file = await list([{ ...entry, isolation: "worker" }]);
    await assertRejects(() => loadHandlers(file), TypeError, "has permissions that its thread");
  });
});
