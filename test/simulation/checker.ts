/**
 * The checker: compares what callers were told with what they were told before.
 *
 * It knows the queue's promises and nothing of how they are kept. A statement counts from the moment its caller was
 * answered; what was asked and never answered may have happened or not, at any time since.
 */
import { QueueError, QueueFullError, StorageError } from "../../src/domain/errors.ts";
import type { Durability } from "../../src/domain/durability.ts";
import type { NewTask, Task, TaskStatus } from "../../src/domain/task.ts";
import type { EnqueueResult } from "../../src/queue/task_queue.ts";
import { Acknowledgements, type Sign } from "./acknowledgements.ts";
import type { Call } from "./call.ts";
import { EventLog } from "./event_log.ts";
import {
  describe,
  type FinalFacts,
  isFinalStatus,
  type LeaseFacts,
  markerOf,
  type Span,
  type Submission,
  type TaskFacts,
} from "./facts.ts";
import type { ProcessId } from "./scheduler.ts";

/** A lease that is presented with a call. */
export interface Presented {
  readonly taskId: number;
  readonly token: number;
}

/** What must hold beyond what every history obeys. */
export interface CheckerOptions {
  /** Whether all clocks show the same time, so that it can be said when a lease expires. */
  readonly areClocksEqual: boolean;
  /** Whether a power cut may undo acknowledged writes. */
  readonly isRelaxed: boolean;
  /** The true time. */
  readonly nowMs: () => number;
}

/** What follows from the writes that were acknowledged. */
class Knowledge {
  readonly tasks = new Map<number, TaskFacts>();
  readonly idsByRunId = new Map<string, number>();
  readonly idsByKey = new Map<string, number>();
  readonly createdKeys = new Set<string>();
  /** The cancels that were told to be done; another may have been refused, and have changed nothing. */
  readonly doneCancels = new Map<number, Span[]>();
  /** The parents of each task that depends on others. */
  readonly parents = new Map<number, readonly number[]>();
  /** When children of a task were claimed. */
  readonly childClaims = new Map<number, Span[]>();
}

/** Remembers what callers were told. */
export class Checker {
  #log: EventLog;
  readonly #options: CheckerOptions;
  readonly #submissions = new Map<string, Submission[]>();
  readonly #runIds = new Map<string, number>();
  readonly #acknowledgements = new Acknowledgements();
  /** What survivors of a power cut would say of the write that is being told. */
  #signs: Sign[] = [];
  #known = new Knowledge();
  /** What was refused, and the queue said that nothing of it was written, or what a power cut has undone. */
  readonly #undone = new Set<string>();
  /** The markers of what was enqueued. */
  readonly #markers = new WeakMap<Call, readonly string[]>();
  readonly #retries = new Map<number, Span[]>();
  readonly #cancels = new Map<number, Span[]>();
  /** The leases, as `task token`, that somebody asked to end. */
  readonly #asksToEnd = new Set<string>();
  readonly #openCalls = new Set<Call>();
  /** Whether anybody has asked to delete finished tasks: those may be missing, and their keys free again. */
  #isPruned = false;
  /** Whether something was refused for memory, and nothing was added since. */
  #isFull = false;
  #moment = 0;
  #batches = 0;
  #latestClockMs = -Infinity;

  constructor(log: EventLog, options: CheckerOptions) {
    this.#log = log;
    this.#options = options;
  }

