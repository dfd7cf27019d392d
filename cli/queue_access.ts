/**
 * The desk: what commands that ask and tell need of a queue, be it files or behind a server, in documents as `--json` writes
 * them.
 */
import {
  type BulkRequest,
  type ChangedBy,
  type CheckpointReport,
  type EnqueueOutcome,
  type Limit,
  type LimitScope,
  type LogLine,
  type LogPage,
  type LogStore,
  maintenanceOf,
  type NewSchedule,
  type NewTask,
  type PartRequest,
  type PauseOptions,
  type PruneRequest,
  QueueError,
  type SearchRequest,
  type StorageStats,
  type Task,
  type TaskQueue,
  type TaskReplacement,
  type TaskUpdate,
} from "../src/mod.ts";
import { explanationJson } from "../server/runs/json.ts";
import { healthReasonsJson, statsJson } from "../server/operations/json.ts";
import { bulkJson, searchJson, taskJson, transitionJson } from "../server/tasks/json.ts";
import { workerJson } from "../server/workers/json.ts";
import { nextCursorOf, nextScheduleCursorOf, readPart } from "../server/http/paging.ts";
import { limitJson } from "../server/limits/json.ts";
import { scheduleJson } from "../server/schedules/json.ts";
import type { DocumentOf } from "./documents.ts";
import { checkedInput, NotFoundError, UsageError } from "./exit.ts";

/** A task as a document. */
export type TaskDocument = DocumentOf<"Task">;

/** What one request of many has done. */
export type BulkDocument = ReturnType<typeof bulkJson>;

/** Which tasks to list. */
export interface ListQuery {
  readonly status?: TaskDocument["status"];
  readonly type?: string;
  readonly group?: string;
  readonly tag?: string;
  readonly limit: number;
  /** The `next_cursor` of the page before; default the newest task. */
  readonly cursor?: number;
}

/** Which part of what happened to a task; `cursor` is the `next_cursor` of the page before. */
export interface TransitionQuery {
  readonly limit?: number;
  readonly cursor?: number;
}

/** Which schedules to list; `cursor` is the `next_cursor` of the page before. */
export interface ScheduleQuery {
  readonly limit?: number;
  readonly cursor?: string;
}

/** Where a log is read on: an offset of its store; `null` is the beginning. */
export type LogPosition = number | null;

/** Lines of a log, and where the next ones begin. */
export interface LogPart {
  readonly lines: readonly LogLine[];
  readonly next: LogPosition;
}

/** What belongs to a desk's queue and is not in the port. */
export interface DeskTools {
  /** What handlers said. */
  readonly logs: LogStore;
  /** What the queue keeps in files and in memory; `null` when it keeps no files. */
  readonly storage: () => Promise<StorageStats | null>;
  /** Folds the journal into the snapshot. */
  readonly checkpoint: () => Promise<CheckpointReport>;
  /** How often to look for another process's log lines. */
  readonly lookIntervalMs: number;
}

/** A queue, wherever it is. Methods that take a reference throw NotFoundError when it names no task. */
export class Desk {
  /** How often to look whether something is new, in milliseconds. */
  readonly lookIntervalMs: number;
  readonly #queue: TaskQueue;
  readonly #tools: DeskTools;

  constructor(queue: TaskQueue, tools: DeskTools) {
    this.#queue = queue;
    this.#tools = tools;
    this.lookIntervalMs = tools.lookIntervalMs;
  }

  /** Stores a task; on disk when it resolves. */
  async enqueue(newTask: NewTask): Promise<DocumentOf<"Enqueued">> {
    const { task, created, outcome } = await this.#queue.enqueue(newTask);
    return { created, outcome, task: taskJson(task) };
  }

  /** Stores all of these tasks, or none; on disk when it resolves. */
  async enqueueBatch(newTasks: readonly NewTask[]): Promise<DocumentOf<"EnqueuedBatch">> {
    const results = await this.#queue.enqueueBatch(newTasks);
    return batchDocument(
      results.map(({ task, created, outcome }) => ({ ...taskJson(task), created, outcome })),
    );
  }

