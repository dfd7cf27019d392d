/**
 * The proof: compares what the queue says, what the workers said, and what the files say.
 */
import { isFinal, type Task, type TaskQueue } from "../../src/mod.ts";
import type { Kill } from "./act.ts";
import { type DemoFile, directChecksum } from "./files.ts";
import type { Completion } from "./worker_process.ts";

/** How many files are hashed at a time. */
const CHECKSUM_CONCURRENCY = 4;

/** Everything there is to compare. */
export interface Evidence {
  readonly queue: TaskQueue;
  /** Each task's file. */
  readonly fileOf: ReadonlyMap<number, DemoFile>;
  /** Every completion that a worker reported. */
  readonly completions: readonly Completion[];
  /** The killed workers. */
  readonly kills: readonly Kill[];
}

/** What came out of it. */
export interface Verdict {
  readonly tasks: number;
  readonly completed: number;
  readonly failed: number;
  /** Tasks that were executed more than once. */
  readonly attemptsAboveOne: number;
  /** Tasks whose completion was reported more than once. */
  readonly finishedTwice: number;
  /** Tasks that are missing or not final. */
  readonly lost: number;
  /** Tasks whose result equals the checksum computed directly. */
  readonly resultsRight: number;
  /** Tasks whose file changed meanwhile, so that there is nothing to compare with. */
  readonly filesChanged: number;
  /** What is off, in words; empty when everything is as it must be. */
  readonly problems: readonly string[];
}

/** Looks at every task. */
export async function verify({ queue, fileOf, completions, kills }: Evidence): Promise<Verdict> {
  const checksums = await directChecksums(new Set(fileOf.values()));
  const reports = Map.groupBy(completions, ({ taskId }) => taskId);
  const cases: Case[] = [];
  for (const [id, { path }] of fileOf) {
    const [task, said] = [await queue.get(id), reports.get(id) ?? []];
    cases.push({ id, path, task, said, checksum: checksums.get(path), kills });
  }
  const count = (holds: (one: Case) => boolean): number => cases.filter(holds).length;
  return {
    tasks: cases.length,
    completed: count(({ task }) => task?.status === "completed"),
    failed: count(({ task }) => task?.status === "failed"),
    attemptsAboveOne: count(({ task }) => (task?.attempts ?? 0) > 1),
    finishedTwice: count(({ said }) => said.length > 1),
    lost: count(({ task }) => task === undefined || !isFinal(task.status)),
    resultsRight: count((one) => one.checksum !== undefined && resultOf(one.task) === one.checksum),
    filesChanged: count(({ checksum }) => checksum === undefined),
    problems: cases.flatMap(problemsOf),
  };
}

/** Everything about one task. */
interface Case {
  readonly id: number;
  readonly path: string;
  readonly task: Task | undefined;
  readonly said: readonly Completion[];
  /** Computed directly; `undefined` when the file changed meanwhile. */
  readonly checksum: string | undefined;
  readonly kills: readonly Kill[];
}

function problemsOf(one: Case): string[] {
  const { id, task } = one;
  if (task === undefined) return [`task ${id} is missing`];
  if (task.status === "completed") return problemsOfCompleted(one, task);
  if (task.status === "failed" && one.checksum === undefined) return [];
  return [`task ${id} is ${task.status}: ${task.errorMessage ?? "no message"}`];
}

function problemsOfCompleted({ id, path, said, checksum, kills }: Case, task: Task): string[] {
  const byKilled = kills.some(({ workerId }) => workerId === task.lockedBy);
  const wasHeld = kills.some(({ held }) => held.includes(id));
  const checks: [boolean, string][] = [
    [checksum === undefined || resultOf(task) === checksum, `has another checksum than ${path}`],
    [said.length <= 1, `was reported as completed ${said.length} times`],
    [said.every((report) => agrees(report, task)), `was completed by somebody else as well`],
    [said.length > 0 || byKilled, `was completed, but ${task.lockedBy} did not report it`],
    [!wasHeld || task.attempts > 1, `was held by a killed worker, but not executed again`],
  ];
  return checks.filter(([holds]) => !holds).map(([, problem]) => `task ${id} ${problem}`);
}

function agrees(report: Completion, task: Task): boolean {
  return report.workerId === task.lockedBy && report.attempt === task.attempts;
}

function resultOf(task: Task | undefined): unknown {
  const result = task?.result;
  return typeof result === "object" && result !== null && "sha256" in result
    ? result.sha256
    : undefined;
}

/** The checksums of the files by path; of a file that changed meanwhile there is none. */
async function directChecksums(files: ReadonlySet<DemoFile>): Promise<Map<string, string>> {
  const checksums = new Map<string, string>();
  const remaining = files.values();
  const hashRemaining = async (): Promise<void> => {
    for (const file of remaining) {
      const checksum = await directChecksum(file);
      if (checksum !== undefined) checksums.set(file.path, checksum);
    }
  };
  await Promise.all(Array.from({ length: CHECKSUM_CONCURRENCY }, hashRemaining));
  return checksums;
}
