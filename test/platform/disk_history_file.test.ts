import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { quotePath, StorageError } from "../../src/domain/errors.ts";
import { createRun } from "../../src/domain/run.ts";
import {
  createTaskManager,
  openEmbeddedQueue,
  openRunRegistry,
  RunRegistry,
} from "../../src/mod.ts";
import { DiskHistoryFile } from "../../src/platform/disk_history_file.ts";
import { withTemporaryPath } from "../support/queues.ts";
import { programTest } from "../support/thorough.ts";

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function namesBeside(path: string): string[] {
  return [...Deno.readDirSync(dirname(path))].map(({ name }) => name).sort();
}

Deno.test("replace() makes missing folders, puts all chunks in place and leaves nothing else", () =>
  withTemporaryPath(async (path) => {
    const file = new DiskHistoryFile(join(dirname(path), "a", "b", "runs"));
    assertEquals(await file.read(), undefined);
    await file.replace([bytes("one "), bytes("two")]);
    await file.replace([bytes("three"), bytes(""), bytes(" four")]);
    assertEquals(await file.read(), bytes("three four"));
    assertEquals(namesBeside(file.path), ["runs"]);
  }));

Deno.test("replace() that fails half-way leaves the file as it was", () =>
  withTemporaryPath(async (path) => {
    const file = new DiskHistoryFile(path);
    await file.replace([bytes("before")]);
    const chunks = function* (): Generator<Uint8Array> {
      yield bytes("half");
      throw new Error("power cut");
    };
    const error = await assertRejects(() => file.replace(chunks()), StorageError, "power cut");
    assertEquals([error.operation, error.path], ["write", path]);
    assertEquals(await file.read(), bytes("before"));
    await file.replace([bytes("after")]);
    assertEquals(namesBeside(path), ["queue.db"]);
  }));

Deno.test({
  name: "a history goes on being a link, and those who could read it still can",
  ignore: Deno.build.os === "windows", // no modes, and links need a privilege
  fn: () =>
    withTemporaryPath(async (path) => {
      const target = `${path} target`;
      await Deno.symlink(target, path);
      const file = new DiskHistoryFile(path);
      await file.replace([bytes("first")]);
      assertEquals(Deno.statSync(target).mode! & 0o777, 0o600);
      await Deno.chmod(target, 0o640);
      await file.replace([bytes("second")]);
      assert(Deno.lstatSync(path).isSymlink);
      assertEquals(await Deno.readTextFile(target), "second");
      assertEquals(Deno.statSync(target).mode! & 0o777, 0o640);
      assertEquals(Deno.statSync(await file.keepAside()).mode! & 0o777, 0o640);
    }),
});

Deno.test("a queue that is given as the path of a history is left as it is", () =>
  withTemporaryPath(async (path) => {
    const queue = await openEmbeddedQueue(path);
    const wrong = { taskBackend: "in-memory", historyPath: path } as const;
    await queue.enqueue({ type: "t" });
    await assertRejects(() => createTaskManager(wrong), StorageError, "a run history");
    assertEquals(await Deno.readFile(path), new Uint8Array());
    await queue.checkpoint();
    await queue.close();
    const before = await Deno.readFile(path);
    await assertRejects(() => createTaskManager(wrong), StorageError, "it is not a run history");
    assertEquals(await Deno.readFile(path), before);
    assertEquals(namesBeside(path).filter((name) => name.includes("damaged")), []);
  }));

Deno.test("keepAside() copies the file under the next free name", () =>
  withTemporaryPath(async (path) => {
    const file = new DiskHistoryFile(path);
    await file.replace([bytes("first")]);
    assertEquals(await file.keepAside(), `${path}.damaged-1`);
    await file.replace([bytes("second")]);
    assertEquals(await file.keepAside(), `${path}.damaged-2`);
    assertEquals(await Deno.readTextFile(`${path}.damaged-1`), "first");
    assertEquals(await Deno.readTextFile(`${path}.damaged-2`), "second");
    for (let n = 3; n <= 100; n++) await Deno.writeTextFile(`${path}.damaged-${n}`, "");
    await assertRejects(() => file.keepAside(), StorageError, "100 copies");
  }));

Deno.test("a folder in the file's place is told of, and runs go on in memory", () =>
  withTemporaryPath(async (path) => {
    const historyPath = dirname(path);
    const warnings: string[] = [];
    const warn = (message: string): void => void warnings.push(message);
    const registry = await openRunRegistry({ historyPath, onHistoryProblem: warn });
    registry.addRun(createRun({ runId: "r", moduleId: "m" }));
    await registry.flush();
    assertEquals(warnings.length, 1);
    assert(warnings[0]!.includes(quotePath(historyPath)), warnings[0]);
  }));

Deno.test("a task manager with a history knows the runs of the one before, under both back ends", () =>
  withTemporaryPath(async (path) => {
    for (const taskBackend of ["in-memory", "queue"] as const) {
      const historyPath = `${path}.${taskBackend}.runs`;
      const options = { taskBackend, queueDbPath: path, historyPath };
      const before = await createTaskManager(options);
      const run = createRun({ runId: `by ${taskBackend}`, moduleId: "m" });
      before.startTask(run, () => Promise.resolve("done"));
      await before.waitAll();
      await before.close();
      const after = await createTaskManager(options);
      assertEquals(after.registry.getRun(run.runId), run);
      await after.close();
    }
  }));

Deno.test("historyPath is refused when blank, and together with a registry", async () => {
  await assertRejects(() => openRunRegistry({ historyPath: " " }), TypeError, "blank");
  await assertRejects(
    () => createTaskManager({ historyPath: "runs", registry: new RunRegistry() }),
    TypeError,
    "registry",
  );
  assertThrows(() => Deno.statSync("runs"), Deno.errors.NotFound);
});

programTest(
  "✗ a truncated file lost everything: a process killed while it writes leaves a whole file",
  () =>
    withTemporaryPath(async (path) => {
      for (let writes = 1; writes <= 5; writes += 2) {
        await killAfter(writes, path);
        const problems: string[] = [];
        const registry = await openRunRegistry({
          historyPath: path,
          onHistoryProblem: (message) => problems.push(message),
        });
        assertEquals([registry.getRecentRuns(1000).length, problems], [500, []]);
      }
    }),
);

/** Kills a process that writes the history at `path` when it has done so `writes` times. */
async function killAfter(writes: number, path: string): Promise<void> {
  const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
  const program = fileURLToPath(new URL("./programs/endless_history.ts", import.meta.url));
  const options = ["--quiet", "--no-prompt", "--cached-only", "--frozen", "--config", config];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", ...options, "--allow-read", "--allow-write", "--allow-env", program, path],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let lines = 0;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    lines += text.split("\n").length - 1;
    if (lines >= writes) break;
  }
  child.kill("SIGKILL");
  assert(!(await child.status).success);
}
