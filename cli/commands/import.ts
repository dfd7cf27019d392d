/**
 * `holdfast import FILE`: tasks of the Python system, or of `holdfast export`, come into the queue.
 */
import {
  importAsNewQueue,
  type ImportOptions as TaskImportOptions,
  ImportRefusedError,
  type ImportReport,
  importTasks,
  isDatabaseAddress,
  readTaskFile,
  TASK_STATUSES,
  type TaskFile,
  type TransferProblem,
} from "../../src/mod.ts";
import {
  type App,
  type Program,
  refuseServer,
  type Session,
  withExistingQueue,
  withQueue,
  writeJson,
  writeLine,
  writeNote,
} from "../app.ts";
import type { DocumentOf } from "../documents.ts";
import { EXIT } from "../exit.ts";
import { tableOf } from "../table.ts";
import { printable } from "../task_text.ts";
import { showingPhases } from "../transfer_progress.ts";
import { isThere } from "../is_there.ts";

interface ImportOptions {
  readonly dryRun?: true;
  readonly skipInvalid?: true;
  readonly clamp?: true;
  readonly renumber?: true;
}

/** How many problems are shown to people; `--json` has them all. */
const PROBLEMS_SHOWN = 20;

/** Statuses that an imported task can have. */
const STATUSES = TASK_STATUSES.filter((status) => status !== "leased");

/** Adds the command. */
export function addImportCommand(program: Program, app: App): void {
  program.command("import")
    .description("bring in the tasks of the Python system's database, or of `export`")
    .argument("<file>", "a SQLite database with task_queue, or NDJSON; it is only read")
    .option("--dry-run", "say what would be imported, and change nothing")
    .option("--skip-invalid", "leave out rows that are not tasks, and list them")
    .option(
      "--clamp",
      "bring values that are out of range to the nearest allowed one, and list them",
    )
    .option("--renumber", "give new ids, where others have those of the file")
    .action((file, options, command) =>
      app.run(command.optsWithGlobals(), (session) => importFile(session, file, options))
    );
}

/** A queue that is not there yet appears with its tasks, or not at all. */
async function importFile(
  session: Session,
  path: string,
  options: ImportOptions,
): Promise<number> {
  refuseServer(session);
  const report = await showingPhases(session.io, async (onProgress) => {
    const file = await readTaskFile(path, { onProgress });
    try {
      return await store(session, file, { ...options, onProgress });
    } catch (thrown) {
      if (thrown instanceof ImportRefusedError) return thrown.report;
      throw thrown;
    }
  });
  return answer(session, report, options);
}

async function store(
  session: Session,
  file: TaskFile,
  options: TaskImportOptions,
): Promise<ImportReport> {
  if (isDatabaseAddress(session.dbPath)) {
    return await withQueue(session, (queue) => importTasks(queue, file, options));
  }
  if (!await isThere(session.dbPath)) return await importAsNewQueue(session.dbPath, file, options);
  return await withExistingQueue(session, (queue) => importTasks(queue, file, options));
}

function isRefused({ problems, conflicts }: ImportReport, { skipInvalid }: ImportOptions): boolean {
  return conflicts.length > 0 || (problems.length > 0 && !skipInvalid);
}

function answer(session: Session, report: ImportReport, options: ImportOptions): number {
  if (session.json) writeJson(session, documentOf(report));
  writeLine(session, textOf(session, report));
  const refused = isRefused(report, options);
  if (refused) {
    writeNote(session, `holdfast: nothing was imported${adviceOn(report, options)}`);
  }
  return refused ? EXIT.no : EXIT.done;
}

function adviceOn({ problems, conflicts }: ImportReport, options: ImportOptions): string {
  if (conflicts.length > 0) {
    return options.renumber ? "" : ": --renumber gives new ids, another --db a new queue";
  }
  if (problems.length === 0) return "";
  const clamp = options.clamp ? "" : "--clamp brings numbers and instants into range, ";
  return `: ${clamp}--skip-invalid leaves these out`;
}

function documentOf(report: ImportReport): DocumentOf<"Imported"> {
  return {
    path: report.path,
    format: report.format,
    stored: report.stored,
    found: report.found,
    added: report.added,
    present: report.present,
    gone: report.gone,
    returned: report.returned,
    by_status: report.byStatus,
    by_type: report.byType,
    problems: [...report.problems],
    conflicts: [...report.conflicts],
    notes: [...report.notes],
    schedules: { ...report.schedules },
    limits: { ...report.limits },
  };
}

function textOf(session: Session, report: ImportReport): string {
  const { path, format, found, returned, present, gone, added, stored } = report;
  const { schedules, limits } = report;
  const kind = format === "original" ? "a database of the Python system" : "NDJSON";
  const sentences = [
    `${path} is ${kind} with ${withOthers(found, schedules.found, limits.found)}`,
    ...(found > report.problems.length ? [countsTable(report)] : []),
    ...(returned > 0 ? [`${returned} were leased or in progress there and are queued here`] : []),
    ...(present > 0 ? [`${present} are in the queue already and stay as they are`] : []),
    ...(schedules.present > 0
      ? [`${schedules.present} schedules are in the queue already and stay as they are`]
      : []),
    ...(limits.present > 0
      ? [`${limits.present} limits are in the queue already and stay as they are`]
      : []),
    ...(gone > 0 ? [`${gone} were in the queue and are gone, and are not added again`] : []),
    ...report.notes,
    ...problemLines("cannot be imported", report.problems),
    ...problemLines("do not go together with the queue", report.conflicts),
  ];
  const what = withOthers(added, schedules.added, limits.added);
  if (stored) sentences.push(`${what} were added to ${session.dbName} and read back`);
  else sentences.push(`${what} would be new in ${session.dbName}`);
  return sentences.map((sentence) => sentence.split("\n").map(printable).join("\n")).join("\n");
}

function withOthers(tasks: number, schedules: number, limits: number): string {
  const parts = [
    `${tasks} tasks`,
    ...(schedules === 0 ? [] : [`${schedules} schedules`]),
    ...(limits === 0 ? [] : [`${limits} limits`]),
  ];
  const last = parts.pop()!;
  return parts.length === 0 ? last : `${parts.join(", ")} and ${last}`;
}

function countsTable({ byStatus, byType }: ImportReport): string {
  const rows = [...Object.entries(byType), ["all types", byStatus] as const].map(
    ([type, counts]) => [printable(type), ...STATUSES.map((status) => String(counts[status]))],
  );
  return tableOf(["type", ...STATUSES], rows);
}

function problemLines(what: string, problems: readonly TransferProblem[]): string[] {
  if (problems.length === 0) return [];
  const shown = problems.slice(0, PROBLEMS_SHOWN).map(({ id, reason }) =>
    id === null ? `  ${reason}` : `  task ${id}: ${reason}`
  );
  const rest = problems.length - shown.length;
  const more = rest > 0 ? [`  and ${rest} more; --json lists them all`] : [];
  return [`${problems.length} ${what}:`, ...shown, ...more];
}
