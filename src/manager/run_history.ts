/**
 * RunHistory: keeps the runs of a registry in a file.
 *
 * Changes only mark the file as stale; a timer writes it, so that any number of updates between two writes cost one. A file
 * that cannot be read whole is kept aside before it is replaced. One that cannot be read at all is never replaced, and one that
 * is not a history, or of a newer version, is refused.
 */
import type { CancelTimer, Clock } from "../domain/clock.ts";
import { messageOf, quotePath, StorageError } from "../domain/errors.ts";
import { isActive, type Run } from "../domain/run.ts";
import { checkInteger } from "../domain/check.ts";
import { ForeignFileError, type HistoryFile } from "./history_file.ts";
import { endLine, HISTORY_HEADER, lineOfRun, readHistory } from "./run_record.ts";

/** How a history is kept. */
export interface RunHistorySettings {
  /** How long updates are gathered before the file is written, in milliseconds, 0 to 60,000; default 1,000. */
  readonly historyDelayMs?: number;
  /** How many runs the file holds, 1 to 1,000,000; default 10,000. Active ones go first, then the latest. */
  readonly historyMaxRuns?: number;
  /** How large the file becomes, in bytes, 1,024 to 1 GiB; default 64 MiB. */
  readonly historyMaxBytes?: number;
  /** Called, with one line, when the file is damaged, or cannot be read or written. Default: none. */
  readonly onHistoryProblem?: (message: string) => void;
}

/** The names of all of them. */
export const RUN_HISTORY_SETTINGS: { readonly [Name in keyof RunHistorySettings]-?: true } = Object
  .freeze({
    historyDelayMs: true,
    historyMaxRuns: true,
    historyMaxBytes: true,
    onHistoryProblem: true,
  });

/** The defaults. */
export const RUN_HISTORY_DEFAULTS: Required<Omit<RunHistorySettings, "onHistoryProblem">> = Object
  .freeze({
    historyDelayMs: 1000,
    historyMaxRuns: 10_000,
    historyMaxBytes: 64 * 1024 * 1024,
  });

const DELAY_LIMIT_MS = 60_000;
const RUNS_LIMIT = 1_000_000;
const BYTES_MIN = 1024;
const BYTES_LIMIT = 1024 * 1024 * 1024;

/** A write is followed by this many times as long without one, so that writing never takes more than a twentieth of the time. */
const REST_FACTOR = 20;

/** About how much is handed to the file at a time. */
const CHUNK_CHARACTERS = 256 * 1024;

/** The dependencies of a history besides its file. */
export interface RunHistoryOptions extends RunHistorySettings {
  readonly clock: Clock;
  /** The runs to be written. */
  readonly runs: () => Iterable<Run>;
}

/** The file behind a registry. */
export class RunHistory {
  readonly #file: HistoryFile;
  readonly #clock: Clock;
  readonly #runs: () => Iterable<Run>;
  readonly #onProblem: (message: string) => void;
  readonly #delayMs: number;
  readonly #maxRuns: number;
  readonly #maxBytes: number;
  /** Whether the file may be replaced: not when its content is unknown. */
  #isOurs = false;
  #isStale = false;
  #writing: Promise<void> | undefined;
  #cancelTimer: CancelTimer | undefined;
  #lastWriteMs = 0;
  #lastProblem = "";
  /** Runs that are not JSON and were reported. */
  readonly #unkept = new WeakSet<Run>();

  /** @throws TypeError, RangeError for a setting out of its range. */
  constructor(file: HistoryFile, options: RunHistoryOptions) {
    const { historyDelayMs, historyMaxRuns, historyMaxBytes } = RUN_HISTORY_DEFAULTS;
    const delayMs = options.historyDelayMs ?? historyDelayMs;
    const maxRuns = options.historyMaxRuns ?? historyMaxRuns;
    const maxBytes = options.historyMaxBytes ?? historyMaxBytes;
    this.#delayMs = checkInteger(delayMs, "historyDelayMs", 0, DELAY_LIMIT_MS);
    this.#maxRuns = checkInteger(maxRuns, "historyMaxRuns", 1, RUNS_LIMIT);
    this.#maxBytes = checkInteger(maxBytes, "historyMaxBytes", BYTES_MIN, BYTES_LIMIT);
    this.#file = file;
    this.#clock = options.clock;
    this.#runs = options.runs;
    this.#onProblem = options.onHistoryProblem ?? (() => {});
  }

