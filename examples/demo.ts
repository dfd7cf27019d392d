/**
 * The demo: real work by several worker processes, one of them killed half-way, and the proof that nothing was lost and
 * nothing finished twice.
 *
 * `deno task demo [--dir FOLDER] [--workers N] [--db FILE] [--rounds N] [--lease-ms N]`
 *
 * One task per file of the folder (its SHA-256) is enqueued in one batch. A folder with few files is gone through several
 * times, so that there is a half-way to kill at; the output says so. Exit code 1 if anything is off.
 */
import { Command } from "@commander-js/extra-typings";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type EmbeddedQueue,
  messageOf,
  openEmbeddedQueue,
  TASK_LIMITS,
  type TaskQueue,
} from "../src/mod.ts";
import { type CliIo, systemIo } from "../cli/io.ts";
import { integerFrom } from "../cli/options.ts";
import { startProgress } from "../cli/progress.ts";
import { bytesText } from "../cli/task_text.ts";
import { act, type Story, type Stretch } from "./demo/act.ts";
import { collectFiles, type DemoFile } from "./demo/files.ts";
import { LeaseBoard } from "./demo/lease_board.ts";
import { type Verdict, verify } from "./demo/verify.ts";
import { prepareWorkers, WorkerProcess } from "./demo/worker_process.ts";

const CHECKOUT = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** Enough tasks that every worker is busy when half of them are done. */
const TASKS_MIN = 600;

/** More problems than this are only counted. */
const PROBLEMS_SHOWN_MAX = 20;

interface DemoOptions {
  readonly dir: string;
  readonly workers: number;
  readonly db?: string;
  readonly rounds?: number;
  readonly leaseMs: number;
}

/** The queue of this demo, and how to speak of it. */
interface Demo {
  readonly io: CliIo;
  readonly queue: EmbeddedQueue;
  readonly db: string;
  readonly options: DemoOptions;
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  const db = resolve(options.db ?? join(CHECKOUT, "data", "demo", freshName(), "queue.db"));
  const queue = await openEmbeddedQueue(db);
  try {
    return await demonstrate({ io: systemIo(), queue, db, options });
  } finally {
    await queue.close();
  }
}

function parseOptions(args: readonly string[]): DemoOptions {
  return new Command("demo")
    .description("real work by several worker processes, one of them killed half-way")
    .option("--dir <folder>", "whose files are hashed", CHECKOUT)
    .option("--workers <n>", "how many worker processes, 2 to 16", integerFrom(2, 16), 3)
    .option("--db <file>", "the queue (default: a new one below data/demo)")
    .option(
      "--rounds <n>",
      `how many times to take each file (default: enough for ${TASKS_MIN} tasks)`,
      integerFrom(1, 100_000),
    )
    .option("--lease-ms <n>", "the workers' lease", integerFrom(500, 600_000), 3000)
    .parse([...args], { from: "user" })
    .opts();
}

function freshName(): string {
  return new Date().toISOString().replace(/[:.]/g, "-");
}

async function demonstrate(demo: Demo): Promise<number> {
  await prepareWorkers();
  const fileOf = await enqueueFiles(demo);
  const story = await perform(demo, [...fileOf.keys()]);
  const verdict = await verify({
    queue: demo.queue,
    fileOf,
    completions: story.completions,
    kills: story.kills,
  });
  await report(demo, story, verdict);
  return story.problems.length + verdict.problems.length === 0 ? 0 : 1;
}

