/**
 * Files that are replaced in the middle of what a process does with them: a stranger's are never written, replaced or
 * removed, and the process says that its own are gone.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { basename, dirname, join } from "node:path";
import { StorageError } from "../../src/domain/errors.ts";
import { DenoStorage } from "../../src/platform/deno_storage.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import { EVERY_POINT, type FaultPoint, FaultyStorage } from "../support/faulty_storage.ts";
import { withTemporaryPath } from "../support/queues.ts";
import { contentsOf, journalsOf } from "./files.ts";
import { openStill } from "./scenarios.ts";

const IS_WINDOWS = Deno.build.os === "windows";

/** A queue that is open, another one, and how to do something right before a call of the first one's storage. */
interface Stage {
  readonly path: string;
  readonly queue: EmbeddedQueue;
  readonly storage: FaultyStorage;
  /** Another queue, closed. */
  readonly stranger: string;
  before(point: FaultPoint, act: () => void): void;
}

/** Folders in which files are open cannot be moved on Windows. */
function movingTest(name: string, test: (stage: Stage) => Promise<void>): void {
  Deno.test({ name, ignore: IS_WINDOWS, fn: () => withStage(test) });
}

movingTest(
  "a process makes nothing in the folder that has come in the place of its own",
  async (stage) => {
    replaceFolder(stage);
    await assertRejects(
      () => stage.queue.enqueue({ type: "t" }),
      StorageError,
      "moved, deleted or",
    );
    await assertRejects(() => stage.queue.list(), StorageError, "it in doubt");
    await assertRejects(() => stage.queue.checkpoint(), StorageError, "moved, deleted or replaced");
    await stage.queue.close();
    assertEquals([...Deno.readDirSync(dirname(stage.path))], []);
  },
);

movingTest(
  "a segment that is begun in a folder that has just come is taken back",
  async (stage) => {
    stage.before("create", () => replaceFolder(stage));
    await assertRejects(() => stage.queue.checkpoint(), StorageError, "moved, deleted or replaced");
    await stage.queue.close();
    assertEquals([...Deno.readDirSync(dirname(stage.path))], []);
  },
);

movingTest(
  "a snapshot is not put into a folder that has come while it was written",
  async (stage) => {
    stage.before("rename", () => {
      replaceFolder(stage);
      putStranger(stage, () => true);
    });
    await assertRejects(() => stage.queue.checkpoint(), StorageError, "moved, deleted or replaced");
    await stage.queue.close();
    assertEquals(await contentsOf(stage.path), await contentsOf(stage.stranger));
  },
);

Deno.test("a snapshot is not put beside another queue's journal, though the locks are the same", () =>
  withStage(async (stage) => {
    stage.before("rename", () => {
      removeQueue(stage.path);
      putStranger(stage, (name) => name.includes(".journal-"));
    });
    await assertRejects(() => stage.queue.checkpoint(), StorageError, "moved, deleted or replaced");
    await stage.queue.close();
    assertEquals([...(await contentsOf(stage.path)).keys()], ["queue.db.journal-3"]);
  }));

Deno.test("another queue's snapshot that has come while one was written is not replaced", () =>
  withStage(async (stage) => {
    stage.before("rename", () => putStranger(stage, (name) => name === "queue.db"));
    await assertRejects(() => stage.queue.checkpoint(), StorageError, "a file of queue");
    await stage.queue.close();
    assertEquals(await Deno.readFile(stage.path), await Deno.readFile(stage.stranger));
  }));

Deno.test("a process that opens while a backup is restored begins nothing beside the restored queue", () =>
  withStage(async (stage) => {
    await stage.queue.checkpoint();
    await stage.queue.close();
    const storage = new FaultyStorage(new DenoStorage(stage.path), EVERY_POINT);
    storage.fault = (point) => {
      if (point !== "list") return undefined;
      storage.fault = () => undefined; // the old snapshot has been read, the journal not yet
      removeQueue(stage.path);
      putStranger(stage, (name) => name === "queue.db");
    };
    await assertRejects(() => openStill(storage), StorageError, "a file of queue");
    assertEquals([...(await contentsOf(stage.path)).keys()], ["queue.db"]);
    await (await openStill(new DenoStorage(stage.path))).close();
  }));

