/**
 * A run's log as the API tells it: a cursor after each line, so that a reader that was cut off goes on with the next one.
 *
 * A cursor is `<offset>-<lines>`: an offset that the log store gave, and how many lines after it have been told. A log is
 * only ever added to, so it stays true however the lines are read again.
 */
import type { LogLine, LogStore } from "../../src/core.ts";
import { HttpError } from "../http/errors.ts";

/** Where a reader of a log is. */
export interface LogCursor {
  readonly offset: number;
  readonly lines: number;
}

/** A line, and the cursor after it. */
export interface CursorLine {
  readonly line: LogLine;
  readonly after: LogCursor;
}

/** Before the first line. */
export const LOG_START: LogCursor = Object.freeze({ offset: 0, lines: 0 });

/** What a cursor looks like. As the id of an event it goes on with the status told last, and `-end` after the last event. */
export const CURSOR_PATTERN = /^(\d{1,15})-(\d{1,9})(-[0-9a-f]{8})?(-end)?$/;

/** The cursor in a string that matches `CURSOR_PATTERN`. */
export function cursorOf(text: string): LogCursor {
  const [, offset, lines] = CURSOR_PATTERN.exec(text)!;
  return { offset: Number(offset), lines: Number(lines) };
}

/** The text of a cursor. */
export function cursorText({ offset, lines }: LogCursor): string {
  return `${offset}-${lines}`;
}

/**
 * The next lines after a cursor, as many as one page of the log store has: there are more unless there are none.
 *
 * @throws HttpError `VALIDATION_ERROR` when the log has no such place; StorageError.
 */
export async function linesAfter(
  logs: LogStore,
  taskId: number,
  cursor: LogCursor,
): Promise<CursorLine[]> {
  for (let from = cursor;;) {
    const { lines, nextOffset } = await atCursor(() => logs.read(taskId, from.offset), from);
    const told = lines.map((line, index) => ({
      line,
      after: index + 1 === lines.length
        ? { offset: nextOffset, lines: 0 }
        : { offset: from.offset, lines: index + 1 },
    })).slice(from.lines);
    if (told.length > 0 || nextOffset === from.offset) return told;
    from = { offset: nextOffset, lines: Math.max(0, from.lines - lines.length) };
  }
}

/** The last lines of a log, and the cursor after them. @throws StorageError */
export async function lastLines(
  logs: LogStore,
  taskId: number,
  lines: number,
): Promise<{ readonly lines: readonly LogLine[]; readonly after: LogCursor }> {
  const page = await logs.tail(taskId, { lines });
  return { lines: page.lines, after: { offset: page.nextOffset, lines: 0 } };
}

/** Every line of a log, page by page. @throws StorageError */
export async function* everyLine(logs: LogStore, taskId: number): AsyncGenerator<LogLine[]> {
  for (let offset = 0;;) {
    const page = await logs.read(taskId, offset);
    if (page.nextOffset === offset) return;
    yield page.lines;
    offset = page.nextOffset;
  }
}

async function atCursor<T>(read: () => Promise<T>, { offset }: LogCursor): Promise<T> {
  try {
    return await read();
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown;
    throw new HttpError("VALIDATION_ERROR", `Cannot go on in the log from offset ${offset}`, {
      problems: [{ field: "cursor", message: "A cursor that was given before is needed" }],
      cause: thrown,
    });
  }
}

/** A line as text, for people. */
export function lineText({ at, level, message, attempt, details }: LogLine): string {
  const more = details === undefined ? "" : ` ${JSON.stringify(details)}`;
  return `${at} ${level.padEnd(5)} [${attempt}] ${message}${more}\n`;
}