  /** The ids of the tasks that were acknowledged. */
  get knownIds(): number[] {
    return [...this.#known.tasks.keys()];
  }

  /** How many calls have not been answered. */
  get openCallCount(): number {
    return this.#openCalls.size;
  }

  /** Some process's clock showed this. */
  noteClock(nowMs: number): void {
    if (nowMs > this.#latestClockMs) this.#latestClockMs = nowMs;
  }

  // --- calls

  /** Somebody asks for something. */
  begin(process: ProcessId, name: string): Call {
    const call = { process, name, span: { from: ++this.#moment, to: Infinity } };
    this.#openCalls.add(call);
    return call;
  }

  /** The caller has been answered. */
  end(call: Call): void {
    call.span.to = ++this.#moment;
    this.#openCalls.delete(call);
  }

  /** A process is no more: its calls will not be answered. */
  forget(process: ProcessId): void {
    for (const call of this.#openCalls) {
      if (call.process === process) this.#openCalls.delete(call);
    }
  }

  /** Whether a process is in the middle of one of these calls. */
  isUnderWay(process: ProcessId, names: readonly string[]): boolean {
    return [...this.#openCalls].some((call) => {
      return call.process === process && names.includes(call.name);
    });
  }

  /** The names of calls that are still open. */
  describeOpenCalls(): string {
    return [...this.#openCalls].map(({ process, name }) => `p${process} ${name}`).join(", ");
  }

  /** A call was refused; whether it may be. */
  refused(call: Call, error: unknown, options: { readonly isClosing: boolean }): void {
    if (error instanceof QueueFullError) return this.#refusedForMemory(call, error);
    const reason = whyNotAllowed(error, options.isClosing);
    if (reason !== undefined) this.#violate(call, reason);
    else if (error instanceof StorageError) this.#log.count("storage errors");
    else if (error instanceof QueueError) this.#log.count(`refused: ${error.code}`);
  }

  /** Only what adds tasks is refused in a full queue; nobody has to know when it is full. */
  #refusedForMemory(call: Call, error: QueueFullError): void {
    this.#isFull = true;
    this.#log.count("refused: queue_full");
    if (!call.name.startsWith("enqueue")) {
      this.#violate(call, `refused for memory: ${error.message}`);
    }
  }

  /** What an empty queue would not show: that the rest goes on when it is full, and that it is not full for ever. */
  #noteFullness({ name }: Call): void {
    if (!this.#isFull) return;
    this.#log.count(`in a full queue: ${name}`);
    this.#isFull = !name.startsWith("enqueue");
  }

  // --- power cuts

  /** A write was acknowledged, and `tell` says what follows. */
  acknowledged(call: Call, tell: () => void, durability: Durability): void {
    this.#noteFullness(call);
    if (!this.#options.isRelaxed) return tell();
    const signs = this.#signs = [];
    tell();
    const atMs = this.#options.nowMs();
    this.#acknowledgements.add({ call, atMs, tell, signs, isPromised: durability === "full" });
  }

  /** A moment that comes after everything so far. */
  nextMoment(): number {
    return ++this.#moment;
  }

  /** What was acknowledged before `moment`, by whichever process, survives power cuts from now on. */
  promiseAll(moment: number): void {
    this.#acknowledgements.promise(moment);
  }

  /** Likewise what a process acknowledged before `moment` and until `untilMs`. */
  promiseOf(process: ProcessId, moment: number, untilMs = Infinity): void {
    this.#acknowledgements.promise(moment, { process, untilMs });
  }

  /**
   * The power was cut, and this is what is left. What is lost counts as asked and never answered; from now on what is
   * left, and what it proves, is durable.
   */
  powerCut(tasks: readonly Task[]): void {
    const survivors = new Map(tasks.map((task) => [task.id, task]));
    const { kept, lost, unknown, problems } = this.#acknowledgements.judge(survivors);
    for (const { call, what } of problems) this.#violate(call, what);
    this.#log.count("acknowledgements kept in a power cut", kept.length);
    this.#log.count("acknowledgements undone by a power cut", lost.length);
    for (const { call } of lost) {
      for (const marker of this.#markers.get(call) ?? []) this.#undone.add(marker);
    }
    for (const { call } of [...lost, ...unknown]) call.span.to = Infinity;
    this.#learnAgain(kept.map(({ tell }) => tell));
    const call = this.begin(NOBODY, "look after a power cut");
    this.end(call);
    const tell = (): void => {
      for (const task of tasks) this.observe(call, task, { isDurable: true });
    };
    this.acknowledged(call, tell, "full");
    this.listed(call, tasks);
  }

  /** It was counted and checked when it was told first. */
  #learnAgain(tells: readonly (() => void)[]): void {
    const log = this.#log;
    this.#log = new EventLog();
    this.#known = new Knowledge();
    for (const tell of tells) {
      this.#signs = [];
      tell();
    }
    this.#log = log;
  }

  /** What the task would say of the write that is being told; a task that is missing was pruned, or denies it. */
  #sign(taskId: number, read: (survivor: Task) => boolean | undefined): void {
    this.#signs.push((survivors) => {
      const survivor = survivors.get(taskId);
      if (survivor !== undefined) return read(survivor);
      return this.#isPruned ? undefined : false;
    });
  }

  // --- submitting

  /** Somebody asks to enqueue these. */
  submit(tasks: readonly NewTask[]): Submission[] {
    const batch = ++this.#batches;
    return tasks.map((task) => {
      const marker = markerOf(task.payload);
      const submission = { marker, task, payloadText: JSON.stringify(task.payload), batch };
      const others = this.#submissions.get(submission.marker) ?? [];
      this.#submissions.set(submission.marker, [...others, submission]);
      if (task.runId !== undefined) {
        this.#runIds.set(task.runId, (this.#runIds.get(task.runId) ?? 0) + 1);
      }
      return submission;
    });
  }

  /** Enqueueing was acknowledged. */
  enqueued(
    call: Call,
    submissions: readonly Submission[],
    results: readonly EnqueueResult[],
  ): void {
    this.#markers.set(call, submissions.map(({ marker }) => marker));
    submissions.forEach(({ task: submitted, marker }, i) => {
      const { task, created } = results[i]!;
      this.observe(call, task, { isDurable: true });
      this.#sign(task.id, () => created ? true : undefined);
      if (markerOf(task.payload) !== marker) {
        this.#violate(call, `${marker} was enqueued, the answer is ${markerOf(task.payload)}`);
      }
      this.#known.parents.set(task.id, this.#parentsOf(submitted, submissions, results));
      const key = submitted.idempotencyKey;
      if (key !== undefined) return this.#enqueuedKey(call, key, { id: task.id, created });
      if (submitted.unique !== undefined) {
        return this.#log.count(created ? "unique tasks stored" : "unique tasks joined");
      }
      if (!created) this.#violate(call, `${describe(task)} was there already, without a key`);
      if (submitted.runId !== undefined && task.runId !== submitted.runId) {
        this.#violate(call, `run ${submitted.runId} was enqueued as ${task.runId}`);
      }
    });
  }

  /** The ids of the tasks that one was asked to depend on. */
  #parentsOf(
    { dependsOn = [] }: NewTask,
    submissions: readonly Submission[],
    results: readonly EnqueueResult[],
  ): number[] {
    return dependsOn.map((reference) => {
      if (typeof reference === "number") return reference;
      const sibling = submissions.findIndex(({ task }) => task.runId === reference);
      return results[sibling]!.task.id;
    });
  }

