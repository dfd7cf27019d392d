/**
 * Queues of a size, made once in a run and copied for each use.
 */
import { basename, dirname, join } from "node:path";
import { type NewTask, openEmbeddedQueue, type TaskQueue } from "../src/mod.ts";
import { type Bench, sizeName } from "./bench.ts";
import { payloadOf, TYPE } from "./contenders/contender.ts";

const CHUNK = 10_000;

const made = new WeakMap<Bench, Map<string, Promise<string>>>();

/** The path of a new copy of a queue with `size` tasks, all folded into the snapshot. */
export async function queueOf(bench: Bench, size: number): Promise<string> {
  const path = await once(bench, `folded ${size}`, () => makeFolded(bench, size));
  return await copyQueue(path, bench.folder(`${size}`));
}

/** The path of a queue whose first half is in the snapshot and whose second half is in the journal, as a kill leaves it. */
export async function unfoldedQueueOf(bench: Bench, size: number): Promise<string> {
  const path = await once(bench, `unfolded ${size}`, () => makeUnfolded(bench, size));
  return await copyQueue(path, bench.folder(`${size} unfolded`));
}

/** Copies a queue's files, whether it is open or not, into another folder; the copy's path. */
export async function copyQueue(path: string, folder: string): Promise<string> {
  const name = basename(path);
  for await (const entry of Deno.readDir(dirname(path))) {
    if (!entry.isFile || !entry.name.startsWith(name) || entry.name.endsWith(".lock")) continue;
    await Deno.copyFile(join(dirname(path), entry.name), join(folder, entry.name));
  }
  return join(folder, name);
}

/** Adds `count` tasks, by default due ones. */
export async function fill(
  queue: TaskQueue,
  count: number,
  more: Partial<NewTask> = {},
): Promise<void> {
  for (let done = 0; done < count; done += CHUNK) {
    await queue.enqueueBatch(
      Array.from({ length: Math.min(CHUNK, count - done) }, (_, n) => ({
        type: TYPE,
        payload: payloadOf(done + n),
        ...more,
      })),
    );
  }
}

function once(bench: Bench, what: string, make: () => Promise<string>): Promise<string> {
  const known = made.get(bench) ?? new Map<string, Promise<string>>();
  made.set(bench, known);
  const path = known.get(what) ?? make();
  known.set(what, path);
  return path;
}

async function makeFolded(bench: Bench, size: number): Promise<string> {
  bench.say(`making a queue of ${sizeName(size)} tasks`);
  const path = join(bench.folder(`fixture ${size}`), "queue.db");
  const queue = await openEmbeddedQueue({ path, durability: "relaxed" });
  await fill(queue, size);
  await queue.checkpoint();
  await queue.close();
  return path;
}

async function makeUnfolded(bench: Bench, size: number): Promise<string> {
  const path = join(bench.folder(`filling ${size}`), "queue.db");
  const queue = await openEmbeddedQueue({ path, durability: "relaxed" });
  await fill(queue, size / 2);
  await queue.checkpoint();
  await fill(queue, size / 2);
  await queue.flush();
  const copy = await copyQueue(path, bench.folder(`unfolded fixture ${size}`));
  await queue.close();
  return copy;
}
