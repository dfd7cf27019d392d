/**
 * The oracle: a queue as `docs/specification.md` describes it (section 1), in a plain array.
 *
 * It knows nothing of the implementation. It is shown each operation with its outcome, checks the outcome against its
 * own state, and moves on; what the specification leaves to chance (ids, jitter, a weighted draw) it checks for its
 * bounds and takes over.
 */
import { assert, assertEquals } from "@std/assert";
import { PermanentError, RetryAfterError } from "../../src/domain/errors.ts";
import type {
  Lease,
  NewTask,
  ParentFailurePolicy,
  Task,
  TaskReference,
  TaskStatus,
} from "../../src/domain/task.ts";
import type { ClaimRequest, EnqueueResult, ListRequest } from "../../src/queue/task_queue.ts";

/** What a caller asks of the queue. */
export type Operation =
  | { readonly kind: "enqueue"; readonly tasks: readonly NewTask[] }
  | { readonly kind: "claim"; readonly request: ClaimRequest }
  | { readonly kind: "renew"; readonly lease: Lease; readonly leaseDurationMs: number }
  | { readonly kind: "progress"; readonly lease: Lease; readonly percent: number }
  | { readonly kind: "complete"; readonly lease: Lease; readonly result: unknown }
  | { readonly kind: "fail"; readonly lease: Lease; readonly error: Error }
  | { readonly kind: "release"; readonly lease: Lease }
  | { readonly kind: "cancel"; readonly id: number }
  | { readonly kind: "retry"; readonly id: number }
  | { readonly kind: "update"; readonly id: number; readonly changes: UpdateWish }
  | { readonly kind: "rescue" };

/** What a person changes of a task. */
export interface UpdateWish {
  readonly priority?: number;
  readonly delayMs?: number;
}

/** What came back: a value, or a refusal: a `QueueError`'s code, or `invalid` for a `TypeError` or `RangeError`. */
export type Outcome = { readonly value: unknown } | { readonly refused: string };

/** A task as callers see it, without `updatedAt`, of which the specification only says that it is there. */
export type SeenTask = { -readonly [Field in keyof Omit<Task, "updatedAt">]: Task[Field] };

/** What `stats()` should say, apart from the storage. */
export interface ExpectedStats {
  readonly total: number;
  readonly byStatus: Record<TaskStatus, number>;
  readonly byType: Record<string, Record<TaskStatus, number>>;
  readonly scheduled: number;
  readonly waitingForParents: number;
  readonly oldestDueAt: Date | null;
}

/** The queue's default retry policy, from section 1. */
const SPEC_RETRY = { initialDelayMs: 1000, multiplier: 2, maxDelayMs: 300_000 };

const STATUSES = ["queued", "leased", "completed", "failed", "cancelled"] as const;

/** A task's parents, as they were given, and which of them ended it. */
interface Family {
  readonly parents: readonly SeenTask[];
  readonly policy: ParentFailurePolicy;
  endedBy: SeenTask | null;
}

/** The plain-array queue. */
export class QueueOracle {
  /** Every task, by ascending id. */
  readonly tasks: SeenTask[] = [];
  /** Whom each task waits for, by its id. */
  readonly #families = new Map<number, Family>();
  /** Every lease that was ever given, also the stale ones. */
  readonly leases: Lease[] = [];
  /** How often each kind of operation ended how. */
  readonly seen = new Map<string, number>();

  /** Checks an outcome and moves on. */
  check(operation: Operation, outcome: Outcome, nowMs: number): void {
    this.#count(operation, outcome);
    switch (operation.kind) {
      case "enqueue":
        return this.#checkEnqueue(operation.tasks, outcome, nowMs);
      case "claim":
        return this.#checkClaim(operation.request, outcome, nowMs);
      case "cancel":
      case "retry":
        return this.#checkByHand(operation, outcome, nowMs);
      case "update":
        return this.#checkUpdate(operation, outcome, nowMs);
      case "rescue":
        return this.#checkRescue(outcome, nowMs);
      default:
        return this.#checkLeased(operation, outcome, nowMs);
    }
  }

