/**
 * LogStore in files: `<queue>.logs/<task id>.ndjson` beside the queue, one JSON line each.
 *
 * A line is appended in one write, so other processes may read at any time; an offset counts bytes, and a line that is
 * not whole yet is left for the next read. What a power cut left of a line (half of it, zeros) is passed over, and the next
 * line begins after it. A log that is shorter than an offset was removed and begun again: it is read from its beginning.
 */
import { basename, dirname, join, resolve } from "node:path";
import { messageOf, StorageError } from "../domain/errors.ts";
import {
  boundedLine,
  fullNotice,
  LOG_PAGE_BYTES,
  LOG_TAIL_BYTES,
  resolveLogLimits,
  roomFor,
} from "../worker/log_limits.ts";
import { logLineOf } from "../worker/log_line.ts";
import { renameOver, syncFolder } from "./durable_rename.ts";
import { accessOf, makeFile, makeFolderFor } from "./file_access.ts";
import type { LogLimits, LogLine, LogPage, LogStore, TailRequest } from "../worker/log_store.ts";

const NEWLINE = 10;

/** The last lines are looked for in steps of this size. */
const STEP_BYTES = 64 * 1024;

/** Of so many logs the store remembers how far it has written. */
const REMEMBERED_MAX = 1000;

/** The folder of the logs of the queue at `path`, by whichever name it goes. */
export function logsFolder(path: string): string {
  return `${locationOf(path)}.logs`;
}

/** Where logs are moved. */
export interface LogsTarget {
  /** A folder that is there; `null` for beside the logs. */
  readonly into: string | null;
  /** The end of their name beside the logs. */
  readonly label: string;
}

/**
 * Moves the logs of the queue that stood at `path`, so that the tasks of another queue there have none of them. Gives the
 * folder that they are in; `null` when there were none. @throws StorageError
 */
export async function moveLogs(path: string, { into, label }: LogsTarget): Promise<string | null> {
  const from = logsFolder(path);
  const folder = into === null ? `${from}.${label}` : join(into, basename(from));
  try {
    await renameOver(from, folder);
    await syncFolder(dirname(folder));
    return folder;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw new StorageError("move", from, messageOf(error), { cause: error });
  }
}

/** Where a log ended after this store's last line, and whether that told that it is full. */
interface Written {
  readonly size: number;
  readonly isFull: boolean;
}

/** The logs of the queue at a path. */
export class FileLogStore implements LogStore {
  readonly #queuePath: string;
  readonly #limits: LogLimits;
  readonly #written = new Map<number, Written>();

  /** @throws RangeError when a limit is out of its range. */
  constructor(queuePath: string, limits: Partial<LogLimits> = {}) {
    this.#queuePath = queuePath;
    this.#limits = resolveLogLimits(limits);
  }

