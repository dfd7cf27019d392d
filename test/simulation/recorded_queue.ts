/**
 * A queue that tells the checker of every call: what was asked, what was answered, and when.
 *
 * Workers and clients of a simulation use it in the place of the real one. A dead process's callers are never answered.
 */
import { QueueError } from "../../src/domain/errors.ts";
import { type LeaseLike, type NewTask, type Task, TASK_LIMITS } from "../../src/domain/task.ts";
import { toLease } from "../../src/domain/to_lease.ts";
import type { Durability } from "../../src/domain/durability.ts";
import type { CheckpointReport } from "../../src/domain/storage_stats.ts";
import type { PruneReport, PruneRequest } from "../../src/queue/operator.ts";
import type {
  ClaimRequest,
  EnqueueResult,
  FailOptions,
  ListRequest,
  QueueStats,
  TaskChanges,
} from "../../src/queue/task_queue.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import type { Call } from "./call.ts";
import type { Checker, Presented } from "./checker.ts";
import { never, type ProcessId } from "./scheduler.ts";

/** The process that a queue is used in. */
export interface CallingProcess {
  readonly id: ProcessId;
  readonly isDead: boolean;
  readonly isClosing: boolean;
  readonly durability: Durability;
  /** Whether nothing has failed that may keep it from making durable what it has acknowledged. */
  readonly isTrusted: boolean;
  /** A call was answered. */
  onAnswer(call: Call, promises: Promised): void;
  /** A call was refused. */
  onRefusal(call: Call, error: unknown): void;
}

/** What an answer promises: that what was asked for is done, or that everything before it is durable. */
export type Promised = "itself" | "everything" | "nothing";

/** What an answer means to the checker. */
interface Meaning<T> {
  readonly promises: Promised;
  readonly told: (call: Call, result: T) => void;
  readonly refused?: (call: Call, error: unknown) => void;
}

/** Passes every call on to `inner`, and tells the checker of those that it knows. */
export function recordQueue(
  inner: EmbeddedQueue,
  checker: Checker,
  process: CallingProcess,
): EmbeddedQueue {
  const recorded = new RecordedQueue(inner, checker, process);
  return new Proxy(inner, {
    get: (_, name) => {
      const owner = name in recorded ? recorded : inner;
      const member: unknown = Reflect.get(owner, name);
      return typeof member === "function" ? member.bind(owner) : member;
    },
  });
}

class RecordedQueue implements Partial<EmbeddedQueue> {
  readonly #inner: EmbeddedQueue;
  readonly #checker: Checker;
  readonly #process: CallingProcess;

  constructor(inner: EmbeddedQueue, checker: Checker, process: CallingProcess) {
    this.#inner = inner;
    this.#checker = checker;
    this.#process = process;
  }

