/**
 * `stats --watch`: depth, rates, workers and the latest failures, again and again until interrupted.
 *
 * On a terminal it is a live screen; in a pipe one plain block per interval; with `--json` one document per line.
 */
import {
  type DurationSummary,
  type QueueMetrics,
  sleep,
  systemClock,
  type Task,
  TASK_STATUSES,
  type TaskQueue,
} from "../src/mod.ts";
import type { Session } from "./app.ts";
import { workerJson } from "../server/workers/json.ts";
import { WORKER_COLUMNS, workerRow } from "./commands/workers.ts";
import type { DocumentOf } from "./documents.ts";
import { openScreen } from "./screen.ts";
import { statusStyle, type Style } from "./style.ts";
import { tableOf } from "./table.ts";
import { durationText, printable } from "./task_text.ts";
import { cutText } from "./text_width.ts";

/** Rates are those of the last minute. */
const WINDOW_MS = 60_000;

/** How many failures are shown. */
const FAILURES_MAX = 5;

/** Of how many failed tasks, those that were stored last, the latest failures are sought. */
const FAILURES_SEARCHED = 100;

/** What is watched, and how. */
export interface WatchRequest {
  readonly session: Session;
  readonly queue: TaskQueue;
  /** How long to wait between two blocks, in milliseconds. */
  readonly intervalMs: number;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** How the queue is at one moment. */
interface Block {
  readonly metrics: QueueMetrics;
  readonly workers: DocumentOf<"WorkerList">["workers"];
  readonly failures: readonly Task[];
}

/** What blocks are written on. */
interface Paper {
  readonly width: number;
  readonly style: Style;
}

/** Writes a block per interval until `signal` aborts; then the terminal is as it was. */
export async function watchStats(request: WatchRequest): Promise<void> {
  const { io, json, style } = request.session;
  if (json) {
    return await eachBlock(
      request,
      (block) => io.writeOut(`${JSON.stringify(blockJson(block))}\n`),
    );
  }
  if (!io.outIsTerminal) {
    return await eachBlock(request, (block) => {
      io.writeOut(`${blockLines(block, { width: io.outColumns(), style }).join("\n")}\n\n`);
    });
  }
  const screen = openScreen(io);
  // at once, so that the terminal is in order also when a second interrupt ends the process
  request.signal.addEventListener("abort", () => screen.close(), { once: true });
  try {
    await eachBlock(request, (block) => {
      const lines = blockLines(block, { width: io.outColumns(), style });
      const hint = cutText(
        `${request.session.dbName}, every ${durationText(request.intervalMs)}; Ctrl-C ends`,
        io.outColumns(),
      );
      screen.show([style.dim(printable(hint)), "", ...lines]);
    });
  } finally {
    screen.close();
  }
}

async function eachBlock(
  { queue, intervalMs, signal }: WatchRequest,
  write: (block: Block) => void,
): Promise<void> {
  while (!signal.aborted) {
    write(await measure(queue));
    await sleep(systemClock, intervalMs, signal);
  }
}

async function measure(queue: TaskQueue): Promise<Block> {
  const [metrics, workers, failed] = await Promise.all([
    queue.metrics({ windowMs: WINDOW_MS }),
    queue.listWorkers(),
    queue.list({ status: "failed", limit: FAILURES_SEARCHED }),
  ]);
  const failures = failed.toSorted((a, b) => finishedMs(b) - finishedMs(a));
  return { metrics, workers: workers.map(workerJson), failures: failures.slice(0, FAILURES_MAX) };
}

function finishedMs({ finishedAt }: Task): number {
  return finishedAt?.getTime() ?? 0;
}

function blockJson({ metrics, workers, failures }: Block): DocumentOf<"StatsBlock"> {
  const { window } = metrics;
  return {
    at: metrics.at.toISOString(),
    by_status: { ...metrics.byStatus },
    scheduled: metrics.scheduled,
    due: metrics.due,
    oldest_due_age_ms: metrics.oldestDueAgeMs,
    window: {
      window_ms: window.windowMs,
      enqueued: window.enqueued,
      completed: window.completed,
      failed: window.failed,
      retried: window.retried,
      cancelled: window.cancelled,
      throughput_per_second: window.throughputPerSecond,
      success_rate: window.successRate,
      wait_ms: { ...window.waitMs },
      run_ms: { ...window.runMs },
    },
    workers,
    latest_failures: failures.map((task) => ({
      task_id: task.id,
      run_id: task.runId,
      type: task.type,
      finished_at: task.finishedAt?.toISOString() ?? null,
      error_message: task.errorMessage,
    })),
  };
}

function blockLines(block: Block, paper: Paper): string[] {
  const { metrics, workers, failures } = block;
  return [
    paper.style.bold(metrics.at.toISOString()),
    ...numbers(metrics).map((line) => cutText(line, paper.width)),
    ...section("types", table(TYPE_COLUMNS, typeRows(metrics), paper), paper),
    ...section("workers", table(WORKER_COLUMNS, workers.map(workerRow), paper), paper),
    ...section("latest failures", table(FAILURE_COLUMNS, failures.map(failureRow), paper), paper),
  ];
}

const TYPE_COLUMNS = ["type", ...TASK_STATUSES];
const FAILURE_COLUMNS = ["id", "finished", "type", "attempts", "error"];

function numbers({ byStatus, due, scheduled, oldestDueAgeMs, window }: QueueMetrics): string[] {
  const { throughputPerSecond, successRate, enqueued, completed, failed, retried } = window;
  const oldest = oldestDueAgeMs === null ? "" : `, the oldest for ${durationText(oldestDueAgeMs)}`;
  const success = successRate === null ? "" : `, ${(successRate * 100).toFixed(1)} % succeeded`;
  return [
    `depth     ${TASK_STATUSES.map((status) => `${byStatus[status]} ${status}`).join(", ")}`,
    `queued    ${due} due${oldest}; ${scheduled} scheduled for later`,
    `rate      ${throughputPerSecond.toFixed(2)}/s finished in the last minute${success}`,
    `minute    ${enqueued} enqueued, ${completed} completed, ${failed} failed, ${retried} retried`,
    `waited    ${summaryText(window.waitMs)}`,
    `ran       ${summaryText(window.runMs)}`,
  ];
}

function summaryText({ count, p50, p95, p99 }: DurationSummary): string {
  if (p50 === null || p95 === null || p99 === null) return "none in the last minute";
  const [half, most, nearlyAll] = [p50, p95, p99].map(durationText);
  return `p50 ${half}, p95 ${most}, p99 ${nearlyAll} (of ${count})`;
}

function section(name: string, lines: readonly string[], { style }: Paper): string[] {
  return lines.length === 0 ? [style.dim(`no ${name}`)] : ["", ...lines];
}

function table(
  head: readonly string[],
  rows: readonly string[][],
  { width, style }: Paper,
): string[] {
  if (rows.length === 0) return [];
  const paint = (cell: string, column: string): string =>
    column === "state" ? statusStyle(style, cell)(cell) : cell;
  return tableOf(head, rows, { width, paintHead: style.bold, paint }).split("\n");
}

function typeRows({ byType }: QueueMetrics): string[][] {
  return Object.entries(byType).sort(([a], [b]) => (a < b ? -1 : 1)).map(([type, counts]) => [
    printable(type),
    ...TASK_STATUSES.map((status) => String(counts[status])),
  ]);
}

function failureRow(task: Task): string[] {
  return [
    String(task.id),
    task.finishedAt?.toISOString() ?? "",
    printable(task.type),
    `${task.attempts}/${task.maxAttempts}`,
    printable(task.errorMessage ?? ""),
  ];
}
