/**
 * The path of a queue: however it is written, all processes that open one queue must find the same files beside it, because they stand
 * under its name with something behind it.
 */
import { basename } from "node:path";
import { realPath } from "./real_path.ts";

const IS_WINDOWS = Deno.build.os === "windows";

/** Windows and macOS usually take names that differ in case for the same file. */
const IGNORES_CASE = IS_WINDOWS || Deno.build.os === "darwin";

/** The form in which two names of the same file are equal. */
export function foldCase(name: string): string {
  return IGNORES_CASE ? name.toLowerCase() : name;
}

/** The same string for every way to write the path of a queue, links included. */
export function queueKey(path: string): string {
  return foldCase(realPath(path));
}

/** Windows takes `a:b` for a stream within the file `a`, which is not a file of its own. @throws Error for such a path */
export function checkStreamless(path: string, isWindows = IS_WINDOWS): void {
  if (!isWindows || !path.replace(/^(\\\\[?.]\\)?[A-Za-z]:/, "").includes(":")) return;
  throw new Error("it has a colon behind the drive, which names a part of a file on Windows");
}

/** A queue is an ordinary file, or not there yet: a device or a pipe could not be replaced. @throws Error */
export function checkOrdinary(found: Deno.FileInfo | undefined): void {
  if (found === undefined || found.isFile) return;
  const what = found.isDirectory ? "a folder" : "a device, a pipe or a socket";
  throw new Error(`it is ${what}, and the path of a queue is a file`);
}

/**
 * The path by which the system knows the file at `path`, which is there: links are followed, and on Windows blanks and dots at
 * the end of a name are dropped, short names written out. @throws Error when it could not be told from that of another file
 */
export async function truePath(path: string, isLink: boolean): Promise<string> {
  if (!isLink && !IS_WINDOWS) return path;
  // Volumes of some drivers cannot say it; a link cannot do without.
  const real = await Deno.realPath(path).catch((error) => {
    if (isLink) throw error;
    return path;
  });
  if (IS_WINDOWS && /[ .]$/.test(basename(real))) {
    throw new Error("its name ends in a blank or a dot, which Windows drops from a name");
  }
  return real;
}
