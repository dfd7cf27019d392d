/**
 * The code in the README and in docs/ is run as it is printed.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { createProgram } from "../cli/main.ts";
import { commandsOf } from "../cli/manual.ts";
import { capturedIo, Listener } from "./cli/cli_harness.ts";
import { isThorough } from "./support/effort.ts";
import { withTemporaryPath } from "./support/queues.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

Deno.test(`every TypeScript block of the README and of docs/ ${isThorough() ? "runs" : "has its types right"}`, async () => {
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
    if (!isThorough()) return;
    const permissions = ["--allow-read", "--allow-write", "--allow-env", "--allow-run"];
    for (const file of files) {
      const queuePath = join(dirname(file), "queue.db");
      await run(["run", "--quiet", "--no-check", config, ...permissions, file], queuePath);
    }
  });
});

Deno.test("the example of a task manager can be run again and again on the queue", async () => {
  const block = (await blocksOf("ts", "docs/getting_started.md")).find((code) =>
    code.includes("createTaskManager")
  )!;
  await withTemporaryPath(async (path) => {
    const file = join(dirname(path), "block.ts");
    await Deno.writeTextFile(file, block.replaceAll('"./', `"${pathToFileURL(ROOT)}`));
    const permissions = ["--allow-read", "--allow-write", "--allow-env"];
    for (let time = 1; time <= 2; time++) {
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "--quiet",
          "--no-check",
          `--config=${join(ROOT, "deno.json")}`,
          ...permissions,
          file,
        ],
        env: { TASK_BACKEND: "queue", QUEUE_DB_PATH: path },
        stdin: "null",
        stderr: "inherit",
      }).output();
      assertEquals(new TextDecoder().decode(stdout), "completed done\n");
    }
  });
});

Deno.test("every command of the README and of Getting started works, in that order", async () => {
  for (const page of ["README.md", "docs/getting_started.md"]) {
    const commands = (await blocksOf("sh", page)).flatMap((block) => block.split("\n")).filter(
      (line) => line.startsWith("deno task"),
    );
    assert(commands.length >= 3, `${commands.length} commands`);
    await withTemporaryPath(async (path) => {
      for (const command of commands.filter((line) => !line.includes("task serve"))) {
        const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map((match) =>
          (match[1] ?? match[2])!
        );
        await run(words.slice(1), path);
      }
    });
  }
});

Deno.test({
  name: "every curl of Getting started works against deno task serve, in that order",
  ignore: !isThere("curl") || !isThere("bash"),
  fn: async () => {
    const curls = (await blocksOf("sh", "docs/getting_started.md"))
      .flatMap((block) => block.replaceAll("\\\n", " ").split("\n"))
      .filter((line) => line.startsWith("curl "));
    assertEquals(curls.length, 5);
    await withTemporaryPath(async (path) => {
      const server = new Deno.Command(Deno.execPath(), {
        args: ["task", "serve", "--handlers", "examples/handlers.ts", "--port", "0"],
        cwd: ROOT,
        env: { QUEUE_DB_PATH: path },
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      }).spawn();
      const said = new Listener(server.stderr);
      await said.until("listening on http://127.0.0.1:");
      const [address] = /127\.0\.0\.1:\d+/.exec(said.text)!;
      for (const curl of curls) {
        const line = curl.replace(/^curl /, "curl --silent --show-error --fail-with-body ");
        const { code, stdout } = await new Deno.Command("bash", {
          args: ["-c", line.replace("127.0.0.1:8787", address)],
          stdin: "null",
        }).output();
        const answer = new TextDecoder().decode(stdout);
        assertEquals(code, 0, `${curl}\n${answer}`);
        if (curl.includes("wait=")) assertEquals(JSON.parse(answer).status, "completed");
        if (curl.includes("stream")) assertStringIncludes(answer, "event: complete");
      }
      server.kill("SIGTERM");
      await server.status;
      await said.ended;
    });
  },
});

Deno.test("the recipes for start-up use commands and options that there are", async () => {
  const program = createProgram(capturedIo().io, { run: () => Promise.resolve() });
  const worker = commandsOf(program).find((command) => command.name() === "worker")!;
  const known = [...worker.options, ...program.options].map(({ long }) => long);
  for (const language of ["ini", "xml", "powershell"]) {
    const [recipe, ...others] = await blocksOf(language, "docs/deploy.md");
    assertEquals(others, []);
    const options = recipe!.match(/--[a-z-]+/g)!;
    assert(/\bworker\b/.test(recipe!) && options.length >= 2, language);
    for (const option of options) assert(known.includes(option), `${language}: ${option}`);
  }
});

/** Classes that only Holdfast makes, or that are there to be recognised; `TaskDefinition` is made by `defineTask`. */
const NOT_CONSTRUCTED = [
  ...["ConcurrentModules", "Orchestrator", "PeriodicTasks", "QueuedTaskManager", "TaskDefinition"],
  ...["CorruptionError", "QueueError", "QueueFullError", "StorageError", "WaitTimeoutError"],
  ...["ExportRefusedError", "ImportRefusedError", "MoveRefusedError", "MemoryDisk"],
];

