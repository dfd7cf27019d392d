/**
 * `holdfast export`: the queue's tasks go into a database that the Python system claims from, or into lines.
 */
import { Option } from "@commander-js/extra-typings";
import {
  type ExportReport,
  exportTasks,
  TASK_STATUSES,
  type TaskStatus,
  TRANSFER_FORMATS,
  type TransferFormat,
} from "../../src/mod.ts";
import {
  type App,
  type Program,
  type Session,
  withQueueToRead,
  writeJson,
  writeLine,
  writeNote,
} from "../app.ts";
import type { DocumentOf } from "../documents.ts";
import { EXIT, UsageError } from "../exit.ts";
import { someOption } from "../options.ts";
import { showingPhases } from "../transfer_progress.ts";

interface ExportOptions {
  readonly format: TransferFormat;
  readonly output?: string;
  readonly status?: readonly TaskStatus[];
  readonly includeLeased?: true;
}

/** Adds the command. */
export function addExportCommand(program: Program, app: App): void {
  program.command("export")
    .description("write the tasks for the Python system, or as lines")
    .addOption(
      new Option("--format <format>", "`original`: a database for the Python system")
        .choices(TRANSFER_FORMATS).makeOptionMandatory(),
    )
    .option("--output <file>", "the new file; without it, or with -, lines go to standard output")
    .addOption(
      someOption(
        "--status <status...>",
        "only tasks like these, no schedules and no limits",
        TASK_STATUSES,
      ),
    )
    .option("--include-leased", "leased tasks too, as queued ones: may be done twice")
    .action((options, command) =>
      app.run(command.optsWithGlobals(), (session) => exportQueue(session, options))
    );
}

function exportQueue(session: Session, options: ExportOptions): Promise<number> {
  const { format, status, includeLeased } = options;
  const output = options.output === "-" ? undefined : options.output;
  if (output === undefined && (format === "original" || session.json)) {
    throw new UsageError("--output is needed with --format original, and with --json");
  }
  return withQueueToRead(session, async (queue) => {
    const report = await showingPhases(session.io, (onProgress) =>
      exportTasks(queue, {
        format,
        output: output ?? ((line) => session.io.writeOut(line)),
        statuses: status,
        includeLeased,
        onProgress,
      }));
    if (session.json) writeJson(session, documentOf(report));
    else if (report.path === null) writeNote(session, summaryOf(report));
    else writeLine(session, summaryOf(report));
    for (const note of session.json ? [] : notesOf(report)) writeNote(session, note);
    return EXIT.done;
  });
}

function summaryOf({ path, exported, byStatus, schedules, limits }: ExportReport): string {
  const counts = TASK_STATUSES.filter((status) => byStatus[status] > 0).map((status) =>
    `${byStatus[status]} ${status}`
  );
  const parts = counts.length === 0 ? "" : ` (${counts.join(", ")})`;
  const others = [[schedules, "schedules"], [limits, "limits"]].map(([count, what]) =>
    count === 0 ? "" : ` and ${count} ${what}`
  ).join("");
  return `${path ?? "standard output"} holds ${exported} tasks${parts}${others}`;
}

function notesOf({ returned, leftOut, notes }: ExportReport): string[] {
  return [
    ...(returned > 0 ? [`${returned} were leased and are queued there`] : []),
    ...(leftOut > 0 ? [`${leftOut} tasks of other statuses stayed behind`] : []),
    ...notes,
  ];
}

function documentOf(report: ExportReport): DocumentOf<"Exported"> {
  return {
    path: report.path,
    format: report.format,
    exported: report.exported,
    by_status: report.byStatus,
    returned: report.returned,
    schedules: report.schedules,
    limits: report.limits,
    left_out: report.leftOut,
    notes: [...report.notes],
  };
}
