/**
 * Two processes on one disk, driven by actions and compared with the oracle after each.
 */
import { assert, assertEquals } from "@std/assert";
import { PermanentError, QueueError, RetryAfterError } from "../../src/domain/errors.ts";
import type { Lease, NewTask, TaskReference } from "../../src/domain/task.ts";
import { openQueue } from "../../src/compose/open_queue.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import type { ClaimRequest, ListRequest } from "../../src/queue/task_queue.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import { seededRandom } from "../support/queues.ts";
import {
  type Operation,
  type Outcome,
  QueueOracle,
  seen,
  type UpdateWish,
} from "./queue_oracle.ts";
import { StillClock } from "./still_clock.ts";

/** Which of the two processes acts. */
export type ProcessIndex = 0 | 1;

/** How an action names a lease: one of those ever given, perhaps bent. */
export interface LeaseChoice {
  readonly nth: number;
  readonly twist: "none" | "token" | "worker" | "task";
}

/** What to do with a lease. */
export interface LeaseAct {
  readonly kind: "renew" | "progress" | "complete" | "fail" | "release";
  /** Chooses among the act's arguments. */
  readonly variant: number;
}

/** How a wish names a parent: a task that is there, by either id, another of its batch by its run id, or nobody. */
export type ParentWish =
  | { readonly nth: number; readonly by: "id" | "runId" }
  | { readonly sibling: number }
  | { readonly nobody: true };

/** A task to enqueue, its time relative to now. */
export type TaskWish = Omit<NewTask, "runAfter" | "dependsOn"> & {
  readonly runInMs?: number;
  readonly parents?: readonly ParentWish[];
};

/** An action that becomes one operation. */
export type SingleAction =
  | { readonly do: "enqueue"; readonly tasks: readonly TaskWish[] }
  | { readonly do: "claim"; readonly request: ClaimRequest }
  | { readonly do: "claimOne"; readonly nth: number; readonly workerId: string }
  | { readonly do: "lease"; readonly act: LeaseAct; readonly choice: LeaseChoice }
  | { readonly do: "byHand"; readonly kind: "cancel" | "retry"; readonly nth: number }
  | { readonly do: "update"; readonly nth: number; readonly changes: UpdateWish }
  | { readonly do: "rescue" };

/** Anything that can happen. */
export type Action =
  | SingleAction
  | { readonly do: "burst"; readonly of: readonly SingleAction[] }
  | { readonly do: "advance"; readonly ms: number }
  | { readonly do: "expire"; readonly nth: number; readonly lateMs: number }
  | { readonly do: "look"; readonly request: ListRequest }
  | { readonly do: "checkpoint" }
  | { readonly do: "reopen" }
  | { readonly do: "kill" }
  | { readonly do: "cutPower" };

interface Process {
  readonly storage: MemoryStorage;
  readonly queue: EmbeddedQueue;
}

const UNKNOWN_ID = 999_999;

/** The disk, its processes, the time, and what should be there. */
export class QueueWorld {
  readonly oracle = new QueueOracle();
  readonly #clock = new StillClock();
  readonly #disk = new MemoryDisk();
  readonly #random = seededRandom(7);
  #processes: Process[] = [];

  /** Opens both processes. */
  static async open(): Promise<QueueWorld> {
    const world = new QueueWorld();
    world.#processes = [await world.#start(), await world.#start()];
    return world;
  }

  /** Does `action` in a process, then compares everything, seen from the other. */
  async act(action: Action, by: ProcessIndex): Promise<void> {
    await this.#perform(action, by);
    await this.#compare(this.#processes[1 - by]!.queue);
  }

