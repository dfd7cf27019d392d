/**
 * `holdfast stats`: the queue in numbers.
 */
import { Option } from "@commander-js/extra-typings";
import { TASK_STATUSES } from "../../src/mod.ts";
import {
  type App,
  type Program,
  type Session,
  withDeskToRead,
  withQueueToRead,
  writeJson,
  writeLine,
  writeTable,
} from "../app.ts";
import type { DocumentOf } from "../documents.ts";
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
    return await withQueueToRead(session, async (queue) => {
      await watchStats({ session, queue, intervalMs, signal });
      return interrupts.signal.aborted ? EXIT.interrupted : EXIT.done;
    });
  } finally {
    interrupts.dispose();
  }
}

function stats(session: Session): Promise<number> {
  return withDeskToRead(session, async (desk) => {
    const document = await desk.stats();
    if (session.json) writeJson(session, document);
    const head = ["type", ...TASK_STATUSES];
    writeTable(session, { head, rows: statsRows(document), pipesHead: true });
    for (const note of notes(document)) writeLine(session, note);
    return EXIT.done;
  });
}

function statsRows({ by_type, by_status }: DocumentOf<"Stats">): string[][] {
  const byType = Object.entries(by_type).sort(([a], [b]) => (a < b ? -1 : 1));
  return [...byType, ["all", by_status] as const].map(([type, counts]) => [
    printable(type),
    ...TASK_STATUSES.map((status) => String(counts[status])),
  ]);
}

function notes({ scheduled, oldest_due_at, storage }: DocumentOf<"Stats">): string[] {
  return [
    `scheduled for later: ${scheduled}`,
    `oldest due task: ${oldest_due_at === null ? "none" : `due since ${oldest_due_at}`}`,
    ...storage === null ? [] : [
      `journal: ${bytesText(storage.journal_bytes)} up to record ${storage.sequence}`,
      `snapshot: ${bytesText(storage.snapshot_bytes)}`,
      `memory: ${bytesText(storage.memory_used_bytes)} of ${bytesText(storage.memory_max_bytes)}`,
    ],
  ];
}