  /** What a list should show. */
  list(request: ListRequest): SeenTask[] {
    const { status, type, beforeId = Infinity, offset = 0, limit = 100 } = request;
    return this.tasks.toReversed()
      .filter((task) => status === undefined || task.status === status)
      .filter((task) => type === undefined || task.type === type)
      .filter((task) => task.id < beforeId)
      .slice(offset, offset + limit);
  }

  /** What `stats` should say. */
  stats(nowMs: number): ExpectedStats {
    const queued = this.tasks.filter(({ status }) => status === "queued");
    const ready = queued.filter(({ waitsFor }) => waitsFor === 0);
    const due = ready.filter((task) => task.runAfter.getTime() <= nowMs);
    const oldestMs = Math.min(
      ...due.map((task) => Math.max(task.createdAt.getTime(), task.runAfter.getTime())),
    );
    const types = [...new Set(this.tasks.map(({ type }) => type))].sort();
    return {
      total: this.tasks.length,
      byStatus: countStatuses(this.tasks),
      byType: Object.fromEntries(
        types.map((of) => [of, countStatuses(this.tasks.filter(({ type }) => type === of))]),
      ),
      scheduled: ready.length - due.length,
      waitingForParents: queued.length - ready.length,
      oldestDueAt: due.length === 0 ? null : new Date(oldestMs),
    };
  }

