/**
 * Making and renaming so that it lasts: the step that makes a replaced file appear at once and whole.
 */
import { dirname } from "node:path";
import { patiently } from "./patience.ts";

const IS_WINDOWS = Deno.build.os === "windows";

/**
 * Gives the file `from` the name `to`, replacing what is there. `check` runs right before each attempt; what it throws
 * prevents it.
 */
export async function renameOver(from: string, to: string, check?: () => void): Promise<void> {
  const rename = (): Promise<void> => {
    check?.();
    return Deno.rename(from, to);
  };
  await patiently(rename, { isRenaming: true });
}

/**
 * Makes creations, renames and removals in a folder durable. NTFS journals its folders itself, and Windows gives no handle
 * to sync one by.
 */
export async function syncFolder(path: string): Promise<void> {
  if (IS_WINDOWS) return;
  using folder = await Deno.open(path, { read: true });
  await folder.sync();
}

/** The same without waiting for another thread. */
export function syncFolderNow(path: string): void {
  if (IS_WINDOWS) return;
  using folder = Deno.openSync(path, { read: true });
  folder.syncSync();
}

/**
 * Makes a folder, and those above it that are missing, so that a power cut does not undo it. A program that may not read the
 * folder above leaves that to the file system.
 */
export async function makeFolder(path: string): Promise<void> {
  const above = dirname(path);
  try {
    await Deno.mkdir(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound && above !== path) await makeFolder(above);
    else return await Deno.mkdir(path, { recursive: true }); // it is there, or something else is
    await Deno.mkdir(path, { recursive: true });
  }
  await syncFolder(above).catch((error) => {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
  });
}

/** Writes all of `chunks` to `file` and makes it durable. */
export async function writeDurably(file: Deno.FsFile, chunks: Iterable<Uint8Array>): Promise<void> {
  for (const chunk of chunks) {
    for (let written = 0; written < chunk.length;) {
      written += await file.write(chunk.subarray(written));
    }
  }
  await file.sync();
}
