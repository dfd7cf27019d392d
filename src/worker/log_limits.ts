/**
 * How much of what handlers say is kept: a line has an end, and so has a log.
 */
import { messageOf } from "../domain/errors.ts";
import { checkInteger } from "../domain/check.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import type { LogLimits, LogLine } from "./log_store.ts";

const LINE_MAX_BYTES = 64 * 1024;

/** The bounds and the default of a log's size. */
export const LOG_LIMITS: {
  readonly taskMaxBytesMin: number;
  readonly taskMaxBytesMax: number;
  readonly taskMaxBytesDefault: number;
} = Object.freeze({
  taskMaxBytesMin: LINE_MAX_BYTES,
  taskMaxBytesMax: 1024 ** 3,
  taskMaxBytesDefault: 16 * 1024 * 1024,
});

/** What errors may take when a log is full: the last thing that a task says is why it failed. */
const RESERVE_BYTES = 1024 * 1024;

/** One page of a log is about so large. */
export const LOG_PAGE_BYTES = 1024 * 1024;

/** The last lines of a log are looked for in so many bytes. */
export const LOG_TAIL_BYTES = 4 * LOG_PAGE_BYTES;

/** A line that is small enough, and its JSON. */
export interface BoundedLine {
  readonly line: LogLine;
  readonly text: string;
  readonly bytes: number;
}

const LIMIT_NAMES = optionNames<LogLimits>({ taskMaxBytes: true });

/** The limit that is asked for, or the default. @throws TypeError, RangeError */
export function resolveLogLimits(limits: Partial<LogLimits> = {}): LogLimits {
  checkOptions(limits, LIMIT_NAMES, "a log store");
  const { taskMaxBytes } = limits;
  const { taskMaxBytesMin, taskMaxBytesMax, taskMaxBytesDefault } = LOG_LIMITS;
  const wanted = taskMaxBytes ?? taskMaxBytesDefault;
  return { taskMaxBytes: checkInteger(wanted, "taskMaxBytes", taskMaxBytesMin, taskMaxBytesMax) };
}

/** The line, or as much of it as is kept. */
export function boundedLine(line: LogLine): BoundedLine {
  const whole = jsonOf(line);
  if (whole.bytes <= LINE_MAX_BYTES) return whole;
  const bare = jsonOf({ ...line, details: `left out: the line had ${whole.bytes} bytes` });
  if (bare.bytes <= LINE_MAX_BYTES && line.details !== undefined) return bare;
  for (let length = LINE_MAX_BYTES / 2;; length = Math.floor(length / 2)) {
    const message = `${line.message.slice(0, length).toWellFormed()}…`;
    const cut = jsonOf({ ...line, message, details: bare.line.details });
    if (cut.bytes <= LINE_MAX_BYTES) return cut;
  }
}

/** What becomes of a line of `bytes` in a log that has `size`: it is written, or a notice in its place, or nothing. */
export function roomFor(
  { line, bytes }: BoundedLine,
  { size, wasTold, taskMaxBytes }: {
    readonly size: number;
    readonly wasTold: boolean;
    readonly taskMaxBytes: number;
  },
): "line" | "notice" | "nothing" {
  if (size + bytes <= taskMaxBytes && !wasTold) return "line";
  if (size + bytes > taskMaxBytes + RESERVE_BYTES) return "nothing";
  if (line.level === "error") return "line";
  return wasTold ? "nothing" : "notice";
}

/** Says that lines are missing from here on. */
export function fullNotice(line: LogLine, { taskMaxBytes }: LogLimits): BoundedLine {
  return jsonOf({
    at: line.at,
    level: "warn",
    attempt: line.attempt,
    message:
      `the log is full: it may hold ${taskMaxBytes} bytes; from here on only errors are kept`,
  });
}

/** A handler may log what JSON cannot hold; then the line says so instead of failing the handler. */
function jsonOf(line: LogLine): BoundedLine {
  const text = textOf(line);
  return { line, text, bytes: new TextEncoder().encode(text).length + 1 };
}

function textOf(line: LogLine): string {
  try {
    return JSON.stringify(line);
  } catch (error) {
    return JSON.stringify({ ...line, details: `not JSON: ${messageOf(error)}` });
  }
}