  #count(operation: Operation, outcome: Outcome): void {
    const end = "refused" in outcome ? outcome.refused : "done";
    const key = `${operation.kind} ${end}`;
    this.seen.set(key, (this.seen.get(key) ?? 0) + 1);
  }

  // --- enqueue

  #checkEnqueue(wanted: readonly NewTask[], outcome: Outcome, nowMs: number): void {
    const refusal = wanted.every(isAcceptable)
      ? this.#familyProblemOf(wanted) ?? this.#conflictOf(wanted) ?? this.#parentConflictOf(wanted)
      : "invalid";
    if (refusal !== undefined) return assertEquals(outcome, { refused: refusal });
    const results = valueOf(outcome) as EnqueueResult[];
    assertEquals(results.length, wanted.length);
    const stored = results.map((result, i) => this.#take(wanted[i]!, result, nowMs));
    const fresh = new Set(stored.filter((_, i) => results[i]!.created));
    stored.forEach((task, i) => {
      if (results[i]!.created) this.#join(task, wanted[i]!, { wanted, stored });
    });
    this.#tellChildren([...fresh].filter((task) => this.#endAtOnce(task, fresh, nowMs)), nowMs);
    results.forEach(({ task }, i) => assertEquals(seen(task), stored[i]));
  }

  // --- families

  /** Whom a reference in a batch names: a run id is first looked for in the batch. */
  #named(
    reference: TaskReference,
    wanted: readonly NewTask[],
  ): SeenTask | NewTask | undefined {
    if (typeof reference === "number") return this.#find(reference);
    const inBatch = wanted.find(({ runId }) => runId === reference);
    if (inBatch !== undefined) return this.#firstOfKey(inBatch, wanted);
    return this.tasks.find(({ runId }) => runId === reference);
  }

  /** What a task of a batch is: one that is there already, the first of the batch with its key, or itself. */
  #firstOfKey(task: NewTask, wanted: readonly NewTask[]): SeenTask | NewTask {
    const key = task.idempotencyKey || null;
    if (key === null) return task;
    return this.tasks.find(({ idempotencyKey }) => idempotencyKey === key) ??
      wanted.find(({ idempotencyKey }) => idempotencyKey === key)!;
  }

  #familyProblemOf(wanted: readonly NewTask[]): string | undefined {
    const fresh = wanted.filter((task) => this.#firstOfKey(task, wanted) === task);
    const parentsOf = (task: NewTask): (SeenTask | NewTask | undefined)[] =>
      (task.dependsOn ?? []).map((reference) => this.#named(reference, wanted));
    if (fresh.some((task) => parentsOf(task).includes(undefined))) return "unknown_parent";
    // Whoever waits for nobody new can go; who is left waits for ever.
    let left = fresh;
    for (let before = -1; before !== left.length;) {
      before = left.length;
      left = left.filter((task) =>
        parentsOf(task).some((parent) => left.includes(parent as NewTask))
      );
    }
    return left.length > 0 ? "dependency_cycle" : undefined;
  }

  /** A task under a known key must have the same parents. */
  #parentConflictOf(wanted: readonly NewTask[]): string | undefined {
    const isOther = wanted.some((task) => {
      const twin = this.#firstOfKey(task, wanted);
      if (twin === task) return false;
      const given = new Set((task.dependsOn ?? []).map((each) => this.#named(each, wanted)));
      const family = "id" in twin ? this.#families.get(twin.id) : undefined;
      const known = new Set<unknown>(
        "id" in twin
          ? family?.parents
          : (twin.dependsOn ?? []).map((each) => this.#named(each, wanted)),
      );
      const policy = "id" in twin ? family?.policy : twin.onParentFailure ?? "fail";
      return !isSameSet(given, known) ||
        (known.size > 0 && policy !== (task.onParentFailure ?? "fail"));
    });
    return isOther ? "idempotency_conflict" : undefined;
  }

  /** Gives a new task its parents. */
  #join(
    task: SeenTask,
    { dependsOn = [], onParentFailure = "fail" }: NewTask,
    { wanted, stored }: {
      readonly wanted: readonly NewTask[];
      readonly stored: readonly SeenTask[];
    },
  ): void {
    const parents = new Set(dependsOn.map((reference) => {
      const named = this.#named(reference, wanted)!;
      return stored[wanted.indexOf(named as NewTask)] ?? named as SeenTask;
    }));
    const family: Family = { parents: [...parents], policy: onParentFailure, endedBy: null };
    this.#families.set(task.id, family);
    task.waitsFor = this.#openParentsOf(task);
  }

  /** Whether a parent that was there before its batch has failed, and ends the new task. */
  #endAtOnce(task: SeenTask, fresh: ReadonlySet<SeenTask>, nowMs: number): boolean {
    const { parents, policy } = this.#families.get(task.id)!;
    const culprit = parents.find((parent) => hasFailed(parent) && !fresh.has(parent));
    if (culprit === undefined || policy === "run") return false;
    this.#endByParent(task, culprit, nowMs);
    return true;
  }

  #openParentsOf({ id }: SeenTask): number {
    const parents = this.#families.get(id)?.parents ?? [];
    return parents.filter(({ status }) => !isOver(status)).length;
  }

  #endByParent(task: SeenTask, parent: SeenTask, nowMs: number): void {
    const family = this.#families.get(task.id)!;
    family.endedBy = parent;
    finish(task, family.policy === "fail" ? "failed" : "cancelled", endedBy(parent), nowMs);
    task.waitsFor = 0;
  }

  /** Tasks have become final, or have been queued again: what that means to their children, and then to theirs. */
  #tellChildren(parents: readonly SeenTask[], nowMs: number): void {
    const changed = [...parents];
    for (const parent of changed) {
      for (const child of this.tasks) {
        if (!this.#families.get(child.id)?.parents.includes(parent)) continue;
        const hasChanged = isOver(parent.status)
          ? this.#tellOver(child, parent, nowMs)
          : this.#tellBack(child, parent, nowMs);
        if (hasChanged) changed.push(child);
      }
    }
  }

  #tellOver(child: SeenTask, parent: SeenTask, nowMs: number): boolean {
    if (child.status !== "queued") return false;
    if (hasFailed(parent) && this.#families.get(child.id)!.policy !== "run") {
      this.#endByParent(child, parent, nowMs);
      return true;
    }
    child.waitsFor--;
    if (child.waitsFor === 0) child.runAfter = new Date(Math.max(nowMs, child.runAfter.getTime()));
    return false;
  }

  #tellBack(child: SeenTask, parent: SeenTask, nowMs: number): boolean {
    const family = this.#families.get(child.id)!;
    if (child.status === "queued") child.waitsFor = this.#openParentsOf(child);
    if (family.endedBy !== parent || !hasFailed(child)) return false;
    const other = family.parents.find(hasFailed);
    if (other !== undefined) {
      family.endedBy = other;
      child.errorMessage = endedBy(other);
      return false;
    }
    this.#again(child, nowMs);
    return true;
  }

  /** Queued again with fresh attempts. */
  #again(task: SeenTask, nowMs: number): void {
    task.attempts = 0;
    this.#requeue(task, null, nowMs);
    const family = this.#families.get(task.id);
    if (family !== undefined) family.endedBy = null;
  }

  #requeue(task: SeenTask, message: string | null, runAfterMs: number): void {
    requeue(task, message, runAfterMs);
    task.waitsFor = this.#openParentsOf(task);
  }

  /** The first conflict that the tasks of a batch meet, each behind those before it. */
  #conflictOf(wanted: readonly NewTask[]): string | undefined {
    const known: Content[] = this.tasks.map((task) => ({ ...task }));
    for (const task of wanted) {
      const content = contentOf(task);
      const twin = known.find(({ idempotencyKey }) =>
        content.idempotencyKey !== null && idempotencyKey === content.idempotencyKey
      );
      if (twin !== undefined) {
        if (!isSameContent(twin, content)) return "idempotency_conflict";
        continue;
      }
      const isTaken = content.runId !== null && known.some(({ runId }) => runId === content.runId);
      if (isTaken) return "run_id_conflict";
      known.push(content);
    }
    return undefined;
  }

  /** The task that stands for a wish: one that is there already, or a new one, before its parents are known. */
  #take(wanted: NewTask, { task, created }: EnqueueResult, nowMs: number): SeenTask {
    const key = wanted.idempotencyKey || null;
    const twin = key === null ? undefined : this.tasks.find((each) => each.idempotencyKey === key);
    assertEquals(created, twin === undefined);
    if (twin !== undefined) return twin;
    const highest = this.tasks.at(-1)?.id ?? 0;
    assert(task.id > highest, `id ${task.id} follows ${highest}`);
    assert(task.runId.length > 0 && !this.tasks.some(({ runId }) => runId === task.runId));
    const expected = newTask(wanted, { id: task.id, runId: wanted.runId ?? task.runId, nowMs });
    this.tasks.push(expected);
    return expected;
  }

  // --- claim

  #checkClaim(request: ClaimRequest, outcome: Outcome, nowMs: number): void {
    const { limit = 1, leaseDurationMs = 10_000, types, taskId } = request;
    const isValid = limit >= 1 && leaseDurationMs >= 100 &&
      (types.length > 0 || taskId !== undefined);
    if (!isValid) return assertEquals(outcome, { refused: "invalid" });
    const claimed = valueOf(outcome) as Task[];
    const chosen = this.#choose(request, claimed.map(({ id }) => id), nowMs);
    for (const task of chosen) this.#lease(task, request, nowMs);
    assertEquals(claimed.map(seen), chosen);
  }

  /** The tasks that a claim must give; where chance decides, those given, if they may be. */
  #choose(request: ClaimRequest, given: readonly number[], nowMs: number): SeenTask[] {
    const eligible = this.tasks.filter((task) => isClaimable(task, request, nowMs));
    const { strategy = "priority", limit = 1, taskId } = request;
    if (taskId !== undefined) return eligible;
    if (strategy === "weighted_random") return drawn(eligible, given, limit);
    const ordered = eligible.toSorted((a, b) => {
      if (strategy === "lifo") return b.id - a.id;
      return strategy === "priority" ? a.priority - b.priority || a.id - b.id : a.id - b.id;
    });
    return ordered.slice(0, limit);
  }

  #lease(task: SeenTask, request: ClaimRequest, nowMs: number): void {
    const { workerId, taskId, leaseDurationMs = 10_000 } = request;
    task.status = "leased";
    task.attempts++;
    task.leaseToken++;
    task.lockedBy = workerId;
    task.reservedAt = taskId === undefined ? new Date(nowMs) : null;
    task.processingStarted = new Date(nowMs);
    task.leaseUntil = new Date(nowMs + leaseDurationMs);
    task.progress = task.progressMessage = null;
    this.leases.push({ taskId: task.id, workerId, leaseToken: task.leaseToken });
  }

  // --- leases

  #checkLeased(
    operation: Exclude<
      Operation,
      { kind: "enqueue" | "claim" | "cancel" | "retry" | "update" | "rescue" }
    >,
    outcome: Outcome,
    nowMs: number,
  ): void {
    if (isInvalid(operation)) return assertEquals(outcome, { refused: "invalid" });
    const { taskId, workerId, leaseToken } = operation.lease;
    const task = this.#find(taskId);
    if (task === undefined) return assertEquals(outcome, { refused: "task_not_found" });
    const isHeld = task.status === "leased" && task.lockedBy === workerId &&
      task.leaseToken === leaseToken;
    if (!isHeld) return assertEquals(outcome, { refused: "lease_lost" });
    const given = valueOf(outcome) as Task;
    switch (operation.kind) {
      case "renew":
        task.leaseUntil = new Date(nowMs + operation.leaseDurationMs);
        break;
      case "progress":
        task.progress = operation.percent;
        task.progressMessage = `at ${operation.percent}`;
        break;
      case "complete":
        finish(task, "completed", null, nowMs);
        task.result = operation.result ?? null;
        task.progress = 100;
        this.#tellChildren([task], nowMs);
        break;
      case "fail":
        failTask(task, operation.error, { nowMs, runAfterMs: given.runAfter.getTime() });
        if (isOver(task.status)) this.#tellChildren([task], nowMs);
        else task.waitsFor = this.#openParentsOf(task);
        break;
      case "release":
        task.attempts--;
        this.#requeue(task, task.errorMessage, nowMs);
        break;
    }
    assertEquals(seen(given), task);
  }

  // --- by hand and by time

  #checkByHand(
    { kind, id }: { readonly kind: "cancel" | "retry"; readonly id: number },
    outcome: Outcome,
    nowMs: number,
  ): void {
    const task = this.#find(id);
    if (task === undefined) return assertEquals(outcome, { refused: "task_not_found" });
    const from: readonly TaskStatus[] = kind === "cancel"
      ? ["queued", "leased"]
      : ["failed", "cancelled"];
    const isAllowed = from.includes(task.status);
    assertEquals(outcome, { value: isAllowed });
    if (!isAllowed) return;
    if (kind === "retry") this.#again(task, nowMs);
    else {
      finish(task, "cancelled", "Cancelled by user", nowMs);
      task.waitsFor = 0;
    }
    this.#tellChildren([task], nowMs);
  }

  #checkUpdate(
    { id, changes }: Extract<Operation, { kind: "update" }>,
    outcome: Outcome,
    nowMs: number,
  ): void {
    const { priority, delayMs } = changes;
    if (priority === undefined && delayMs === undefined) {
      return assertEquals(outcome, { refused: "invalid" });
    }
    const task = this.#find(id);
    if (task === undefined) return assertEquals(outcome, { refused: "task_not_found" });
    if (task.status !== "queued") return assertEquals(outcome, { refused: "task_not_queued" });
    task.priority = priority ?? task.priority;
    if (delayMs !== undefined) {
      const isDue = delayMs === 0 && task.runAfter.getTime() <= nowMs;
      task.runAfter = isDue ? task.runAfter : new Date(nowMs + delayMs);
    }
    assertEquals(seen(valueOf(outcome) as Task), task);
  }

  #checkRescue(outcome: Outcome, nowMs: number): void {
    const expired = this.tasks.filter(({ leaseUntil }) =>
      leaseUntil !== null && leaseUntil.getTime() <= nowMs
    );
    for (const task of expired.toSorted((a, b) => +a.leaseUntil! - +b.leaseUntil!)) {
      const message = `Worker ${JSON.stringify(task.lockedBy)} stopped renewing its lease in ` +
        `attempt ${task.attempts} of ${task.maxAttempts}`;
      if (task.attempts >= task.maxAttempts) {
        finish(task, "failed", message, nowMs);
        this.#tellChildren([task], nowMs);
      } else this.#requeue(task, message, nowMs);
    }
    const rescued = (valueOf(outcome) as Task[]).toSorted((a, b) => a.id - b.id);
    assertEquals(rescued.map(seen), expired);
  }

  #find(id: number): SeenTask | undefined {
    return this.tasks.find((task) => task.id === id);
  }
}

