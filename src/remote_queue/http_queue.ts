/**
 * HttpQueue: a queue that another machine holds, over the HTTP API of `holdfast serve`.
 *
 * Arguments are checked before anything is sent, errors are those of the queue itself, and leases keep their truth: the server
 * alone says who holds one. What got no answer is asked again where that is harmless, and an operation that was done although its
 * answer was lost is recognised: a task by the run id that was made here, the end of an attempt by its lease.
 */
import { checkFunction, checkInteger, checkTaskId, checkText, isName } from "../domain/check.ts";
import type { Clock } from "../domain/clock.ts";
import { exitCodeOf, QueueError } from "../domain/errors.ts";
import { canonicalJson } from "../domain/json.ts";
import { clip } from "../domain/kept_text.ts";
import type { CheckpointReport, StorageStats } from "../domain/storage_stats.ts";
import { resolveRetryPolicy } from "../domain/backoff.ts";
import {
  type Lease,
  type LeaseLike,
  type NewTask,
  type Task,
  TASK_LIMITS,
  type TaskReference,
} from "../domain/task.ts";
import { toLease } from "../domain/to_lease.ts";
import { ENQUEUE_OUTCOMES } from "../domain/unique.ts";
import type { PartRequest } from "../queue/page_request.ts";
import type {
  ClaimRequest,
  CompleteOptions,
  EnqueueOptions,
  EnqueueResult,
  FailOptions,
  ListRequest,
  ParentResult,
  QueueStats,
  ReleaseOptions,
  TaskChanges,
  WaitOptions,
} from "../queue/task_queue.ts";
import {
  checkFailOptions,
  checkReleaseDelay,
  prepareProgress,
  prepareRenewal,
} from "../queue_policy/attempt_request.ts";
import { prepareClaim } from "../queue_policy/claim_request.ts";
import { failureOf } from "../queue_policy/failure.ts";
import { canMatch, prepareList } from "../queue_policy/list_request.ts";
import { checkBatch } from "../queue_policy/new_task.ts";
import { ReportsInTurn } from "../queue_policy/reports_in_turn.ts";
import { Waits } from "../queue_policy/waiting.ts";
import type { LogStore } from "../worker/log_store.ts";
import { type Decode, field, flag, instant, list, nullable, number, oneOf } from "./answer.ts";
import { checkpointReport, parent, stats, storageStats, task } from "./answers.ts";
import { ChangeFeed } from "./change_feed.ts";
import { Connection } from "./connection.ts";
import { LeaseBook } from "./lease_book.ts";
import { unless } from "./refusal.ts";
import { leaseBody, RemoteLogs } from "./remote_logs.ts";
import type { RemoteQueue } from "./remote_queue.ts";
import { RemoteChanges } from "./remote_changes.ts";
import { type RemoteQueueOptions, resolveRemoteOptions } from "./remote_options.ts";
import {
  type Body,
  completionBody,
  filterOf,
  partQuery,
  policyBody,
  queryOf,
  taskBody,
  type TaskBodyWithRunId,
} from "./request.ts";

const tasks: Decode<Task[]> = field("tasks", list(task));

const enqueued: Decode<EnqueueResult> = (answer) => ({
  task: task(answer),
  created: field("created", flag)(answer),
  outcome: field("outcome", oneOf(ENQUEUE_OUTCOMES))(answer),
});

/** The implementation of `RemoteQueue`. */
export class HttpQueue extends RemoteChanges implements RemoteQueue {
  readonly logs: LogStore;
  readonly clock: Clock;
  readonly #logs: RemoteLogs;
  readonly #leases = new LeaseBook();
  readonly #reports = new ReportsInTurn();
  readonly #waits: Waits;

