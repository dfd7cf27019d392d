/**
 * Backup files: written once, never over another, and found again by their last bytes.
 */
import { basename, dirname, join, resolve } from "node:path";
import { messageOf, StorageError } from "../domain/errors.ts";
import { accessOf, makeFile, makeFolderFor } from "./file_access.ts";
import { syncFolder, writeDurably } from "./durable_rename.ts";

/** A file in a folder. */
export interface FileEntry {
  readonly path: string;
  readonly bytes: number;
  readonly modifiedAt: Date;
  /** Its last bytes, as many as were asked for if it has them. */
  readonly tail: Uint8Array;
}

/**
 * Makes a file of these bytes, durable before it resolves; a file that is there is left alone. Users who may use the queue at
 * `queuePath` may use it. @throws StorageError
 */
export async function writeNewFile(
  path: string,
  chunks: Iterable<Uint8Array>,
  queuePath?: string,
): Promise<void> {
  await attempt("write", path, async () => {
    await Deno.mkdir(dirname(resolve(path)), { recursive: true });
    if (!makeFile(path, queuePath === undefined ? undefined : accessOf(queuePath))) {
      throw new Deno.errors.AlreadyExists();
    }
    using file = await Deno.open(path, { write: true });
    try {
      await writeDurably(file, chunks);
      await syncFolder(dirname(resolve(path)));
    } catch (error) {
      await Promise.allSettled([Deno.remove(path)]);
      throw error;
    }
  });
}

/** The whole of a file. @throws StorageError */
export function readWholeFile(path: string): Promise<Uint8Array> {
  return attempt("read", path, () => Deno.readFile(path));
}

/** Deletes a file. @throws StorageError */
export function removeFile(path: string): Promise<void> {
  return attempt("remove", path, () => Deno.remove(path));
}

/** The ordinary files in a folder, in no order, except those that locks of a queue stand beside. @throws StorageError */
export function listFiles(folder: string, tailBytes: number): Promise<FileEntry[]> {
  return attempt("list", folder, async () => {
    const entries = await Array.fromAsync(Deno.readDir(folder));
    const names = new Set(entries.map(({ name }) => name));
    const files = entries.filter(({ name, isFile }) => isFile && !names.has(`${name}.commit.lock`));
    return await Promise.all(files.map(({ name }) => entryOf(join(folder, name), tailBytes)));
  });
}

/** Copies files of the queue at `path` into a new folder beside it, durably; gives the folder. @throws StorageError */
export function keepCopies(path: string, names: readonly string[], label: string): Promise<string> {
  const whole = resolve(path);
  const folder = `${whole}.${label}`;
  return attempt("copy to", folder, async () => {
    const access = accessOf(whole);
    if (!makeFolderFor(folder, access)) throw new Deno.errors.AlreadyExists();
    for (const name of names) {
      const file = name === "snapshot" ? basename(whole) : `${basename(whole)}.${name}`;
      makeFile(join(folder, file), access);
      await Deno.copyFile(join(dirname(whole), file), join(folder, file));
      using copy = await Deno.open(join(folder, file), { read: true, write: true });
      await copy.sync();
    }
    await syncFolder(folder);
    await syncFolder(dirname(whole));
    return folder;
  });
}

async function entryOf(path: string, tailBytes: number): Promise<FileEntry> {
  using file = await Deno.open(path, { read: true });
  const { size, mtime } = await file.stat();
  const tail = new Uint8Array(Math.min(size, tailBytes));
  await file.seek(size - tail.length, Deno.SeekMode.Start);
  await file.read(tail);
  return { path, bytes: size, modifiedAt: mtime ?? new Date(0), tail };
}

async function attempt<T>(operation: string, path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const reason = error instanceof Deno.errors.AlreadyExists
      ? "it is there already"
      : messageOf(error);
    throw new StorageError(operation, path, reason, { cause: error });
  }
}