/** Enqueues a task per file and round in one batch; resolves to each task's file. */
async function enqueueFiles({ io, queue, db, options }: Demo): Promise<Map<number, DemoFile>> {
  if (await hasOpenTasks(queue)) throw new Error(`${db} holds unfinished tasks: give another --db`);
  const dir = resolve(options.dir);
  const { files, leftOut } = await collectFiles(dir);
  const rounds = options.rounds ?? Math.max(1, Math.ceil(TASKS_MIN / files.length));
  const filesOfTasks = Array.from({ length: rounds }, () => files).flat();
  checkCount(filesOfTasks.length, options.workers);
  const startedAtMs = performance.now();
  const results = await queue.enqueueBatch(
    filesOfTasks.map(({ path }) => ({ type: "checksum", payload: { path } })),
  );
  const tookMs = Math.round(performance.now() - startedAtMs);
  io.writeOut(lines([
    ["files", `${files.length} in ${dir}${leftOut === 0 ? "" : `, ${leftOut} left out`}`],
    ["rounds", `${rounds} (each file is hashed by ${rounds} tasks)`],
    ["enqueued", `${results.length} tasks in one batch, on disk after ${tookMs} ms`],
  ]));
  return new Map(results.map(({ task }, index) => [task.id, filesOfTasks[index]!]));
}

async function hasOpenTasks(queue: TaskQueue): Promise<boolean> {
  return await queue.count({ status: "queued" }) + await queue.count({ status: "leased" }) > 0;
}

function checkCount(tasks: number, workers: number): void {
  if (tasks >= workers && tasks <= TASK_LIMITS.batchMax) return;
  throw new Error(
    `these files and rounds are ${tasks} tasks: ${workers} to ${TASK_LIMITS.batchMax} are needed`,
  );
}

/** Starts the workers and plays the act, with a progress bar. */
async function perform({ io, queue, db, options }: Demo, taskIds: number[]): Promise<Story> {
  const { leaseMs } = options;
  const board = new LeaseBoard(queue, taskIds);
  const workers = Array.from(
    { length: options.workers },
    (_, index) => new WorkerProcess({ workerId: `worker-${index + 1}`, db, leaseMs }),
  );
  io.writeOut(lines([
    ["workers", workers.map(({ workerId, pid }) => `${workerId} (pid ${pid})`).join(", ")],
    ["lease", `${leaseMs} ms: so long a killed worker's tasks wait for another (default: 10000)`],
  ]));
  const progress = startProgress(io, { total: taskIds.length, unit: "tasks" });
  try {
    return await act({ queue, board, workers, progress, total: taskIds.length });
  } finally {
    progress.stop();
    board.close();
  }
}

async function report(
  { io, queue, db }: Demo,
  story: Story,
  verdict: Verdict,
): Promise<void> {
  const { snapshotBytes } = await queue.checkpoint();
  const held = story.kills.flatMap((kill) => kill.held).length;
  io.writeOut(lines([
    ["tasks", String(verdict.tasks)],
    ["completed", String(verdict.completed)],
    ["failed", String(verdict.failed)],
    ["attempts above one", `${verdict.attemptsAboveOne} (the killed worker held ${held})`],
    ["finished twice", String(verdict.finishedTwice)],
    ["lost", String(verdict.lost)],
    ["results checked", `${verdict.resultsRight} equal the checksum computed directly`],
    ...verdict.filesChanged === 0 ? [] : [
      ["not comparable", `${verdict.filesChanged}: their files changed meanwhile`] as const,
    ],
    ["tasks/s", `${rate(story.beforeKill)} until the kill, ${rate(story.whole)} with the wait`],
    ["journal", `${bytesText(story.journalBytes)} after the last task`],
    ["snapshot", `${bytesText(snapshotBytes)}, with the journal folded in`],
    ["queue", db],
  ]));
  const problems = [...story.problems, ...verdict.problems];
  for (const problem of problems.slice(0, PROBLEMS_SHOWN_MAX)) io.writeErr(`off: ${problem}\n`);
  io.writeOut(problems.length === 0 ? "everything holds\n" : `${problems.length} things are off\n`);
}

function rate({ tasks, durationMs }: Stretch): string {
  return durationMs === 0 ? "-" : (tasks / durationMs * 1000).toFixed(0);
}

function lines(rows: readonly (readonly [string, string])[]): string {
  return rows.map(([name, value]) => `${name.padEnd(20)}${value}\n`).join("");
}

async function run(args: readonly string[]): Promise<number> {
  try {
    return await main(args);
  } catch (thrown) {
    systemIo().writeErr(`demo: ${messageOf(thrown)}\n`);
    return 1;
  }
}

if (import.meta.main) Deno.exit(await run(Deno.args));
