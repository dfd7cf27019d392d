/**
 * The manual: every command has a page, every example works as it stands, every JSON document is what the page says.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { type DocumentName, DOCUMENTS } from "../../cli/documents.ts";
import { createProgram } from "../../cli/main.ts";
import { commandName, commandsOf, MANUAL } from "../../cli/manual.ts";
import { capturedIo, holdfast, type Outcome } from "./cli_harness.ts";

const program = createProgram(capturedIo().io, { run: () => Promise.resolve() });

/** A handler file as one writes it beside the binary: it imports nothing. */
const HANDLERS_TEXT = `
export async function email(task, { log, progress }) {
  log("info", "sending", { to: task.payload.to });
  progress(50, "half-way");
  return { sent: true };
}
export function report() {
  throw new Error("no data");
}
`;

const BATCH_TEXT = '{"type":"email","payload":{"to":"a@b.c"}}\r\n{"type":"report"}\r\n';

/** What the examples find: task 1 is completed, task 2 has failed, task 3 (run import-7) is queued; a schedule `hourly`. */
class World implements AsyncDisposable {
  /** Made once; each example finds a copy of it. */
  static #original: Promise<string> | undefined;

  readonly #folder: string;
  readonly #cameFrom = Deno.cwd();

  private constructor(folder: string) {
    this.#folder = folder;
    Deno.chdir(folder);
  }

  /** For `health` it is made anew: a task that waits for a minute, as tests may take, is something to tell. */
  static async create(command?: string): Promise<World> {
    if (command === "health") World.#original = undefined;
    const original = await (World.#original ??= World.#make());
    const folder = Deno.makeTempDirSync({ prefix: "holdfast manual ü " });
    await copy(original, folder);
    return new World(folder);
  }

  static async #make(): Promise<string> {
    const folder = Deno.makeTempDirSync({ prefix: "holdfast manual ü " });
    addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
    const cameFrom = Deno.cwd();
    Deno.chdir(folder);
    try {
      await World.#fill();
    } finally {
      Deno.chdir(cameFrom);
    }
    return folder;
  }

