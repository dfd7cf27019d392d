/**
 * LedgerQueue: the TaskQueue whose tasks are rows of a ledger.
 *
 * Every argument is checked before any effect; every change is one ledger write.
 */
import { DEFAULT_RETRY_POLICY, resolveRetryPolicy, type RetryPolicy } from "../domain/backoff.ts";
import { checkPercent } from "../domain/check.ts";
import type { CancelTimer, Clock } from "../domain/clock.ts";
import { QueueFullError, StorageError } from "../domain/errors.ts";
import { toJsonText } from "../domain/json.ts";
import type { Random } from "../domain/random.ts";
import { checkInteger } from "../domain/check.ts";
import { type LeaseLike, type NewTask, type Task, TASK_LIMITS, toLease } from "../domain/task.ts";
import type { CheckpointReport, StorageStats } from "../domain/storage_stats.ts";
import type { Ledger, LedgerExport } from "../ledger/ledger.ts";
import type { MemoryMark } from "../ledger/memory_budget.ts";
import type { Transaction } from "../ledger/replica.ts";
import type { SqlRow } from "../ledger/sql_engine.ts";
import { cancel, retry } from "./tasks/cancel_retry.ts";
import { claim, hasClaimable, nextDueMs } from "./tasks/claim.ts";
import { prepareClaim } from "../queue_policy/claim_request.ts";
import { enqueueAll } from "./tasks/enqueue.ts";
import { type PreparedTask, prepareTask } from "../queue_policy/new_task.ts";
import { checkLeaseDuration } from "../queue_policy/new_task.ts";
import { checkMaxAttempts, complete, fail, release, renew, reportProgress } from "./tasks/lease.ts";
import { failureOf } from "../queue_policy/failure.ts";
import { parentResults } from "./tasks/dependencies.ts";
import { ClockWatch } from "./clock_watch.ts";
import { inEnqueueSpan } from "./tasks/enqueue_span.ts";
import { explain } from "./insight/explain.ts";
import { exportAll, exportRecords, prepareRecordRequest } from "./records/export_records.ts";
import type { QueueRecords, RecordRequest } from "../queue/records.ts";
import { dryRunImport, importRecords, prepareImport } from "./records/import_records.ts";
import type { RecordImport, RecordImportRequest } from "../queue/records.ts";
import type { HealthThresholds } from "../queue/operator.ts";
import { judge } from "./insight/health.ts";
import { resolveThresholds } from "../queue_policy/health_thresholds.ts";
import { impossibleRows } from "./insight/integrity.ts";
import { count, list } from "./insight/list.ts";
import { prepareList } from "../queue_policy/list_request.ts";
import { stats } from "./insight/stats.ts";
import { checkWindow } from "../queue_policy/rates.ts";
import { measure } from "./insight/metrics.ts";
import type { OperationContext } from "./rows/context.ts";
import type { BackupReport, EmbeddedQueue, IntegrityReport } from "../queue/maintenance.ts";
import type { PartRequest } from "../queue/page_request.ts";
import { preparePart } from "../queue_policy/page_request.ts";
import type {
  Explanation,
  MetricsRequest,
  PruneReport,
  PruneRequest,
  QueueHealth,
  QueueMetrics,
  WorkerBeat,
  WorkerRecord,
} from "../queue/operator.ts";
import type {
  ClaimRequest,
  EnqueueOptions,
  EnqueueResult,
  FailOptions,
  ListRequest,
  ParentResult,
  QueueStats,
  TaskChanges,
} from "../queue/task_queue.ts";
import {
  type PreparedPrune,
  preparePrune,
  type PrunableStatus,
} from "../queue_policy/prune_request.ts";
import { prune, PRUNE_MAX, pruneBound } from "./tasks/prune.ts";
import {
  logBackgroundError,
  logBackup,
  logCheckpoint,
  logClosed,
  logOpened,
  logPruned,
  logRescued,
} from "./queue_log.ts";
import { repeat } from "../queue_policy/repeat.ts";
import { hasExpired, rescue } from "./tasks/rescue.ts";
import type {
  AddScheduleResult,
  NewSchedule,
  Schedule,
  ScheduleListRequest,
} from "../queue/schedule.ts";
import {
  addSchedule,
  getSchedule,
  listSchedules,
  pauseSchedule,
  prepareScheduleList,
  removeSchedule,
} from "./schedules/store_schedule.ts";
import { checkScheduleId, prepareSchedule } from "./schedules/check_schedule.ts";
import {
  fireSchedules,
  lookAtSchedules,
  type UnplannableSchedule,
} from "./schedules/fire_schedules.ts";
import { TASK_TABLE } from "./rows/schema.ts";
import type { TaskRecord } from "../queue/records.ts";
import { hasDeferredChildren, propagateDeferred } from "./tasks/propagate.ts";
import type { HistoryPage, HistoryRequest, TaskTransition } from "../queue/task_transition.ts";
import { changeOfRow, findRow, oncePerRow, rowOfTask, taskOfRow } from "./rows/task_row.ts";
import { history, transitionsOf } from "./rows/transition_log.ts";
import { prepareHistory } from "../queue_policy/history_request.ts";
import { beat, latestWorkers, retireWorker } from "./insight/workers.ts";
import { prepareBeat } from "../queue_policy/worker_beat.ts";