/** The task without what the specification leaves open. */
export function seen(task: Task): SeenTask {
  const { updatedAt, ...rest } = task;
  assert(updatedAt >= task.createdAt, `task ${task.id} was updated before it was created`);
  return rest;
}

/** What decides whether two tasks collide. */
interface Content {
  readonly type: string;
  readonly payload: unknown;
  readonly idempotencyKey: string | null;
  readonly runId: string | null;
}

function contentOf(task: NewTask): Content {
  return {
    type: task.type.trim(),
    payload: task.payload === undefined ? {} : task.payload,
    idempotencyKey: task.idempotencyKey || null,
    runId: task.runId ?? null,
  };
}

function isSameContent(a: Content, b: Content): boolean {
  return a.type === b.type && isSameJson(a.payload, b.payload);
}

/** Whether two JSON values are equal; the order of keys does not count. */
function isSameJson(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [ofA, ofB] = [new Map(Object.entries(a)), new Map(Object.entries(b))];
  return ofA.size === ofB.size &&
    [...ofA].every(([key, value]) => ofB.has(key) && isSameJson(value, ofB.get(key)));
}

function isAcceptable(task: NewTask): boolean {
  const { priority = 100, maxAttempts = 5, payload } = task;
  return task.type.trim() !== "" && Number.isInteger(priority) && priority >= 1 &&
    priority <= 1000 && maxAttempts >= 1 && maxAttempts <= 100 &&
    !(typeof payload === "number" && Number.isNaN(payload));
}

