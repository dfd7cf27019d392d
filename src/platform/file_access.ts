/**
 * Access to a queue's files: each new one gets owner, group and mode of the queue's own file, whichever user makes it, so that a
 * visit by root or by another member of a group locks no user out.
 *
 * On Windows a file takes its access rights from its folder, and all of this does nothing.
 */
import { closeSync, constants, fchmodSync, fchownSync, openSync } from "node:fs";

const IS_WINDOWS = Deno.build.os === "windows";

/** A new queue is its owner's alone; `chmod` on its files shares it, and the files to come follow. */
export const NEW_QUEUE_MODE = 0o600;

const PERMISSION_BITS = 0o777;
const READ_WRITE_BITS = 0o666;
const READ_BITS = 0o444;

/** Owner, group, and what each may do. */
export interface FileAccess {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** What files that belong to the one at `path` get; `undefined` where there is none, and on Windows. */
export function accessOf(path: string): FileAccess | undefined {
  const found = statOf(path);
  return found && { ...found, mode: found.mode & READ_WRITE_BITS };
}

/**
 * Makes an empty file, unless there is one, with these access rights; without them it is the user's own. Says whether it did.
 *
 * @throws Error when a user with `access` could not use it; it is removed then.
 */
export function makeFile(path: string, access: FileAccess | undefined): boolean {
  const mode = access?.mode ?? NEW_QUEUE_MODE;
  try {
    Deno.openSync(path, { write: true, createNew: true, mode }).close();
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  }
  giveOrRemove(path, access);
  return true;
}

/** Makes a folder for such files, unless there is one: users who may read them may enter it. @throws Error as `makeFile` does */
export function makeFolderFor(path: string, access: FileAccess | undefined): boolean {
  const mode = access?.mode ?? NEW_QUEUE_MODE;
  const withEntry = mode | (mode & READ_BITS) >> 2;
  try {
    Deno.mkdirSync(path, { mode: withEntry });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  }
  giveOrRemove(path, access && { ...access, mode: withEntry });
  return true;
}

function giveOrRemove(path: string, access: FileAccess | undefined): void {
  try {
    if (access !== undefined) giveAccess(path, access);
  } catch (error) {
    Deno.removeSync(path);
    throw error;
  }
}

/** Owner and group are changed as far as the system lets this user. A link in the file's place is not followed. */
function giveAccess(path: string, access: FileAccess): void {
  const made = statOf(path);
  if (made === undefined || isSame(made, access)) return;
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const owner = changeOwner(file, made, access);
    fchmodSync(file, access.mode);
    checkShared(owner, access);
  } finally {
    closeSync(file);
  }
}

function statOf(path: string): FileAccess | undefined {
  if (IS_WINDOWS) return undefined;
  try {
    const { uid, gid, mode } = Deno.statSync(path);
    if (uid === null || gid === null || mode === null) return undefined;
    return { uid, gid, mode: mode & PERMISSION_BITS };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function isSame(one: FileAccess, other: FileAccess): boolean {
  return one.uid === other.uid && one.gid === other.gid && one.mode === other.mode;
}

/** Only root gives files away; a member of the group may give them to that group. */
function changeOwner(file: number, made: FileAccess, wanted: FileAccess): FileAccess {
  for (const { uid, gid } of [wanted, { uid: made.uid, gid: wanted.gid }]) {
    if (uid === made.uid && gid === made.gid) return made;
    try {
      fchownSync(file, uid, gid);
      return { ...made, uid, gid };
    } catch (error) {
      if (!isRefused(error)) throw error;
    }
  }
  return made;
}

/** Whether users of a file of owner and group `wanted` may use one of `given`: as its owner, in its group, or as anyone. */
function checkShared(given: FileAccess, wanted: FileAccess): void {
  const anyone = wanted.mode & 0o6;
  const group = wanted.mode >> 3 & 0o6;
  const owner = wanted.mode >> 6 & 0o6;
  const groupKeeps = given.gid === wanted.gid ? group : anyone;
  const ownerKeeps = given.uid === wanted.uid ? owner : groupKeeps;
  if ((group & ~groupKeeps) === 0 && (owner & ~ownerKeeps) === 0) return;
  throw new Error(
    `it would belong to user ${given.uid}, group ${given.gid}, and lock out user ${wanted.uid}, ` +
      `group ${wanted.gid}, which owns the queue: run this as that user`,
  );
}

function isRefused(error: unknown): boolean {
  return error instanceof Error && "code" in error &&
    (error.code === "EPERM" || error.code === "EINVAL");
}
