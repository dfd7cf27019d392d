/**
 * Lines of a log: what a handler may say, and what is read of what it said.
 */
import { checkOneOf } from "../domain/check.ts";
import { LOG_LEVELS, type LogLevel, type LogLine } from "./log_store.ts";

/** Whether a handler may say this. @throws TypeError */
export function checkLogCall(level: LogLevel, message: string): void {
  checkOneOf(level, LOG_LEVELS, "log level");
  if (typeof message === "string") return;
  throw new TypeError(
    `Cannot log ${message === null ? "null" : typeof message}: a string is needed`,
  );
}

/** The line that is stored as `text`; `null` for what is none, such as half a line that a power cut left. */
export function logLineOf(text: string): LogLine | null {
  if (!text.startsWith("{")) return null;
  try {
    const line = JSON.parse(text) as Partial<LogLine>;
    return typeof line.message === "string" ? line as LogLine : null;
  } catch {
    return null;
  }
}
