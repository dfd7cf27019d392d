/**
 * Exporting: a queue's tasks go into a file that the Python system claims from, or into lines.
 *
 * The tasks are those of one moment. A file appears at once and whole, and never replaces another.
 */
import { StorageError } from "../domain/errors.ts";
import { loadSqlJsEngine } from "../platform/sqljs_engine.ts";
import { isThere, writeOnce } from "../platform/transfer_files.ts";
import type { QueueRecords, TaskRecord } from "../queue/records.ts";
import type { TaskQueue } from "../queue/task_queue.ts";
import { chunksOf, linesOf } from "../transfer/export_lines.ts";
import {
  checkExport,
  checkLeases,
  countByStatus,
  type ExportOptions,
  ExportRefusedError,
  type ExportReport,
  lossesOfLines,
} from "../transfer/export_rules.ts";
import { asOriginal, foreignToOriginal, writeOriginal } from "../transfer/original_export.ts";
import { returnedFromLease } from "../transfer/task_file.ts";

const SILENT = (): void => {};

/**
 * Writes the tasks (as NDJSON also the schedules, limits and pauses) of this moment into a new file, durable when it resolves, or hands out
 * their lines. Leases that have expired are rescued first; nothing else changes in the queue.
 *
 * @throws ExportRefusedError while tasks are leased, unless `includeLeased`; for `original` also when a payload is not an object.
 * @throws StorageError when the file is there already or cannot be written. @throws TypeError for a wrong option.
 */
export async function exportTasks(
  queue: TaskQueue,
  options: ExportOptions,
): Promise<ExportReport> {
  checkExport(options);
  const { format, output } = options;
  if (typeof output === "string" && await isThere(output)) {
    throw new StorageError("write", output, "it is there already");
  }
  await queue.rescue();
  const { tasks: records, schedules, limits } = await contentsOf(queue, options);
  const all = await queue.count();
  checkLeases(records, options);
  const returned = records.map(returnedFromLease);
  const { records: exported, notes } = format === "original"
    ? asOriginal(returned)
    : { records: returned, notes: lossesOfLines(options) };
  if (format === "original") await exportOriginal(queue, exported, options);
  else await exportLines({ tasks: exported, schedules, limits }, options);
  return {
    path: typeof output === "string" ? output : null,
    format,
    exported: exported.length,
    byStatus: countByStatus(exported),
    returned: records.filter(({ status }) => status === "leased").length,
    schedules: schedules.length,
    limits: limits.length,
    leftOut: Math.max(0, all - records.length),
    notes,
  };
}

/** A choice of tasks by status leaves out schedules and limits, and so does the original's format. */
async function contentsOf(
  queue: TaskQueue,
  { format, statuses }: ExportOptions,
): Promise<QueueRecords> {
  if (format === "ndjson" && statuses === undefined) return await queue.exportAll();
  return { tasks: await queue.exportRecords({ statuses }), schedules: [], limits: [] };
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