  /** Closes both processes. */
  async close(): Promise<void> {
    for (const { queue } of this.#processes) await queue.close();
  }

  async #perform(action: Action, by: ProcessIndex): Promise<void> {
    switch (action.do) {
      case "advance":
        return this.#clock.advance(action.ms);
      case "expire":
        this.#advanceToExpiry(action);
        return await this.#operate([{ do: "rescue" }], by);
      case "look":
        return await this.#look(action.request, by);
      case "checkpoint":
        return void await this.#processes[by]!.queue.checkpoint();
      case "reopen":
        await this.#processes[by]!.queue.close();
        return await this.#restart(by);
      case "kill":
        this.#processes[by]!.storage.kill();
        return await this.#restart(by);
      case "cutPower":
        return await this.#cutPower();
      case "burst":
        return await this.#operate(action.of, by);
      default:
        return await this.#operate([action], by);
    }
  }

  /** Submits all operations before any has ended, and checks them in their order. */
  async #operate(actions: readonly SingleAction[], by: ProcessIndex): Promise<void> {
    const operations = actions.map((action) => this.#operationOf(action));
    const { queue } = this.#processes[by]!;
    const outcomes = await Promise.all(operations.map((each) => outcomeOf(submit(queue, each))));
    operations.forEach((operation, i) =>
      this.oracle.check(operation, outcomes[i]!, this.#clock.nowMs())
    );
  }

  /** Moves on to just before, at or after the end of a lease, if that is still to come. */
  #advanceToExpiry({ nth, lateMs }: { readonly nth: number; readonly lateMs: number }): void {
    const ends = this.oracle.tasks.flatMap(({ leaseUntil }) => leaseUntil?.getTime() ?? []);
    if (ends.length === 0) return;
    const aheadMs = ends[nth % ends.length]! + lateMs - this.#clock.nowMs();
    this.#clock.advance(Math.max(0, aheadMs));
  }

  async #compare(queue: EmbeddedQueue): Promise<void> {
    const everything = await queue.list({ limit: 1000 });
    assertEquals(everything.map(seen), this.oracle.list({ limit: 1000 }));
    assertEquals(queue.storageStats().tornTails, 0);
    assertEquals({ ...await queue.stats() }, { ...this.oracle.stats(this.#clock.nowMs()) });
  }

  async #look(request: ListRequest, by: ProcessIndex): Promise<void> {
    const { queue } = this.#processes[by]!;
    const page = await outcomeOf(queue.list(request));
    if (request.limit === 0) return assertEquals(page, { refused: "invalid" });
    const { status, type } = request;
    assert("value" in page);
    assertEquals((page.value as Parameters<typeof seen>[0][]).map(seen), this.oracle.list(request));
    const matching = this.oracle.list({ status, type, limit: Infinity });
    assertEquals(await queue.count({ status, type }), matching.length);
    for (const task of matching) {
      assertEquals(seen((await queue.get(task.id))!), task);
      assertEquals(seen((await queue.getByRunId(task.runId))!), task);
    }
    assertEquals(await queue.get(UNKNOWN_ID), undefined);
  }

  async #restart(by: ProcessIndex): Promise<void> {
    this.#processes[by] = await this.#start();
  }

  async #cutPower(): Promise<void> {
    for (const { storage } of this.#processes) storage.kill();
    this.#disk.cutPower();
    this.#processes = [await this.#start(), await this.#start()];
  }

  async #start(): Promise<Process> {
    const storage = new MemoryStorage(this.#disk);
    const queue = await openQueue({
      storage,
      clock: this.#clock,
      random: this.#random,
      onBackgroundError: (error) => reportError(error),
    });
    return { storage, queue };
  }