  /** Enqueueing was refused by the queue's rules. */
  enqueueRefused(call: Call, submissions: readonly Submission[], error: unknown): void {
    if (isRefusedForGood(error)) { for (const { marker } of submissions) this.#undone.add(marker); }
    if (!(error instanceof QueueError)) return;
    const tasks = submissions.map(({ task }) => task);
    const mayConflict = tasks.some(({ idempotencyKey, runId }) =>
      error.code === "idempotency_conflict"
        ? idempotencyKey !== undefined
        : runId !== undefined && (this.#runIds.get(runId) ?? 0) > 1
    );
    const mayBeGone = error.code === "unknown_parent" && this.#isPruned;
    if (error.code !== "queue_closed" && !mayConflict && !mayBeGone) {
      this.#violate(call, `refused without a reason: ${error.message}`);
    }
  }

  #enqueuedKey(call: Call, key: string, told: { id: number; created: boolean }): void {
    const known = this.#known.idsByKey.get(key);
    if (known !== undefined && known !== told.id && !this.#isPruned) {
      this.#violate(call, `key ${key} names task ${told.id}, before it was ${known}`);
    }
    this.#known.idsByKey.set(key, told.id);
    if (!told.created) return;
    if (this.#known.createdKeys.has(key) && !this.#isPruned) {
      this.#violate(call, `key ${key} was created twice`);
    }
    this.#known.createdKeys.add(key);
  }

  // --- observing

  /** A caller was shown a task. What a durable answer says will stay so. */
  observe(call: Call, task: Task, { isDurable }: { readonly isDurable: boolean }): void {
    this.#checkSubmitted(call, task);
    this.#checkAuthor(call, task);
    if (task.attempts < 0 || task.attempts > task.maxAttempts) {
      this.#violate(call, `${describe(task)} has too many attempts`);
    }
    const facts = this.#known.tasks.get(task.id);
    const knownId = this.#known.idsByRunId.get(task.runId);
    if (knownId !== undefined && knownId !== task.id && !this.#isPruned) {
      this.#violate(call, `run ${task.runId} is task ${task.id}, before it was ${knownId}`);
    }
    if (facts === undefined) {
      if (isDurable) this.#learn(call, task);
      return;
    }
    if (facts.runId !== task.runId) {
      this.#violate(call, `task ${task.id} is run ${task.runId}, before it was ${facts.runId}`);
    }
    this.#checkLater(call, task, facts);
  }

  /** A caller asked for a task and was told that there is none. */
  notFound(call: Call, taskId: number): void {
    const facts = this.#known.tasks.get(taskId);
    if (this.#isPruned) return this.#log.count("missing where tasks are pruned");
    if (facts !== undefined && facts.toldAt < call.span.from) {
      this.#violate(call, `acknowledged task ${taskId} (${facts.runId}) is missing`);
    }
  }

  /** A caller was shown every task there is. */
  listed(call: Call, tasks: readonly Task[]): void {
    const shown = new Map(tasks.map((task) => [task.id, task]));
    if (shown.size !== tasks.length) this.#violate(call, "a task was listed twice");
    for (const task of tasks) this.observe(call, task, { isDurable: false });
    for (const id of this.#known.tasks.keys()) if (!shown.has(id)) this.notFound(call, id);
    this.#checkBatches(call, tasks);
    const keys = tasks.flatMap(({ idempotencyKey }) => idempotencyKey ?? []);
    if (new Set(keys).size !== keys.length) this.#violate(call, "a key names two tasks");
  }

  #learn(call: Call, task: Task): void {
    this.#known.idsByRunId.set(task.runId, task.id);
    this.#known.tasks.set(task.id, {
      id: task.id,
      runId: task.runId,
      toldAt: call.span.to,
      leases: new Map(),
      final: undefined,
    });
  }

