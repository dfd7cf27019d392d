/**
 * A worker: `worker.ts QUEUE WORKER_ID [LEASE_MS [POLL_INTERVAL_MS]]`, otherwise with default settings. Ends when its input does.
 */
import {
  HandlerRegistry,
  openQueue,
  QueueError,
  sleep,
  systemClock,
  type Task,
  type TaskContext,
  type TaskQueue,
  Worker,
  type WorkerEvent,
} from "../../../src/mod.ts";
import { Instructions, report } from "./program.ts";

const [path, workerId, leaseMs, pollMs] = Deno.args;
const instructions = new Instructions();
const queue = await openQueue(path!);
const handlers = new HandlerRegistry()
  .register("tick", tick)
  .register("hang_once", hangOnce)
  .register("node", node)
  .register("cancellable", (task, context) => outliveCancel(queue, task, context));
const worker = new Worker({
  queue,
  handlers,
  workerId,
  concurrency: 4,
  leaseDurationMs: leaseMs === undefined ? undefined : Number(leaseMs),
  pollIntervalMs: pollMs === undefined ? undefined : Number(pollMs),
  onEvent,
});
worker.start();
report({ kind: "ready" });
await instructions.end;
await worker.stop();
await queue.close();

/** Takes one or two milliseconds. */
async function tick(task: Task): Promise<void> {
  const startedAtMs = Date.now();
  await sleep(systemClock, 1 + task.id % 2);
  const { id: taskId, leaseToken } = task;
  const leaseUntilMs = task.leaseUntil!.getTime();
  report({ kind: "ran", taskId, leaseToken, leaseUntilMs, startedAtMs, endedAtMs: Date.now() });
}

/** Gives its run id and what its parents gave; hangs in its first attempt where the payload says so. */
async function node(
  task: Task & { readonly payload: { readonly hangs?: boolean } },
  context: TaskContext,
): Promise<unknown> {
  const parents = await context.parentResults();
  reportStart(task);
  if (task.payload.hangs && task.attempts === 1) await new Promise(() => {});
  return { runId: task.runId, of: parents.map(({ result }) => result) };
}

/** Never ends in its first attempt; later ones wait for the test's word. */
async function hangOnce(task: Task): Promise<void> {
  reportStart(task);
  if (task.attempts === 1) await new Promise(() => {});
  await instructions.heard("finish");
}

/** Goes on after it was cancelled, and then tries to complete the task all the same. */
async function outliveCancel(queue: TaskQueue, task: Task, context: TaskContext): Promise<string> {
  const { signal } = context;
  const aborted = new Promise<void>((resolve) =>
    signal.addEventListener("abort", () => {
      const reason = String(signal.reason);
      report({ kind: "aborted", taskId: task.id, atMs: Date.now(), reason });
      resolve();
    })
  );
  reportStart(task);
  await aborted;
  report({ kind: "refused", taskId: task.id, code: await completionRefusal(queue, task) });
  return "too late";
}

async function completionRefusal(queue: TaskQueue, task: Task): Promise<string | null> {
  try {
    await queue.complete(task, "too late");
    return null;
  } catch (error) {
    if (error instanceof QueueError) return error.code;
    throw error;
  }
}

function reportStart({ id: taskId, leaseToken, attempts: attempt }: Task): void {
  report({ kind: "started", taskId, leaseToken, attempt, atMs: Date.now() });
}

function onEvent({ kind, task, message }: WorkerEvent): void {
  if (kind === "error") console.error(message);
  else if (kind !== "started") {
    report({ kind: "ended", taskId: task!.id, leaseToken: task!.leaseToken, end: kind });
  }
}
