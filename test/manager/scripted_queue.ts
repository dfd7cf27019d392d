/**
 * The readable part of a queue, in the hands of a test: it decides what is stored, what is announced, and when a
 * read is answered.
 */
import type { Task, TaskStatus } from "../../src/domain/task.ts";
import type { FollowedQueue } from "../../src/manager/queue_follower.ts";
import type { ListRequest, TaskChange, TaskChanges } from "../../src/queue/task_queue.ts";

/** Answers reads from `tasks`, after whatever `beforeRead` waits for. */
export class ScriptedQueue implements FollowedQueue {
  readonly tasks = new Map<number, Task>();
  /** Called before each read is answered; the answer is what is stored when the read was asked. */
  beforeRead: () => Promise<void> = () => Promise.resolve();
  /** How often `get` and `list` were called. */
  readonly reads = { get: 0, list: 0 };
  readonly #listeners = new Set<(changes: TaskChanges) => void>();

  async get(id: number): Promise<Task | undefined> {
    this.reads.get++;
    const task = this.tasks.get(id);
    await this.beforeRead();
    return task;
  }

  async getByRunId(runId: string): Promise<Task | undefined> {
    const task = [...this.tasks.values()].find((known) => known.runId === runId);
    await this.beforeRead();
    return task;
  }

  async list({ status, limit = 100, beforeId = Infinity }: ListRequest = {}): Promise<Task[]> {
    this.reads.list++;
    const page = [...this.tasks.values()]
      .filter((task) => task.status === status && task.id < beforeId)
      .sort((a, b) => b.id - a.id)
      .slice(0, limit);
    await this.beforeRead();
    return page;
  }

  watch(listener: (changes: TaskChanges) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** How many watch. */
  get watchers(): number {
    return this.#listeners.size;
  }

  /** Stores a task without telling anyone. */
  put(id: number, status: TaskStatus, fields: Partial<Task> = {}): Task {
    const task = { ...taskWith(id, status), ...fields };
    this.tasks.set(id, task);
    return task;
  }

  /** Tells the watchers about tasks as they are stored now, or about anything. */
  announce(...changes: (Task | "reset")[]): void {
    for (const listener of this.#listeners) {
      if (changes.includes("reset")) listener("reset");
      else listener(changes.map((task) => changeOf(task as Task)));
    }
  }

  /** Stores a task and tells the watchers. */
  change(id: number, status: TaskStatus, fields: Partial<Task> = {}): void {
    this.announce(this.put(id, status, fields));
  }
}

function changeOf(task: Task): TaskChange {
  const { id: taskId, runId, type, status, attempts, leaseToken, lockedBy, progress } = task;
  return { taskId, runId, type, status, attempts, leaseToken, lockedBy, progress };
}

function taskWith(id: number, status: TaskStatus): Task {
  const at = new Date(1000 * id);
  const started = status === "queued" ? null : at;
  const final = status !== "queued" && status !== "leased";
  return {
    id,
    runId: `r${id}`,
    type: "m",
    priority: 100,
    payload: {},
    compatibility: {},
    status,
    attempts: started === null ? 0 : 1,
    maxAttempts: 5,
    runAfter: at,
    leaseUntil: null,
    reservedAt: started,
    processingStarted: started,
    finishedAt: final ? at : null,
    createdAt: at,
    updatedAt: at,
    lockedBy: started === null ? null : "w",
    leaseToken: started === null ? 0 : 1,
    errorMessage: null,
    idempotencyKey: null,
    group: null,
    expiresAt: null,
    uniqueKey: null,
    orderingKey: null,
    onPredecessorFailure: null,
    tags: [],
    orderingPlace: null,
    result: null,
    progress: null,
    progressMessage: null,
    retryPolicy: null,
    timeoutMs: null,
    waitsFor: 0,
    traceParent: null,
  };
}
