/**
 * The code in the README and in docs/ is run as it is printed.
 */
import { assert, assertEquals } from "@std/assert";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { withTemporaryPath } from "./support/queues.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

Deno.test("every TypeScript block of the README and of docs/ runs", async () => {
  const blocks: string[] = [];
  for (const page of await pages()) blocks.push(...await blocksOf("ts", page));
  assert(blocks.length >= 7, `${blocks.length} blocks`);
  await withTemporaryPath(async (path) => {
    const files = await Promise.all(blocks.map(async (block, n) => {
      // Each finds an empty folder, so that none depends on another.
      const folder = join(dirname(path), String(n));
      await Deno.mkdir(folder);
      const file = join(folder, "block.ts");
      await Deno.writeTextFile(file, block.replaceAll('"./', `"${pathToFileURL(ROOT)}`));
      return file;
    }));
    const config = `--config=${join(ROOT, "deno.json")}`;
    await run(["check", "--quiet", config, ...files], path);
    const permissions = ["--allow-read", "--allow-write", "--allow-env", "--allow-run"];
    for (const file of files) {
      const queuePath = join(dirname(file), "queue.db");
      await run(["run", "--quiet", "--no-check", config, ...permissions, file], queuePath);
    }
  });
});

Deno.test("every command of the README's command line block works, in that order", async () => {
  const commands = (await blocksOf("sh", "README.md")).flatMap((block) => block.split("\n")).filter(
    (line) => line.startsWith("deno task"),
  );
  assert(commands.length >= 5, `${commands.length} commands`);
  await withTemporaryPath(async (path) => {
    for (const command of commands.filter((line) => !line.includes("task serve"))) {
      const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map((match) =>
        (match[1] ?? match[2])!
      );
      await run(words.slice(1), path);
    }
  });
});

/** The README and the pages of docs/. */
async function pages(): Promise<string[]> {
  const found = ["README.md"];
  for await (const { name } of Deno.readDir(join(ROOT, "docs"))) {
    if (name.endsWith(".md")) found.push(join("docs", name));
  }
  return found.sort();
}

/** The code blocks of one language on a page. */
async function blocksOf(language: string, page: string): Promise<string[]> {
  const text = (await Deno.readTextFile(join(ROOT, page))).replaceAll("\r\n", "\n");
  return [...text.matchAll(/```(\w+)[^\n]*\n([\s\S]*?)```/g)]
    .filter(([, name]) => name === language)
    .map(([, , block]) => block!);
}

async function run(args: string[], queuePath: string): Promise<void> {
  const { code, stderr, stdout } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: args[0] === "task" ? ROOT : dirname(queuePath),
    env: { QUEUE_DB_PATH: queuePath },
    stdin: "null",
  }).output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assertEquals(code, 0, `${args.join(" ")}\n${said}`);
}