function newTask(
  wanted: NewTask,
  { id, runId, nowMs }: { readonly id: number; readonly runId: string; readonly nowMs: number },
): SeenTask {
  return {
    id,
    runId,
    type: wanted.type.trim(),
    priority: wanted.priority ?? 100,
    payload: wanted.payload === undefined ? {} : wanted.payload,
    compatibility: wanted.compatibility ?? {},
    status: "queued",
    attempts: 0,
    maxAttempts: wanted.maxAttempts ?? 5,
    runAfter: new Date(wanted.runAfter ?? nowMs),
    leaseUntil: null,
    reservedAt: null,
    processingStarted: null,
    finishedAt: null,
    createdAt: new Date(nowMs),
    lockedBy: null,
    leaseToken: 0,
    errorMessage: null,
    idempotencyKey: wanted.idempotencyKey || null,
    result: null,
    progress: null,
    progressMessage: null,
    retryPolicy: wanted.retryPolicy === undefined ? null : { ...SPEC_RETRY, ...wanted.retryPolicy },
    timeoutMs: wanted.timeoutMs ?? null,
    group: wanted.group ?? null,
    expiresAt: wanted.expiresAt === undefined ? null : new Date(wanted.expiresAt),
    waitsFor: 0,
    traceParent: null,
    uniqueKey: wanted.unique?.key ?? null,
    orderingKey: null,
    onPredecessorFailure: null,
    tags: [],
    orderingPlace: null,
  };
}

