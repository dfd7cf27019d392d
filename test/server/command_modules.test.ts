/**
 * Command modules over HTTP: listed with their parameters, checked field by field, and run for real.
 */
import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { loadModules, MemoryLogStore, Worker } from "../../src/mod.ts";
import { ModuleListSchema } from "../../server/modules/schemas.ts";
import { RunSchema } from "../../server/runs/schemas.ts";
import { withScripts } from "../patterns/scripts.ts";
import { until } from "../support/until.ts";
import { type Fixture, post, read, readError, withApp } from "./fixture.ts";
import { programTest } from "../support/thorough.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples/modules.json", import.meta.url));

/** Whether a program of the examples is on this machine. */
async function has(...commands: string[]): Promise<boolean> {
  for (const command of commands) {
    try {
      const version = new Deno.Command(command, {
        args: ["--version"],
        stdout: "null",
        stderr: "null",
      });
      if ((await version.output()).success) return true;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return false;
}

/** Runs `test` with an app and a worker that have the example modules. */
async function withExamples(
  test: (fixture: Fixture, logs: MemoryLogStore) => Promise<void>,
): Promise<void> {
  const handlers = await loadModules(EXAMPLES);
  await withApp(async (fixture) => {
    const logs = new MemoryLogStore();
    const worker = new Worker({ queue: fixture.queue, handlers, logs });
    worker.start();
    try {
      await test(fixture, logs);
    } finally {
      await worker.stop({ graceMs: 0 });
    }
  }, { handlers });
}

Deno.test("GET /api/modules lists command modules with the definitions of their parameters", () =>
  withExamples(async ({ app }) => {
    const { modules } = await read(await app.request("/api/modules"), 200, ModuleListSchema);
    const [wordCount, packFolder] = modules;
    assertEquals([wordCount!.id, wordCount!.name, packFolder!.name], [
      "word-count",
      "Word count",
      "Pack a folder",
    ]);
    assertEquals(wordCount!.parameters!.at(-1), {
      name: "count",
      type: "number",
      label: "How many words",
      description: "",
      required: false,
      default: 10,
      min: 1,
      max: 1000,
      integer: true,
      min_length: null,
      max_length: null,
      pattern: null,
      options: null,
      visible_when: { parameter: "report", one_of: ["most_common"] },
    });
    assertEquals(
      packFolder!.parameters!.map(({ name, type, required }) => [name, type, required]),
      [
        ["folder", "text", true],
        ["archive", "text", true],
        ["compress", "checkbox", false],
      ],
    );
    assertEquals(wordCount!.parameters_schema!.required, ["folder"]);
  }));

Deno.test("POST /api/modules/{id}/run names each problem of the parameters, and stores nothing", () =>
  withExamples(async ({ app, queue }) => {
    const parameters = { pattern: "a/b", report: "none", count: 0, copies: 2 };
    const response = await post(app, "/api/modules/word-count/run", { parameters });
    const { errors } = await readError(response, 422, "VALIDATION_ERROR");
    assertEquals(errors, [
      { field: "parameters.folder", message: "Required" },
      { field: "parameters.pattern", message: "all of it must match [^/\\\\]+" },
      { field: "parameters.report", message: 'allowed are "total", "most_common"' },
      { field: "parameters.count", message: "an integer from 1 to 1000 is needed" },
      { field: "parameters.copies", message: "Unknown field" },
      { field: "parameters.count", message: 'only allowed when report is "most_common"' },
    ]);
    const hidden = { parameters: { folder: ".", count: 3 } };
    const refusal = await post(app, "/api/modules/word-count/run", hidden);
    assertEquals((await readError(refusal, 422, "VALIDATION_ERROR")).errors, [
      { field: "parameters.count", message: 'only allowed when report is "most_common"' },
    ]);
    assertEquals(await queue.count(), 0);
  }));

programTest("a Python module runs for real, asked for over HTTP", () =>
  withScripts(
    { "a.txt": "One two, two.\n", "b.txt": "Zwei drei two" },
    (folder) =>
      withExamples(async ({ app, queue }, logs) => {
        const run = async (parameters: Record<string, unknown>): Promise<string[]> => {
          const path = "/api/modules/word-count/run";
          const accepted = await read(await post(app, path, { parameters }), 202, RunSchema);
          const status = async (): Promise<string> =>
            (await read(await app.request(`/api/runs/${accepted.run_id}`), 200, RunSchema))
              .status;
          await until(async () => !/queued|running/.test(await status()), "the run");
          assertEquals(accepted.module_name, "Word count");
          const ended = await read(
            await app.request(`/api/runs/${accepted.run_id}`),
            200,
            RunSchema,
          );
          assertEquals(ended.module_name, "Word count");
          const task = (await queue.getByRunId(accepted.run_id))!;
          const lines = (await logs.read(task.id, 0)).lines;
          return [
            `${ended.status} ${ended.exit_code} ${ended.error_message}`,
            ...lines.map(({ level, message }) => `${level} ${message}`),
          ];
        };
        const common = { folder, pattern: "*.txt", report: "most_common", count: 1 };
        assertEquals(await run(common), [
          "completed 0 null",
          "info a.txt: 3 words",
          "info b.txt: 3 words",
          "info two 3",
        ]);
        assertEquals(await run({ folder, pattern: "*.txt" }), [
          "completed 0 null",
          "info a.txt: 3 words",
          "info b.txt: 3 words",
          "info 6 words in 2 files",
        ]);
        const none = join(folder, "none");
        const [end, ...lines] = await run({ folder: none });
        assertEquals(end, `failed 2 Exit code 2: there is no folder ${none}`);
        assertEquals(
          lines.filter((line) => line.startsWith("warn there is no folder")).length,
          2,
        );
      }),
  ), { ignore: !await has("python3", "python") });

Deno.test({
  name: "a command of the system runs for real, without a shell, asked for over HTTP",
  ignore: !await has("tar"),
  fn: () =>
    withScripts({ "a.txt": "one" }, (folder) =>
      withExamples(async ({ app, queue }) => {
        const archive = join(folder, "$(touch harm) 'packed'.tar");
        for (const [compress, beginning] of [[true, 0x1f], [false, 0x2e]] as const) {
          const parameters = {
            folder: EXAMPLES.replace("modules.json", "modules"),
            archive,
            compress,
          };
          const accepted = await read(
            await post(app, "/api/modules/pack-folder/run", { parameters }),
            202,
            RunSchema,
          );
          const task = async () => (await queue.getByRunId(accepted.run_id))!;
          await until(async () => !/queued|leased/.test((await task()).status), "the run");
          assertEquals([(await task()).status, (await task()).errorMessage], ["completed", null]);
          const bytes = await Deno.readFile(archive);
          assertEquals(bytes[0], beginning);
          assert(bytes.length > 100);
        }
        const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
        assertEquals(names.sort(), ["$(touch harm) 'packed'.tar", "a.txt"]);
      })),
});
