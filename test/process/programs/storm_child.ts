/**
 * One process of a storm: `storm_child.ts QUEUE ROLE NAME SEED`. Does one thing for ever, to be killed; reports what it was
 * told as soon as it was told.
 */
import { QueueError } from "../../../src/domain/errors.ts";
import type { Task } from "../../../src/domain/task.ts";
import { openEmbeddedQueue } from "../../../src/compose/open_embedded.ts";
import type { EmbeddedQueue } from "../../../src/queue/maintenance.ts";
import { seededRandom } from "../../support/queues.ts";
import { Instructions, report } from "./program.ts";

const KEYS = 40;
const BATCH = 4;
const CLAIM_MAX = 3;
const LEASE_MS = 400;

/** Nobody works all the time. */
const PAUSE_MS = 20;

const [path, role, name, seed] = Deno.args;
const random = seededRandom(Number(seed));
const ROLES: Record<string, (queue: EmbeddedQueue, n: number) => Promise<void>> = {
  enqueuer: enqueueSome,
  worker: workOff,
  canceller: cancelOne,
  checkpointer: checkpoint,
};
const act = ROLES[role!]!;
const instructions = new Instructions();
instructions.exitAtEnd();
const queue = await openEmbeddedQueue(path!);
report({ kind: "ready" });
for (let n = 1;; n++) {
  await act(queue, n);
  await new Promise((resume) => setTimeout(resume, random() * PAUSE_MS));
}

/** One task, one under a key that other processes use too, or several at once; two calls at the same time. */
async function enqueueSome(queue: EmbeddedQueue, n: number): Promise<void> {
  const runId = `${name} ${n}`;
  await Promise.all([enqueueOne(queue, runId), n % 3 === 0 ? enqueueKey(queue) : undefined]);
  if (n % 7 !== 0) return;
  const batch = Array.from({ length: BATCH }, (_, i) => ({ type: "t", runId: `${runId}.${i}` }));
  for (const { task: { id, runId } } of await queue.enqueueBatch(batch)) {
    report({ kind: "acknowledged", id, runId });
  }
}

async function enqueueOne(queue: EmbeddedQueue, runId: string): Promise<void> {
  const { task: { id } } = await queue.enqueue({ type: "t", payload: { runId }, runId });
  report({ kind: "acknowledged", id, runId });
}

async function enqueueKey(queue: EmbeddedQueue): Promise<void> {
  const key = `key ${Math.floor(random() * KEYS)}`;
  const runId = `run of ${key}`;
  const { task } = await queue.enqueue({ type: "t", payload: { key }, runId, idempotencyKey: key });
  report({ kind: "acknowledged", id: task.id, runId: task.runId, key });
}

/** Claims a few tasks and completes most of them; the others' leases run out. */
async function workOff(queue: EmbeddedQueue): Promise<void> {
  const claimed = await queue.claim({
    workerId: name!,
    types: ["t"],
    limit: CLAIM_MAX,
    leaseDurationMs: LEASE_MS,
    strategy: "weighted_random",
  });
  for (const task of claimed) {
    const { id: taskId, leaseToken } = task;
    const [fromMs, untilMs] = [task.reservedAt!.getTime(), task.leaseUntil!.getTime()];
    report({ kind: "claimed", taskId, leaseToken, fromMs, untilMs });
  }
  for (const task of claimed) if (random() < 0.9) await complete(queue, task);
}

async function complete(queue: EmbeddedQueue, task: Task): Promise<void> {
  const { id: taskId, leaseToken } = task;
  try {
    await queue.complete(task, { workerId: name, leaseToken });
    report({ kind: "completed", taskId, leaseToken });
  } catch (error) {
    if (!(error instanceof QueueError)) throw error;
    report({ kind: "refused", taskId, code: error.code });
  }
}

async function cancelOne(queue: EmbeddedQueue): Promise<void> {
  const status = random() < 0.5 ? "queued" : "leased";
  const tasks = await queue.list({ status, limit: 50 });
  const task = tasks[Math.floor(random() * tasks.length)];
  if (task === undefined) return;
  if (await queue.cancel(task.id)) report({ kind: "cancelled", taskId: task.id });
}

async function checkpoint(queue: EmbeddedQueue): Promise<void> {
  report({ kind: "checkpoint_begun" });
  await queue.checkpoint();
  report({ kind: "checkpoint_done" });
}