  #operationOf(action: SingleAction): Operation {
    switch (action.do) {
      case "enqueue":
        return {
          kind: "enqueue",
          tasks: action.tasks.map((wish, _, wishes) => this.#taskOf(wish, wishes)),
        };
      case "claim":
        return { kind: "claim", request: action.request };
      case "claimOne": {
        const request = {
          workerId: action.workerId,
          types: [],
          taskId: this.#taskId(action.nth),
        };
        return { kind: "claim", request };
      }
      case "byHand":
        return { kind: action.kind, id: this.#taskId(action.nth) };
      case "update":
        return { kind: "update", id: this.#taskId(action.nth), changes: action.changes };
      case "lease":
        return leaseOperation(action.act, this.#leaseOf(action.choice));
      case "rescue":
        return { kind: "rescue" };
    }
  }

  #taskOf({ runInMs, parents, ...task }: TaskWish, wishes: readonly TaskWish[]): NewTask {
    const dependsOn = parents?.map((parent) => this.#reference(parent, wishes));
    const runAfter = runInMs === undefined ? undefined : new Date(this.#clock.nowMs() + runInMs);
    return { ...task, dependsOn, runAfter };
  }

  #reference(parent: ParentWish, wishes: readonly TaskWish[]): TaskReference {
    if ("nobody" in parent) return "nobody has this run id";
    if ("sibling" in parent) return wishes[parent.sibling % wishes.length]!.runId ?? UNKNOWN_ID;
    if (parent.by === "id") return this.#taskId(parent.nth);
    return this.oracle.tasks.at(-1 - parent.nth)?.runId ?? UNKNOWN_ID;
  }

  /** The id of a task there is, the newest most often, or sometimes of none. */
  #taskId(nth: number): number {
    return this.oracle.tasks.at(-1 - nth)?.id ?? UNKNOWN_ID;
  }

  #leaseOf({ nth, twist }: LeaseChoice): Lease {
    const lease = this.oracle.leases.at(-1 - nth) ??
      { taskId: UNKNOWN_ID, workerId: "w1", leaseToken: 1 };
    switch (twist) {
      case "token":
        return { ...lease, leaseToken: lease.leaseToken + 1 };
      case "worker":
        return { ...lease, workerId: "somebody else" };
      case "task":
        return { ...lease, taskId: lease.taskId + 1 };
      default:
        return lease;
    }
  }
}

/** Arguments of the acts on a lease; the last of most is one that no queue may take. */
const RESULTS = [undefined, null, { answer: [42, "x"] }, "text", NaN];
const ERRORS = [
  new Error("not yet"),
  new PermanentError("hopeless"),
  new RetryAfterError(0, "at once"),
  new RetryAfterError(1500, "later"),
];
const PERCENTAGES = [0, 12.5, 100, 101];
const LEASE_DURATIONS_MS = [100, 1000, 60_000, 99];

function leaseOperation({ kind, variant }: LeaseAct, lease: Lease): Operation {
  switch (kind) {
    case "renew":
      return { kind, lease, leaseDurationMs: pick(LEASE_DURATIONS_MS, variant) };
    case "progress":
      return { kind, lease, percent: pick(PERCENTAGES, variant) };
    case "complete":
      return { kind, lease, result: pick(RESULTS, variant) };
    case "fail":
      return { kind, lease, error: pick(ERRORS, variant) };
    case "release":
      return { kind, lease };
  }
}

function pick<T>(values: readonly T[], variant: number): T {
  return values[variant % values.length]!;
}

function submit(queue: EmbeddedQueue, operation: Operation): Promise<unknown> {
  switch (operation.kind) {
    case "enqueue":
      return queue.enqueueBatch(operation.tasks);
    case "claim":
      return queue.claim(operation.request);
    case "renew":
      return queue.renew(operation.lease, { leaseDurationMs: operation.leaseDurationMs });
    case "progress":
      return queue.reportProgress(operation.lease, operation.percent, `at ${operation.percent}`);
    case "complete":
      return queue.complete(operation.lease, operation.result);
    case "fail":
      return queue.fail(operation.lease, operation.error);
    case "release":
      return queue.release(operation.lease);
    case "cancel":
      return queue.cancel(operation.id);
    case "retry":
      return queue.retry(operation.id);
    case "update":
      return queue.update(operation.id, operation.changes);
    case "rescue":
      return queue.rescue();
  }
}

/** Anything but a documented refusal fails the test. */
async function outcomeOf(result: Promise<unknown>): Promise<Outcome> {
  try {
    return { value: await result };
  } catch (thrown) {
    if (thrown instanceof QueueError) return { refused: thrown.code };
    if (thrown instanceof TypeError || thrown instanceof RangeError) return { refused: "invalid" };
    throw thrown;
  }
}