function isClaimable(task: SeenTask, request: ClaimRequest, nowMs: number): boolean {
  if (task.status !== "queued" || task.waitsFor > 0 || task.runAfter.getTime() > nowMs) {
    return false;
  }
  if (request.taskId !== undefined) return task.id === request.taskId;
  const capabilities = new Map(Object.entries(request.capabilities ?? {}));
  return request.types.includes(task.type) &&
    Object.entries(task.compatibility).every(([name, value]) =>
      capabilities.has(name) && isSameJson(value, capabilities.get(name))
    );
}

/** A weighted draw may give any eligible tasks, each once, and as many as there are up to the limit. */
function drawn(eligible: readonly SeenTask[], given: readonly number[], limit: number): SeenTask[] {
  assertEquals(given.length, Math.min(limit, eligible.length), "tasks drawn");
  assertEquals(new Set(given).size, given.length, "a task was drawn twice");
  return given.map((id) => {
    const task = eligible.find((each) => each.id === id);
    assert(task !== undefined, `task ${id} was drawn but may not be claimed`);
    return task;
  });
}

function isOver(status: TaskStatus): boolean {
  return status !== "queued" && status !== "leased";
}

function hasFailed({ status }: SeenTask): boolean {
  return status === "failed" || status === "cancelled";
}