/** How a queue is made from a ledger. */
export interface LedgerQueueOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Whether the ledger is read only; default false. */
  readonly isReadOnly?: boolean;
  /** Makes the run id of a task that came without; default a random UUID. */
  readonly newRunId?: () => string;
  /** Where neither the task nor its handler has one; default 1 s, ×2, 300 s. */
  readonly retryPolicy?: Partial<RetryPolicy>;
  /** How large a payload may be, in bytes, 1 to 16 MiB; default 256 KiB. */
  readonly payloadMaxBytes?: number;
  /** Which finished tasks are deleted by themselves; default none. */
  readonly retention?: readonly PruneRequest[];
  /** When the queue is no longer healthy, where it differs from `HEALTH_THRESHOLDS`. */
  readonly health?: Partial<HealthThresholds>;
  /** Is told when a rescue or a deletion that nobody asked for failed; the queue goes on. */
  readonly onBackgroundError: (error: Error) => void;
  /** Writes and verifies a backup file; without it `backup` is refused. */
  readonly writeBackup?: (path: string, content: LedgerExport) => Promise<BackupReport>;
  /** Is told which tasks were pruned, once that is durable; what it throws is a background error. */
  readonly onPruned?: (taskIds: readonly number[]) => void;
  /** Is told when the queue is closed. */
  readonly onClosed?: () => void;
}

/** How often expired leases are looked for, and due schedules of which no timer knows. */
const RESCUE_EVERY_MS = 1000;

/** How often it is looked which tasks have been kept long enough. */
const RETENTION_EVERY_MS = 60_000;

const PAYLOAD_LIMIT_BYTES = 16 * 1024 * 1024;

/** A result of so many characters is taken however full the memory is, as everything else is that ends a task. */
const SMALL_RESULT_LENGTH = 4096;

/** A queue on a ledger. */
export class LedgerQueue implements EmbeddedQueue {
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #newRunId: () => string;
  readonly #retryPolicy: RetryPolicy;
  readonly #payloadMaxBytes: number;
  readonly #onBackgroundError: (error: Error) => void;
  readonly #writeBackup: LedgerQueueOptions["writeBackup"];
  readonly #onPruned: (taskIds: readonly number[]) => void;
  readonly #onClosed: () => void;
  readonly #health: HealthThresholds;
  readonly #stopDuties: readonly CancelTimer[];
  readonly #clockWatch = new ClockWatch();
  #cancelFiring: CancelTimer = () => {};
  /** The ids of the schedules that were last seen to be unplannable. */
  #unplannable: ReadonlySet<string> = new Set();
  /** Whether it was told that schedules do not fire because the queue is full. */
  #isFullReported = false;
  #isClosed = false;