  /**
   * The runs of the file, the earliest first. A damaged file gives what is left of it and is kept aside; one that cannot be
   * read gives nothing, and is left alone from then on.
   *
   * @throws StorageError for a file that is not a history, or one of a newer version.
   */
  async load(): Promise<Run[]> {
    try {
      const bytes = await this.#file.read();
      const { runs, damage, foreign } = bytes === undefined ? NO_HISTORY : readHistory(bytes);
      if (foreign !== null) throw new ForeignFileError(this.#file.path, foreign);
      if (damage !== null) await this.#rescueDamaged(damage, runs.length);
      this.#isOurs = true;
      if (damage !== null) this.changed();
      return runs.toSorted((a, b) => a.createdAt.getTime() - b.createdAt.getTime());
    } catch (error) {
      if (error instanceof ForeignFileError) throw error;
      this.#report(`${messageOf(error)}; runs are not kept in this file`);
      return [];
    }
  }

  /** Says that a run was added, changed or removed. */
  changed(): void {
    if (!this.#isOurs) return;
    this.#isStale = true;
    this.#schedule();
  }

  /** Resolves when everything changed so far is in the file, durably. @throws StorageError */
  async flush(): Promise<void> {
    // What is being written may have been read before the latest change; a failure of it makes the file stale.
    await this.#writing?.catch(() => {});
    if (this.#writing === undefined && this.#isStale) await this.#write();
    else await this.#writing;
  }

  async #rescueDamaged(damage: string, readable: number): Promise<void> {
    const { path } = this.#file;
    const aside = await this.#file.keepAside();
    this.#report(
      `Cannot read all of the run history ${quotePath(path)}: ${damage}; ` +
        `${readable} runs were read, and the file is kept as ${quotePath(aside)}`,
    );
  }

  #schedule(): void {
    if (this.#cancelTimer !== undefined || this.#writing !== undefined) return;
    const restMs = Math.min(this.#lastWriteMs * REST_FACTOR, DELAY_LIMIT_MS);
    this.#cancelTimer = this.#clock.setTimer(
      // What fails here was reported, and is tried again with the next change or on closing.
      () => this.#write().catch(() => {}),
      Math.max(this.#delayMs, restMs),
    );
  }

  #write(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#isStale = false;
    this.#writing = this.#replaceThenGoOn();
    return this.#writing;
  }

  async #replaceThenGoOn(): Promise<void> {
    try {
      await this.#replace();
    } finally {
      this.#writing = undefined;
    }
    if (this.#isStale) this.#schedule();
  }

  async #replace(): Promise<void> {
    const beganAtMs = this.#clock.nowMs();
    try {
      await this.#file.replace(this.#chunks());
      this.#lastProblem = "";
    } catch (error) {
      this.#isStale = true;
      const failure = error instanceof StorageError
        ? error
        : new StorageError("write", this.#file.path, messageOf(error), { cause: error });
      this.#report(failure.message);
      throw failure;
    } finally {
      this.#lastWriteMs = this.#clock.nowMs() - beganAtMs;
    }
  }

  /** The latest run first: what does not fit any more, or is cut off, is the oldest. */
  *#chunks(): Generator<Uint8Array> {
    const encoder = new TextEncoder();
    let text = `${HISTORY_HEADER}\n`;
    let count = 0;
    let leftBytes = this.#maxBytes - text.length - END_BYTES;
    for (const line of this.#lines()) {
      leftBytes -= encoder.encode(line).length + 1;
      if (leftBytes < 0) break;
      text += `${line}\n`;
      count++;
      if (text.length >= CHUNK_CHARACTERS) {
        yield encoder.encode(text);
        text = "";
      }
    }
    yield encoder.encode(`${text}${endLine(count)}\n`);
  }

  *#lines(): Generator<string> {
    for (const run of latestFirst(this.#runs()).slice(0, this.#maxRuns)) {
      const line = this.#tryLineOf(run);
      if (line !== undefined) yield line;
    }
  }

  /** One run that is not JSON must not keep the others from being kept. */
  #tryLineOf(run: Run): string | undefined {
    try {
      return lineOfRun(run);
    } catch (error) {
      if (!this.#unkept.has(run)) {
        this.#onProblem(
          `Cannot keep run ${JSON.stringify(run.runId)} in a file: ${messageOf(error)}`,
        );
      }
      this.#unkept.add(run);
      return undefined;
    }
  }

  /** The same problem is reported once. */
  #report(problem: string): void {
    if (problem === this.#lastProblem) return;
    this.#lastProblem = problem;
    this.#onProblem(problem);
  }
}

const NO_HISTORY = Object.freeze({ runs: [] as Run[], damage: null, foreign: null });

/** More than the last line takes. */
const END_BYTES = 32;

/** Active runs, then finished ones, each the latest first. */
function latestFirst(runs: Iterable<Run>): Run[] {
  return [...runs].sort((a, b) => {
    const [activeA, activeB] = [isActive(a.status), isActive(b.status)];
    if (activeA !== activeB) return activeA ? -1 : 1;
    return lastInstantMs(b) - lastInstantMs(a);
  });
}

function lastInstantMs(run: Run): number {
  return (run.completedAt ?? run.createdAt).getTime();
}
