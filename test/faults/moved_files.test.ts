/**
 * A queue's files that are moved, deleted, copied back, restored or replaced while processes have them open: what is
 * acknowledged from then on is in the queue that stands at the path, whoever wrote it and whatever the others do.
 */
import { assert, assertEquals } from "@std/assert";
import { dirname, join } from "node:path";
import type { StorageError } from "../../src/domain/errors.ts";
import { openQueue } from "../../src/compose/open_queue.ts";
import { DenoStorage } from "../../src/platform/deno_storage.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { seededRandom, withTemporaryPath } from "../support/queues.ts";
import { until } from "../support/until.ts";
import { type Before, copyFolder, type Misdeed, MISDEEDS } from "./misdeeds.ts";
import { checkNamed, Told } from "./told.ts";

/** There a folder in which a file is open cannot be moved. */
const IS_WINDOWS = Deno.build.os === "windows";

/** A process of its own, as far as the files know. */
interface Process {
  readonly queue: EmbeddedQueue;
  readonly clock: FakeClock;
}

for (const hasSnapshot of [false, true]) {
  for (const misdeed of MISDEEDS) {
    const state = hasSnapshot ? "with a snapshot" : "without a snapshot";
    Deno.test({
      name: `${state}, ${misdeed.name}: nothing acknowledged afterwards is lost`,
      ignore: IS_WINDOWS && misdeed.movesFolder === true,
      sanitizeOps: true,
      sanitizeResources: true,
      fn: () => withFolder(hasSnapshot, (before, old) => loseNothing(misdeed, before, old)),
    });
  }
}

for (
  const misdeed of MISDEEDS.filter(({ name }) => /folder|journal|backup .*restored/.test(name))
) {
  if (misdeed.name.endsWith("moved back")) continue;
  Deno.test({
    name: `${misdeed.name}: a process that only reads says so, and shows the old queue no longer`,
    ignore: IS_WINDOWS && misdeed.movesFolder === true,
    fn: () =>
      withFolder(true, async (before, { queue, clock }) => {
        assertEquals((await queue.list()).length, 4);
        await misdeed.commit(before);
        const told = new Told();
        await until(async () => {
          await clock.advance(1000);
          return await told.answerOf(() => queue.list()) === undefined;
        });
        assert((told.refusals[0] as StorageError).isInDoubt);
        await told.answerOf(() => queue.close());
      }),
  });
}

Deno.test("a snapshot that is gone is made anew within a second or two, and on closing", () =>
  withFolder(true, async ({ path }, { queue, clock }) => {
    await Deno.remove(path);
    await until(async () => {
      await clock.advance(1000);
      return await exists(path);
    });
    await Deno.remove(path);
    await queue.close();
    const again = await openProcess(path);
    assertEquals((await again.queue.list()).length, 4);
    await again.queue.close();
  }));

Deno.test("another queue's snapshot is not replaced, and whoever meets it writes no more", () =>
  withFolder(true, async ({ path, aside }, { queue }) => {
    await Deno.mkdir(aside);
    const stranger = await openProcess(join(aside, "other.db"));
    await stranger.queue.enqueue({ type: "t", runId: "a stranger's" });
    await stranger.queue.checkpoint();
    await stranger.queue.close();
    await Deno.copyFile(join(aside, "other.db"), path);
    const bytes = await Deno.readFile(path);
    const told = new Told();
    assertEquals(await told.answerOf(() => queue.checkpoint()), undefined);
    assertEquals(await enqueue(told, queue, "in doubt"), false);
    await told.answerOf(() => queue.close());
    assertEquals(await Deno.readFile(path), bytes);
  }));

/** Runs `test` with a queue that has been open for a while, and what is needed to harm it. */
async function withFolder(
  hasSnapshot: boolean,
  test: (before: Before, old: Process) => Promise<void>,
): Promise<void> {
  await withTemporaryPath(async (outer) => {
    const [path, backup, copy, aside] = ["data/queue.db", "backup.db", "copy", "aside"].map((
      name,
    ) => join(dirname(outer), name)) as [string, string, string, string];
    const old = await openProcess(path);
    await old.queue.enqueue({ type: "t", runId: "before 1" });
    if (hasSnapshot) await old.queue.checkpoint();
    await old.queue.enqueue({ type: "t", runId: "before 2" });
    await old.queue.backup(backup);
    await copyFolder(dirname(path), copy);
    await old.queue.enqueue({ type: "t", runId: "before 3" });
    await old.queue.enqueue({ type: "t", runId: "before 4" });
    await test({ path, backup, copy, aside }, old);
  });
}

/** The old process, and one that opens afterwards, write in turns; both make checkpoints; the old one goes first or last. */
async function loseNothing(misdeed: Misdeed, before: Before, old: Process): Promise<void> {
  const told = new Told();
  await misdeed.commit(before);
  const fresh = await told.answerOf(() => openProcess(before.path));
  const processes = fresh === undefined ? [old] : [fresh, old];
  for (const [i, { queue }] of processes.entries()) {
    for (let n = 0; n < 3; n++) await enqueue(told, queue, `after ${i} ${n}`);
  }
  for (const { queue } of processes.toReversed()) await told.answerOf(() => queue.checkpoint());
  for (const [i, { queue }] of processes.entries()) await enqueue(told, queue, `at last ${i}`);
  for (const { queue } of processes.toReversed()) await told.answerOf(() => queue.close());
  const again = await openProcess(before.path);
  const runIds = new Set((await again.queue.list({ limit: 1000 })).map(({ runId }) => runId));
  assertEquals(told.acknowledged.filter((runId) => !runIds.has(runId)), []);
  if (fresh !== undefined) assert(told.acknowledged.includes("after 0 0"), "the new one can write");
  assert(await told.answerOf(() => again.queue.checkpoint()) !== undefined);
  await again.queue.close();
}

async function openProcess(path: string): Promise<Process> {
  const clock = new FakeClock();
  const queue = await openQueue({
    storage: new DenoStorage(path),
    clock,
    random: seededRandom(1),
    onBackgroundError: checkNamed,
  });
  return { queue, clock };
}

function enqueue(told: Told, queue: EmbeddedQueue, runId: string): Promise<boolean> {
  return told.enqueue(runId, () => queue.enqueue({ type: "t", runId }));
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(({ size }) => size > 0, () => false);
}
