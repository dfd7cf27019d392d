/**
 * A history file on disk: a new file is written beside it, fsynced, and renamed over it. Users who could read the one before can read
 * the new one, and a symbolic link goes on leading to it.
 */
import { basename, dirname, resolve } from "node:path";
import { messageOf, StorageError } from "../domain/errors.ts";
import { ForeignFileError, type HistoryFile } from "../manager/history_file.ts";
import { renameOver, syncFolder, writeDurably } from "./durable_rename.ts";
import { accessOf, makeFile } from "./file_access.ts";
import { realPath } from "./real_path.ts";

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
        const bytes = await Deno.readFile(this.path);
        if (bytes.length === 0) this.#checkNoQueue();
        return bytes;
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw error;
      }
    });
  }

  /** The file of a queue is empty as long as all its tasks are in the journal beside it. */
  #checkNoQueue(): void {
    const path = realPath(this.path);
    for (const { name } of Deno.readDirSync(dirname(path))) {
      if (!name.startsWith(`${basename(path)}.journal`)) continue;
      throw new ForeignFileError(this.path, "it is a queue; give the path of a run history");
    }
  }

  /** @inheritdoc */
  replace(chunks: Iterable<Uint8Array>): Promise<void> {
    return attempt("write", this.path, async () => {
      const path = realPath(this.path);
      const [folder, temporary] = [dirname(path), `${path}.new`];
      await Deno.mkdir(folder, { recursive: true });
      await removeIfThere(temporary);
      makeFile(temporary, accessOf(path));
      await write(temporary, chunks);
      await renameOver(temporary, path);
      await syncFolder(folder);
    });
  }

  /** @inheritdoc The copy is called as the file, with `.damaged-1`, `.damaged-2`, … behind. */
  keepAside(): Promise<string> {
    return attempt("keep a copy of", this.path, async () => {
      const bytes = await Deno.readFile(this.path);
      const access = accessOf(realPath(this.path));
      for (let n = 1; n <= ASIDE_MAX; n++) {
        const aside = `${this.path}.damaged-${n}`;
        if (!makeFile(aside, access)) continue;
        await write(aside, [bytes]);
        await syncFolder(dirname(aside));
        return aside;
      }
      throw new Error(`there are ${ASIDE_MAX} copies beside it already`);
    });
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function write(path: string, chunks: Iterable<Uint8Array>): Promise<void> {
  using file = await Deno.open(path, { write: true, truncate: true });
  await writeDurably(file, chunks);
}

async function attempt<T>(operation: string, path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof ForeignFileError) throw error;
    throw new StorageError(operation, path, messageOf(error), { cause: error });
  }
}