  static async #fill(): Promise<void> {
    await Deno.mkdir("backups");
    await Deno.writeTextFile("handlers.ts", HANDLERS_TEXT);
    await Deno.writeTextFile("tasks.ndjson", BATCH_TEXT);
    await Deno.writeTextFile("webhook.secret", "a secret of the two of us\n");
    await Deno.writeTextFile("hooks.toml", 'webhook_secret_file = "webhook.secret"\n');
    const payload = '{"to":"ann@example.com"}';
    await holdfast(["enqueue", "email", "--payload", payload]);
    await holdfast(["enqueue", "report", "--max-attempts", "1"]);
    await holdfast(["worker", "--handlers", "handlers.ts", "--until-empty"]);
    await holdfast(["enqueue", "email", "--payload", payload, "--run-id", "import-7"]);
    await holdfast(["schedule", "add", "hourly", "report", "--cron", "@hourly"]);
    assertEquals((await holdfast(["backup", "queue.bak"])).code, 0);
    const python = ["export", "--format", "original", "--output", "python-queue.db"];
    assertEquals((await holdfast(python)).code, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Deno.chdir(this.#cameFrom);
    await Deno.remove(this.#folder, { recursive: true });
  }
}

async function copy(from: string, to: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    const [source, target] = [join(from, name), join(to, name)];
    if (!isDirectory) await Deno.copyFile(source, target);
    else {
      await Deno.mkdir(target);
      await copy(source, target);
    }
  }
}

/** The words of a line as a shell makes them: single quotes keep what is between them. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => (match[1] ?? match[2])!);
}

/** Runs an example; one that goes on until interrupted is interrupted when it is under way. */
async function perform(line: string, extra: readonly string[] = []): Promise<Outcome> {
  const [first, ...args] = wordsOf(line);
  assertEquals(first, "holdfast");
  const interrupt = new AbortController();
  const underWay = /listening on|executes/;
  const isEndless = args[0] === "serve" || args.includes("--watch") ||
    (args[0] === "worker" && !args.includes("--until-empty"));
  const notice = (text: string): void => {
    if (isEndless && (args.includes("--watch") || underWay.test(text))) interrupt.abort();
  };
  return await holdfast([...args, ...extra], {
    interrupt: interrupt.signal,
    onOut: (text) => args.includes("--watch") && notice(text),
    onErr: notice,
  });
}

/** The document that the page names for these words. */
function documentOf(command: string, words: readonly string[]): DocumentName | undefined {
  const { documents } = MANUAL[command]!;
  const special = Object.keys(documents).find((when) =>
    when !== "" && words.includes(when.split(",")[0]!)
  );
  return documents[special ?? ""];
}

Deno.test("every command has a page, and every page a command", () => {
  const commands = commandsOf(program).filter((command) => command.commands.length === 0)
    .map(commandName);
  assert(commands.length > 20);
  assertEquals(Object.keys(MANUAL).toSorted(), commands.toSorted());
});

for (const [command, { examples, documents, exits = {} }] of Object.entries(MANUAL)) {
  Deno.test(`the help of ${command} shows its examples, and each works`, async () => {
    assert(examples.length > 0);
    const { code, out } = await holdfast([...command.split(" "), "--help"]);
    assertEquals(code, 0);
    for (const { does, line } of examples) {
      assertStringIncludes(out, `  # ${does}\n  ${line}\n`);
      assertEquals(wordsOf(line).slice(1, 1 + command.split(" ").length).join(" "), command);
      await using _world = await World.create(command);
      const outcome = await perform(line);
      const expected = line.includes("--watch") ? 130 : 0;
      assertEquals(outcome.code, expected, `${line}\n${outcome.err}`);
      if (expected === 130) assert(130 in exits);
    }
  });

  if (Object.keys(documents).length === 0) continue;
  Deno.test(`${command} --json writes what the manual says, and nothing else`, async () => {
    for (const { line } of examples) {
      await using _world = await World.create(command);
      const { out, err } = await perform(line, ["--json"]);
      const name = documentOf(command, wordsOf(line));
      assert(name !== undefined, line);
      const texts = line.includes("--watch") ? out.trimEnd().split("\n") : [out];
      assert(texts.length > 0);
      for (const text of texts) {
        const document: unknown = JSON.parse(text);
        assertEquals<unknown>(DOCUMENTS[name].parse(document), document, `${line}\n${err}`);
      }
    }
  });
}

Deno.test("every document of the manual is one that a command writes", () => {
  const written = Object.values(MANUAL).flatMap(({ documents }) => Object.values(documents));
  assertEquals([...new Set(written)].toSorted(), Object.keys(DOCUMENTS).toSorted());
});

Deno.test("what the help tells a newcomer to type works, in that order", async () => {
  const { out } = await holdfast(["--help"]);
  const lines = out.split("Start here:\n")[1]!.split("\n\n")[0]!.split("\n");
  assertEquals(lines.length, 3);
  await using _world = await World.create();
  for (const line of lines) {
    const outcome = await perform(line.trim());
    assertEquals(outcome.code, 0, `${line}\n${outcome.err}`);
  }
});

Deno.test("help fits the terminal, but for examples that are typed as they stand", async () => {
  for (const command of commandsOf(program)) {
    const { out } = await holdfast([...commandName(command).split(" "), "--help"]);
    const [help] = out.split("\nExamples:");
    for (const line of help!.split("\n")) assert(line.length <= 80, line);
  }
});

for (
  const [args, suggestion] of [
    [["enqueu"], "Did you mean enqueue?"],
    [["statz"], "Did you mean stats?"],
    [["work"], "Did you mean"],
    [["list", "--statsu", "queued"], "Did you mean --status?"],
    [["stats", "--wach"], "Did you mean --watch?"],
    [["--jsn", "list"], "Did you mean --json?"],
  ] as const
) {
  Deno.test(`holdfast ${args.join(" ")} ends with 2 and says what was meant`, async () => {
    const { code, out, err } = await holdfast(args);
    assertEquals([code, out], [2, ""]);
    assertMatch(err, /^holdfast: [^\n]+\n$/);
    assertStringIncludes(err, suggestion);
  });
}
