/**
 * The command line under rubbish: a known exit code, no stack trace, JSON or nothing with `--json`, and a wrong use or
 * an unknown task changes nothing.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { main } from "../../cli/main.ts";
import type { CliIo } from "../../cli/io.ts";
import { exportTasks, openEmbeddedQueue, QueueError, type TaskQueue } from "../../src/mod.ts";
import { capturedIo } from "../cli/cli_harness.ts";
import { bounded, Tally } from "./chance.ts";
import {
  COMMAND_NAMES,
  commandOf,
  describe,
  type FuzzCommand,
  type FuzzPlaces,
} from "./command_lines.ts";
import { effort, isThorough } from "../support/effort.ts";

const SEED = 200_000;
const COMMANDS = effort("fuzzCommands");
const COMMANDS_PER_QUEUE = 60;

/** In how many more queues a command is tried alone that chance has never brought to its end. */
const MORE_QUEUES = 5;

/** How long a command that would go on is left alone, in milliseconds. */
const INTERRUPT_AFTER_MS = 80;

const EXIT_CODES = [0, 1, 2, 3, 4, 130];

/** Codes by which a command says that it did nothing. */
const REFUSALS = [2, 3];

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

Deno.test("the command line answers any arguments with a known exit code, and a refusal changes nothing", async (t) => {
  const tally = new Tally();
  for (let from = SEED; from < SEED + COMMANDS; from += COMMANDS_PER_QUEUE) {
    await inFolder((places) => fuzzQueue(places, from, tally));
  }
  assertEquals(tally.get("commands"), COMMANDS);
  for (const name of isThorough() ? COMMAND_NAMES : []) {
    for (let more = 0; more < MORE_QUEUES && tally.get(`${name} done`) === 0; more++) {
      const from = SEED + COMMANDS + more * COMMANDS_PER_QUEUE;
      await inFolder((places) => fuzzQueue(places, from, tally, name));
    }
  }
  await t.step(`tried ${tally}`, () => {
    if (!isThorough()) return;
    for (const code of EXIT_CODES) {
      assert(tally.get(`exit ${code}`) >= 3, `hardly ever exit code ${code}`);
    }
    for (const name of COMMAND_NAMES) {
      assert(tally.get(`${name} done`) >= 1, `${name} was never done`);
    }
  });
});

async function fuzzQueue(
  places: FuzzPlaces,
  firstSeed: number,
  tally: Tally,
  only?: string,
): Promise<void> {
  await prepare(places);
  for (let seed = firstSeed; seed < firstSeed + COMMANDS_PER_QUEUE; seed++) {
    const command = commandOf(seed, places, only);
    const before = await contentOf(places);
    const ended = await bounded(execute(command, places), describe(command));
    tally.add("commands");
    tally.add(`exit ${ended.code}`);
    if (ended.code === 0) tally.add(`${command.name} done`);
    try {
      checkEnd(command, ended);
      if (REFUSALS.includes(ended.code)) assertEquals(await contentOf(places), before);
    } catch (cause) {
      throw new Error(`${describe(command)}\nended with ${JSON.stringify(ended)}\n${cause}`, {
        cause,
      });
    }
  }
  await checkStillWorks(places);
}

/** A queue in a new folder with a task in each status and a schedule, and files of all sorts beside it. */
async function prepare({ folder, db }: FuzzPlaces): Promise<void> {
  const queue = await openEmbeddedQueue(db);
  await queue.enqueueBatch(["r1", "1", "2", "waiting"].map((runId) => ({ type: "old", runId })));
  const [done, failed] = await queue.claim({ workerId: "w", types: ["old"], limit: 3 });
  await queue.complete(done!, "\u001b[31mred");
  await queue.fail(failed!, new Error("not yet\n    at here"));
  await queue.cancel(4);
  await queue.addSchedule({ id: "nightly", type: "echo", cron: "30 2 * * *" });
  await queue.backup(join(folder, "a backup"));
  await exportTasks(queue, {
    format: "ndjson",
    output: join(folder, "tasks.ndjson"),
    includeLeased: true,
  });
  await queue.close();
  const texts = {
    "not a database.txt": "just a text\n".repeat(20),
    "worker.toml": "concurrency = 2\n",
    "tokens.txt": "# nobody\n",
  };
  for (const [name, text] of Object.entries(texts)) {
    await Deno.writeTextFile(join(folder, name), text);
  }
}

async function execute(command: FuzzCommand, { db }: FuzzPlaces): Promise<Ended> {
  const captured = capturedIo({
    files: { "-": command.input },
    environment: { QUEUE_DB_PATH: db },
    terminal: command.outIsTerminal,
  });
  const io: CliIo = {
    ...captured.io,
    errIsTerminal: command.errIsTerminal,
    onInterrupt: (listener) => {
      const timer = setTimeout(() => listener(false), INTERRUPT_AFTER_MS);
      return () => clearTimeout(timer);
    },
  };
  return { code: await main(command.args, io), ...captured.written };
}

function checkEnd(command: FuzzCommand, { code, out, err }: Ended): void {
  assert(EXIT_CODES.includes(code), `exit code ${code}`);
  assert(!/^\s*at .*:\d+/m.test(err), "a stack trace");
  assert(!err.includes("Maximum call stack"), "an error of the machine's");
  assert(!/Bug in Holdfast|is not a function|of undefined|of null/.test(err), "an error of ours");
  if (code !== 0 && code !== 130) assert(err + out !== "", "it does not say why");
  if (!command.errIsTerminal) assert(isPlain(err), "control characters");
  if (command.args[0] !== "--json" || out === "") return;
  if (!/^Usage: holdfast/m.test(out)) JSON.parse(out);
}

/** Everything in the queue, and the names of all files and folders beside it. */
async function contentOf({ folder, db }: FuzzPlaces): Promise<unknown> {
  const queue = await openEmbeddedQueue({ path: db, mustExist: true });
  try {
    const files = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    return { files, tasks: await queue.list({ limit: 1000 }) };
  } finally {
    await queue.close();
  }
}

async function checkStillWorks({ db }: FuzzPlaces): Promise<void> {
  const queue = await openEmbeddedQueue({ path: db, mustExist: true });
  try {
    if (await isMoved(queue)) return;
    await queue.resume({});
    await queue.setLimit({}, null);
    const { task } = await queue.enqueue({ type: "still works" });
    const [claimed] = await queue.claim({ workerId: "w", types: ["still works"] });
    assertEquals(claimed?.id, task.id);
    assertEquals((await queue.complete(claimed!, "yes")).result, "yes");
  } finally {
    await queue.close();
  }
}

/** A command may have moved its tasks; then it takes no more. */
async function isMoved(queue: TaskQueue): Promise<boolean> {
  try {
    await queue.enqueueBatch([]);
    return false;
  } catch (thrown) {
    if (thrown instanceof QueueError && thrown.code === "queue_moved") return true;
    throw thrown;
  }
}

async function inFolder(test: (places: FuzzPlaces) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "holdfast fuzz ü " });
  try {
    await test({ folder, db: join(folder, "queue.db") });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Whether nothing but tabs and line ends could command a terminal. */
function isPlain(text: string): boolean {
  return [...text].every((character) => character >= " " || "\t\n\r".includes(character));
}
