/**
 * `holdfast stats`: the queue in numbers.
 */
import { type QueueStats, TASK_STATUSES } from "../../src/mod.ts";
import { statsJson } from "../../server/json.ts";
import {
  type App,
  type Program,
  type Session,
  withExistingQueue,
  writeJson,
  writeLine,
} from "../app.ts";
import { EXIT } from "../exit.ts";
import { bytesText, tableOf } from "../task_text.ts";

/** Adds the command. */
export function addStatsCommand(program: Program, app: App): void {
  program.command("stats")
    .description("show how many tasks there are, by status and type, and what the files hold")
    .action((_options, command) => app.run(command.optsWithGlobals(), stats));
}

function stats(session: Session): Promise<number> {
  return withExistingQueue(session, async (queue) => {
    const numbers = await queue.stats();
    if (session.json) writeJson(session, statsJson(numbers));
    writeLine(session, statsText(numbers, session.io.outIsTerminal));
    return EXIT.done;
  });
}

function statsText(numbers: QueueStats, asTable: boolean): string {
  const rows = statsRows(numbers);
  const counts = asTable
    ? tableOf(["type", ...TASK_STATUSES], rows)
    : [["type", ...TASK_STATUSES], ...rows].map((row) => row.join("\t")).join("\n");
  return [counts, ...notes(numbers)].join("\n");
}

function statsRows(numbers: QueueStats): string[][] {
  const byType = Object.entries(numbers.byType).sort(([a], [b]) => (a < b ? -1 : 1));
  return [...byType, ["all", numbers.byStatus] as const].map(([type, byStatus]) => [
    type,
    ...TASK_STATUSES.map((status) => String(byStatus[status])),
  ]);
}

function notes(numbers: QueueStats): string[] {
  const { scheduled, oldestDueCreatedAt, storage } = numbers;
  return [
    `scheduled for later: ${scheduled}`,
    `oldest due task: ${oldestDueCreatedAt?.toISOString() ?? "none"}`,
    ...storage === null ? [] : [
      `journal: ${bytesText(storage.journalBytes)} up to record ${storage.sequence}`,
      `snapshot: ${bytesText(storage.snapshotBytes)}`,
    ],
  ];
}
