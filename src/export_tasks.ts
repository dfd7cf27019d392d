/**
 * Exporting: a queue's tasks go into a file that the Python system claims from, or into lines.
 *
 * The tasks are those of one moment. A file appears at once and whole, and never replaces another.
 */
import { TASK_STATUSES, type TaskStatus } from "./domain/task.ts";
import { loadSqlJsEngine } from "./platform/sqljs_engine.ts";
import { isThere, writeOnce } from "./platform/transfer_files.ts";
import { StorageError } from "./domain/errors.ts";
import type { QueueRecords } from "./queue/export_records.ts";
import type { TaskRecord } from "./queue/task_record.ts";
import type { TaskQueue } from "./queue/task_queue.ts";
import { lineOf } from "./transfer/ndjson.ts";
import { asOriginal, foreignToOriginal, writeOriginal } from "./transfer/original_export.ts";
import { scheduleLineOf } from "./transfer/schedule_line.ts";
import {
  returnedFromLease,
  TRANSFER_FORMATS,
  type TransferFormat,
  type TransferProblem,
  type TransferProgress,
} from "./transfer/task_file.ts";

/** How to export. */
export interface ExportOptions {
  /** `original` (a database of the Python system) or `ndjson` (a task or a schedule a line). */
  readonly format: TransferFormat;
  /** The path of the new file. For `ndjson` also a function that is given every line, with its line break. */
  readonly output: string | ((line: string) => void);
  /** Only tasks with one of these statuses, and no schedules; default all. */
  readonly statuses?: readonly TaskStatus[];
  /**
   * Export leased tasks too, as queued ones, with the attempt under way given back: a worker that still runs them does not know,
   * so they may be done twice. Default false: while there are any, the export is refused.
   */
  readonly includeLeased?: boolean;
  /** Is told how far it is; default nobody. */
  readonly onProgress?: (progress: TransferProgress) => void;
}

/** What was exported. */
export interface ExportReport {
  /** The new file; `null` when the lines went elsewhere. */
  readonly path: string | null;
  /** What it is. */
  readonly format: TransferFormat;
  /** How many tasks it holds. */
  readonly exported: number;
  /** The same by the status that they have there. */
  readonly byStatus: Readonly<Record<TaskStatus, number>>;
  /** How many of them were leased, and are queued there. */
  readonly returned: number;
  /** How many schedules it holds. */
  readonly schedules: number;
  /** How many tasks of other statuses stayed behind. */
  readonly leftOut: number;
  /** What the format has no place for, one sentence each. */
  readonly notes: readonly string[];
}

/** Tasks cannot be exported as they are; no file was made. */
export class ExportRefusedError extends Error {
  /** `ExportRefusedError`. */
  override readonly name = "ExportRefusedError";
  /** Which tasks, and why. */
  readonly problems: readonly TransferProblem[];

  /** These tasks stand against it. */
  constructor(problems: readonly TransferProblem[], advice: string) {
    const [first] = problems;
    const more = problems.length === 1 ? "" : `, and ${problems.length - 1} more`;
    super(`Cannot export task ${first?.id}: ${first?.reason}${more}; ${advice}`);
    this.problems = problems;
  }
}

/** Lines are written in parts of about this many characters. */
const CHUNK_LENGTH = 1024 * 1024;

const encoder = new TextEncoder();

const SILENT = (): void => {};

/**
 * Writes the tasks (as NDJSON also the schedules) of this moment into a new file, durable when it resolves, or hands out
 * their lines. Leases that have expired are rescued first; nothing else changes in the queue.
 *
 * @throws ExportRefusedError while tasks are leased, unless `includeLeased`; for `original` also when a payload is no object.
 * @throws StorageError when the file is there already or cannot be written. @throws TypeError for a wrong option.
 */
