/**
 * LogStore: the port for what handlers say while they run, one log per task.
 *
 * Logs live beside the queue's tasks and not among them, so the ledger stays small. A line is on its way to the disk, or to the
 * database, when `append` returns; it is not fsynced. A log is only ever added to, and read in pages, so that its size costs no reader memory.
 */

/** Every level, the least serious first. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

/** How serious a line is. */
export type LogLevel = typeof LOG_LEVELS[number];

/** One line of a task's log. */
export interface LogLine {
  /** When it was written, ISO 8601 with `Z`. */
  readonly at: string;
  /** How serious it is. */
  readonly level: LogLevel;
  /** The message. */
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

/** Which of the last lines are wanted. */
export interface TailRequest {
  /** How many at most, from 1. */
  readonly lines: number;
  /** None before this offset; default the beginning. */
  readonly offset?: number;
}

/** How much of what handlers say is kept. */
export interface LogLimits {
  /**
   * How large the log of one task may become, in bytes, 64 KiB to 1 GiB; default 16 MiB. Then a line says that lines are
   * missing; errors have 1 MiB more.
   */
  readonly taskMaxBytes: number;
}

/** Keeps the log of every task. */
export interface LogStore {
  /** Adds a line to the task's log; of a line above 64 KiB the details, and then the end of its message, are left out. */
  append(taskId: number, line: LogLine): void;
  /**
   * The complete lines from `offset` (0 is the beginning) that fit one page, about 1 MiB. There are more unless `nextOffset` is
   * the same; no lines when there is no log.
   *
   * @throws RangeError when no line begins at `offset`.
   */
  read(taskId: number, offset: number): Promise<LogPage>;
  /** The last complete lines that fit about 4 MiB, so perhaps fewer than were asked for. @throws RangeError as `read`. */
  tail(taskId: number, request: TailRequest): Promise<LogPage>;
  /** Where the log ends at this moment: it has grown when this is another number. */
  end(taskId: number): Promise<number>;
  /**
   * Where lines are sent away: resolves when those of a task are there, or cannot be now. An attempt ends after that, so that who
   * waits for its end sees all that it said.
   */
  flush?(taskId: number): Promise<void>;
  /** Lets go of what is open; where lines are sent away, it resolves when they are there. */
  close(): void | Promise<void>;
}
