/**
 * The README's code is run as it is printed.
 */
import { assert, assertEquals } from "@std/assert";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { withTemporaryPath } from "./support/queues.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

Deno.test("every TypeScript block of the README runs", async () => {
  const blocks = await blocksOf("ts");
  assert(blocks.length >= 2, `${blocks.length} blocks`);
  await withTemporaryPath(async (path) => {
    for (const [i, block] of blocks.entries()) {
      const file = join(dirname(path), `block ${i}.ts`);
      await Deno.writeTextFile(file, block.replaceAll('"./', `"${pathToFileURL(ROOT)}`));
      await run(
        [
          "run",
          "--quiet",
          "--check",
          `--config=${join(ROOT, "deno.json")}`,
          "--allow-read",
          "--allow-write",
          "--allow-env",
          file,
        ],
        path,
      );
    }
  });
});

Deno.test("every command of the README's command line block works, in that order", async () => {
  const commands = (await blocksOf("sh")).flatMap((block) => block.split("\n")).filter((line) =>
    line.startsWith("deno task")
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

/** The code blocks of one language. */
async function blocksOf(language: string): Promise<string[]> {
  const text = (await Deno.readTextFile(join(ROOT, "README.md"))).replaceAll("\r\n", "\n");
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
