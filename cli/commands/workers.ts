/**
 * `holdfast workers`: who works on the queue, the latest heartbeat first.
 */
import type { WorkerRecord } from "../../src/mod.ts";
import {
  type App,
  type Program,
  type Session,
  withExistingQueue,
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
  "types",
];

/** Adds the command. */
export function addWorkersCommand(program: Program, app: App): void {
  program.command("workers")
    .description("list the workers that were there within the last day")
    .action((_options, command) => app.run(command.optsWithGlobals(), workers));
}

function workers(session: Session): Promise<number> {
  return withExistingQueue(session, async (queue) => {
    const records = await queue.listWorkers();
    if (session.json) writeJson(session, { workers: records.map(workerJson) });
    if (records.length === 0) writeNote(session, "no workers");
    else {
      const rows = records.map(workerRow);
      writeTable(session, { head: WORKER_COLUMNS, rows, statusColumns: ["state"] });
    }
    return EXIT.done;
  });
}

/** A worker as JSON. */
export function workerJson(record: WorkerRecord): DocumentOf<"WorkerList">["workers"][number] {
  return {
    worker_id: record.workerId,
    state: record.state,
    types: [...record.types],
    capabilities: { ...record.capabilities },
    concurrency: record.concurrency,
    leased_tasks: record.leasedTasks,
    started_at: record.startedAt.toISOString(),
    heartbeat_at: record.heartbeatAt.toISOString(),
  };
}

/** A worker as a row under `WORKER_COLUMNS`. */
export function workerRow(record: WorkerRecord): string[] {
  return [
    printable(record.workerId),
    record.state,
    String(record.leasedTasks),
    String(record.concurrency),
    record.heartbeatAt.toISOString(),
    printable(record.types.join(", ")),
  ];
}
