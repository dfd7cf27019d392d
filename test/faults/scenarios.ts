/**
 * The scenarios of the fault loops: what stands on the disk before, and what a process then does.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { StorageError } from "../../src/domain/errors.ts";
import { openQueue } from "../../src/compose/open_queue.ts";
import { DenoStorage } from "../../src/platform/deno_storage.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FaultyStorage } from "../support/faulty_storage.ts";
import { seededRandom } from "../support/queues.ts";
import { journalsOf } from "./files.ts";
import { checkNamed, Told } from "./told.ts";

/** What a scenario does with the process under test. */
export interface Stage {
  readonly told: Told;
  readonly path: string;
  /** Opens the queue; `undefined` when it was refused. */
  open(): Promise<EmbeddedQueue | undefined>;
  /** From here on calls of the storage may fail. */
  arm(): void;
}

/** One thing that must survive a fault anywhere in it. */
export interface Scenario {
  readonly name: string;
  /** Makes the files that are there before, with no fault. */
  readonly prepare: (path: string) => Promise<Told>;
  readonly run: (stage: Stage) => Promise<void>;
}

/** A journal longer than this is worth a checkpoint on closing. */
const LARGE_PAYLOAD = "x".repeat(80 * 1024);

/** A queue whose clock stands still, so that nothing happens unless it is asked for. */
export async function openStill(storage: FaultyStorage | DenoStorage): Promise<EmbeddedQueue> {
  return await openQueue({
    storage,
    clock: new FakeClock(),
    random: seededRandom(1),
    onBackgroundError: checkNamed,
  });
}

/** Every scenario. */
export const SCENARIOS: readonly Scenario[] = [
  { name: "open a new queue", prepare: nothing, run: openAndClose },
  {
    name: "open a queue with snapshot and journal",
    prepare: snapshotAndJournal,
    run: openAndClose,
  },
  {
    name: "enqueue",
    prepare: snapshotAndJournal,
    run: (stage) => whileOpen(stage, enqueueSome),
  },
  {
    name: "claim, complete, fail and cancel",
    prepare: snapshotAndJournal,
    run: (stage) => whileOpen(stage, workOff),
  },
  {
    name: "checkpoint",
    prepare: snapshotAndJournal,
    run: (stage) => whileOpen(stage, checkpointBetween),
  },
  { name: "close with a checkpoint", prepare: nothing, run: outgrowAndClose },
  { name: "catching up after two checkpoints", prepare: snapshotAndJournal, run: catchUp },
  { name: "recovery from a torn tail", prepare: tornTail, run: openAndEnqueue },
  { name: "recovery from a seal without successor", prepare: sealOnly, run: openAndEnqueue },
  { name: "recovery from a half-written new segment", prepare: halfSegment, run: openAndEnqueue },
  { name: "recovery beside a leftover snapshot.new", prepare: leftover, run: openAndEnqueue },
  { name: "recovery beside superseded segments", prepare: superseded, run: openAndCheckpoint },
];

// --- what a process does

async function openAndClose(stage: Stage): Promise<void> {
  stage.arm();
  const queue = await stage.open();
  if (queue !== undefined) await stage.told.answerOf(() => queue.close());
}

async function openAndEnqueue(stage: Stage): Promise<void> {
  stage.arm();
  await whileOpen(stage, ({ told }, queue) => enqueue(told, queue, "after recovery"));
}

async function openAndCheckpoint(stage: Stage): Promise<void> {
  stage.arm();
  await whileOpen(stage, async ({ told }, queue) => {
    await enqueue(told, queue, "after recovery");
    await told.answerOf(() => queue.checkpoint());
  });
}

async function outgrowAndClose(stage: Stage): Promise<void> {
  const queue = await stage.open();
  if (queue === undefined) return;
  await enqueue(stage.told, queue, "large", LARGE_PAYLOAD);
  stage.arm();
  await stage.told.answerOf(() => queue.close());
}

/** Another process folds the journal twice, so that this one must begin again from the new snapshot. */
async function catchUp(stage: Stage): Promise<void> {
  const queue = await stage.open();
  if (queue === undefined) return;
  const other = await openStill(new DenoStorage(stage.path));
  for (const runId of ["by another 1", "by another 2"]) {
    await enqueue(stage.told, other, runId);
    await other.checkpoint();
  }
  await other.close();
  stage.arm();
  await stage.told.answerOf(() => queue.get(1));
  await enqueue(stage.told, queue, "having caught up");
  await lookAndClose(stage, queue);
}