function isSameSet(a: ReadonlySet<unknown>, b: ReadonlySet<unknown>): boolean {
  return a.size === b.size && [...a].every((each) => b.has(each));
}

function isInvalid(operation: Operation): boolean {
  if (operation.kind === "progress") return !(operation.percent >= 0 && operation.percent <= 100);
  if (operation.kind === "renew") return operation.leaseDurationMs < 100;
  return operation.kind === "complete" && Number.isNaN(operation.result);
}

function finish(
  task: SeenTask,
  status: TaskStatus,
  message: string | null,
  nowMs: number,
): void {
  task.status = status;
  task.errorMessage = message;
  task.leaseUntil = null;
  task.finishedAt = new Date(nowMs);
}

function requeue(task: SeenTask, message: string | null, runAfterMs: number): void {
  task.status = "queued";
  task.errorMessage = message;
  task.runAfter = new Date(runAfterMs);
  if (task.attempts === 0) task.processingStarted = null;
  task.leaseUntil =
    task.finishedAt =
    task.progress =
    task.progressMessage =
      null;
}

/** The delay is chance within bounds: those are checked, then it is taken over. */
function failTask(
  task: SeenTask,
  error: Error,
  { nowMs, runAfterMs }: { readonly nowMs: number; readonly runAfterMs: number },
): void {
  if (error instanceof PermanentError || task.attempts >= task.maxAttempts) {
    return finish(task, "failed", error.message, nowMs);
  }
  if (error instanceof RetryAfterError) return requeue(task, error.message, nowMs + error.delayMs);
  const { initialDelayMs, multiplier, maxDelayMs } = task.retryPolicy ?? SPEC_RETRY;
  const exactMs = initialDelayMs * multiplier ** (task.attempts - 1);
  const delayMs = runAfterMs - nowMs;
  const lowest = Math.floor(Math.min(maxDelayMs, exactMs * 0.9));
  const highest = Math.ceil(Math.min(maxDelayMs, exactMs * 1.1));
  assert(delayMs >= lowest && delayMs <= highest, `${delayMs} ms, not ${lowest} to ${highest}`);
  requeue(task, error.message, runAfterMs);
}

function countStatuses(tasks: readonly SeenTask[]): Record<TaskStatus, number> {
  const counts = STATUSES.map((of) =>
    [of, tasks.filter(({ status }) => status === of).length] as const
  );
  return Object.fromEntries(counts) as Record<TaskStatus, number>;
}

function valueOf(outcome: Outcome): unknown {
  assert("value" in outcome, `refused with ${JSON.stringify(outcome)}`);
  return outcome.value;
}

/** Why a task has ended that this parent ended. */
function endedBy({ id, runId, status }: SeenTask): string {
  const verb = status === "cancelled" ? "was cancelled" : "failed";
  return `Parent task ${id} (run ${JSON.stringify(runId)}) ${verb}`;
}
