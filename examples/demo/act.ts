/**
 * The act: worker processes execute the tasks, and one of them is killed half-way with work in its hands.
 */
import type { EmbeddedQueue } from "../../src/mod.ts";
import type { Progress } from "../../cli/progress.ts";
import type { LeaseBoard } from "./lease_board.ts";
import type { Completion, WorkerProcess } from "./worker_process.ts";

/** Nothing changing for this long means that something hangs, in milliseconds. */
const STALL_MS = 60_000;

/** How long the workers may take to end when nothing is left to do, in milliseconds. */
const END_MS = 60_000;

/** Where the act takes place. */
export interface Scene {
  readonly queue: EmbeddedQueue;
  readonly board: LeaseBoard;
  /** At least two, already started. */
  readonly workers: readonly WorkerProcess[];
  readonly progress: Progress;
  /** How many tasks there are. */
  readonly total: number;
}

/** A worker's violent end. */
export interface Kill {
  readonly workerId: string;
  /** The tasks that it held when it died. */
  readonly held: readonly number[];
}

/** What happened. */
export interface Story {
  readonly kills: readonly Kill[];
  /** Every completion that a worker reported. */
  readonly completions: readonly Completion[];
  /** What is off, in words. */
  readonly problems: readonly string[];
  /** From the first completed task to the first kill. */
  readonly beforeKill: Stretch;
  /** From the first completed task to the last. */
  readonly whole: Stretch;
  /** The journal's size after the last task, in bytes; ending workers may fold it into the snapshot. */
  readonly journalBytes: number;
}

/** How much was done in how long. */
export interface Stretch {
  readonly tasks: number;
  readonly durationMs: number;
}

/** Plays the act to its end. */
export async function act(scene: Scene): Promise<Story> {
  const { queue, board, workers, progress, total } = scene;
  const problems: string[] = [];
  const completedTasks = (): number => board.count("completed");
  const reach = async (goal: () => boolean, what: string): Promise<void> => {
    if (!await reached(scene, goal)) problems.push(`${what}: nothing happened for ${STALL_MS} ms`);
  };
  await reach(() => completedTasks() > 0, "waiting for the first task");
  const first = { tasks: completedTasks(), atMs: performance.now() };
  const stretch = (): Stretch => ({
    tasks: completedTasks() - first.tasks,
    durationMs: performance.now() - first.atMs,
  });
  await reach(() => completedTasks() >= total / 2, "waiting for half of the tasks");
  const beforeKill = stretch();
  const kills = await killHolders(scene);
  if (!kills.some(({ held }) => held.length > 0)) {
    problems.push("no worker held a task when it was killed");
  }
  await reach(() => board.allFinal, "waiting for the last task");
  const whole = stretch();
  const { journalBytes } = queue.storageStats();
  progress.update(completedTasks());
  problems.push(...await endAll(workers, kills));
  const completions = workers.flatMap((worker) => worker.completions);
  return { kills, completions, problems, beforeKill, whole, journalBytes };
}

/** Waits until the goal is reached; `false` when nothing happens for too long. */
async function reached(
  { board, progress }: Scene,
  goal: () => boolean,
): Promise<boolean> {
  while (!goal()) {
    if (!await withinMs(STALL_MS, board.nextChange())) return false;
    progress.update(board.count("completed"));
  }
  return true;
}

/**
 * Kills the worker that holds the most tasks. Should it have finished them in the very moment of its death, another one
 * is killed, as long as one remains.
 */
async function killHolders(scene: Scene): Promise<Kill[]> {
  const kills: Kill[] = [];
  const alive = [...scene.workers];
  while (alive.length > 1 && !kills.some(({ held }) => held.length > 0)) {
    alive.sort((a, b) =>
      scene.board.heldBy(b.workerId).length - scene.board.heldBy(a.workerId).length
    );
    const victim = alive.shift();
    if (victim !== undefined) kills.push(await killOne(scene, victim));
  }
  return kills;
}

async function killOne(
  { queue, board, progress, total }: Scene,
  victim: WorkerProcess,
): Promise<Kill> {
  await victim.kill();
  await queue.flush(); // a write, so that everything the victim had committed is seen
  const leased = await queue.list({ status: "leased", limit: 1000 });
  const held = leased.filter(({ lockedBy }) => lockedBy === victim.workerId).map(({ id }) => id);
  progress.line(
    `killed      ${victim.workerId} (pid ${victim.pid}) with SIGKILL at ${
      board.count("completed")
    } of ${total} tasks; it held ${held.length} (${held.join(", ")})`,
  );
  return { workerId: victim.workerId, held };
}

/** Waits for the workers to end by themselves, and says what is wrong with how they did. */
async function endAll(
  workers: readonly WorkerProcess[],
  kills: readonly Kill[],
): Promise<string[]> {
  const problems: string[] = [];
  for (const worker of workers) {
    if (!await withinMs(END_MS, worker.ended())) {
      problems.push(`${worker.workerId} did not end by itself`);
      await worker.kill();
    }
    const code = await worker.ended();
    const wasKilled = kills.some(({ workerId }) => workerId === worker.workerId);
    if (code !== 0 && !wasKilled) {
      problems.push(
        `${worker.workerId} ended with ${code}: ${worker.remarks.at(-1) ?? "it said nothing"}`,
      );
    }
  }
  return problems;
}

/** Whether `promise` resolves within `limitMs` milliseconds. */
async function withinMs(limitMs: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
