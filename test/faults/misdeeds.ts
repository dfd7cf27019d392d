/**
 * What people do to the files of a queue while processes have it open: every way to move, delete, copy, restore or replace
 * them that is known to have cost somebody tasks.
 */
import { dirname, join } from "node:path";
import { restoreBackup } from "../../src/compose/backups.ts";
import { journalsOf } from "./files.ts";

/** What stood there before, to be put back. */
export interface Before {
  /** The queue's path. */
  readonly path: string;
  /** A backup of the queue, of a time when a later snapshot was not made yet. */
  readonly backup: string;
  /** A copy of the queue's folder, of the same time. */
  readonly copy: string;
  /** A name beside the queue's folder that is free. */
  readonly aside: string;
}

/** One way. */
export interface Misdeed {
  readonly name: string;
  readonly commit: (before: Before) => Promise<void>;
  /** Whether it moves a folder in which files are open; Windows refuses that. */
  readonly movesFolder?: true;
}

/** All of them. */
export const MISDEEDS: readonly Misdeed[] = [
  {
    name: "the folder is moved away and a new one made",
    movesFolder: true,
    commit: async ({ path, aside }) => {
      await Deno.rename(dirname(path), aside);
      await Deno.mkdir(dirname(path), { recursive: true }); // somebody may have been faster
    },
  },
  {
    name: "the folder is deleted and made anew",
    movesFolder: true,
    commit: async ({ path }) => {
      await removeFolder(dirname(path));
      await Deno.mkdir(dirname(path), { recursive: true });
    },
  },
  {
    name: "the folder is moved away and copied back",
    movesFolder: true,
    commit: async ({ path, aside }) => {
      await Deno.rename(dirname(path), aside);
      await copyFolder(aside, dirname(path));
    },
  },
  {
    name: "the folder is moved away and moved back",
    movesFolder: true,
    commit: async ({ path, aside }) => {
      await Deno.rename(dirname(path), aside);
      await moveBack(aside, dirname(path));
    },
  },
  { name: "the journal is deleted", commit: ({ path }) => removeJournals(path) },
  {
    name: "snapshot and journal are deleted",
    commit: async ({ path }) => {
      await Deno.remove(path);
      await removeJournals(path);
    },
  },
  {
    name: "the lock of those who have it open is deleted, and a backup restored",
    commit: async ({ path, backup }) => {
      await Deno.remove(`${path}.open.lock`);
      await restoreBackup(backup, path);
    },
  },
  {
    name: "a backup is restored by force",
    commit: async ({ path, backup }) => void await restoreBackup(backup, path, { force: true }),
  },
  {
    name: "the locks are deleted",
    commit: async ({ path }) => {
      for (const lock of ["commit", "checkpoint"]) await Deno.remove(`${path}.${lock}.lock`);
    },
  },
  {
    name: "the lock of commits is moved away",
    commit: ({ path }) => Deno.rename(`${path}.commit.lock`, `${path}.x`),
  },
  {
    name: "a backup is copied over the snapshot",
    commit: ({ path, backup }) => Deno.copyFile(backup, path),
  },
  { name: "the snapshot gets another name", commit: ({ path }) => Deno.rename(path, `${path}.x`) },
  {
    name: "an older journal is copied over the journal",
    commit: async ({ path, copy }) => {
      for (const journal of await journalsOf(path)) {
        const older = join(copy, journal.slice(dirname(path).length + 1));
        await copyIfThere(older, journal);
      }
    },
  },
];

/** A checkpoint may have begun another segment since the copy was made. */
async function copyIfThere(from: string, to: string): Promise<void> {
  try {
    await Deno.copyFile(from, to);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Copies a folder's files into a new folder. */
export async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isFile } of Deno.readDir(from)) {
    if (isFile) await Deno.copyFile(join(from, name), join(to, name));
  }
}

/** Unless somebody has made a new folder there meanwhile. */
async function moveBack(from: string, to: string): Promise<void> {
  try {
    await Deno.rename(from, to);
  } catch (error) {
    if (!/not empty|exist/i.test(String(error))) throw error;
  }
}

/** As `rm -r` does, again when somebody makes a file in it meanwhile. */
async function removeFolder(folder: string): Promise<void> {
  for (;;) {
    try {
      return await Deno.remove(folder, { recursive: true });
    } catch (error) {
      if (!/not empty/.test(String(error))) throw error;
    }
  }
}

/** A checkpoint may remove one of them at the same time. */
async function removeJournals(path: string): Promise<void> {
  for (const journal of await journalsOf(path)) {
    await Deno.remove(journal).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }
}