  constructor(ledger: Ledger, options: LedgerQueueOptions) {
    this.#ledger = ledger;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#newRunId = options.newRunId ?? (() => crypto.randomUUID());
    this.#retryPolicy = resolveRetryPolicy(options.retryPolicy, DEFAULT_RETRY_POLICY);
    const payloadMaxBytes = options.payloadMaxBytes ?? TASK_LIMITS.payloadMaxBytes;
    this.#payloadMaxBytes = checkInteger(
      payloadMaxBytes,
      "payloadMaxBytes",
      1,
      PAYLOAD_LIMIT_BYTES,
    );
    this.#onBackgroundError = options.onBackgroundError;
    this.#writeBackup = options.writeBackup;
    this.#onPruned = options.onPruned ?? (() => {});
    this.#onClosed = options.onClosed ?? (() => {});
    this.#health = resolveThresholds(options.health);
    const retention = (options.retention ?? []).map(preparePrune);
    this.#stopDuties = options.isReadOnly ? [] : this.#beginDuties(retention);
    logOpened(ledger.location, ledger.tornTails);
  }

  async enqueue(task: NewTask, options: EnqueueOptions = {}): Promise<EnqueueResult> {
    const [result] = await this.#store([prepareTask(task, this.#payloadMaxBytes, options)]);
    return result!;
  }

  async enqueueBatch(tasks: readonly NewTask[]): Promise<EnqueueResult[]> {
    checkInteger(tasks.length, "number of tasks in a batch", 0, TASK_LIMITS.batchMax);
    return await this.#store(tasks.map((task) => prepareTask(task, this.#payloadMaxBytes)));
  }

  async #store(prepared: readonly PreparedTask[]): Promise<EnqueueResult[]> {
    const types = prepared.map(({ type }) => type);
    const enqueued = await inEnqueueSpan(
      types,
      (traceParent) =>
        this.#write(
          (tx, context) => enqueueAll(tx, prepared, { ...context, traceParent }),
          "high_water",
        ),
    );
    const taskOf = oncePerRow(taskOfRow);
    return enqueued.map(({ row, created }) => ({ task: taskOf(row), created }));
  }

  async get(id: number): Promise<Task | undefined> {
    checkInteger(id, "task id", 0, Number.MAX_SAFE_INTEGER);
    const row = await this.#ledger.read((reader) => findRow(reader, id));
    return row && taskOfRow(row);
  }

  async getByRunId(runId: string): Promise<Task | undefined> {
    const select = "SELECT * FROM task_queue WHERE run_id = ?";
    const [row] = await this.#ledger.read((reader) => reader.read(select, [runId]));
    return row && taskOfRow(row);
  }

  async list(request: ListRequest = {}): Promise<Task[]> {
    const prepared = prepareList(request);
    return (await this.#ledger.read((reader) => list(reader, prepared))).map(taskOfRow);
  }

  async parentResults(taskId: number, request: PartRequest = {}): Promise<ParentResult[]> {
    checkInteger(taskId, "task id", 0, Number.MAX_SAFE_INTEGER);
    const part = preparePart(request);
    return await this.#ledger.read((reader) => {
      rowOfTask(reader, taskId);
      return parentResults(reader, taskId, part);
    });
  }

  async count(request: Pick<ListRequest, "status" | "type"> = {}): Promise<number> {
    const prepared = prepareList(request);
    return await this.#ledger.read((reader) => count(reader, prepared));
  }

  async nextDueAt(): Promise<Date | null> {
    const dueMs = await this.#ledger.read((reader) => nextDueMs(reader, this.#clock.nowMs()));
    return dueMs === undefined ? null : new Date(dueMs);
  }

  async claim(request: ClaimRequest): Promise<Task[]> {
    const prepared = prepareClaim(request);
    const isWorthwhile = await this.#ledger.read((reader) =>
      hasClaimable(reader, prepared, this.#clock.nowMs())
    );
    if (!isWorthwhile) return [];
    for (;;) {
      const rows = await this.#write((tx, context) => claim(tx, prepared, context));
      if (rows !== undefined) return rows.map(taskOfRow);
    }
  }

  async renew(
    lease: LeaseLike,
    options: { readonly leaseDurationMs?: number } = {},
  ): Promise<Task> {
    const leaseDurationMs = checkLeaseDuration(options.leaseDurationMs);
    return taskOfRow(
      await this.#write((tx, context) => renew(tx, toLease(lease), leaseDurationMs, context)),
    );
  }

  async reportProgress(lease: LeaseLike, percent: number, message?: string): Promise<Task> {
    const progress = { percent: checkPercent(percent), message: message ?? null };
    return taskOfRow(
      await this.#write((tx, context) => reportProgress(tx, toLease(lease), progress, context)),
    );
  }

  async complete(lease: LeaseLike, result: unknown = null): Promise<Task> {
    const text = toJsonText(result, "result", TASK_LIMITS.resultMaxBytes);
    const upTo = text.length > SMALL_RESULT_LENGTH ? "limit" : undefined;
    return taskOfRow(
      await this.#write((tx, context) => complete(tx, toLease(lease), text, context), upTo),
    );
  }

  async fail(lease: LeaseLike, error: unknown, options: FailOptions = {}): Promise<Task> {
    const { retryPolicy, maxAttempts } = options;
    const failure = failureOf(error, {
      retryPolicy: retryPolicy === undefined
        ? null
        : resolveRetryPolicy(retryPolicy, this.#retryPolicy),
      maxAttempts: maxAttempts === undefined ? null : checkMaxAttempts(maxAttempts),
    });
    return taskOfRow(
      await this.#write((tx, context) => fail(tx, toLease(lease), failure, context)),
    );
  }

  async release(lease: LeaseLike): Promise<Task> {
    return taskOfRow(await this.#write((tx, context) => release(tx, toLease(lease), context)));
  }

  async cancel(id: number): Promise<boolean> {
    return await this.#write((tx, context) => cancel(tx, id, context));
  }

  async retry(id: number): Promise<boolean> {
    return await this.#write((tx, context) => retry(tx, id, context));
  }

  async rescue(): Promise<Task[]> {
    const found = await this.#ledger.read((reader) => {
      const nowMs = this.#clock.nowMs();
      const isPutBack = this.#clockWatch.look(reader, nowMs);
      return { isPutBack, isWorthwhile: hasExpired(reader, nowMs) || hasDeferredChildren(reader) };
    });
    const rows: SqlRow[] = [];
    if (found.isWorthwhile) {
      rows.push(
        ...await this.#write((tx, context) => {
          const rescued = rescue(tx, context);
          propagateDeferred(tx, context);
          return rescued;
        }),
      );
    }
    if (found.isPutBack) {
      rows.push(...await this.#write((tx, context) => this.#clockWatch.mend(tx, context)));
    }
    if (rows.length === 0) return [];
    const rescued = rows.map(taskOfRow);
    logRescued(rescued);
    return rescued;
  }

  async addSchedule(
    schedule: NewSchedule,
    { replace = false }: { readonly replace?: boolean } = {},
  ): Promise<AddScheduleResult> {
    const prepared = prepareSchedule(schedule, this.#payloadMaxBytes);
    const added = await this.#write(
      (tx, { nowMs }) => addSchedule(tx, prepared, { replace, nowMs }),
      "high_water",
    );
    this.#fireAt(this.#clock.nowMs());
    return added;
  }

  async getSchedule(id: string): Promise<Schedule | undefined> {
    return await this.#ledger.read((reader) => getSchedule(reader, id, this.#clock.nowMs()));
  }

  async listSchedules(request: ScheduleListRequest = {}): Promise<Schedule[]> {
    const prepared = prepareScheduleList(request);
    return await this.#ledger.read((reader) =>
      listSchedules(reader, prepared, this.#clock.nowMs())
    );
  }

  async removeSchedule(id: string): Promise<boolean> {
    return await this.#write((tx) => removeSchedule(tx, checkScheduleId(id)));
  }

  async pauseSchedule(id: string, paused: boolean): Promise<Schedule> {
    const change = { id: checkScheduleId(id), paused };
    const schedule = await this.#write((tx, { nowMs }) => pauseSchedule(tx, change, nowMs));
    this.#fireAt(this.#clock.nowMs());
    return schedule;
  }

  async fireSchedules(): Promise<Task[]> {
    const fired: Task[] = [];
    for (;;) {
      const outlook = await this.#ledger.read((reader) =>
        lookAtSchedules(reader, this.#clock.nowMs())
      );
      if (!outlook.isDue) {
        this.#reportUnplannable(outlook.unplannable);
        this.#fireAt(outlook.nextMs);
        return fired;
      }
      const rows = await this.#write((tx, context) => fireSchedules(tx, context), "high_water");
      this.#isFullReported = false;
      for (const row of rows) fired.push(taskOfRow(row));
    }
  }

  async stats(): Promise<QueueStats> {
    return await this.#ledger.read((reader) => stats(reader, this.#clock.nowMs()));
  }

  watch(listener: (changes: TaskChanges) => void): () => void {
    return this.#ledger.watch((changes) => {
      if (changes === "reset") return listener("reset");
      const tasks = changes.flatMap(({ table, row }) =>
        table === TASK_TABLE && row !== null ? [changeOfRow(row)] : []
      );
      if (tasks.length > 0) listener(tasks);
    });
  }

  async checkpoint(): Promise<CheckpointReport> {
    const report = await this.#ledger.checkpoint();
    logCheckpoint(this.#ledger.location, report);
    return report;
  }

  async heartbeat(worker: WorkerBeat): Promise<void> {
    const prepared = prepareBeat(worker);
    await this.#write((tx, { nowMs }) => beat(tx, prepared, nowMs));
  }

  async retireWorker(workerId: string): Promise<void> {
    await this.#write((tx) => retireWorker(tx, workerId));
  }

  async listWorkers(): Promise<WorkerRecord[]> {
    return await this.#ledger.read((reader) => latestWorkers(reader, this.#clock.nowMs()));
  }

  async transitions(taskId: number, request: PartRequest = {}): Promise<TaskTransition[]> {
    checkInteger(taskId, "task id", 0, Number.MAX_SAFE_INTEGER);
    const part = preparePart(request);
    return await this.#ledger.read((reader) => transitionsOf(reader, taskId, part));
  }

  async history(request: HistoryRequest = {}): Promise<HistoryPage> {
    const prepared = prepareHistory(request);
    return await this.#ledger.read((reader) => history(reader, prepared));
  }

  async explain(idOrRunId: number | string): Promise<Explanation | undefined> {
    if (typeof idOrRunId === "number") {
      checkInteger(idOrRunId, "task id", 0, Number.MAX_SAFE_INTEGER);
    }
    return await this.#ledger.read((reader) => explain(reader, idOrRunId, this.#clock.nowMs()));
  }

  async metrics(request: MetricsRequest = {}): Promise<QueueMetrics> {
    const windowMs = checkWindow(request);
    return await this.#ledger.read((reader) => measure(reader, windowMs, this.#clock.nowMs()));
  }

  async health(): Promise<QueueHealth> {
    return await this.#ledger.read((reader) =>
      judge(reader, {
        thresholds: this.#health,
        storage: this.#ledger.stats(),
        lockWaitMs: this.#ledger.lockWaitMs,
        nowMs: this.#clock.nowMs(),
      })
    );
  }

  async prune(request: PruneRequest): Promise<PruneReport> {
    return await this.#prune(preparePrune(request));
  }

  async #prune({ statuses, keep, olderThanMs }: PreparedPrune): Promise<PruneReport> {
    const beforeMs = this.#clock.nowMs() - olderThanMs;
    const byStatus = { completed: 0, failed: 0, cancelled: 0 };
    for (const status of statuses) {
      byStatus[status] = await this.#pruneStatus(status, { keep, beforeMs });
    }
    const pruned = byStatus.completed + byStatus.failed + byStatus.cancelled;
    logPruned(this.#ledger.location, { pruned, byStatus });
    return { pruned, byStatus };
  }

  /** One transaction after the other, so that other work goes on in between. */
  async #pruneStatus(
    status: PrunableStatus,
    { keep, beforeMs }: { readonly keep: number; readonly beforeMs: number },
  ): Promise<number> {
    const bound = await this.#ledger.read((reader) => pruneBound(reader, status, keep));
    if (bound === undefined) return 0;
    for (let pruned = 0;;) {
      const ids = await this.#write((tx) => prune(tx, status, { bound, beforeMs }));
      if (ids.length > 0) this.#tellPruned(ids);
      pruned += ids.length;
      if (ids.length < PRUNE_MAX) return pruned;
    }
  }

  #tellPruned(ids: readonly number[]): void {
    try {
      this.#onPruned(ids);
    } catch (error) {
      this.#report(error);
    }
  }

  async backup(path: string): Promise<BackupReport> {
    const write = this.#writeBackup;
    if (write === undefined) throw new StorageError("back up to", path, "there are no files here");
    const report = await write(path, await this.#ledger.exportDurable());
    logBackup(this.#ledger.location, report);
    return report;
  }

  async integrityCheck(): Promise<IntegrityReport> {
    const storage = await this.#ledger.verify();
    const problems = [...storage, ...await this.#ledger.read(impossibleRows)];
    return { ok: problems.length === 0, problems };
  }

  storageStats(): StorageStats {
    return this.#ledger.stats();
  }

  async exportRecords(request: RecordRequest = {}): Promise<TaskRecord[]> {
    const statuses = prepareRecordRequest(request);
    return await this.#ledger.read((reader) => exportRecords(reader, statuses));
  }

  async exportAll(): Promise<QueueRecords> {
    return await this.#ledger.read(exportAll);
  }

  async importRecords(
    records: readonly TaskRecord[],
    { schedules = [], ...options }: RecordImportRequest = {},
  ): Promise<RecordImport> {
    const prepared = prepareImport(records, schedules, this.#payloadMaxBytes);
    if (options.dryRun) {
      return await this.#ledger.read((reader) => dryRunImport(reader, prepared, options));
    }
    return await this.#write(
      (tx, context) => importRecords(tx, prepared, options, context),
      "high_water",
    );
  }

  async flush(): Promise<void> {
    await this.#ledger.flush();
  }

  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      for (const stop of this.#stopDuties) stop();
      this.#cancelFiring();
      this.#onClosed();
      logClosed(this.#ledger.location);
    }
    await this.#ledger.close();
  }

  /**
   * One ledger write; the time is taken when it runs, after whatever it waited for. What adds must leave the memory below a
   * mark; what makes room, or leads to it, may not be refused.
   */
  #write<T>(
    operation: (tx: Transaction, context: OperationContext) => T,
    upTo?: MemoryMark,
  ): Promise<T> {
    const run = (tx: Transaction): T =>
      operation(tx, {
        nowMs: this.#clock.nowMs(),
        random: this.#random,
        newRunId: this.#newRunId,
        retryPolicy: this.#retryPolicy,
      });
    return this.#ledger.write(run, { upTo });
  }

  /** Each duty stands alone, so that one that fails holds up no other. */
  #beginDuties(retention: readonly PreparedPrune[]): CancelTimer[] {
    const onError = (error: unknown): void => this.#report(error);
    const duties = [
      { everyMs: RESCUE_EVERY_MS, run: () => this.rescue(), onError },
      {
        everyMs: RESCUE_EVERY_MS,
        run: () => this.fireSchedules(),
        onError: (error: unknown) => this.#reportFiring(error),
      },
    ];
    const prunes = retention.map((rule) => ({
      everyMs: RETENTION_EVERY_MS,
      run: () => this.#prune(rule),
      onError,
    }));
    return [...duties, ...prunes].map((duty) => repeat(this.#clock, duty));
  }

  /** Fires on time what is to come before the next look; that one sees what another process has changed. */
  #fireAt(atMs: number | null): void {
    this.#cancelFiring();
    const delayMs = atMs === null ? Infinity : atMs - this.#clock.nowMs();
    if (this.#isClosed || delayMs > RESCUE_EVERY_MS) return;
    this.#cancelFiring = this.#clock.setTimer(() => {
      this.fireSchedules().catch((error) => {
        if (!this.#isClosed) this.#reportFiring(error);
      });
    }, Math.max(0, delayMs));
  }

  /** A full queue is told of once, until a schedule has fired again. */
  #reportFiring(error: unknown): void {
    if (error instanceof QueueFullError) {
      if (this.#isFullReported) return;
      this.#isFullReported = true;
    }
    this.#report(error);
  }

  /** Each schedule once, until it can be planned again. */
  #reportUnplannable(schedules: readonly UnplannableSchedule[]): void {
    const known = this.#unplannable;
    this.#unplannable = new Set(schedules.map(({ id }) => id));
    for (const { id, error } of schedules) if (!known.has(id)) this.#report(error);
  }

  /** A listener that throws is told of in the log only: nobody else is left. */
  #report(thrown: unknown): void {
    const error = asError(thrown);
    logBackgroundError(this.#ledger.location, error);
    try {
      this.#onBackgroundError(error);
    } catch (failure) {
      logBackgroundError(this.#ledger.location, asError(failure));
    }
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