/** Opens, lets calls fail, acts, looks, and closes whatever has happened. */
async function whileOpen(
  stage: Stage,
  act: (stage: Stage, queue: EmbeddedQueue) => Promise<unknown>,
): Promise<void> {
  const queue = await stage.open();
  if (queue === undefined) return;
  stage.arm();
  await act(stage, queue);
  await lookAndClose(stage, queue);
}

async function lookAndClose(stage: Stage, queue: EmbeddedQueue): Promise<void> {
  const seen = await stage.told.answerOf(() => queue.list());
  if (seen !== undefined) stage.told.check(seen, "the queue that met the fault");
  await stage.told.answerOf(() => queue.close());
}

async function enqueueSome({ told }: Stage, queue: EmbeddedQueue): Promise<void> {
  await enqueue(told, queue, "first");
  await Promise.all(["second", "third"].map((runId) => enqueue(told, queue, runId)));
  await enqueue(told, queue, "fourth");
}

async function workOff({ told }: Stage, queue: EmbeddedQueue): Promise<void> {
  const claim = { workerId: "w", types: ["t"], limit: 3, strategy: "fifo" } as const;
  const runIds = (await told.answerOf(() => queue.list({ status: "queued" })))?.map((task) =>
    task.runId
  );
  const claimed = await told.become(runIds?.toReversed() ?? told.runIds, "leased", () => {
    return queue.claim(claim);
  });
  const [first, second, third] = claimed ?? [];
  if (first === undefined || second === undefined || third === undefined) return;
  await told.answerOf(() => queue.renew(first));
  await told.become([first.runId], "completed", () => queue.complete(first, "done"));
  await told.become([second.runId], "queued", () => queue.fail(second, new Error("again")));
  await told.become([third.runId], "cancelled", () => queue.cancel(third.id));
}

async function checkpointBetween({ told }: Stage, queue: EmbeddedQueue): Promise<void> {
  await enqueue(told, queue, "before the checkpoint");
  await told.answerOf(() => queue.checkpoint());
  await enqueue(told, queue, "after the checkpoint");
  await Promise.all([
    told.answerOf(() => queue.checkpoint()),
    enqueue(told, queue, "beside the checkpoint"),
  ]);
}

function enqueue(
  told: Told,
  queue: EmbeddedQueue,
  runId: string,
  payload?: string,
): Promise<boolean> {
  return told.enqueue(runId, () => queue.enqueue({ type: "t", runId, payload }));
}

// --- what stands on the disk before

function nothing(): Promise<Told> {
  return Promise.resolve(new Told());
}

async function snapshotAndJournal(path: string): Promise<Told> {
  const told = new Told();
  const queue = await openStill(new DenoStorage(path));
  await enqueue(told, queue, "in the snapshot");
  await queue.checkpoint();
  for (const n of [1, 2]) await enqueue(told, queue, `in the journal ${n}`);
  await queue.close();
  return told;
}

async function tornTail(path: string): Promise<Told> {
  const told = await snapshotAndJournal(path);
  const [journal] = await journalsOf(path);
  await Deno.writeFile(journal!, new Uint8Array(50).fill(0x48), { append: true });
  return told;
}

async function sealOnly(path: string): Promise<Told> {
  const told = await snapshotAndJournal(path);
  await refusedCheckpoint(path, "create");
  return told;
}

async function halfSegment(path: string): Promise<Told> {
  const told = await snapshotAndJournal(path);
  await refusedCheckpoint(path, "write", 20);
  return told;
}

async function leftover(path: string): Promise<Told> {
  const told = await snapshotAndJournal(path);
  await refusedCheckpoint(path, "rename");
  await Deno.writeTextFile(`${path}.snapshot.new`, "half a snapshot");
  return told;
}

async function superseded(path: string): Promise<Told> {
  const told = await snapshotAndJournal(path);
  const storage = new FaultyStorage(new DenoStorage(path));
  const queue = await openStill(storage);
  storage.fault = (at) => at === "remove" ? { message: "another program holds it" } : undefined;
  const { removedSegments } = await queue.checkpoint();
  await queue.close();
  assertEquals([removedSegments, (await journalsOf(path)).length], [0, 2]);
  return told;
}

/** Makes a checkpoint end at its first call of `point` in a new segment, as a crash there would. */
async function refusedCheckpoint(
  path: string,
  point: "create" | "write" | "rename",
  part?: number,
): Promise<void> {
  const storage = new FaultyStorage(new DenoStorage(path));
  const queue = await openStill(storage);
  const writesBefore = point === "write" ? 1 : 0;
  const calls = storage.count(point) + writesBefore;
  storage.fault = (at) =>
    at === point && storage.count(point) > calls ? { message: "a crash", part } : undefined;
  await assertRejects(() => queue.checkpoint(), StorageError, "a crash");
  await queue.close();
}
