/**
 * A history file on disk: a new file is written beside it, fsynced, and renamed over it.
 */
import { dirname, resolve } from "node:path";
import { messageOf, StorageError } from "../domain/errors.ts";
import type { HistoryFile } from "../manager/history_file.ts";
import { renameOver, syncFolder, writeDurably } from "./durable_rename.ts";

/** How many copies of damaged files there may be beside one history. */
const ASIDE_MAX = 100;

/** The history file at a path. */
export class DiskHistoryFile implements HistoryFile {
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  /** @inheritdoc */
  read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return attempt("read", this.path, async () => {
      try {
        return await Deno.readFile(this.path);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw error;
      }
    });
  }

  /** @inheritdoc */
  replace(chunks: Iterable<Uint8Array>): Promise<void> {
    return attempt("write", this.path, async () => {
      const [folder, temporary] = [dirname(this.path), `${this.path}.new`];
      await Deno.mkdir(folder, { recursive: true });
      await create(temporary, chunks, { truncate: true, create: true });
      await renameOver(temporary, this.path);
      await syncFolder(folder);
    });
  }

  /** @inheritdoc The copy is called as the file, with `.damaged-1`, `.damaged-2`, … behind. */
  keepAside(): Promise<string> {
    return attempt("keep a copy of", this.path, async () => {
      const bytes = await Deno.readFile(this.path);
      for (let n = 1; n <= ASIDE_MAX; n++) {
        const aside = `${this.path}.damaged-${n}`;
        if (!await createIfFree(aside, bytes)) continue;
        await syncFolder(dirname(aside));
        return aside;
      }
      throw new Error(`there are ${ASIDE_MAX} copies beside it already`);
    });
  }
}

async function createIfFree(path: string, bytes: Uint8Array): Promise<boolean> {
  try {
    await create(path, [bytes], { createNew: true });
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  }
}

async function create(
  path: string,
  chunks: Iterable<Uint8Array>,
  how: Deno.OpenOptions,
): Promise<void> {
  using file = await Deno.open(path, { write: true, ...how });
  await writeDurably(file, chunks);
}

async function attempt<T>(operation: string, path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw new StorageError(operation, path, messageOf(error), { cause: error });
  }
}
