/**
 * LogStore: the port for what handlers say while they run, one log per task.
 *
 * Logs live beside the queue and not in it, so the ledger stays small. A line is on its way to the disk when `append`
 * returns; it is not fsynced.
 */

/** How serious a line is. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** One line of a task's log. */
export interface LogLine {
  /** When it was written, ISO 8601 with `Z`. */
  readonly at: string;
  /** How serious it is. */
  readonly level: LogLevel;
  /** What was said. */
  readonly message: string;
  /** Which execution wrote it, from 1. */
  readonly attempt: number;
  /** Anything more, a JSON value. */
  readonly details?: unknown;
}

/** A part of a log, and where the next part begins. */
export interface LogPage {
  /** Its lines, in the order in which they were written. */
  readonly lines: LogLine[];
  /** Give this to `read` to go on. */
  readonly nextOffset: number;
}

/** Keeps the log of every task. */
export interface LogStore {
  /** Adds a line to the task's log. */
  append(taskId: number, line: LogLine): void;
  /** The complete lines from `offset` (0 is the beginning); no lines when there is no log. */
  read(taskId: number, offset: number): Promise<LogPage>;
  /** Lets go of what is open. */
  close(): void;
}
