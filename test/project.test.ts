/**
 * README's "In your project" is done as it is printed, in an empty folder, with no permission but the printed ones.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { tmpdir } from "node:os";
import { dirname, join, parse, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { isThorough } from "./support/effort.ts";
import { withTemporaryPath } from "./support/queues.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** A package that is linked from another drive of Windows is found by Deno without what it imports. */
const isOnOtherDrive = parse(tmpdir()).root !== parse(ROOT).root;

Deno.test({
  name: "the lines of In your project run in an empty folder and print their result",
  ignore: isOnOtherDrive,
  fn: printedLinesRun,
});

async function printedLinesRun(): Promise<void> {
  const { config, program, commands } = await printed();
  assertEquals(commands.length, 2);
  await withTemporaryPath(async (path) => {
    const folder = dirname(path);
    await Deno.writeTextFile(join(folder, "deno.json"), linked(config, folder));
    await Deno.writeTextFile(join(folder, "main.ts"), program);
    const [check, run] = commands.map((line) => line.split(" ").slice(1)) as [string[], string[]];
    if (isThorough()) await deno(check, folder); // reads the types of all packages
    const result = /console\.log\(.*\/\/ (.*)$/m.exec(program)![1];
    assertEquals((await deno(run, folder)).trim(), result);
    assert((await Deno.stat(join(folder, "data", "queue.db"))).isFile);
  });
}

/** What the section prints. */
async function printed(): Promise<{ config: string; program: string; commands: string[] }> {
  const section = (await Deno.readTextFile(join(ROOT, "README.md"))).replaceAll("\r\n", "\n")
    .split("### In your project\n")[1]!.split("\n### ")[0]!;
  const [config, program, commands] = ["json", "ts", "sh"].map((language) =>
    blocksOf(language, section)[0]!
  ) as [string, string, string];
  return { config, program, commands: commands.trim().split("\n") };
}

/** The printed `deno.json`, with this checkout. */
function linked(config: string, folder: string): string {
  return config.replace("../holdfast", relative(folder, ROOT).replaceAll("\\", "/"));
}

/** What uses a package whose types are those of Node 16: they then are the program's, where Deno's are others. */
const OLD_TYPES = `import { Jimp } from "npm:jimp@1"; export const used: unknown = Jimp;`;

/** Programs that bring types of Node. */
const NEIGHBOURS: readonly string[] = [
  OLD_TYPES,
  ...(isThorough() ? [16, 18, 20, 22, 24] : [])
    .map((version) => `/// <reference types="npm:@types/node@${version}" />\nexport {};`),
];

Deno.test({
  name: "every export has its types right beside packages that bring types of Node, old and new",
  ignore: isOnOtherDrive,
  fn: async (t) => {
    for (const neighbour of NEIGHBOURS) {
      const [spec] = /npm:[^"]+/.exec(neighbour)!;
      const why = await whyNotLoaded(spec);
      await t.step({
        name: `${spec}${why === undefined ? "" : ` (skipped: ${why})`}`,
        ignore: why !== undefined,
        fn: () => checkBeside(neighbour),
      });
    }
  },
});

async function checkBeside(neighbour: string): Promise<void> {
  const { config, program } = await printed();
  const { exports } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  const doors = Object.keys(exports).map((name) => `import "@holdfast/holdfast${name.slice(1)}";`);
  const sources = { main: program, doors: doors.join("\n"), neighbour };
  await withTemporaryPath(async (path) => {
    const folder = dirname(path);
    await Deno.writeTextFile(join(folder, "deno.json"), linked(config, folder));
    for (const [name, source] of Object.entries(sources)) {
      await Deno.writeTextFile(join(folder, `${name}.ts`), source);
    }
    await deno(["check", ...Object.keys(sources).map((name) => `${name}.ts`)], folder);
  });
}

/** Why npm does not give a package here; `undefined` when it does. */
async function whyNotLoaded(spec: string): Promise<string | undefined> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["cache", "--quiet", "--no-config", spec],
    cwd: tmpdir(),
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  if (success) return undefined;
  return `npm gives none: ${new TextDecoder().decode(stderr).trim().split("\n")[0]}`;
}

Deno.test("what would be published is every export, and nothing of tests, bench or CI", async () => {
  const { exports, publish } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  const folders: readonly string[] = publish.include;
  for (const path of Object.values<string>(exports)) {
    assert(folders.includes(path.split("/")[1]!), `${path} would not be published`);
  }
  for (const folder of ["test", "bench", ".ci", "docs", "examples"]) {
    assert(!folders.includes(folder), `${folder} would be published`);
  }
});

function blocksOf(language: string, text: string): string[] {
  return [...text.matchAll(/```(\w+)[^\n]*\n([\s\S]*?)```/g)]
    .filter(([, name]) => name === language)
    .map(([, , block]) => block!);
}

/** Runs a printed command; the answer is its standard output. */
async function deno(args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [args[0]!, ...args[0] === "run" ? ["--no-prompt"] : [], ...args.slice(1)],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  assertEquals(code, 0, `deno ${args.join(" ")}\n${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

Deno.test("the API reference is made, in a checkout that has no dist yet", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  const folder = await Deno.makeTempDir({ prefix: "holdfast-api-" });
  try {
    const dist = `${folder.replaceAll("\\", "/")}/dist`;
    const command = tasks.api.command.replaceAll(/\bdist\b/g, dist);
    await deno(["task", "--quiet", "--eval", command], ROOT);
    const index = await Deno.readTextFile(join(folder, "dist", "api", "index.html"));
    assertStringIncludes(index, "Holdfast");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Node is told in one sentence what it cannot do", async () => {
  const library = await Deno.readTextFile(join(ROOT, "src/mod.ts"));
  const [first] = /^import "[^"]+"|^(import|export) .*/m.exec(library)!;
  assertEquals(first, 'import "./platform/needs_deno.ts"');
  const guard = await Deno.readTextFile(join(ROOT, "src/platform/needs_deno.ts"));
  const node = new Deno.Command("node", {
    args: ["--input-type=module", "--eval", guard],
    stdin: "null",
  });
  const { code, stderr } = await node.output();
  assertEquals(code, 1);
  assertStringIncludes(new TextDecoder().decode(stderr), "Error: Holdfast needs Deno, whose files");
});