Deno.test("another queue's file in the place of a superseded segment is left alone", () =>
  withStage(async (stage) => {
    const [journal] = await journalsOf(stage.path);
    const [strangers] = await journalsOf(stage.stranger);
    stage.before("remove", () => {
      Deno.removeSync(journal!);
      Deno.copyFileSync(strangers!, journal!);
    });
    assertEquals((await stage.queue.checkpoint()).removedSegments, 0);
    await stage.queue.close();
    assertEquals(await Deno.readFile(journal!), await Deno.readFile(strangers!));
  }));

Deno.test("a process that starts again from the snapshot does not go over to another queue", () =>
  withStage(async (stage) => {
    const other = await openStill(new DenoStorage(stage.path));
    await other.enqueue({ type: "t" });
    await other.checkpoint();
    await other.close();
    removeQueue(stage.path);
    const elsewhere = await openStill(new DenoStorage(stage.stranger));
    for (let n = 0; n < 5; n++) await elsewhere.enqueue({ type: "t" });
    await elsewhere.checkpoint();
    await elsewhere.close();
    putStranger(stage, () => true);
    const before = await contentsOf(stage.path);
    await assertRejects(() => stage.queue.enqueue({ type: "t" }), StorageError, "a file of queue");
    await stage.queue.close();
    assertEquals(await contentsOf(stage.path), before);
  }));

Deno.test("an older journal that has grown to the same length is not a basis for what comes", () =>
  withStage(async (stage) => {
    const [journal] = await journalsOf(stage.path);
    const older = await Deno.readFile(journal!);
    await stage.queue.enqueue({ type: "t", runId: "old" });
    const { size } = await Deno.stat(journal!);
    await Deno.writeFile(journal!, older); // the same file: only its bytes are others
    const other = await openStill(new DenoStorage(stage.path));
    await other.enqueue({ type: "t", runId: "new2" });
    await other.close();
    assertEquals((await Deno.stat(journal!)).size, size);
    await assertRejects(() => stage.queue.enqueue({ type: "t", runId: "lost" }), StorageError);
    await stage.queue.close();
    const again = await openStill(new DenoStorage(stage.path));
    assert((await again.list()).some(({ runId }) => runId === "new2"));
    await again.close();
  }));

Deno.test("a file that is not a queue is refused, and nothing is made beside it", () =>
  withTemporaryPath(async (path) => {
    await Deno.writeTextFile(path, "notes of mine");
    await assertRejects(() => openStill(new DenoStorage(path)), StorageError);
    assertEquals([...Deno.readDirSync(dirname(path))].map(({ name }) => name), [basename(path)]);
  }));

/** Moves the queue's folder away and makes an empty one. */
function replaceFolder({ path }: Stage): void {
  Deno.renameSync(dirname(path), `${dirname(path)} aside`);
  Deno.mkdirSync(dirname(path));
}

/** Removes snapshot and journal; the locks stay. */
function removeQueue(path: string): void {
  for (const { name } of [...Deno.readDirSync(dirname(path))]) {
    if (/queue\.db(\.journal-.*)?$/.test(name)) Deno.removeSync(join(dirname(path), name));
  }
}

/** Copies the stranger's snapshot and journal, those that `isWanted`, to the queue's path. */
function putStranger({ path, stranger }: Stage, isWanted: (name: string) => boolean): void {
  for (const { name } of Deno.readDirSync(dirname(stranger))) {
    const isLock = name.endsWith(".lock");
    if (isLock || !isWanted(name)) continue;
    Deno.copyFileSync(join(dirname(stranger), name), join(dirname(path), name));
  }
}

async function withStage(test: (stage: Stage) => Promise<void>): Promise<void> {
  await withTemporaryPath(async (outer) => {
    const [path, stranger] = ["data", "stranger"].map((folder) =>
      join(dirname(outer), folder, "queue.db")
    ) as [string, string];
    const elsewhere = await openStill(new DenoStorage(stranger));
    await elsewhere.enqueue({ type: "t" });
    await elsewhere.checkpoint();
    await elsewhere.close();
    const storage = new FaultyStorage(new DenoStorage(path));
    const queue = await openStill(storage);
    await queue.enqueue({ type: "t" });
    const before = (point: FaultPoint, act: () => void): void => {
      storage.fault = (at) => {
        if (at !== point) return undefined;
        storage.fault = () => undefined;
        act();
      };
    };
    await test({ path, queue, storage, stranger, before });
  });
}
