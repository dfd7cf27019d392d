/**
 * LogStore in the queue's schema: what handlers say, readable from every machine.
 *
 * Lines leave at once, those that come meanwhile together with the next ones. An offset counts bytes, as in a file: the lines of a task
 * follow each other without a gap, since who adds some holds the row that says where they end. While the database cannot be reached
 * some MiB of lines are kept and tried again.
 */
import { type Clock, sleep } from "../domain/clock.ts";
import { StorageError } from "../domain/errors.ts";
import {
  type BoundedLine,
  boundedLine,
  fullNotice,
  LOG_PAGE_BYTES,
  LOG_TAIL_BYTES,
  roomFor,
} from "../worker/log_limits.ts";
import { logLineOf } from "../worker/log_line.ts";
import type { LogLimits, LogLine, LogPage, LogStore, TailRequest } from "../worker/log_store.ts";
import type { Database, Row, Statements } from "./rows/database.ts";
import { QualifiedStatements, Qualifier } from "./rows/qualified.ts";
import { storageErrorOf } from "./storage_errors.ts";

/** Where the logs are. */
export interface LogPlace {
  readonly database: Database;
  readonly schema: string;
}

/** What a store needs. */
export interface PostgresLogOptions {
  /** Makes the connection, when the first line is written or read. */
  readonly open: () => Promise<LogPlace>;
  readonly limits: LogLimits;
  readonly clock: Clock;
  /** Is told why lines could not be written; they are tried again. */
  readonly onError: (error: unknown) => void;
}

const LOG_SQL = {
  /** `$1` are ids of tasks, ascending. */
  begin: `insert into @log_end (task_id, size, is_full)
    select id, 0, false from unnest($1::bigint[]) as id order by id on conflict do nothing`,
  lock: `select task_id, size, is_full from @log_end where task_id = any($1)
    order by task_id for update`,
  add: `insert into @log (task_id, start, line) select task_id, start, line
    from json_to_recordset($1::text::json) as r(task_id bigint, start bigint, line text)`,
  grow: `update @log_end e set size = r.size, is_full = r.is_full
    from json_to_recordset($1::text::json) as r(task_id bigint, size bigint, is_full boolean)
    where e.task_id = r.task_id`,
  end: "select size from @log_end where task_id = $1",
  page: `select line, start from @log where task_id = $1 and start >= $2 and start < $3
    order by start`,
  last: `select line, start from @log where task_id = $1 and start >= $2
    order by start desc limit $3`,
  begins: "select exists (select from @log where task_id = $1 and start = $2) as is_there",
} as const;

/** What waits for the database at most; what comes then is lost, and the log says how much. */
const PENDING_MAX_BYTES = 32 * 1024 * 1024;

/** How many lines go together at most. */
const TOGETHER_MAX = 500;

/** How long a store rests after a failure. */
const RETRY_MS = 1000;

/** How often lines are tried again when the store is to be closed. */
const CLOSING_TRIES = 3;

/** A line that is not written yet. */
interface PendingLine {
  readonly taskId: number;
  readonly bounded: BoundedLine;
}

/** Where the log of a task ends. */
interface LogEnd {
  size: number;
  isFull: boolean;
}

/** The logs of the queue on a database. */
export class PostgresLogStore implements LogStore {
  readonly #options: PostgresLogOptions;
  #place: Promise<LogPlace> | undefined;
  #pending: PendingLine[] = [];
  #pendingBytes = 0;
  #lost = 0;
  #writing: Promise<void> | undefined;
  #triesLeft = Infinity;
  #isClosed = false;
  readonly #closing = new AbortController();

  constructor(options: PostgresLogOptions) {
    this.#options = options;
  }

