/**
 * A scratch copy of a queue: its files in a folder of their own, to be tested and thrown away.
 *
 * The folder stands beside the queue, so that what holds for the copy (space, permissions, locks, fsync) holds for the queue.
 * The queue's own files are only read, and it may be in use meanwhile.
 */
import { basename, dirname, join, resolve } from "node:path";
import { messageOf, StorageError } from "../domain/errors.ts";
import { DenoStorage } from "./deno_storage.ts";

/** A copy that is removed at the end. */
export interface ScratchCopy extends AsyncDisposable {
  /** The path of the copied queue. */
  readonly path: string;
  /** How many files were copied; 0 when there is no queue yet. */
  readonly files: number;
}

/** Copies the queue at `path`. @throws StorageError when it cannot be read, or nothing can be written beside it. */
export async function makeScratchCopy(path: string): Promise<ScratchCopy> {
  const source = await Deno.realPath(path).catch(() => resolve(path));
  const folder = await makeFolder(source);
  const copy: ScratchCopy = {
    path: join(folder, basename(source)),
    files: 0,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
  try {
    return { ...copy, files: await copyFiles(source, copy.path) };
  } catch (error) {
    await copy[Symbol.asyncDispose]();
    throw error;
  }
}

/** In the queue's folder, or in the nearest one above it that exists. */
async function makeFolder(source: string): Promise<string> {
  let beside = dirname(source);
  while (!await exists(beside) && dirname(beside) !== beside) beside = dirname(beside);
  try {
    return await Deno.makeTempDir({ dir: beside, prefix: `${basename(source)}.check-` });
  } catch (error) {
    throw new StorageError("create a folder in", beside, messageOf(error), { cause: error });
  }
}

/** Holds off checkpoints meanwhile, so that snapshot and journal fit together; a commit may be cut short in the copy. */
async function copyFiles(source: string, target: string): Promise<number> {
  if (!await exists(dirname(source))) return 0;
  const storage = new DenoStorage(source);
  if (!await exists(source) && storage.list().length === 0) return 0;
  try {
    await storage.open();
    // A file that is not a queue is copied as it is; opening the copy names the problem.
    const lock = storage.takesPart ? await storage.lock("checkpoint") : undefined;
    try {
      const names = storage.list().filter((name) => name !== "snapshot.new");
      for (const name of names) {
        const bytes = await storage.readFile(name);
        const copied = name === "snapshot" ? target : `${target}.${name}`;
        if (bytes !== undefined) await Deno.writeFile(copied, bytes);
      }
      return names.length;
    } finally {
      lock?.release();
    }
  } finally {
    storage.close();
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new StorageError("look at", path, messageOf(error), { cause: error });
  }
}
