/**
 * `loadHandlers`: what a handler file may export, and that a wrong one registers nothing.
 */
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { relative } from "node:path";
import { quotePath } from "../../src/domain/errors.ts";
import { HandlerRegistry, isFinal, loadHandlers, openQueue, Worker } from "../../src/mod.ts";
import { until } from "../support/until.ts";
import { HANDLERS, Scratch } from "./cli_harness.ts";
import { programTest } from "../support/thorough.ts";

/** Writes a handler file and gives its path. */
async function handlerFile(scratch: Scratch, text: string, name = "handlers.ts"): Promise<string> {
  await Deno.writeTextFile(scratch.path(name), text);
  return scratch.path(name);
}

Deno.test("loadHandlers() registers functions by name and entries with their options", async () => {
  const registry = await loadHandlers(HANDLERS);
  assertEquals(registry.types().sort(), ["broken", "echo", "endless", "stray", "strict.number"]);
  assertEquals(registry.get("strict.number")?.description, "wants a number");
  assertThrows(() => registry.checkPayload("strict.number", { n: "1" }), TypeError, "payload.n");
});

Deno.test("loadHandlers() takes every option of an entry", async () => {
  await using scratch = new Scratch();
  const file = await handlerFile(
    scratch,
    `export const a = { type: "b", handler: () => 1, description: "d", timeoutMs: 5,
      concurrency: 2, retryPolicy: { initialDelayMs: 7 } };`,
  );
  const entry = (await loadHandlers(file)).get("b");
  assertEquals(
    [entry?.description, entry?.timeoutMs, entry?.concurrency, entry?.retryPolicy?.initialDelayMs],
    ["d", 5, 2, 7],
  );
});

programTest(
  "defineHandler() makes an export of a definition, also for a thread of its own",
  async () => {
    await using scratch = new Scratch();
    const mod = JSON.stringify(import.meta.resolve("../../src/mod.ts"));
    const file = await handlerFile(
      scratch,
      `import { z } from "zod";
     import { defineHandler, defineTask } from ${mod};
     const add = defineTask({ type: "add", maxAttempts: 2, concurrency: 3, priority: 5,
       payload: z.object({ n: z.coerce.number() }), result: z.number().max(9) });
     export const here = defineHandler(add, ({ payload }) => payload.n + 1);
     const away = defineTask({ ...add.options, type: "away" });
     export const there = defineHandler(away, ({ payload }) => payload.n + 2, { isolation: "worker" });`,
    );
    const list = await handlerFile(
      scratch,
      JSON.stringify([
        { task_type: "listed", module: "handlers.ts", function: "there", isolation: "worker" },
      ]),
      "list.json",
    );
    const registry = await loadHandlers(list, await loadHandlers(file));
    const { maxAttempts, concurrency } = registry.get("add")!;
    assertEquals([maxAttempts, concurrency], [2, 3]);
    const queue = await openQueue({ memory: true });
    const worker = new Worker({ queue, handlers: registry });
    worker.start();
    const ended: unknown[] = [];
    for (const type of ["add", "away", "listed"]) {
      for (const n of ["4", "40"]) {
        const { task } = await queue.enqueue({ type, payload: { n } });
        await until(async () => isFinal((await queue.get(task.id))!.status));
        const { result, attempts, errorMessage } = (await queue.get(task.id))!;
        ended.push([type, result, attempts, errorMessage?.slice(0, 36) ?? null]);
      }
    }
    await worker.stop();
    await queue.close();
    assertEquals(ended, [
      ["add", 5, 1, null],
      ["add", null, 1, 'Cannot accept the result of "add": r'],
      ["away", 6, 1, null],
      ["away", null, 1, 'Cannot accept the result of "away": '],
      ["listed", 6, 1, null],
      ["listed", null, 1, 'Cannot accept the result of "there":'],
    ]);
  },
);

Deno.test("loadHandlers() takes relative paths, blanks, other alphabets, # and %", async () => {
  await using scratch = new Scratch();
  const file = await handlerFile(scratch, "export function a() {}", "händler #1 100%25 ж.js");
  assertEquals((await loadHandlers(file)).types(), ["a"]);
  assertEquals((await loadHandlers(relative(Deno.cwd(), file))).types(), ["a"]);
});

Deno.test("loadHandlers() adds to the registry that it is given", async () => {
  const registry = new HandlerRegistry().register("mine", () => 1);
  assertEquals(await loadHandlers(HANDLERS, registry), registry);
  assertEquals(registry.types().length, 6);
});

const WRONG: Readonly<Record<string, readonly [string, string]>> = {
  "an export that is not a handler": ["export const limit = 5;", 'export "limit": a function'],
  "an object without a handler": ["export const a = { type: 'x' };", 'export "a": a function'],
  "a default export without a type": [
    "export default () => 1;",
    'export "default": a task type is needed',
  ],
  "an isolated handler that its module does not export": [
    `import { isolated } from ${JSON.stringify(import.meta.resolve("../../src/mod.ts"))};
     export const a = isolated({ module: "data:text/javascript,export const b = 1", function: "a" });`,
    'export "a": it exports no "a", only b',
  ],
  "an unknown field": [
    "export const a = { handler() {}, timeout: 5 };",
    'export "a": it has an unknown field "timeout"',
  ],
  "a handler that is not a function": ["export const a = { handler: 5 };", 'export "a": Cannot'],
  "a timeout out of range": ["export const a = { handler() {}, timeoutMs: 0 };", "timeoutMs"],
  "a type that is not a string": [
    "export const a = { handler() {}, type: 5 };",
    'export "a": Cannot',
  ],
  "one type twice": [
    "export function a() {} export const b = { type: 'a', handler() {} };",
    'export "b": Cannot register "a"',
  ],
  "a type that is taken": ["export function mine() {}", 'export "mine": type "mine" has a handler'],
  "a syntax error": ["export function (", "Cannot load handlers from"],
  "an error while loading": ["throw new Error('not today');", "not today"],
};

for (const [what, [text, reason]] of Object.entries(WRONG)) {
  Deno.test(`loadHandlers() registers nothing from a file with ${what}`, async () => {
    await using scratch = new Scratch();
    const registry = new HandlerRegistry().register("mine", () => 1);
    const file = await handlerFile(scratch, `export function good() {}\n${text}`);
    const error = await assertRejects(() => loadHandlers(file, registry), TypeError, reason);
    assertStringIncludes(error.message, `Cannot load handlers from ${quotePath(file)}`);
    assertEquals(registry.types(), ["mine"]);
  });
}

Deno.test("loadHandlers() refuses a file that exports nothing", async () => {
  await using scratch = new Scratch();
  const file = await handlerFile(scratch, "const a = 1;");
  await assertRejects(() => loadHandlers(file), TypeError, "it exports nothing");
});

for (const name of ["missing.ts", "."]) {
  Deno.test(`loadHandlers() refuses ${JSON.stringify(name)}, which is not a file`, async () => {
    await using scratch = new Scratch();
    await assertRejects(
      () => loadHandlers(scratch.path(name)),
      TypeError,
      "Cannot load handlers from",
    );
  });
}
