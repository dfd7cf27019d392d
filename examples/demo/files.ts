/**
 * The demo's files: every readable file below a folder, and what is true of them without the queue.
 */
import { join } from "node:path";

/** Folders that are not gone into. */
const SKIPPED_FOLDERS = [".git", "node_modules", "data"];

/** `crypto.subtle` hashes a whole file at once, so larger ones are left out. */
export const FILE_MAX_BYTES = 256 * 1024 * 1024;

/** A file as it was when the demo began. */
export interface DemoFile {
  readonly path: string;
  readonly bytes: number;
  readonly modifiedAtMs: number;
}

/** What was found below a folder. */
export interface Collection {
  readonly files: readonly DemoFile[];
  /** Files left out: too large, or not readable. */
  readonly leftOut: number;
}

/** Collects the files below `folder`; links are not followed. */
export async function collectFiles(folder: string): Promise<Collection> {
  const files: DemoFile[] = [];
  let leftOut = 0;
  for await (const path of pathsBelow(folder)) {
    const file = await look(path);
    if (file !== undefined && file.bytes <= FILE_MAX_BYTES) files.push(file);
    else leftOut++;
  }
  return { files, leftOut };
}

async function* pathsBelow(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isFile) yield path;
    else if (entry.isDirectory && !SKIPPED_FOLDERS.includes(entry.name)) yield* pathsBelow(path);
  }
}

/** The file as it is now; `undefined` when it is gone or must not be read. */
async function look(path: string): Promise<DemoFile | undefined> {
  try {
    using file = await Deno.open(path);
    const { size, mtime } = await file.stat();
    return { path, bytes: size, modifiedAtMs: mtime?.getTime() ?? 0 };
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return undefined;
    if (thrown instanceof Deno.errors.PermissionDenied) return undefined;
    throw thrown;
  }
}

/** The file's SHA-256 computed directly; `undefined` when the file has changed since it was collected. */
export async function directChecksum(file: DemoFile): Promise<string | undefined> {
  if (await hasChanged(file)) return undefined;
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(file.path));
  return await hasChanged(file) ? undefined : new Uint8Array(digest).toHex();
}

async function hasChanged(file: DemoFile): Promise<boolean> {
  const now = await look(file.path);
  return now?.bytes !== file.bytes || now.modifiedAtMs !== file.modifiedAtMs;
}
