/**
 * `holdfast stats`: the queue in numbers.
 */
import { Option } from "@commander-js/extra-typings";
import { type QueueStats, TASK_STATUSES } from "../../src/mod.ts";
import { statsJson } from "../../server/json.ts";
import {
  type App,
  type Program,
  type Session,
  withExistingQueue,
  writeJson,
  writeLine,
  writeTable,
} from "../app.ts";
import { EXIT } from "../exit.ts";
import { listenForInterrupts } from "../interrupt.ts";
import { durationFrom } from "../options.ts";
import { bytesText, printable } from "../task_text.ts";
import { watchStats } from "../watch_stats.ts";

/** How long `--watch` waits between two blocks, in milliseconds. */
const WATCH_INTERVAL_MS = 2000;

interface StatsOptions {
  readonly watch?: true;
  readonly interval: number;
}

/** Adds the command. Exit code 130: `--watch` was interrupted. */
export function addStatsCommand(program: Program, app: App): void {
  program.command("stats")
    .description("show how many tasks there are, by status and type, and what the files hold")
    .option("--watch", "a live screen of depth, rates, workers and failures; in a pipe, blocks")
    .addOption(
      new Option("--interval <duration>", "with --watch: how often, 200ms to 1h")
        .argParser(durationFrom(200, 3_600_000))
        .default(WATCH_INTERVAL_MS, "2s"),
    )
    .action((options, command) =>
      app.run(
        command.optsWithGlobals(),
        (session) => options.watch ? watch(session, options) : stats(session),
      )
    );
}

async function watch(session: Session, { interval: intervalMs }: StatsOptions): Promise<number> {
  const interrupts = listenForInterrupts(session.io);
  const signal = AbortSignal.any([interrupts.signal, session.io.outClosed]);
  try {
    return await withExistingQueue(session, async (queue) => {
      await watchStats({ session, queue, intervalMs, signal });
      return interrupts.signal.aborted ? EXIT.interrupted : EXIT.done;
    });
  } finally {
    interrupts.dispose();
  }
}

function stats(session: Session): Promise<number> {
  return withExistingQueue(session, async (queue) => {
    const numbers = await queue.stats();
    if (session.json) writeJson(session, statsJson(numbers));
    const head = ["type", ...TASK_STATUSES];
    writeTable(session, { head, rows: statsRows(numbers), pipesHead: true });
    for (const note of notes(numbers)) writeLine(session, note);
    return EXIT.done;
  });
}

function statsRows(numbers: QueueStats): string[][] {
  const byType = Object.entries(numbers.byType).sort(([a], [b]) => (a < b ? -1 : 1));
  return [...byType, ["all", numbers.byStatus] as const].map(([type, byStatus]) => [
    printable(type),
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