  /** Asks nothing yet. @throws TypeError, RangeError for an option out of its range. */
  constructor(options: RemoteQueueOptions) {
    const resolved = resolveRemoteOptions(options);
    const connection = new Connection(resolved);
    super(connection, new ChangeFeed(connection, resolved));
    this.clock = connection.time;
    this.#waits = new Waits(this, resolved.clock);
    this.#logs = new RemoteLogs(connection, {
      ...resolved,
      leaseOf: (taskId) => this.#leases.latest(taskId),
    });
    this.logs = this.#logs;
  }

  async enqueue(newTask: NewTask, options: EnqueueOptions = {}): Promise<EnqueueResult> {
    const body = taskBody(newTask, options);
    const [result] = await this.#enqueue([body], async (onDoubt) => {
      const path = "queue/enqueue";
      return [
        await this.connection.ask({ method: "POST", path, body, resend: true, onDoubt }, enqueued),
      ];
    });
    return result!;
  }

  async enqueueBatch(newTasks: readonly NewTask[]): Promise<EnqueueResult[]> {
    checkBatch(newTasks);
    const bodies = newTasks.map((each) => taskBody(each));
    this.connection.checkOpen();
    if (bodies.length === 0) return [];
    const body = { tasks: bodies, whole: true };
    return await this.#enqueue(bodies, (onDoubt) => {
      const path = "queue/enqueue/batch";
      const question = { method: "POST", path, body, resend: true, onDoubt } as const;
      return this.connection.ask(question, field("tasks", list(enqueued)));
    });
  }

  async get(id: number): Promise<Task | undefined> {
    const path = `queue/tasks/${checkTaskId(id)}`;
    return await unless("task_not_found", undefined, () => this.read(path, task));
  }

  async getByRunId(runId: string): Promise<Task | undefined> {
    checkText(runId, "run id");
    this.connection.checkOpen();
    if (!isName(runId)) return undefined;
    const [found] = await this.read(`queue/tasks${queryOf({ run_id: runId })}`, tasks);
    return found;
  }

  wait(reference: TaskReference, options: WaitOptions = {}): Promise<Task> {
    return this.#waits.wait(reference, options);
  }

  async list(request: ListRequest = {}): Promise<Task[]> {
    const prepared = prepareList(request);
    const { limit, offset, beforeId } = prepared;
    this.connection.checkOpen();
    if (beforeId === 0 || !canMatch(prepared)) return [];
    const filter = filterOf(prepared);
    const cursor = request.beforeId === undefined ? undefined : beforeId;
    return await this.read(`queue/tasks${queryOf({ ...filter, limit, offset, cursor })}`, tasks);
  }

  async parentResults(taskId: number, request: PartRequest = {}): Promise<ParentResult[]> {
    const path = `queue/tasks/${checkTaskId(taskId)}/parents${partQuery(request)}`;
    return await this.read(path, field("parents", list(parent)));
  }

  async count(
    request: Pick<ListRequest, "status" | "type" | "group" | "tag"> = {},
  ): Promise<number> {
    const prepared = prepareList(request);
    this.connection.checkOpen();
    if (!canMatch(prepared)) return 0;
    const query = queryOf(filterOf(prepared));
    return await this.read(`queue/count${query}`, field("count", number));
  }

  async nextDueAt(): Promise<Date | null> {
    return await this.read("queue/next-due", field("nextDueAt", nullable(instant)));
  }

  async claim(request: ClaimRequest): Promise<Task[]> {
    const { workerId, types, limit, leaseDurationMs, order, taskId } = prepareClaim(request);
    const capabilities = request.capabilities ?? undefined;
    const body = {
      ...{ worker_id: workerId, types, limit, lease_duration_ms: leaseDurationMs },
      ...{ strategy: order, capabilities, task_id: taskId ?? undefined },
    };
    // Not sent again: what was claimed for an answer that is lost has to wait for its lease's end, and more of it would too.
    const claimed = await this.connection.ask(
      { method: "POST", path: "worker/claim", body },
      tasks,
    );
    for (const each of claimed) this.#leases.given(each);
    this.feed.tell(claimed);
    return claimed;
  }

  async renew(
    lease: LeaseLike,
    options: { readonly leaseDurationMs?: number } = {},
  ): Promise<Task> {
    const leaseDurationMs = prepareRenewal(options);
    const body = { ...leaseBody(toLease(lease)), lease_duration_ms: leaseDurationMs };
    return await this.post("worker/renew", body, task);
  }

  async reportProgress(lease: LeaseLike, percent: number, message?: string): Promise<Task> {
    const progress = prepareProgress(lease, percent, message);
    const { percent: to, message: said } = progress;
    const kept = said === null ? undefined : clip(said, TASK_LIMITS.progressMessageMaxLength);
    const body = { ...leaseBody(progress.lease), percent: to, message: kept };
    // Not sent again: the next report says more.
    const question = { method: "POST", path: "worker/progress", body } as const;
    const report = (): Promise<Task> => this.connection.ask(question, task);
    return this.toldOne(await this.#reports.send(body.task_id, report));
  }

  async complete(
    lease: LeaseLike,
    result: unknown = null,
    options: CompleteOptions = {},
  ): Promise<Task> {
    return await this.#end(toLease(lease), {
      path: "worker/complete",
      body: completionBody(lease, result, options),
      isDone: ({ status }) => status === "completed",
    });
  }

  async fail(lease: LeaseLike, error: unknown, options: FailOptions = {}): Promise<Task> {
    const { retryPolicy, maxAttempts } = checkFailOptions(options);
    const { maxAttemptsMin, maxAttemptsMax } = TASK_LIMITS;
    const failure = failureOf(error, {
      retryPolicy: retryPolicy === undefined ? null : resolveRetryPolicy(retryPolicy),
      maxAttempts: maxAttempts === undefined
        ? null
        : checkInteger(maxAttempts, "maxAttempts", maxAttemptsMin, maxAttemptsMax),
    });
    const { message, isPermanent, retryAfterMs } = failure;
    const held = toLease(lease);
    this.connection.checkOpen();
    await this.#reports.settled(held.taskId);
    return await this.#end(held, {
      path: "worker/fail",
      body: {
        error: message,
        permanent: isPermanent,
        retry_after_ms: isPermanent || retryAfterMs === null ? undefined : Math.ceil(retryAfterMs),
        max_attempts: maxAttempts,
        retry_policy: retryPolicy && policyBody(retryPolicy),
        exit_code: exitCodeOf(error) ?? undefined,
      },
      isDone: ({ status, errorMessage }) =>
        (status === "queued" || status === "failed") && errorMessage === message,
    });
  }

  async release(lease: LeaseLike, options: ReleaseOptions = {}): Promise<Task> {
    const delayMs = checkReleaseDelay(options);
    return await this.#end(toLease(lease), {
      path: "worker/release",
      body: delayMs > 0 ? { delay_ms: Math.ceil(delayMs) } : {},
      isDone: async ({ id }) =>
        (await this.transitions(id, { offset: -1 }))[0]?.kind === "released",
    });
  }

  async rescue(): Promise<Task[]> {
    return await this.told(this.post("queue/rescue", {}, tasks));
  }

  async stats(): Promise<QueueStats> {
    return await this.read("queue/stats", stats);
  }

  async checkpoint(): Promise<CheckpointReport> {
    return await this.connection.ask(
      { method: "POST", path: "queue/checkpoint", body: {} },
      checkpointReport,
    );
  }

  async storage(): Promise<StorageStats | null> {
    return await this.read("queue/stats", field("storage", nullable(storageStats)));
  }

  watch(listener: (changes: TaskChanges) => void): () => void {
    return this.feed.watch(checkFunction(listener, "listener"));
  }

  async flush(): Promise<void> {
    this.connection.checkOpen();
    await this.#logs.flushAll();
    await this.connection.flush();
  }

  async close(): Promise<void> {
    this.#waits.close();
    await this.feed.close();
    await this.#logs.flushAll();
    await this.connection.close();
  }

  /** Stores tasks; when they are there already under their run ids because an answer was lost, they are the new ones. */
  async #enqueue(
    bodies: readonly TaskBodyWithRunId[],
    store: (onDoubt: () => void) => Promise<EnqueueResult[]>,
  ): Promise<EnqueueResult[]> {
    let isInDoubt = false;
    const results = await store(() => void (isInDoubt = true)).catch(async (thrown) => {
      const isThere = isInDoubt && thrown instanceof QueueError &&
        thrown.code === "run_id_conflict";
      const found = isThere ? await this.#findAll(bodies) : undefined;
      if (found === undefined) throw thrown;
      return found.map((task) => ({ task, created: true, outcome: "created" as const }));
    });
    const ours = new Set(isInDoubt ? bodies.map(({ run_id }) => run_id) : []);
    const stored = results.map((result) =>
      ours.has(result.task.runId)
        ? { ...result, created: true, outcome: "created" as const }
        : result
    );
    const added = stored.filter(({ created }) => created).map(({ task }) => task);
    for (const task of added) if (task.status === "leased") this.#leases.given(task);
    this.feed.tell(added);
    return stored;
  }

  /** The tasks with these run ids, if all are there and are of the same content. */
  async #findAll(bodies: readonly TaskBodyWithRunId[]): Promise<Task[] | undefined> {
    const found = await Promise.all(bodies.map(({ run_id }) => this.getByRunId(run_id)));
    const isOurs = bodies.every(({ type, payload }, i) =>
      found[i]?.type === String(type).trim() &&
      canonicalJson(found[i].payload) === canonicalJson(payload)
    );
    return isOurs ? found as Task[] : undefined;
  }

  /**
   * Ends a lease, after what its handler said. Refused because the lease is no longer current, after a request without an answer:
   * the task says whether that was this one.
   */
  async #end(
    lease: Lease,
    { path, body, isDone }: {
      readonly path: string;
      readonly body: Body;
      readonly isDone: (task: Task) => boolean | Promise<boolean>;
    },
  ): Promise<Task> {
    this.connection.checkOpen();
    await this.#logs.flush(lease.taskId);
    const onDoubt = (): void => this.#leases.doubt(lease);
    const question = { method: "POST", path, body: { ...leaseBody(lease), ...body } } as const;
    const ended = await this.connection.ask({ ...question, resend: true, onDoubt }, task).catch(
      async (thrown) => {
        const isLost = thrown instanceof QueueError && thrown.code === "lease_lost";
        if (!isLost || !this.#leases.isInDoubt(lease)) throw thrown;
        const now = await this.get(lease.taskId);
        const isOurs = now?.leaseToken === lease.leaseToken && now.lockedBy === lease.workerId;
        if (now !== undefined && isOurs && await isDone(now)) return now;
        throw thrown;
      },
    );
    this.#leases.certain(lease);
    return this.toldOne(ended);
  }
}
