/**
 * An export as NDJSON, line by line, in chunks.
 */
import type { QueueRecords } from "../queue/records.ts";
import { limitLineOf } from "./limit_line.ts";
import { lineOf } from "./ndjson.ts";
import { scheduleLineOf } from "./schedule_line.ts";
import type { TransferProgress } from "./task_file.ts";

/** Lines are written in parts of about this many characters. */
const CHUNK_LENGTH = 1024 * 1024;

const encoder = new TextEncoder();

/** The lines of an export, each with its line break. */
export function* linesOf(
  { tasks, schedules, limits }: QueueRecords,
  onProgress: (progress: TransferProgress) => void,
): Generator<string> {
  const total = tasks.length;
  for (const [i, record] of tasks.entries()) {
    yield `${lineOf(record)}\n`;
    const done = i + 1;
    if (done % 1000 === 0 || done === total) onProgress({ phase: "write", done, total });
  }
  for (const schedule of schedules) yield `${scheduleLineOf(schedule)}\n`;
  for (const limit of limits) yield `${limitLineOf(limit)}\n`;
}

/** Lines in chunks of bytes, to be written. */
export function* chunksOf(lines: Iterable<string>): Generator<Uint8Array> {
  let chunk: string[] = [];
  let length = 0;
  for (const line of lines) {
    chunk.push(line);
    length += line.length;
    if (length < CHUNK_LENGTH) continue;
    yield encoder.encode(chunk.join(""));
    [chunk, length] = [[], 0];
  }
  yield encoder.encode(chunk.join(""));
}
