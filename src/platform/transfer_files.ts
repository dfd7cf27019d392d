/**
 * Files that tasks are carried in: a database is read together with what SQLite left beside it, and a new file appears at
 * once and whole, never in the place of another.
 */
import { dirname, resolve } from "node:path";
import { messageOf, StorageError } from "../domain/errors.ts";
import type { DatabaseFiles } from "../transfer/sqlite_files.ts";
import { renameOver, syncFolder, writeDurably } from "./durable_rename.ts";

/** How often a file that is written to meanwhile is read anew. */
const READ_ATTEMPTS = 5;

/** Reads a file that may be a database. @throws StorageError also when it is written to all the time. */
export async function readDatabaseFiles(path: string): Promise<DatabaseFiles> {
  const places = [path, `${path}-wal`, `${path}-journal`];
  for (let attempt = 1; attempt <= READ_ATTEMPTS; attempt++) {
    const before = await Promise.all(places.map(signatureOf));
    const bytes = await attemptOn("read", path, () => Deno.readFile(path));
    const [wal, journal] = await Promise.all(places.slice(1).map(readIfThere));
    const after = await Promise.all(places.map(signatureOf));
    if (before.join() === after.join()) return { bytes, wal, journal };
  }
  throw new StorageError("read", path, "it is being written to: stop the program that uses it");
}

/** Whether there is something at `path`. @throws StorageError */
export async function isThere(path: string): Promise<boolean> {
  return await signatureOf(path) !== "none";
}

/**
 * Makes a file of these bytes, durable before it resolves. Until then there is a temporary file beside it; a file that is at
 * `path` is left alone.
 *
 * @throws StorageError
 */
export async function writeOnce(path: string, chunks: Iterable<Uint8Array>): Promise<void> {
  const folder = dirname(resolve(path));
  await attemptOn("write", path, async () => {
    if (await isThere(path)) throw new Deno.errors.AlreadyExists();
    await Deno.mkdir(folder, { recursive: true });
    const temporary = `${resolve(path)}.${crypto.randomUUID()}.new`;
    try {
      using file = await Deno.open(temporary, { write: true, createNew: true });
      await writeDurably(file, chunks);
      file.close();
      await moveToFreeName(temporary, path);
      await syncFolder(folder);
    } finally {
      await Promise.allSettled([Deno.remove(temporary)]);
    }
  });
}

/** A second name for the file, as far as the file system has such, is refused when the name is taken; a rename is not. */
async function moveToFreeName(from: string, to: string): Promise<void> {
  try {
    await Deno.link(from, to);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists || await isThere(to)) {
      throw new Deno.errors.AlreadyExists();
    }
    await renameOver(from, to);
  }
}

/** What changes when a file does. */
async function signatureOf(path: string): Promise<string> {
  try {
    const { size, mtime } = await Deno.stat(path);
    return `${size}@${mtime?.getTime()}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "none";
    throw new StorageError("look at", path, messageOf(error), { cause: error });
  }
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new StorageError("read", path, messageOf(error), { cause: error });
  }
}

async function attemptOn<T>(
  operation: string,
  path: string,
  action: () => Promise<T>,
): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof StorageError) throw error;
    const reason = error instanceof Deno.errors.AlreadyExists
      ? "it is there already"
      : messageOf(error);
    throw new StorageError(operation, path, reason, { cause: error });
  }
}