  append(taskId: number, line: LogLine): void {
    const bounded = boundedLine(line);
    if (this.#pendingBytes + bounded.bytes > PENDING_MAX_BYTES) {
      this.#lost++;
      return;
    }
    if (this.#lost > 0) this.#add(taskId, this.#lossNotice(line));
    this.#add(taskId, bounded);
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
      this.#tell(false);
    });
  }

  /** The lines that were given, or those of one task, are there, or were tried once more in vain. */
  async flush(taskId?: number): Promise<void> {
    const isPending = ({ taskId: id }: PendingLine): boolean =>
      taskId === undefined || id === taskId;
    while (this.#writing !== undefined && this.#pending.some(isPending)) {
      if (!await this.#tried.promise) return;
    }
  }

  /** @throws StorageError, RangeError */
  async read(taskId: number, offset: number): Promise<LogPage> {
    return await this.#reading(async (statements) => {
      const { from, end } = await startOf(statements, { taskId, offset });
      const rows = from === end
        ? []
        : await statements.query(LOG_SQL.page, [taskId, from, from + LOG_PAGE_BYTES]);
      return pageOf(rows, from);
    });
  }

  /** @throws StorageError, RangeError */
  async tail(taskId: number, { lines, offset = 0 }: TailRequest): Promise<LogPage> {
    return await this.#reading(async (statements) => {
      const { from, end } = await startOf(statements, { taskId, offset });
      const first = Math.max(from, end - LOG_TAIL_BYTES);
      const rows = from === end ? [] : await statements.query(LOG_SQL.last, [taskId, first, lines]);
      return pageOf(rows.toReversed(), from);
    });
  }

  /** @throws StorageError */
  async end(taskId: number): Promise<number> {
    return await this.#reading((statements) => endOf(statements, taskId));
  }

  /** Writes what is left, and closes the connection; no other is made from then on. */
  async close(): Promise<void> {
    this.#triesLeft = CLOSING_TRIES;
    this.#closing.abort();
    await this.#writing;
    this.#isClosed = true;
    const place = this.#place;
    this.#place = undefined;
    if (place !== undefined) await (await place).database.close();
  }

  // --- writing

  /** Whether the next attempt to write succeeds; another promise for each, so that none gathers those who wait. */
  #tried: PromiseWithResolvers<boolean> = Promise.withResolvers();

  #add(taskId: number, bounded: BoundedLine): void {
    this.#pending.push({ taskId, bounded });
    this.#pendingBytes += bounded.bytes;
  }

  #lossNotice(line: LogLine): BoundedLine {
    const message =
      `${this.#lost} lines of logs are lost: the database could not be reached in time`;
    this.#lost = 0;
    return boundedLine({ at: line.at, level: "warn", attempt: line.attempt, message });
  }

  async #writeAll(): Promise<void> {
    await Promise.resolve(); // lines of one turn go together
    while (this.#pending.length > 0 && this.#triesLeft > 0) {
      const lines = this.#pending.slice(0, TOGETHER_MAX);
      try {
        await this.#write(lines);
        this.#pending = this.#pending.slice(lines.length);
        this.#pendingBytes -= lines.reduce((sum, { bounded }) => sum + bounded.bytes, 0);
        this.#tell(true);
      } catch (error) {
        await this.#afterFailure(error);
      }
    }
  }

  async #afterFailure(error: unknown): Promise<void> {
    this.#options.onError(error);
    this.#tell(false);
    this.#triesLeft--;
    if (this.#triesLeft > 0) await sleep(this.#options.clock, RETRY_MS, this.#closing.signal);
  }

  #tell(isWritten: boolean): void {
    this.#tried.resolve(isWritten);
    this.#tried = Promise.withResolvers();
  }

  async #write(lines: readonly PendingLine[]): Promise<void> {
    const ids = [...new Set(lines.map(({ taskId }) => taskId))].sort((a, b) => a - b);
    await this.#using(async ({ database, qualifier }) => {
      await database.transaction(async (tx) => {
        const statements = new QualifiedStatements(tx, qualifier);
        const [, found] = await Promise.all([
          statements.query(LOG_SQL.begin, [ids]),
          statements.query(LOG_SQL.lock, [ids]),
        ]);
        const ends = new Map(found.map((row) => [Number(row.task_id), endOfRow(row)]));
        const rows = lines.flatMap((line) => this.#placed(line, ends));
        await Promise.all([
          statements.query(LOG_SQL.add, [JSON.stringify(rows)]),
          statements.query(LOG_SQL.grow, [JSON.stringify([...ends].map(rowOfEnd))]),
        ]);
      });
    });
  }

  /** The row of a line, or of a notice in its place; the end moves behind it. */
  #placed({ taskId, bounded }: PendingLine, ends: ReadonlyMap<number, LogEnd>): unknown[] {
    const end = ends.get(taskId)!;
    const { limits } = this.#options;
    const room = roomFor(bounded, { size: end.size, wasTold: end.isFull, ...limits });
    if (room === "nothing") return [];
    if (room === "notice") end.isFull = true;
    const { text, bytes } = room === "line" ? bounded : fullNotice(bounded.line, limits);
    const start = end.size;
    end.size += bytes;
    return [{ task_id: taskId, start, line: text }];
  }

  // --- the database

  async #reading<T>(read: (statements: Statements) => Promise<T>): Promise<T> {
    await this.flush();
    return await this.#using(({ database, qualifier }) =>
      read(new QualifiedStatements(database, qualifier))
    );
  }

  async #using<T>(
    use: (place: { readonly database: Database; readonly qualifier: Qualifier }) => Promise<T>,
  ): Promise<T> {
    if (this.#isClosed) throw new StorageError("use", "the logs", "their store is closed");
    this.#place ??= this.#options.open();
    const opening = this.#place;
    opening.catch(() => this.#place = undefined);
    const { database, schema } = await opening;
    try {
      return await use({ database, qualifier: new Qualifier(schema) });
    } catch (error) {
      throw storageErrorOf(error, `${database.location} schema ${schema}`);
    }
  }
}

function endOfRow({ size, is_full: isFull }: Row): LogEnd {
  return { size: Number(size), isFull: isFull === true };
}

function rowOfEnd([taskId, { size, isFull }]: readonly [number, LogEnd]): unknown {
  return { task_id: taskId, size, is_full: isFull };
}

async function endOf(statements: Statements, taskId: number): Promise<number> {
  const [row] = await statements.query(LOG_SQL.end, [taskId]);
  return Number(row?.size ?? 0);
}

/** Where to read on. A log that ends before the offset was removed, and begun again. @throws RangeError */
async function startOf(
  statements: Statements,
  { taskId, offset }: { readonly taskId: number; readonly offset: number },
): Promise<{ readonly from: number; readonly end: number }> {
  const end = await endOf(statements, taskId);
  if (end === 0) return { from: offset, end: offset };
  const from = end < offset ? 0 : offset;
  if (from > 0 && from < end) {
    const [found] = await statements.query(LOG_SQL.begins, [taskId, from]);
    if (found!.is_there !== true) {
      throw new RangeError(`Cannot read the log from offset ${from}: no line begins there`);
    }
  }
  return { from, end };
}

/** A page whose next one begins behind its last line. */
function pageOf(rows: readonly Row[], from: number): LogPage {
  const last = rows.at(-1);
  const lines = rows.map(({ line }) => logLineOf(String(line))).filter((line) => line !== null);
  if (last === undefined) return { lines, nextOffset: from };
  const bytes = new TextEncoder().encode(String(last.line)).length + 1;
  return { lines, nextOffset: Number(last.start) + bytes };
}
