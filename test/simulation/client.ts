/**
 * A client: asks a process's queue for something, by chance.
 */
import { PermanentError } from "../../src/domain/errors.ts";
import { type NewTask, PARENT_FAILURE_POLICIES, type Task } from "../../src/domain/task.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import type { Chance } from "./chance.ts";
import type { SimulatedProcess } from "./simulated_process.ts";
import { CAPABILITIES, TASK_TYPES, type TaskSource } from "./task_source.ts";

/** What a client can ask for. */
type Request =
  | "enqueue"
  | "enqueue batch"
  | "claim"
  | "use lease"
  | "cancel"
  | "retry"
  | "get"
  | "list"
  | "rescue"
  | "stats"
  | "checkpoint"
  | "flush"
  | "race"
  | "overtake"
  | "prune";

const REQUESTS: Readonly<Record<Request, number>> = {
  "enqueue": 10,
  "enqueue batch": 2,
  "claim": 6,
  "use lease": 8,
  "cancel": 2,
  "retry": 1.5,
  "get": 2,
  "list": 0.7,
  "rescue": 1,
  "stats": 0.5,
  "checkpoint": 2,
  "flush": 1.5,
  "race": 1.5,
  "overtake": 0.3,
  "prune": 1,
};

/** What a client knows. */
export interface ClientKnowledge {
  readonly source: TaskSource;
  readonly nowMs: number;
  readonly leaseDurationMs: number;
  readonly knownIds: readonly number[];
  /** Whether finished tasks may be deleted. */
  readonly isPruned: boolean;
  /** The other processes that have the queue open. */
  readonly others: readonly SimulatedProcess[];
  /** Makes a process stand still for a while. */
  readonly stall: (process: SimulatedProcess, durationMs: number) => void;
}

/** Asks for something. The answer goes to the checker. */
export function ask(process: SimulatedProcess, know: ClientKnowledge, chance: Chance): void {
  const queue = process.queue;
  if (queue === undefined) return;
  const known = know.knownIds;
  const request = chance.weighted(REQUESTS);
  switch (request) {
    case "enqueue":
      return ignore(enqueue(queue, know.source.make(chance, know.nowMs), chance));
    case "enqueue batch": {
      const tasks = Array.from(
        { length: 1 + chance.below(6) },
        () => know.source.make(chance, know.nowMs),
      );
      return ignore(queue.enqueueBatch(tasks));
    }
    case "claim":
      return ignore(claim(process, queue, { chance, know }));
    case "use lease":
      return ignore(useLease(process, queue, { chance, know }));
    case "cancel":
      return ignore(known.length > 0 ? queue.cancel(chance.pick(known)) : queue.stats());
    case "retry":
      return ignore(known.length > 0 ? queue.retry(chance.pick(known)) : queue.stats());
    case "get":
      return ignore(known.length > 0 ? queue.get(chance.pick(known)) : queue.get(1));
    case "list":
      return ignore(queue.list());
    case "rescue":
      return ignore(queue.rescue());
    case "stats":
      return ignore(queue.stats());
    case "checkpoint":
      return ignore(queue.checkpoint());
    case "flush":
      return ignore(queue.flush());
    case "race":
      return race(process, queue, { chance, know });
    case "overtake":
      return ignore(overtake(queue, { chance, know }));
    case "prune":
      return ignore(know.isPruned ? queue.prune({ keep: chance.below(6) }) : queue.stats());
  }
}