Deno.test("every class that a user constructs is constructed in an example", async () => {
  const api = await Deno.readTextFile(join(ROOT, "test/public_api.txt"));
  const classes = [...api.matchAll(/^(\w+) class$/gm)].map(([, name]) => name!);
  const examples = (await Promise.all((await pages()).map((page) => blocksOf("ts", page)))).flat()
    .join("\n");
  const missing = classes.filter((name) => !examples.includes(`new ${name}(`));
  assertEquals(missing.toSorted(), NOT_CONSTRUCTED.toSorted());
});

/** `examples/edge` shows two of them where there is no file system; `readProject` is what there is beside `openProject`. */
const NOT_SHOWN = ["loadSqlEngine", "openProject", "openQueueWith"];

Deno.test("every function that gives something to use is called in an example", async () => {
  const api = await Deno.readTextFile(join(ROOT, "test/public_api.txt"));
  const names = [...api.matchAll(/^((?:open|create|define|load|getOrCreate)\w+) function$/gm)]
    .map(([, name]) => name!);
  assert(names.length > 10, `${names.length} functions`);
  const examples = (await Promise.all((await pages()).map((page) => blocksOf("ts", page)))).flat()
    .join("\n");
  const missing = names.filter((name) => !examples.includes(`${name}(`));
  assertEquals(missing.toSorted(), NOT_SHOWN);
});

Deno.test("the README has at most 200 lines, and its first sentence names Deno and TypeScript", async () => {
  const text = (await Deno.readTextFile(join(ROOT, "README.md"))).replaceAll("\r\n", "\n");
  assert(text.split("\n").length <= 201, `${text.split("\n").length - 1} lines`);
  const [first] = text.split("\n\n")[1]!.split(". ");
  for (const word of ["Deno", "TypeScript"]) assertStringIncludes(first!, word);
});

Deno.test("every link of the README and of docs/ to a page, and to a heading of it, leads somewhere", async () => {
  const broken: string[] = [];
  let links = 0;
  for (const page of await pages()) {
    const text = await Deno.readTextFile(join(ROOT, page));
    for (const [, target] of text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      links++;
      const [path, heading] = target!.split("#");
      const file = path === "" ? join(ROOT, page) : join(ROOT, dirname(page), path!);
      if (!await isReachable(file, heading)) broken.push(`${page}: ${target}`);
    }
  }
  assertEquals(broken, []);
  assert(links > 50, `${links} links`);
});

async function isReachable(file: string, heading: string | undefined): Promise<boolean> {
  try {
    const { isDirectory } = await Deno.stat(file);
    if (heading === undefined || isDirectory) return heading === undefined;
    const lines = (await Deno.readTextFile(file)).split(/\r?\n/);
    return lines.some((line) => /^#+ /.test(line) && anchorOf(line) === heading);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}

/** As GitHub makes it of a heading. */
function anchorOf(line: string): string {
  return line.replace(/^#+ /, "").toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-");
}

function isThere(name: string): boolean {
  try {
    return new Deno.Command(name, { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}

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