  #checkSubmitted(call: Call, task: Task): void {
    const submissions = this.#submissions.get(markerOf(task.payload)) ?? [];
    const payloadText = JSON.stringify(task.payload);
    const isSubmitted = submissions.some(({ task: { type, runId, ...rest }, ...submitted }) =>
      type === task.type && submitted.payloadText === payloadText &&
      (runId ?? task.runId) === task.runId && (rest.maxAttempts ?? 5) === task.maxAttempts &&
      (rest.priority ?? 100) === task.priority &&
      (rest.idempotencyKey ?? null) === task.idempotencyKey
    );
    const isShared = task.idempotencyKey !== null || task.uniqueKey !== null;
    if (this.#undone.has(markerOf(task.payload)) && !isShared) {
      this.#violate(call, `${describe(task)} is there, its enqueueing was undone`);
    }
    if (!isSubmitted) this.#violate(call, `${describe(task)} is nothing that was submitted`);
  }

  /** A result is that of the current lease, if it says whose it is. */
  #checkAuthor(call: Call, task: Task): void {
    if (task.status !== "completed" || task.result === null) return;
    const { of: token } = task.result as { readonly of?: number };
    if (token === undefined) return;
    this.#log.count("authors checked");
    if (token !== task.leaseToken) {
      this.#violate(call, `${describe(task)} has the result of lease ${token}`);
    }
  }

  /** Compares with what was told before the call began. */
  #checkLater(call: Call, task: Task, facts: TaskFacts): void {
    for (const { token, claimed } of facts.leases.values()) {
      if (claimed.to < call.span.from && task.leaseToken < token) {
        this.#violate(call, `${describe(task)}: lease ${token} is forgotten`);
      }
    }
    const { final } = facts;
    if (final === undefined || final.told.to > call.span.from) return;
    if (this.#mayBeRetriedSince(task.id, final.told)) return;
    if (this.#mayBeGivenUp(task.id, final, task.status)) return;
    if (task.status !== final.status) {
      this.#violate(call, `${describe(task)} was ${final.status} for good`);
    } else if (final.status === "completed" && JSON.stringify(task.result) !== final.result) {
      this.#violate(call, `${describe(task)} has another result`);
    }
  }

  #checkBatches(call: Call, tasks: readonly Task[]): void {
    if (this.#isPruned) return;
    const shown = new Set(tasks.map(({ payload }) => markerOf(payload)));
    const sizes = new Map<number, { total: number; shown: number }>();
    for (const [{ batch, task, marker }] of this.#submissions.values() as Iterable<[Submission]>) {
      if (task.idempotencyKey !== undefined || task.unique !== undefined) continue;
      const size = sizes.get(batch) ?? { total: 0, shown: 0 };
      sizes.set(batch, size);
      size.total++;
      if (shown.has(marker)) size.shown++;
    }
    for (const { total, shown: count } of sizes.values()) {
      if (count !== 0 && count !== total) this.#violate(call, `${count} of a batch of ${total}`);
    }
  }

  // --- leases

  /** A claim was acknowledged. */
  claimed(call: Call, task: Task, workerId: string): void {
    this.observe(call, task, { isDurable: true });
    this.#sign(task.id, ({ leaseToken }) => leaseToken >= task.leaseToken);
    this.#log.count("claims");
    if (task.status !== "leased" || task.lockedBy !== workerId) {
      this.#violate(call, `${describe(task)} was claimed by ${workerId}`);
    }
    for (const parentId of this.#known.parents.get(task.id) ?? []) {
      this.#known.childClaims.set(parentId, [
        ...this.#known.childClaims.get(parentId) ?? [],
        call.span,
      ]);
    }
    const { leases } = this.#known.tasks.get(task.id)!;
    if (leases.has(task.leaseToken)) {
      this.#violate(call, `${describe(task)}: its lease was given twice`);
    }
    const before = [...leases.values()].findLast(({ token }) => token < task.leaseToken);
    if (before !== undefined) {
      this.#log.count("leases after another");
      this.#checkExpired(call, task.id, before);
    }
    leases.set(task.leaseToken, {
      token: task.leaseToken,
      workerId,
      claimed: call.span,
      untilMs: [{ toldAt: call.span.to, untilMs: task.leaseUntil!.getTime() }],
      isEndAsked: this.#asksToEnd.has(`${task.id} ${task.leaseToken}`),
      endedAt: undefined,
    });
  }

  /** Somebody presents a lease with something that ends it. */
  endAsked({ taskId, token }: Presented): void {
    this.#asksToEnd.add(`${taskId} ${token}`);
    const lease = this.#known.tasks.get(taskId)?.leases.get(token);
    if (lease !== undefined) lease.isEndAsked = true;
  }

  /** Something that only the holder of the current lease may do was acknowledged. */
  heldBy(call: Call, { taskId, token }: Presented, task: Task): void {
    this.observe(call, task, { isDurable: true });
    const facts = this.#known.tasks.get(taskId)!;
    const { from } = call.span;
    const newer = [...facts.leases.values()].find((lease) =>
      lease.token > token && lease.claimed.to < from
    );
    if (newer !== undefined) {
      this.#violate(call, `stale lease ${token} of task ${taskId} was accepted`);
    }
    const lease = facts.leases.get(token);
    if (lease?.endedAt !== undefined && lease.endedAt < from) {
      this.#violate(call, `lease ${token} of task ${taskId} was over and was accepted`);
    }
    const child = this.#known.childClaims.get(taskId)?.find((claimed) =>
      lease !== undefined && lease.claimed.to < claimed.from && claimed.to < from
    );
    if (child !== undefined) {
      this.#violate(call, `a child of task ${taskId} was claimed while lease ${token} was held`);
    }
    const cancelled = (this.#known.doneCancels.get(taskId) ?? []).some(({ from: asked, to }) =>
      lease !== undefined && lease.claimed.to < asked && to < from
    );
    if (cancelled && facts.final?.status === "cancelled") {
      this.#violate(call, `lease ${token} of cancelled task ${taskId} was accepted`);
    }
  }

  /** A lease was renewed. */
  renewed(call: Call, presented: Presented, task: Task): void {
    this.heldBy(call, presented, task);
    if (task.status !== "leased") this.#violate(call, `${describe(task)} was renewed`);
    const lease = this.#known.tasks.get(presented.taskId)?.leases.get(presented.token);
    if (lease === undefined) return;
    lease.untilMs = [
      ...lease.untilMs.filter(({ toldAt }) => toldAt > call.span.from),
      { toldAt: call.span.to, untilMs: task.leaseUntil!.getTime() },
    ];
  }

  /** A lease was ended by its holder. */
  ended(call: Call, presented: Presented, task: Task): void {
    this.heldBy(call, presented, task);
    this.#countRace(call, presented.taskId, "lost to a holder");
    const lease = this.#known.tasks.get(presented.taskId)?.leases.get(presented.token);
    if (lease !== undefined) lease.endedAt = call.span.to;
    if (task.status === "leased") this.#violate(call, `${describe(task)} was ended`);
    if (isFinalStatus(task.status)) this.#finished(call, task.id, task);
  }

  /** Somebody was told that a lease is lost; there must be a reason. */
  leaseLost(call: Call, { taskId, token }: Presented): void {
    this.#countRace(call, taskId, "beat a holder");
    if (!this.#options.areClocksEqual) return;
    const lease = this.#known.tasks.get(taskId)?.leases.get(token);
    if (lease === undefined || lease.isEndAsked || this.#mayBeCancelledSince(taskId, lease)) return;
    if (this.#hasExpired(lease)) return;
    this.#violate(call, `lease ${token} of task ${taskId} was lost before it expired`);
  }

  #checkExpired(call: Call, taskId: number, lease: LeaseFacts): void {
    if (!this.#options.areClocksEqual || lease.isEndAsked) return;
    if (this.#mayBeCancelledSince(taskId, lease)) return;
    this.#log.count("expiries checked");
    if (this.#hasExpired(lease)) return;
    this.#violate(call, `task ${taskId} was claimed again while lease ${lease.token} was live`);
  }

  #hasExpired({ untilMs }: LeaseFacts): boolean {
    return this.#latestClockMs >= Math.min(...untilMs.map((told) => told.untilMs));
  }

  // --- ends

  /** A task was rescued. */
  rescued(call: Call, task: Task): void {
    this.observe(call, task, { isDurable: true });
    this.#log.count("rescues told");
    if (isFinalStatus(task.status)) this.#finished(call, task.id, task);
  }

  /** Somebody asks to cancel a task, or to retry it. */
  asked(what: "cancel" | "retry", call: Call, taskId: number): void {
    const spans = what === "cancel" ? this.#cancels : this.#retries;
    spans.set(taskId, [...(spans.get(taskId) ?? []), call.span]);
  }

  /** A task was cancelled. */
  cancelled(call: Call, taskId: number): void {
    this.#known.doneCancels.set(taskId, [
      ...(this.#known.doneCancels.get(taskId) ?? []),
      call.span,
    ]);
    this.#finished(call, taskId, { status: "cancelled", result: null });
  }

  /** A task was queued again. */
  retried(call: Call, taskId: number): void {
    const final = this.#known.tasks.get(taskId)?.final;
    if (final?.status === "completed" && final.told.to < call.span.from) {
      this.#violate(call, `completed task ${taskId} was queued again`);
    }
  }

  /** Somebody asks to delete finished tasks. */
  pruneAsked(): void {
    this.#isPruned = true;
  }

  /** Whether anybody has asked to delete finished tasks. */
  get wasPruneAsked(): boolean {
    return this.#isPruned;
  }

  /** Whether anybody has asked to cancel a task. */
  wasCancelAsked(taskId: number): boolean {
    return this.#cancels.has(taskId);
  }

  /** Whether anybody has asked to retry a task. */
  wasRetryAsked(taskId: number): boolean {
    return this.#retries.has(taskId);
  }

  #finished(
    call: Call,
    taskId: number,
    { status, result }: { readonly status: TaskStatus; readonly result: unknown },
  ): void {
    this.#log.count(`told ${status}`);
    this.#sign(taskId, (survivor) => {
      if (status === "completed") return survivor.status === status;
      const mayBeAnother = this.#mayBeRetriedSince(taskId, call.span) ||
        this.#mayBeGivenUp(taskId, { status, told: call.span }, survivor.status);
      const isGone = survivor.status !== status && !mayBeAnother;
      return isGone ? false : undefined;
    });
    const facts = this.#known.tasks.get(taskId);
    if (facts === undefined) return;
    const { final } = facts;
    if (final === undefined) {
      facts.final = { status, result: JSON.stringify(result), told: call.span };
      return;
    }
    const told = { status, result: JSON.stringify(result), told: call.span };
    const isLater = this.#mayFollow(taskId, final, told);
    const isEarlier = this.#mayFollow(taskId, told, final);
    if (!isLater && !isEarlier) {
      this.#violate(call, `task ${taskId} is ${status}, it was ${final.status} for good`);
    }
    if (isLater && (!isEarlier || final.told.from <= call.span.from)) facts.final = told;
  }

  /** Whether a task may have ended as `second` says after it had as `first` says. Calls that overlap happen in either order. */
  #mayFollow(taskId: number, first: FinalFacts, second: FinalFacts): boolean {
    return first.told.from <= second.told.to &&
      (this.#mayBeRetriedSince(taskId, first.told) ||
        this.#mayBeGivenUp(taskId, first, second.status));
  }

  /** Counts the cancels that were under way at the same time as a call of the holder. */
  #countRace({ span: { from } }: Call, taskId: number, how: string): void {
    const cancels = this.#cancels.get(taskId) ?? [];
    const isRace = cancels.some((asked) =>
      asked.from > from || (asked.to > from && asked.to < Infinity)
    );
    if (isRace) this.#log.count(`cancel ${how}`);
  }

  /** One that has failed and holds up its ordering key can be cancelled; that it does is seen in the journal. */
  #mayBeGivenUp(
    taskId: number,
    { status, told }: { readonly status: TaskStatus; readonly told: Span },
    after: TaskStatus,
  ): boolean {
    return status === "failed" && after === "cancelled" &&
      (this.#cancels.get(taskId) ?? []).some(({ to }) => to >= told.from);
  }

  /** A task that its parents ended comes back with them, so their retries count too. */
  #mayBeRetriedSince(taskId: number, { from }: Span): boolean {
    const family = [taskId];
    for (const id of family) {
      if ((this.#retries.get(id) ?? []).some(({ to }) => to >= from)) return true;
      for (const parent of this.#known.parents.get(id) ?? []) {
        if (!family.includes(parent)) family.push(parent);
      }
    }
    return false;
  }

  #mayBeCancelledSince(taskId: number, { claimed }: LeaseFacts): boolean {
    return (this.#cancels.get(taskId) ?? []).some(({ to }) => to >= claimed.from);
  }

  #violate({ process, name }: Call, what: string): void {
    this.#log.violate(`p${process} ${name}: ${what}`);
  }
}

/** Who makes the calls that no process makes. */
const NOBODY: ProcessId = 0;

/** Whether an error says that nothing was written: the append failed and was undone. */
export function isRefusedForGood(error: unknown): boolean {
  return error instanceof QueueFullError ||
    error instanceof StorageError && error.operation === "append to";
}

/** Why an error tells of a bug; `undefined` when it is one of those that the simulation has brought about. */
export function whyNotAllowed(error: unknown, isClosing: boolean): string | undefined {
  if (error instanceof QueueError) {
    return error.code === "queue_closed" && !isClosing ? `refused: ${error.message}` : undefined;
  }
  if (error instanceof StorageError) {
    const isOurDoing = /injected|written here, is gone/.test(error.message);
    return isOurDoing && error.name !== "CorruptionError"
      ? undefined
      : `unexpected ${error.name}: ${error.message}`;
  }
  return `unexpected ${error instanceof Error ? error.stack : String(error)}`;
}
