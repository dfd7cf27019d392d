/**
 * What an export may do, what it refuses, and what it came to.
 */
import { checkOneOf } from "../domain/check.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { TASK_STATUSES, type TaskStatus } from "../domain/task.ts";
import type { TaskRecord } from "../queue/records.ts";
import {
  TRANSFER_FORMATS,
  type TransferFormat,
  type TransferProblem,
  type TransferProgress,
} from "./task_file.ts";

/** How to export. */
export interface ExportOptions {
  /** `original` (a database of the Python system) or `ndjson` (a task or a schedule a line). */
  readonly format: TransferFormat;
  /** The path of the new file. For `ndjson` also a function that is given every line, with its line break. */
  readonly output: string | ((line: string) => void);
  /** Only tasks with one of these statuses, no schedules and no limits; default all. */
  readonly statuses?: readonly TaskStatus[];
  /**
   * Export leased tasks too, as queued ones, with the attempt under way given back: a worker that still runs them does not know,
   * so they may be done twice. Default false: while there are any, the export is refused.
   */
  readonly includeLeased?: boolean;
  /** Called with the progress. Default: none. */
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
  /** How many limits and pauses it holds, by their scopes. */
  readonly limits: number;
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

/** What an export as lines leaves behind. */
export function lossesOfLines({ statuses }: ExportOptions): readonly string[] {
  return statuses === undefined
    ? ["transitions and log files stay behind"]
    : ["transitions, schedules, limits and log files stay behind"];
}

const EXPORT_OPTIONS = optionNames<ExportOptions>({
  format: true,
  output: true,
  statuses: true,
  includeLeased: true,
  onProgress: true,
});

/** @throws TypeError */
export function checkExport(options: ExportOptions): void {
  checkOptions(options, EXPORT_OPTIONS, "exportTasks");
  const { format, output } = options;
  checkOneOf(format, TRANSFER_FORMATS, "format");
  const isPlace = typeof output === "string" ? output.trim() !== "" : format === "ndjson";
  if (!isPlace) throw new TypeError(`Cannot export ${format} without the path of a new file`);
}

/** @throws ExportRefusedError */
export function checkLeases(
  records: readonly TaskRecord[],
  { includeLeased }: ExportOptions,
): void {
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

/** How many records have each status. */
export function countByStatus(records: readonly TaskRecord[]): Record<TaskStatus, number> {
  return Object.fromEntries(
    TASK_STATUSES.map((name) => [name, records.filter(({ status }) => status === name).length]),
  ) as Record<TaskStatus, number>;
}
