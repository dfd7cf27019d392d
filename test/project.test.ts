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
  const section = (await Deno.readTextFile(join(ROOT, "README.md"))).replaceAll("\r\n", "\n")
    .split("### In your project\n")[1]!.split("\n### ")[0]!;
  const [config] = blocksOf("json", section);
  const [program] = blocksOf("ts", section);
  const commands = blocksOf("sh", section)[0]!.trim().split("\n");
  assertEquals(commands.length, 2);
  await withTemporaryPath(async (path) => {
    const folder = dirname(path);
    const place = relative(folder, ROOT).replaceAll("\\", "/");
    const linked = config!.replace("../holdfast", place);
    await Deno.writeTextFile(join(folder, "deno.json"), linked);
    await Deno.writeTextFile(join(folder, "main.ts"), program!);
    const [check, run] = commands.map((line) => line.split(" ").slice(1)) as [string[], string[]];
    if (isThorough()) await deno(check, folder); // reads the types of all packages
    const printed = /console\.log\(.*\/\/ (.*)$/m.exec(program!)![1];
    assertEquals((await deno(run, folder)).trim(), printed);
    assert((await Deno.stat(join(folder, "data", "queue.db"))).isFile);
  });
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