  async enqueue(task: NewTask): Promise<EnqueueResult> {
    const [submission] = this.#checker.submit([task]);
    return await this.#call("enqueue", () => this.#inner.enqueue(task), {
      promises: "itself",
      told: (call, result) => this.#checker.enqueued(call, [submission!], [result]),
      refused: (call, error) => this.#checker.enqueueRefused(call, [submission!], error),
    });
  }

  async enqueueBatch(tasks: readonly NewTask[]): Promise<EnqueueResult[]> {
    const submissions = this.#checker.submit(tasks);
    return await this.#call("enqueueBatch", () => this.#inner.enqueueBatch(tasks), {
      promises: "itself",
      told: (call, results) => this.#checker.enqueued(call, submissions, results),
      refused: (call, error) => this.#checker.enqueueRefused(call, submissions, error),
    });
  }

  async get(id: number): Promise<Task | undefined> {
    return await this.#call("get", () => this.#inner.get(id), {
      promises: "nothing",
      told: (call, task) => this.#saw(call, task, () => this.#checker.notFound(call, id)),
    });
  }

  async getByRunId(runId: string): Promise<Task | undefined> {
    return await this.#call("getByRunId", () => this.#inner.getByRunId(runId), {
      promises: "nothing",
      told: (call, task) => this.#saw(call, task, () => {}),
    });
  }

  /** Without a request it lists every task, and is checked to. */
  async list(request?: ListRequest): Promise<Task[]> {
    const list = (): Promise<Task[]> => this.#inner.list(request ?? { limit: 1000 });
    return await this.#call("list", list, {
      promises: "nothing",
      told: (call, tasks) => {
        if (request === undefined && !isCutShort(tasks)) this.#checker.listed(call, tasks);
        else for (const task of tasks) this.#checker.observe(call, task, { isDurable: false });
      },
    });
  }

  count(request?: Pick<ListRequest, "status" | "type" | "group">): Promise<number> {
    return this.#call("count", () => this.#inner.count(request), NO_MEANING);
  }

  async claim(request: ClaimRequest): Promise<Task[]> {
    return await this.#call("claim", () => this.#inner.claim(request), {
      promises: "itself",
      told: (call, tasks) => {
        for (const task of tasks) this.#checker.claimed(call, task, request.workerId);
      },
    });
  }

  renew(lease: LeaseLike, options?: { readonly leaseDurationMs?: number }): Promise<Task> {
    return this.#present("renew", lease, () => this.#inner.renew(lease, options), {
      told: (call, presented, task) => this.#checker.renewed(call, presented, task),
    });
  }

  reportProgress(lease: LeaseLike, percent: number, message?: string): Promise<Task> {
    const report = (): Promise<Task> => this.#inner.reportProgress(lease, percent, message);
    return this.#present("reportProgress", lease, report, {
      told: (call, presented, task) => this.#checker.heldBy(call, presented, task),
    });
  }

  complete(lease: LeaseLike, result?: unknown): Promise<Task> {
    return this.#end("complete", lease, () => this.#inner.complete(lease, result));
  }

  fail(lease: LeaseLike, error: unknown, options?: FailOptions): Promise<Task> {
    return this.#end("fail", lease, () => this.#inner.fail(lease, error, options));
  }

  release(lease: LeaseLike): Promise<Task> {
    this.#checker.endAsked(presentedBy(lease));
    return this.#present("release", lease, () => this.#inner.release(lease), {
      told: (call, presented, task) => {
        // it may only have freed the slot of a task that was cancelled, also while it waited
        const isSlotOnly = this.#checker.wasCancelAsked(presented.taskId);
        if (isSlotOnly) this.#checker.observe(call, task, { isDurable: false });
        else this.#checker.ended(call, presented, task);
      },
    });
  }

  async cancel(id: number): Promise<boolean> {
    return await this.#byHand("cancel", id, () => this.#inner.cancel(id), (call, isDone) => {
      if (isDone) this.#checker.cancelled(call, id);
    });
  }

  async retry(id: number): Promise<boolean> {
    return await this.#byHand("retry", id, () => this.#inner.retry(id), (call, isDone) => {
      if (isDone) this.#checker.retried(call, id);
    });
  }

  async rescue(): Promise<Task[]> {
    return await this.#call("rescue", () => this.#inner.rescue(), {
      promises: "itself",
      told: (call, tasks) => {
        for (const task of tasks) this.#checker.rescued(call, task);
      },
    });
  }

  stats(): Promise<QueueStats> {
    return this.#call("stats", () => this.#inner.stats(), NO_MEANING);
  }

  watch(listener: (changes: TaskChanges) => void): () => void {
    return this.#inner.watch((changes) => {
      if (!this.#process.isDead) listener(changes);
    });
  }

  prune(request: PruneRequest): Promise<PruneReport> {
    this.#checker.pruneAsked();
    return this.#call("prune", () => this.#inner.prune(request), NO_MEANING);
  }

  checkpoint(): Promise<CheckpointReport> {
    return this.#call("checkpoint", () => this.#inner.checkpoint(), this.#makesDurable);
  }

  flush(): Promise<void> {
    return this.#call("flush", () => this.#inner.flush(), this.#makesDurable);
  }

  close(): Promise<void> {
    return this.#call("close", () => this.#inner.close(), {
      promises: "everything",
      told: ({ span }) => {
        if (this.#process.isTrusted) this.#checker.promiseOf(this.#process.id, span.from);
      },
    });
  }

  /** Whatever was acknowledged before is durable. */
  readonly #makesDurable: Meaning<unknown> = {
    promises: "everything",
    told: ({ span }) => this.#checker.promiseAll(span.from),
  };

  #saw(call: Call, task: Task | undefined, onMissing: () => void): void {
    if (task === undefined) onMissing();
    else this.#checker.observe(call, task, { isDurable: false });
  }

  /** A call that ends a lease. */
  #end(name: string, lease: LeaseLike, invoke: () => Promise<Task>): Promise<Task> {
    this.#checker.endAsked(presentedBy(lease));
    return this.#present(name, lease, invoke, {
      told: (call, presented, task) => this.#checker.ended(call, presented, task),
    });
  }

  /** A call that presents a lease. */
  async #present(
    name: string,
    lease: LeaseLike,
    invoke: () => Promise<Task>,
    { told }: { told: (call: Call, presented: Presented, task: Task) => void },
  ): Promise<Task> {
    const presented = presentedBy(lease);
    return await this.#call(name, invoke, {
      promises: "itself",
      told: (call, task) => told(call, presented, task),
      refused: (call, error) => {
        if (!(error instanceof QueueError)) return;
        if (error.code === "lease_lost") this.#checker.leaseLost(call, presented);
        if (error.code === "task_not_found") this.#checker.notFound(call, presented.taskId);
      },
    });
  }

  async #byHand(
    name: "cancel" | "retry",
    taskId: number,
    invoke: () => Promise<boolean>,
    told: (call: Call, isDone: boolean) => void,
  ): Promise<boolean> {
    return await this.#call(name, invoke, {
      promises: "itself",
      told,
      refused: (call, error) => {
        if (error instanceof QueueError && error.code === "task_not_found") {
          this.#checker.notFound(call, taskId);
        }
      },
    }, (call) => this.#checker.asked(name, call, taskId));
  }

  async #call<T>(
    name: string,
    invoke: () => Promise<T>,
    meaning: Meaning<T>,
    onBegin: (call: Call) => void = () => {},
  ): Promise<T> {
    if (this.#process.isDead) await never();
    const call = this.#checker.begin(this.#process.id, name);
    onBegin(call);
    try {
      const result = await invoke();
      await this.#answer(call);
      const tell = (): void => meaning.told(call, result);
      if (meaning.promises !== "itself") tell();
      else this.#checker.acknowledged(call, tell, this.#process.durability);
      this.#process.onAnswer(call, meaning.promises);
      return result;
    } catch (error) {
      const { isClosing } = this.#process; // it may die in the answer to another call
      await this.#answer(call);
      this.#checker.refused(call, error, { isClosing });
      meaning.refused?.(call, error);
      this.#process.onRefusal(call, error);
      throw error;
    }
  }

  /** Nobody hears a dead process's answers. */
  async #answer(call: Call): Promise<void> {
    if (this.#process.isDead) await never();
    this.#checker.end(call);
  }
}

/** A page of large tasks may end early. */
function isCutShort(tasks: readonly Task[]): boolean {
  return JSON.stringify(tasks).length > TASK_LIMITS.listMaxLength / 2;
}

const NO_MEANING: Meaning<unknown> = { promises: "nothing", told: () => {} };

function presentedBy(lease: LeaseLike): Presented {
  const { taskId, leaseToken } = toLease(lease);
  return { taskId, token: leaseToken };
}