  /** The task that a task id, or a run id, names. */
  async find(reference: string): Promise<TaskDocument> {
    return taskJson(await findTask(this.#queue, reference));
  }

  /** A page of tasks, newest first, where the next one begins, and how many there are in all when that is known. */
  async list({ cursor, limit, ...filter }: ListQuery): Promise<DocumentOf<"TaskList">> {
    const [tasks, total] = await Promise.all([
      this.#queue.list({ ...filter, limit, beforeId: cursor }),
      this.#queue.count(filter),
    ]);
    const next_cursor = await nextCursorOf(this.#queue, filter, tasks);
    return { tasks: tasks.map(taskJson), total, next_cursor };
  }

  /** Tasks that a text finds, as far as one answer goes. */
  async search(request: SearchRequest): Promise<DocumentOf<"SearchPage">> {
    return searchJson(await checkedInput(() => this.#queue.search(request)));
  }

  async cancel(reference: string, who: ChangedBy = {}): Promise<DocumentOf<"Cancelled">> {
    const { id } = await findTask(this.#queue, reference);
    const cancelled = await checkedInput(() => this.#queue.cancel(id, who));
    return { cancelled, task: await this.find(String(id)) };
  }

  async retry(reference: string, who: ChangedBy = {}): Promise<DocumentOf<"Retried">> {
    const { id } = await findTask(this.#queue, reference);
    const retried = await checkedInput(() => this.#queue.retry(id, who));
    return { retried, task: await this.find(String(id)) };
  }

  async update(reference: string, changes: TaskUpdate, who: ChangedBy): Promise<TaskDocument> {
    const { id } = await findTask(this.#queue, reference);
    return taskJson(await checkedInput(() => this.#queue.update(id, changes, who)));
  }

  /** Stores another task in place of one; the new one. */
  async replace(
    reference: string,
    replacement: TaskReplacement,
    who: ChangedBy,
  ): Promise<TaskDocument> {
    const { id } = await findTask(this.#queue, reference);
    return taskJson(await checkedInput(() => this.#queue.replace(id, replacement, who)));
  }

  async remove(reference: string, who: ChangedBy): Promise<DocumentOf<"Removed">> {
    const { id } = await findTask(this.#queue, reference);
    await checkedInput(() => this.#queue.remove(id, who));
    return { removed: true, task_id: id };
  }

  /** Does a part of what the request says; its cursor leads to the rest. */
  async bulk(request: BulkRequest): Promise<BulkDocument> {
    return bulkJson(await checkedInput(() => this.#queue.bulk(request)));
  }

  async explain(reference: string): Promise<DocumentOf<"Explanation">> {
    const { id } = await findTask(this.#queue, reference);
    const explanation = await this.#queue.explain(id);
    if (explanation === undefined) throw new NotFoundError(`task ${id} was just deleted`);
    return explanationJson(explanation);
  }

  async transitions(
    reference: string,
    query: TransitionQuery = {},
  ): Promise<DocumentOf<"TransitionList">> {
    const { id } = await findTask(this.#queue, reference);
    const read = (request: PartRequest) => this.#queue.transitions(id, request);
    const { part, next_cursor } = await readPart(read, query);
    return { task_id: id, transitions: part.map(transitionJson), next_cursor };
  }

  async workers(): Promise<DocumentOf<"WorkerList">> {
    return { workers: (await this.#queue.listWorkers()).map(workerJson) };
  }

  async stats(): Promise<DocumentOf<"Stats">> {
    return statsJson(await this.#queue.stats(), await this.#tools.storage());
  }

  async health(): Promise<DocumentOf<"Health">> {
    const { verdict, reasons } = await this.#queue.health();
    return { status: verdict, reasons: healthReasonsJson(reasons) };
  }

  async prune(request: PruneRequest): Promise<DocumentOf<"Pruned">> {
    const { pruned, byStatus } = await checkedInput(() => this.#queue.prune(request));
    return { pruned, by_status: { ...byStatus } };
  }

  async checkpoint(): Promise<DocumentOf<"Checkpointed">> {
    const { sequence, snapshotBytes, removedSegments } = await this.#tools.checkpoint();
    return { sequence, snapshot_bytes: snapshotBytes, removed_segments: removedSegments };
  }

  async schedules({ cursor, limit }: ScheduleQuery): Promise<DocumentOf<"ScheduleList">> {
    const schedules = await checkedInput(() =>
      this.#queue.listSchedules({ afterId: cursor, limit })
    );
    const next_cursor = await nextScheduleCursorOf(this.#queue, schedules);
    return { schedules: schedules.map(scheduleJson), next_cursor };
  }

  /** Adds a schedule, or replaces another one with its id. */
  async addSchedule(
    wanted: NewSchedule,
    replace: boolean,
  ): Promise<DocumentOf<"ScheduleAdded">> {
    const { schedule, created } = await checkedInput(() =>
      this.#queue.addSchedule(wanted, { replace })
    );
    return { created, schedule: scheduleJson(schedule) };
  }

  async limits(): Promise<DocumentOf<"LimitList">> {
    return { limits: (await this.#queue.listLimits()).map(limitJson) };
  }

  /** Sets a limit, or removes it. */
  async setLimit(
    scope: LimitScope,
    limit: Limit | null,
    options: ChangedBy,
  ): Promise<DocumentOf<"LimitChanged">> {
    return {
      changed: await checkedInput(() => this.#queue.setLimit(scope, limit, options)),
    };
  }

  async pause(scope: LimitScope, options: PauseOptions): Promise<DocumentOf<"LimitChanged">> {
    return { changed: await checkedInput(() => this.#queue.pause(scope, options)) };
  }

  async resume(scope: LimitScope, options: ChangedBy): Promise<DocumentOf<"LimitChanged">> {
    return { changed: await checkedInput(() => this.#queue.resume(scope, options)) };
  }

  /** @throws NotFoundError */
  async removeSchedule(id: string): Promise<DocumentOf<"ScheduleRemoved">> {
    const removed = await checkedInput(() => this.#queue.removeSchedule(id));
    if (!removed) throw noSuchSchedule(id);
    return { removed };
  }

  /** @throws NotFoundError */
  async pauseSchedule(id: string, paused: boolean): Promise<DocumentOf<"Schedule">> {
    try {
      return scheduleJson(await checkedInput(() => this.#queue.pauseSchedule(id, paused)));
    } catch (thrown) {
      const isUnknown = thrown instanceof QueueError && thrown.code === "schedule_not_found";
      throw isUnknown ? noSuchSchedule(id) : thrown;
    }
  }

  /** A page of the log of a task from a position on; there are more unless `next` is the same. */
  async readLog({ id }: TaskDocument, from: LogPosition): Promise<LogPart> {
    const page: LogPage = await this.#tools.logs.read(id, Number(from ?? 0));
    return { lines: page.lines, next: page.nextOffset };
  }

  /** Calls `listener` when the task may have changed, or never: look now and then as well. Returns the way to stop. */
  watch(taskId: number, listener: () => void): () => void {
    return this.#queue.watch((changes) => {
      if (changes === "room") return;
      if (changes === "reset" || changes.some((one) => one.taskId === taskId)) listener();
    });
  }
}

/** Another process's log lines are looked for this often. */
const LOOK_INTERVAL_MS = 200;

/** The desk of a queue that is open in this process. */
export function localDesk(queue: TaskQueue, logs: LogStore): Desk {
  const maintenance = maintenanceOf(queue);
  return new Desk(queue, {
    logs,
    storage: () => Promise.resolve(maintenance?.storageStats() ?? null),
    checkpoint: () => {
      if (maintenance !== null) return maintenance.checkpoint();
      throw new UsageError(
        "a queue on a database has no journal: the server makes its checkpoints",
      );
    },
    lookIntervalMs: LOOK_INTERVAL_MS,
  });
}

/** The log of a task from a position on, page by page, to its end. */
export async function* logPages(
  desk: Desk,
  task: TaskDocument,
  from: LogPosition = null,
): AsyncGenerator<LogPart> {
  for (let position = from;;) {
    const part = await desk.readLog(task, position);
    if (part.lines.length === 0) return;
    yield part;
    position = part.next;
  }
}

/** What came of a batch. */
export function batchDocument(
  results: readonly {
    readonly id: number;
    readonly run_id: string;
    readonly created: boolean;
    readonly outcome: EnqueueOutcome;
  }[],
): DocumentOf<"EnqueuedBatch"> {
  const tasks = results.map(({ id, run_id, created, outcome }) => ({
    id,
    run_id,
    created,
    outcome,
  }));
  const created = tasks.filter((task) => task.created).length;
  return { created, existing: tasks.length - created, tasks };
}

/**
 * The task that `reference` names: digits are a task id, `run:…` and everything else a run id.
 *
 * @throws NotFoundError when there is none.
 */
export async function findTask(queue: TaskQueue, reference: string): Promise<Task> {
  const { taskId, runId } = parseReference(reference);
  const task = taskId === undefined ? await queue.getByRunId(runId) : await queue.get(taskId);
  if (task === undefined) throw noSuchTask(reference);
  return task;
}

/** What a reference says: a task id, or else a run id. @throws NotFoundError for a task id that cannot be. */
export function parseReference(reference: string): { taskId?: number; runId: string } {
  if (!/^\d+$/.test(reference)) return { runId: reference.replace(/^run:/, "") };
  const taskId = Number(reference);
  if (!Number.isSafeInteger(taskId)) throw noSuchTask(reference);
  return { taskId, runId: "" };
}

/** The refusal of a reference that names nothing. */
export function noSuchTask(reference: string): NotFoundError {
  return new NotFoundError(`there is no task ${JSON.stringify(reference)}`);
}

/** What is thrown when no schedule has this id. */
export function noSuchSchedule(id: string): NotFoundError {
  return new NotFoundError(`there is no schedule ${JSON.stringify(id)}`);
}