  /** @throws StorageError */
  append(taskId: number, line: LogLine): void {
    const path = this.#path(taskId);
    try {
      using file = openToAppend(path, this.#queuePath);
      this.#write(file, taskId, line);
    } catch (error) {
      this.#written.delete(taskId); // how much of the line is there is not known
      throw new StorageError("append to", path, messageOf(error), { cause: error });
    }
  }

  /** @throws StorageError, RangeError */
  read(taskId: number, offset: number): Promise<LogPage> {
    return this.#reading(taskId, offset, async (file, { from, size }) => {
      for (let at = from; at < size;) {
        const bytes = await readAt(file, at, Math.min(LOG_PAGE_BYTES, size - at));
        const end = bytes.lastIndexOf(NEWLINE) + 1;
        if (end > 0) return { lines: linesOf(bytes.subarray(0, end)), nextOffset: at + end };
        at += bytes.length; // no line is that long: it is passed over
        if (bytes.length === 0) break;
      }
      return { lines: [], nextOffset: from };
    });
  }

  /** @throws StorageError, RangeError */
  tail(taskId: number, { lines: wanted, offset = 0 }: TailRequest): Promise<LogPage> {
    return this.#reading(taskId, offset, async (file, { from, size }) => {
      const first = Math.max(from, size - LOG_TAIL_BYTES);
      for (let length = STEP_BYTES;; length *= 4) {
        const start = Math.max(first, size - length);
        const bytes = await readAt(file, start, size - start);
        const begin = start === from ? 0 : bytes.indexOf(NEWLINE) + 1;
        const end = bytes.lastIndexOf(NEWLINE) + 1;
        const lines = linesOf(bytes.subarray(begin, end));
        if (lines.length < wanted && start > first) continue;
        return { lines: lines.slice(-wanted), nextOffset: end === 0 ? from : start + end };
      }
    });
  }

  /** @throws StorageError */
  async end(taskId: number): Promise<number> {
    const path = this.#path(taskId);
    try {
      return (await Deno.stat(path)).size;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return 0;
      throw new StorageError("read", path, messageOf(error), { cause: error });
    }
  }

  /** Deletes the logs of tasks; harmless where there is none. @throws StorageError */
  remove(taskIds: readonly number[]): void {
    for (const taskId of taskIds) {
      const path = this.#path(taskId);
      try {
        Deno.removeSync(path);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) continue;
        throw new StorageError("remove", path, messageOf(error), { cause: error });
      }
    }
  }

  close(): void {
    this.#written.clear();
  }

  #path(taskId: number): string {
    return join(logsFolder(this.#queuePath), `${taskId}.ndjson`);
  }

  #write(file: Deno.FsFile, taskId: number, line: LogLine): void {
    const { size } = file.statSync();
    const known = this.#written.get(taskId);
    const bounded = boundedLine(line);
    const wasTold = known?.isFull === true && size >= known.size;
    const room = roomFor(bounded, { size, wasTold, ...this.#limits });
    if (room === "nothing") return;
    const { text } = room === "line" ? bounded : fullNotice(line, this.#limits);
    const isWhole = known?.size === size || endsWhole(file, size);
    const bytes = new TextEncoder().encode(`${isWhole ? "" : "\n"}${text}\n`);
    writeWhole(file, bytes);
    if (this.#written.size >= REMEMBERED_MAX) this.#written.clear();
    this.#written.set(taskId, {
      size: size + bytes.length,
      isFull: wasTold || room === "notice",
    });
  }

  async #reading(
    taskId: number,
    offset: number,
    read: (file: Deno.FsFile, range: { from: number; size: number }) => Promise<LogPage>,
  ): Promise<LogPage> {
    const path = this.#path(taskId);
    try {
      using file = await Deno.open(path, { read: true });
      const { size } = await file.stat();
      if (size === offset) return { lines: [], nextOffset: offset };
      const from = size < offset ? 0 : offset;
      if (from > 0 && (await readAt(file, from - 1, 1))[0] !== NEWLINE) throw noLineAt(from);
      return await read(file, { from, size });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return { lines: [], nextOffset: offset };
      if (error instanceof RangeError) throw error;
      throw new StorageError("read", path, messageOf(error), { cause: error });
    }
  }
}

/** As the queue's own files stand: beside the file that a symbolic link leads to. */
function locationOf(path: string): string {
  const here = resolve(path);
  try {
    return Deno.lstatSync(here).isSymlink ? Deno.realPathSync(here) : here;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return here;
    throw new StorageError("find", here, messageOf(error), { cause: error });
  }
}

/** The first line of a task makes its file, open to every user of the queue. */
function openToAppend(path: string, queuePath: string): Deno.FsFile {
  const options = { read: true, append: true };
  try {
    return Deno.openSync(path, options);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const access = accessOf(queuePath);
    makeFolderFor(dirname(path), access);
    makeFile(path, access);
    return Deno.openSync(path, options);
  }
}

function endsWhole(file: Deno.FsFile, size: number): boolean {
  if (size === 0) return true;
  const last = new Uint8Array(1);
  file.seekSync(size - 1, Deno.SeekMode.Start);
  return file.readSync(last) === 1 && last[0] === NEWLINE;
}

function writeWhole(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}

async function readAt(
  file: Deno.FsFile,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  await file.seek(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const read = await file.read(bytes.subarray(filled));
    if (read === null) break;
    filled += read;
  }
  return bytes.subarray(0, filled);
}

/** The lines that are whole; bytes end with a newline or are empty. */
function linesOf(bytes: Uint8Array): LogLine[] {
  return new TextDecoder().decode(bytes).split("\n").map(logLineOf).filter((line) => line !== null);
}

function noLineAt(offset: number): RangeError {
  return new RangeError(`Cannot read the log from offset ${offset}: no line begins there`);
}