/** Enqueues a few tasks that depend on known ones and on each other, in any order. */
export function relate(process: SimulatedProcess, know: ClientKnowledge, chance: Chance): void {
  const { queue } = process;
  if (queue === undefined) return;
  const tasks = Array.from({ length: 1 + chance.below(4) }, (_, i) => {
    const task = know.source.makeUnkeyed(chance, know.nowMs);
    return { ...task, runId: task.runId ?? `related-${process.id}-${chance.seed()}-${i}` };
  });
  // Each depends on some that stand before it in a random order, so there is no circle; under an ordering key that of the batch is given.
  const isOrdered = tasks.some(({ orderingKey }) => orderingKey !== undefined);
  const order = tasks.map(() => chance.next()).map((drawn, i) => isOrdered ? i : drawn);
  const related = tasks.map((task, i): NewTask => {
    const siblings = tasks.filter((_, j) => order[j]! < order[i]! && chance.happens(0.6));
    const others = Array.from(
      { length: know.knownIds.length > 0 ? chance.below(3) : 0 },
      () => chance.pick(know.knownIds),
    );
    return {
      ...task,
      dependsOn: [...siblings.map(({ runId }) => runId), ...others],
      onParentFailure: chance.pick(PARENT_FAILURE_POLICIES),
    };
  });
  ignore(queue.enqueueBatch(related));
}

/** A producer that got no good answer asks again, where a key makes that harmless. */
async function enqueue(queue: EmbeddedQueue, task: NewTask, chance: Chance): Promise<void> {
  try {
    await queue.enqueue(task);
  } catch (error) {
    if (task.idempotencyKey === undefined || !chance.happens(0.7)) throw error;
    await queue.enqueue(task);
  }
}

interface Situation {
  readonly chance: Chance;
  readonly know: ClientKnowledge;
}

async function claim(
  process: SimulatedProcess,
  queue: EmbeddedQueue,
  { chance, know }: Situation,
): Promise<void> {
  const tasks = await queue.claim({
    workerId: `client-${process.id}`,
    types: TASK_TYPES.slice(0, 1 + chance.below(TASK_TYPES.length)),
    limit: 1 + chance.below(4),
    leaseDurationMs: know.leaseDurationMs,
    strategy: chance.pick(["fifo", "lifo", "priority", "weighted_random"]),
    capabilities: chance.happens(0.5) ? CAPABILITIES : undefined,
  });
  process.held.push(...tasks);
}

/** Uses a lease, which may be stale. */
async function useLease(
  process: SimulatedProcess,
  queue: EmbeddedQueue,
  { chance, know: { leaseDurationMs } }: Situation,
): Promise<Task | void> {
  if (process.held.length === 0) return;
  const lease = chance.pick(process.held);
  switch (chance.weighted({ complete: 4, fail: 2, release: 1, renew: 2, progress: 1 })) {
    case "complete":
      return await queue.complete(lease, { by: process.id, of: lease.leaseToken });
    case "fail": {
      const error = chance.happens(0.2)
        ? new PermanentError("never")
        : new Error(`not now ${lease.leaseToken}`);
      return await queue.fail(lease, error, { retryPolicy: { initialDelayMs: 10 } });
    }
    case "release":
      return await queue.release(lease);
    case "renew":
      return await queue.renew(lease, { leaseDurationMs });
    case "progress":
      return await queue.reportProgress(lease, 50, "half");
  }
}

/** The holder of a lease ends it while somebody in another process cancels the task, and perhaps retries it at once. */
function race(
  process: SimulatedProcess,
  queue: EmbeddedQueue,
  { chance, know }: Situation,
): void {
  const lease = process.held.at(-1);
  if (lease === undefined) return;
  const other = know.others.length > 0 ? chance.pick(know.others).queue ?? queue : queue;
  const end = (): Promise<unknown> =>
    queue.complete(lease, { by: process.id, of: lease.leaseToken });
  const interfere = async (): Promise<void> => {
    await other.cancel(lease.id);
    if (chance.happens(0.3)) await other.retry(lease.id);
  };
  const both = chance.happens(0.5) ? [end, interfere] : [interfere, end];
  for (const act of both) ignore(act());
}

/** Folds the journal twice while another process stands still, so that it must begin again from the snapshot. */
async function overtake(queue: EmbeddedQueue, { chance, know }: Situation): Promise<void> {
  if (know.others.length > 0) know.stall(chance.pick(know.others), 4000);
  for (let round = 0; round < 2; round++) {
    await queue.enqueue(know.source.make(chance, know.nowMs));
    await queue.checkpoint();
  }
}

/** The checker has been told already. */
function ignore(asked: Promise<unknown>): void {
  asked.catch(() => {});
}
