/**
 * `holdfast workers`: the workers of the queue, the latest heartbeat first.
 */
import {
  type App,
  type Program,
  type Session,
  withDeskToRead,
  writeJson,
  writeNote,
  writeTable,
} from "../app.ts";
import type { DocumentOf } from "../documents.ts";
import { EXIT } from "../exit.ts";
import { printable } from "../task_text.ts";

/** The columns of a table of workers. */
export const WORKER_COLUMNS: readonly string[] = [
  "worker",
  "state",
  "leases",
  "slots",
  "heartbeat",
  "version",
  "types",
];

/** Adds the command. */
export function addWorkersCommand(program: Program, app: App): void {
  program.command("workers")
    .description("list the workers that were there within the last day")
    .action((_options, command) => app.run(command.optsWithGlobals(), workers));
}

function workers(session: Session): Promise<number> {
  return withDeskToRead(session, async (desk) => {
    const document = await desk.workers();
    if (session.json) writeJson(session, document);
    const rows = document.workers.map(workerRow);
    if (rows.length === 0) writeNote(session, "no workers");
    else writeTable(session, { head: WORKER_COLUMNS, rows, statusColumns: ["state"] });
    return EXIT.done;
  });
}

/** A worker as a row under `WORKER_COLUMNS`. */
export function workerRow(worker: DocumentOf<"WorkerList">["workers"][number]): string[] {
  return [
    printable(worker.worker_id),
    worker.state,
    String(worker.leased_tasks),
    String(worker.concurrency),
    worker.heartbeat_at,
    worker.version === null ? "unknown" : printable(worker.version),
    printable(worker.types.join(", ")),
  ];
}
