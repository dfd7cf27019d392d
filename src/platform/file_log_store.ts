/**
 * LogStore in files: `<queue>.logs/<task id>.ndjson` beside the queue, one JSON line each.
 *
 * A line is appended in one write, so other processes may read at any time; an offset counts bytes, and a line that is
 * not whole yet is left for the next read. A log that is shorter than an offset was rotated: it is read from its beginning.
 */
import { join, resolve } from "node:path";
import { messageOf, StorageError } from "../domain/errors.ts";
import { accessOf, makeFile, makeFolderFor } from "./file_access.ts";
import type { LogLine, LogPage, LogStore } from "../worker/log_store.ts";

const NEWLINE = 10;

/** The logs of the queue at a path. */
export class FileLogStore implements LogStore {
  readonly #queuePath: string;
  readonly #folder: string;

  constructor(queuePath: string) {
    this.#queuePath = resolve(queuePath);
    this.#folder = `${this.#queuePath}.logs`;
  }

  /** @throws StorageError */
  append(taskId: number, line: LogLine): void {
    const path = this.#path(taskId);
    try {
      this.#write(path, `${toText(line)}\n`);
    } catch (error) {
      throw new StorageError("append to", path, messageOf(error), { cause: error });
    }
  }

  /** @throws StorageError */
  async read(taskId: number, offset: number): Promise<LogPage> {
    const path = this.#path(taskId);
    try {
      using file = await Deno.open(path, { read: true });
      const size = (await file.stat()).size;
      if (size === offset) return { lines: [], nextOffset: offset };
      const from = size < offset ? 0 : offset;
      await file.seek(from, Deno.SeekMode.Start);
      return wholeLines(await readAll(file, size - from), from);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return { lines: [], nextOffset: offset };
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

  close(): void {}

  /** The first line of a task makes its file, which whoever may use the queue may use. */
  #write(path: string, text: string): void {
    try {
      Deno.writeTextFileSync(path, text, { append: true, create: false });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      const access = accessOf(this.#queuePath);
      makeFolderFor(this.#folder, access);
      makeFile(path, access);
      Deno.writeTextFileSync(path, text, { append: true });
    }
  }

  #path(taskId: number): string {
    return join(this.#folder, `${taskId}.ndjson`);
  }
}

/** A handler may log what JSON cannot hold; then the line says so instead of failing the handler. */
function toText(line: LogLine): string {
  try {
    return JSON.stringify(line);
  } catch (error) {
    return JSON.stringify({ ...line, details: `not JSON: ${messageOf(error)}` });
  }
}

async function readAll(file: Deno.FsFile, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const read = await file.read(bytes.subarray(filled));
    if (read === null) break;
    filled += read;
  }
  return bytes.subarray(0, filled);
}

function wholeLines(bytes: Uint8Array, offset: number): LogPage {
  const end = bytes.lastIndexOf(NEWLINE) + 1;
  const texts = new TextDecoder().decode(bytes.subarray(0, end)).split("\n").filter((text) =>
    text !== ""
  );
  return { lines: texts.map((text) => JSON.parse(text) as LogLine), nextOffset: offset + end };
}
