/**
 * What an import may do, and what it came to.
 */
import { quotePath } from "../domain/errors.ts";
import { TASK_STATUSES, type TaskStatus } from "../domain/task.ts";
import type { RecordImport, RecordImportOptions, TaskRecord } from "../queue/records.ts";
import type { TaskFile, TransferProblem, TransferProgress } from "./task_file.ts";

/** How to read a file of tasks. */
export interface ReadTaskFileOptions {
  /** Called with the progress. Default: none. */
  readonly onProgress?: (progress: TransferProgress) => void;
}

/** How to import. */
export interface ImportOptions extends RecordImportOptions, ReadTaskFileOptions {
  /**
   * Bring priorities, attempts and instants that are out of range to the nearest value that is allowed, and take blanks from
   * around names, with a note of each; default false: such a task is a problem.
   */
  readonly clamp?: boolean;
}

/** The result of an import, or of its dry run. */
export interface ImportReport {
  /** The file. */
  readonly path: string;
  /** Whether it is a database of the Python system or NDJSON. */
  readonly format: TaskFile["format"];
  /** Whether the tasks are stored, durably and verified; `false` after a dry run. */
  readonly stored: boolean;
  /** How many rows or lines the file has. */
  readonly found: number;
  /** How many tasks are new in this queue. */
  readonly added: number;
  /** How many were here already, and were left as they are. */
  readonly present: number;
  /** How many were here and are gone (pruned), and were not added again. */
  readonly gone: number;
  /** How many of the file's tasks were leased or in progress there, and are queued now. */
  readonly returned: number;
  /** The file's tasks that could be read, by the status that they have here. */
  readonly byStatus: Readonly<Record<TaskStatus, number>>;
  /** The same for each type. */
  readonly byType: Readonly<Record<string, Readonly<Record<TaskStatus, number>>>>;
  /** What cannot be imported, and why. */
  readonly problems: readonly TransferProblem[];
  /** What does not go together with the tasks that are in the queue. */
  readonly conflicts: readonly TransferProblem[];
  /** What the file has and is not carried over, one sentence each. */
  readonly notes: readonly string[];
  /** How many schedules the file has, and how many of them are new in this queue, or were here already. */
  readonly schedules: { readonly found: number; readonly added: number; readonly present: number };
  /** The same of limits and pauses, by their scopes. */
  readonly limits: { readonly found: number; readonly added: number; readonly present: number };
}

/** The file's tasks cannot be imported as they are; nothing was stored. */
export class ImportRefusedError extends Error {
  /** `ImportRefusedError`. */
  override readonly name = "ImportRefusedError";
  /** What was found, with every problem and conflict. */
  readonly report: ImportReport;

  /** The file of `report` was refused. */
  constructor(report: ImportReport) {
    super(refusalOf(report));
    this.report = report;
  }
}

/** How many reasons an error's message tells. */
const REASONS_TOLD = 3;

/** The report of an import from its file and what the queue answered. */
export function reportOf(file: TaskFile, outcome: RecordImport): ImportReport {
  const { path, format, found, returned, notes } = file;
  const refused = new Set(outcome.problems.map(({ id }) => id));
  return {
    path,
    format,
    stored: outcome.stored,
    found,
    added: outcome.additions.length,
    present: outcome.present.length,
    gone: outcome.gone.length,
    returned,
    ...countsOf(file.records.filter(({ id }) => !refused.has(id))),
    problems: [...file.problems, ...outcome.problems],
    conflicts: outcome.conflicts,
    notes,
    schedules: {
      found: file.schedules.length,
      added: outcome.schedules.additions.length,
      present: outcome.schedules.present.length,
    },
    limits: { found: file.limits.length, ...outcome.limits },
  };
}

function countsOf(records: readonly TaskRecord[]): Pick<ImportReport, "byStatus" | "byType"> {
  const byStatus = noTasks();
  const byType = new Map<string, Record<TaskStatus, number>>();
  for (const { type, status } of records) {
    const ofType = byType.get(type) ?? noTasks();
    byType.set(type, ofType);
    ofType[status]++;
    byStatus[status]++;
  }
  return { byStatus, byType: Object.fromEntries(byType) };
}

function noTasks(): Record<TaskStatus, number> {
  return Object.fromEntries(TASK_STATUSES.map((status) => [status, 0])) as Record<
    TaskStatus,
    number
  >;
}

function refusalOf({ path, problems, conflicts }: ImportReport): string {
  const reasons = [...problems, ...conflicts];
  const told = reasons.slice(0, REASONS_TOLD).map(({ id, reason }) =>
    id === null ? reason : `task ${id}: ${reason}`
  );
  const rest = reasons.length - told.length;
  const more = rest > 0 ? `; and ${rest} more` : "";
  return `Cannot import ${quotePath(path)}: ${told.join("; ")}${more}`;
}
