/**
 * Queues for tests of moves: what they hold, and ends of moves that stop where a test says.
 */
import { assert } from "@std/assert";
import type { MovedTask, MoveEnd } from "../../src/queue/move_end.ts";
import { moveEndOf } from "../../src/queue/move_end.ts";
import type { TransitionRecord } from "../../src/queue/records.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import type { MoveSide } from "../../src/transfer/move_report.ts";
import type { FakeClock } from "../support/fake_clock.ts";

const HOOK = "https://hooks.example.com/done";

/** Everything that a queue can hold when nothing is leased; the last id was used by a task that was pruned. */
export async function fillRich(queue: TaskQueue, clock: FakeClock): Promise<void> {
  await queue.enqueueBatch([
    { type: "a", payload: { text: "ü 🎬\u0000", big: [1, 2.5] }, idempotencyKey: "k-1" },
    { type: "a", runAfter: new Date(clock.nowMs() + 3_600_000), timeoutMs: 5000, priority: 7 },
    { type: "a", runId: "named", compatibility: { gpu: true, z: 1, a: "x" } },
    { type: "fails", maxAttempts: 1, retryPolicy: { initialDelayMs: 5 }, runId: "fails" },
    { type: "retries", maxAttempts: 3 },
    { type: "child", runId: "ended", dependsOn: ["fails"] },
    { type: "child", runId: "waits", dependsOn: ["named", "open"], onParentFailure: "skip" },
    { type: "open", runId: "open", webhook: { url: HOOK, events: ["failed"] } },
    { type: "told", runId: "told", webhook: { url: HOOK } },
    { type: "kept", runId: "keeps", dependsOn: ["told"], onParentFailure: "run" },
    { type: "cancelled", runId: "cancelled" },
  ]);
  const [done] = await queue.claim({ workerId: "w-1", types: ["a"] });
  await queue.reportProgress(done!, 50, "half");
  await queue.complete(done!, { n: 12 });
  for (const type of ["fails", "retries"]) {
    await queue.fail((await queue.claim({ workerId: "w", types: [type] }))[0]!, new Error("no"));
  }
  await queue.complete((await queue.claim({ workerId: "w", types: ["told"] }))[0]!, [1]);
  await queue.release((await queue.claim({ workerId: "w", types: ["kept"] }))[0]!);
  await queue.addSchedule({ id: "sync", type: "sync", everyMs: 60_000, payload: { n: 1 } });
  await queue.fireSchedules();
  const nightly = { id: "nightly", type: "report", cron: "@daily", webhook: { url: HOOK } };
  await queue.addSchedule({ ...nightly, timeZone: "Asia/Tokyo", paused: true });
  await queue.setLimit({ type: "kept" }, { concurrency: 5 }, { by: "ops" });
  await queue.pause({ type: "report" }, { reason: "why" });
  const { task: last } = await queue.enqueue({ type: "pruned" });
  await queue.cancel(last.id);
  await clock.advance(1000);
  await queue.cancel((await queue.getByRunId("cancelled"))!.id);
  await queue.prune({ statuses: ["cancelled"], keep: 1 });
}

/** Everything that a move carries. */
export interface Contents {
  readonly tasks: readonly MovedTask[];
  readonly transitions: readonly TransitionRecord[];
  readonly schedules: unknown;
  readonly limits: unknown;
  readonly usedUpTo: number;
  readonly records: unknown;
}

/** What a queue holds. */
export async function contentsOf(queue: TaskQueue): Promise<Contents> {
  const end = moveEndOf(queue)!;
  return {
    tasks: await end.readTasks({ after: 0 }),
    transitions: (await end.readTransitions(null)).transitions,
    schedules: await end.readSchedules(),
    limits: await end.readLimits(),
    usedUpTo: await end.usedUpTo(),
    records: await queue.exportAll(),
  };
}

/** One side of a move; `change` may stand before its end. */
export async function sideOf(
  queue: TaskQueue,
  place: string,
  change: (end: MoveEnd) => MoveEnd = (end) => end,
): Promise<MoveSide> {
  const end = moveEndOf(queue);
  assert(end !== null);
  return { queue, end: change(end), place, id: await end.queueId() };
}

/** What a killed process does no more. */
export class Killed extends Error {
  override readonly name = "Killed";
}

/** Lets both ends make some changes; the process is killed after the last of them, before it hears of it. */
export class Killer {
  #left: number;

  /** Kills after so many changes. */
  constructor(changes: number) {
    this.#left = changes;
  }

  /** The same end until the kill. */
  readonly watch = (end: MoveEnd): MoveEnd => {
    const passed = async <T>(act: () => Promise<T>): Promise<T> => {
      if (this.#left <= 0) throw new Killed();
      this.#left--;
      const value = await act();
      if (this.#left === 0) throw new Killed();
      return value;
    };
    return {
      ...passedOn(end),
      setClosure: (change) => passed(() => end.setClosure(change)),
      fill: (part) => passed(() => end.fill(part)),
      open: (moveId, usedUpTo) => passed(() => end.open(moveId, usedUpTo)),
    };
  };
}

/** The same end as an object of functions. */
export function passedOn(end: MoveEnd): MoveEnd {
  return {
    queueId: () => end.queueId(),
    notes: () => end.notes(),
    isNew: () => end.isNew(),
    isAtRest: () => end.isAtRest(),
    usedUpTo: () => end.usedUpTo(),
    readTasks: (span) => end.readTasks(span),
    readTransitions: (after) => end.readTransitions(after),
    readSchedules: () => end.readSchedules(),
    readLimits: () => end.readLimits(),
    setClosure: (change) => end.setClosure(change),
    fill: (part) => end.fill(part),
    open: (moveId, usedUpTo) => end.open(moveId, usedUpTo),
  };
}