export async function exportTasks(
  queue: TaskQueue,
  options: ExportOptions,
): Promise<ExportReport> {
  const { format, output } = options;
  checkOptions(options);
  if (typeof output === "string" && await isThere(output)) {
    throw new StorageError("write", output, "it is there already");
  }
  await queue.rescue();
  const { tasks: records, schedules } = await contentsOf(queue, options);
  const all = await queue.count();
  checkLeases(records, options);
  const returned = records.map(returnedFromLease);
  const { records: exported, notes } = format === "original"
    ? asOriginal(returned)
    : { records: returned, notes: lossesOfLines(options) };
  if (format === "original") await exportOriginal(queue, exported, options);
  else await exportLines({ tasks: exported, schedules }, options);
  return {
    path: typeof output === "string" ? output : null,
    format,
    exported: exported.length,
    byStatus: countByStatus(exported),
    returned: records.filter(({ status }) => status === "leased").length,
    schedules: schedules.length,
    leftOut: Math.max(0, all - records.length),
    notes,
  };
}

/** Who chooses tasks by their status gets nothing else; the original knows no schedules. */
async function contentsOf(
  queue: TaskQueue,
  { format, statuses }: ExportOptions,
): Promise<QueueRecords> {
  if (format === "ndjson" && statuses === undefined) return await queue.exportAll();
  return { tasks: await queue.exportRecords({ statuses }), schedules: [] };
}

function lossesOfLines({ statuses }: ExportOptions): readonly string[] {
  return statuses === undefined
    ? ["transitions and log files stay behind"]
    : ["transitions, schedules and log files stay behind"];
}

/** @throws TypeError */
function checkOptions({ format, output }: ExportOptions): void {
  if (!TRANSFER_FORMATS.includes(format)) {
    throw new TypeError(
      `Cannot use ${JSON.stringify(format)} as format: allowed are ${TRANSFER_FORMATS.join(", ")}`,
    );
  }
  const isPlace = typeof output === "string" ? output.trim() !== "" : format === "ndjson";
  if (!isPlace) throw new TypeError(`Cannot export ${format} without the path of a new file`);
}

/** @throws ExportRefusedError */
function checkLeases(records: readonly TaskRecord[], { includeLeased }: ExportOptions): void {
  const leased = includeLeased ? [] : records.filter(({ status }) => status === "leased");
  if (leased.length === 0) return;
  const problems = leased.map(({ id, lockedBy, leaseUntil }) => ({
    id,
    reason: `worker ${JSON.stringify(lockedBy)} holds its lease until ${leaseUntil?.toISOString()}`,
  }));
  throw new ExportRefusedError(
    problems,
    "stop the workers, or include leased tasks: they may then be done twice",
  );
}

async function exportOriginal(
  queue: TaskQueue,
  records: readonly TaskRecord[],
  { output, onProgress = SILENT }: ExportOptions,
): Promise<void> {
  const foreign = foreignToOriginal(records);
  if (foreign.length > 0) throw new ExportRefusedError(foreign, "the format ndjson can hold it");
  const [newest] = await queue.list({ limit: 1 });
  const database = (await loadSqlJsEngine()).open();
  try {
    writeOriginal(database, records, { lastId: newest?.id ?? 0, onProgress });
    await writeOnce(output as string, [database.export()]);
  } finally {
    database.close();
  }
}

async function exportLines(
  records: QueueRecords,
  { output, onProgress = SILENT }: ExportOptions,
): Promise<void> {
  const lines = linesOf(records, onProgress);
  if (typeof output === "string") return await writeOnce(output, chunksOf(lines));
  for (const line of lines) output(line);
}

function* linesOf(
  { tasks, schedules }: QueueRecords,
  onProgress: (progress: TransferProgress) => void,
): Generator<string> {
  const total = tasks.length;
  for (const [i, record] of tasks.entries()) {
    yield `${lineOf(record)}\n`;
    const done = i + 1;
    if (done % 1000 === 0 || done === total) onProgress({ phase: "write", done, total });
  }
  for (const schedule of schedules) yield `${scheduleLineOf(schedule)}\n`;
}

function* chunksOf(lines: Iterable<string>): Generator<Uint8Array> {
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

function countByStatus(records: readonly TaskRecord[]): Record<TaskStatus, number> {
  return Object.fromEntries(
    TASK_STATUSES.map((name) => [name, records.filter(({ status }) => status === name).length]),
  ) as Record<TaskStatus, number>;
}
