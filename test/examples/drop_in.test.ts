/**
 * The drop-in example in real processes: one environment variable moves it to the durable queue and back.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { quotePath } from "../../src/domain/errors.ts";
import { waitFor } from "../process/support.ts";

const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));
const MAIN = fileURLToPath(new URL("../../examples/drop_in/main.ts", import.meta.url));

const TEXTS = 6;

/** A folder with texts for the application; removed at the end. */
class Workplace implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "holdfast drop in ü " });

  constructor() {
    for (let n = 1; n <= TEXTS; n++) {
      Deno.writeTextFileSync(join(this.folder, `${n}.txt`), "some words ".repeat(n));
    }
    Deno.writeTextFileSync(join(this.folder, "old.tmp"), "");
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

interface Settings {
  readonly backend?: string;
  readonly queueDbPath?: string;
  readonly pauseMs?: number;
}

/** The application in a process of its own. */
function application(workplace: Workplace, command: string, settings: Settings): Deno.ChildProcess {
  const permissions = ["--allow-read", "--allow-write", "--allow-env"];
  const options = ["--quiet", "--no-prompt", "--cached-only", "--frozen", "--config", CONFIG];
  return new Deno.Command(Deno.execPath(), {
    args: ["run", ...options, ...permissions, MAIN, workplace.folder, command],
    env: {
      TASK_BACKEND: settings.backend ?? "",
      QUEUE_DB_PATH: settings.queueDbPath ?? workplace.path("queue.db"),
      BACKUP_PAUSE_MS: String(settings.pauseMs ?? 10),
      USE_QUEUE_SYSTEM: "",
      QUEUE_FALLBACK_ENABLED: "",
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

interface History {
  readonly runId: string;
  readonly status: string;
  readonly attempts: number;
  readonly timesInOrder: boolean;
}

interface Outcome {
  /** By run id. */
  readonly histories: History[];
  readonly warnings: string;
}

async function outcomeOf(process: Deno.ChildProcess): Promise<Outcome> {
  const { code, stdout, stderr } = await process.output();
  const [said, warnings] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assertEquals(code, 0, warnings);
  const histories: History[] = said!.trim().split("\n").map((line) => JSON.parse(line));
  return {
    histories: histories.sort((a, b) => a.runId < b.runId ? -1 : 1),
    warnings: warnings!,
  };
}

/** What the night's runs look like under every back end. */
const EXPECTED = [
  finished("backup", "Back up", { status: "completed", result: { copies: TEXTS } }),
  finished("cleanup", "Remove temporary files", { status: "completed" }),
  finished("import_prices", "Import prices", {
    status: "failed",
    errorMessage: "line 2: the price is not a number",
  }),
  finished("mirror", "Mirror", { status: "cancelled", errorMessage: "Cancelled by user" }),
  finished("word_count", "Count words", {
    status: "completed",
    result: { files: TEXTS, words: 42 },
  }),
];

function finished(
  moduleId: string,
  moduleName: string,
  outcome: { readonly status: string; readonly result?: unknown; readonly errorMessage?: string },
): Record<string, unknown> {
  const completed = outcome.status === "completed";
  return {
    runId: `night-1/${moduleId}`,
    moduleId,
    moduleName,
    status: outcome.status,
    result: outcome.result ?? null,
    errorMessage: outcome.errorMessage ?? null,
    exitCode: completed ? 0 : null,
    progressPercent: completed ? 100 : null,
    attempts: 1,
    timesInOrder: true,
    durationSeconds: true,
  };
}

/** `EXPECTED`, with what depends on the folder. */
function expectedIn(workplace: Workplace): unknown[] {
  return EXPECTED.map((run) =>
    run.moduleId === "cleanup" ? { ...run, result: { cleaned: workplace.folder } } : run
  );
}

function filesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** A worker tells each failed attempt on the standard error. */
const TOLD: Readonly<Record<string, string>> = {
  "in-memory": "",
  queue: "holdfast: import_prices run night-1/import_prices attempt 1 of 5 failed for good: " +
    "line 2: the price is not a number\n",
};

for (const backend of ["in-memory", "queue"]) {
  Deno.test(`the drop-in example's runs have the same histories with TASK_BACKEND=${backend}`, async () => {
    await using workplace = new Workplace();
    const { histories, warnings } = await outcomeOf(application(workplace, "start", { backend }));
    assertEquals<unknown>(histories, expectedIn(workplace));
    assertEquals(warnings, TOLD[backend]);
    assertEquals(filesIn(workplace.path("backup")).length, TEXTS);
    assert(!filesIn(workplace.folder).includes("old.tmp"));
    const hasQueue = filesIn(workplace.folder).some((name) => name.startsWith("queue.db"));
    assertEquals(hasQueue, backend === "queue");
  });
}

Deno.test("the drop-in example, killed half-way on the durable queue, is finished by its next start", async () => {
  await using workplace = new Workplace();
  await killHalfWay(workplace, "queue");
  const { histories, warnings } = await outcomeOf(application(workplace, "", { backend: "queue" }));
  const [backup, ...others] = histories;
  assertEquals(warnings, "");
  assertEquals<unknown>([{ ...backup, attempts: 1 }, ...others], expectedIn(workplace));
  assertEquals(backup?.attempts, 2);
  assertEquals(filesIn(workplace.path("backup")).length, TEXTS);
});

Deno.test("the drop-in example, killed half-way in memory, says so after its next start", async () => {
  await using workplace = new Workplace();
  await killHalfWay(workplace, "in-memory");
  const { histories } = await outcomeOf(application(workplace, "", { backend: "in-memory" }));
  const backup = histories.find(({ runId }) => runId.endsWith("/backup"));
  assertEquals(backup?.status, "failed");
  assertEquals(histories.length, EXPECTED.length);
  assert(filesIn(workplace.path("backup")).length < TEXTS);
});

/** Starts the night and kills its process when the backup has made two of its copies. */
async function killHalfWay(workplace: Workplace, backend: string): Promise<void> {
  const doomed = application(workplace, "start", { backend, pauseMs: 700 });
  await waitFor(() => {
    const copies = filesIn(workplace.path("backup")).length;
    const isKept = filesIn(workplace.folder).includes("runs.history");
    return Promise.resolve(copies >= 2 && isKept || undefined);
  }, "two copies");
  doomed.kill("SIGKILL");
  const { success } = await doomed.output();
  assert(!success);
  assert(filesIn(workplace.path("backup")).length < TEXTS, "it was killed too late");
}

Deno.test("a queue that cannot be opened is a warning with its reason, and the drop-in example goes on in memory", async () => {
  const unusable: readonly [string, (workplace: Workplace) => string, string][] = [
    ["a path that cannot be made", (workplace) => workplace.path("1.txt/queue.db"), "1.txt"],
    ["a folder", (workplace) => workplace.folder, "it is a folder"],
    ["a corrupt file", (workplace) => {
      Deno.writeTextFileSync(workplace.path("queue.db"), "no database ".repeat(1000));
      return workplace.path("queue.db");
    }, "queue.db"],
  ];
  for (const [what, pathOf, reason] of unusable) {
    await using workplace = new Workplace();
    const queueDbPath = pathOf(workplace);
    const settings = { backend: "queue", queueDbPath };
    const { histories, warnings } = await outcomeOf(application(workplace, "start", settings));
    assertEquals<unknown>(histories, expectedIn(workplace), what);
    const [warning, ...others] = warnings.trim().split("\n");
    assertStringIncludes(warning!, `Cannot open the task queue ${quotePath(queueDbPath)}`);
    assertStringIncludes(warning!.split("this process: ")[1]!, reason);
    assertEquals(others, []);
  }
});
