/**
 * One name for each file: where a path leads when every symbolic link on its way is followed.
 */
import { basename, dirname, join, resolve } from "node:path";

/** How many links may follow each other where nothing is at their end. */
const LINKS_MAX = 40;

/** The file that `path` leads to, there or not. What may not be looked at is taken as it is written. */
export function realPath(path: string): string {
  return follow(resolve(path), LINKS_MAX);
}

function follow(path: string, linksLeft: number): string {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) return path;
  }
  const target = targetOf(path);
  if (target !== undefined && linksLeft > 0) return follow(target, linksLeft - 1);
  const folder = dirname(path);
  return folder === path ? path : join(follow(folder, linksLeft), basename(path));
}

/** Where a link leads at whose end nothing is. */
function targetOf(path: string): string | undefined {
  try {
    return resolve(dirname(path), Deno.readLinkSync(path));
  } catch {
    return undefined;
  }
}
