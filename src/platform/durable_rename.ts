/**
 * Renaming one file over another so that it lasts: the step that makes a replaced file appear at once and whole.
 */
const IS_WINDOWS = Deno.build.os === "windows";

/** How often, and how long apart, a rename that another program refuses is tried again (Windows: virus scanners). */
const RENAME_ATTEMPTS = 20;
const RENAME_PAUSE_MS = 50;

/** Gives the file `from` the name `to`, replacing what is there. */
export async function renameOver(from: string, to: string): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      return await Deno.rename(from, to);
    } catch (error) {
      if (!IS_WINDOWS || attempt === RENAME_ATTEMPTS) throw error;
      await new Promise((resume) => setTimeout(resume, RENAME_PAUSE_MS));
    }
  }
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

/** Writes all of `chunks` to `file` and makes it durable. */
export async function writeDurably(file: Deno.FsFile, chunks: Iterable<Uint8Array>): Promise<void> {
  for (const chunk of chunks) {
    for (let written = 0; written < chunk.length;) {
      written += await file.write(chunk.subarray(written));
    }
  }
  await file.sync();
}
