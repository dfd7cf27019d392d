/**
 * A run's log as the API tells it: a cursor after each line, so that a reader that was cut off goes on with the next one.
 *
 * A cursor is `<offset>-<lines>`: an offset that the log store gave, and how many lines after it have been told. A log is
 * only ever added to, so it stays true however the lines are read again.
 */
import { type LogLine, type LogStore, StorageError } from "../src/mod.ts";
import { HttpError } from "./errors.ts";

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

/** The cursor of a text that matches `CURSOR_PATTERN`. */
export function cursorOf(text: string): LogCursor {
  const [, offset, lines] = CURSOR_PATTERN.exec(text)!;
  return { offset: Number(offset), lines: Number(lines) };
}

/** The text of a cursor. */
export function cursorText({ offset, lines }: LogCursor): string {
  return `${offset}-${lines}`;
}

/** The whole lines after a cursor. @throws HttpError `VALIDATION_ERROR` when the log has no such place; StorageError. */
export async function linesAfter(
  logs: LogStore,
  taskId: number,
  cursor: LogCursor,
): Promise<CursorLine[]> {
  const { lines, nextOffset } = await readPage(logs, taskId, cursor.offset);
  const told = lines.map((line, index) => ({
    line,
    after: index + 1 === lines.length
      ? { offset: nextOffset, lines: 0 }
      : { offset: cursor.offset, lines: index + 1 },
  }));
  return told.slice(cursor.lines);
}

async function readPage(
  logs: LogStore,
  taskId: number,
  offset: number,
): ReturnType<LogStore["read"]> {
  try {
    const page = await logs.read(taskId, offset);
    if (page.lines.every((line) => typeof line?.message === "string")) return page;
  } catch (thrown) {
    // An offset within a line: what follows is no JSON.
    const reason = thrown instanceof StorageError ? thrown.cause : thrown;
    if (!(reason instanceof SyntaxError) || offset === 0) throw thrown;
  }
  throw new HttpError("VALIDATION_ERROR", `Cannot go on in the log from offset ${offset}`, {
    problems: [{ field: "cursor", message: "A cursor that was given before is needed" }],
  });
}

/** A line as text, for people. */
export function lineText({ at, level, message, attempt, details }: LogLine): string {
  const more = details === undefined ? "" : ` ${JSON.stringify(details)}`;
  return `${at} ${level.padEnd(5)} [${attempt}] ${message}${more}\n`;
}
