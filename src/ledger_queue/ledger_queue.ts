/**
 * LedgerQueue: the TaskQueue whose tasks are rows of a ledger.
 *
 * Every argument is checked before any effect; every change is one ledger write.
 */
import { resolveRetryPolicy } from "../domain/backoff.ts";
import { checkFunction, checkTaskId, checkText } from "../domain/check.ts";
import { StorageError } from "../domain/errors.ts";
import type { CheckpointReport, StorageStats } from "../domain/storage_stats.ts";
import type { LeaseLike, NewTask, Task, TaskReference } from "../domain/task.ts";
import { toLease } from "../domain/to_lease.ts";
import type { Ledger, LedgerExport } from "../ledger/ledger.ts";
import type { BackupReport, EmbeddedQueue, IntegrityReport } from "../queue/maintenance.ts";
import type { BulkReport, BulkRequest } from "../queue/bulk.ts";
import type { TaskReplacement, TaskUpdate, UpdateOptions } from "../queue/changes.ts";
import type { ChangedBy } from "../queue/limits.ts";
import type { PruneRequest } from "../queue/operator.ts";
import type { MovableQueue } from "../queue/move_end.ts";
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
  TaskChange,
  TaskChanges,
  WaitOptions,
} from "../queue/task_queue.ts";
import type { Transaction } from "../ledger/replica.ts";
import type { LedgerChanges } from "../ledger/change_feed.ts";
import { checkMaxAttempts } from "../queue_policy/attempt_end.ts";
import {
  checkFailOptions,
  checkReleaseDelay,
  prepareCompletion,
  prepareProgress,
  prepareRenewal,
} from "../queue_policy/attempt_request.ts";
import { inEnqueueSpan, inFollowingSpan } from "../queue_policy/enqueue_span.ts";
import { prepareClaim, type PreparedClaim } from "../queue_policy/claim_request.ts";
import { prepareBulk } from "../queue_policy/bulk_request.ts";
import { walk } from "../queue_policy/bulk_walk.ts";
import { prepareBy } from "../queue_policy/changed_by.ts";
import { failureOf } from "../queue_policy/failure.ts";
import { prepareList } from "../queue_policy/list_request.ts";
import {
  checkBatch,
  isDueOnceStored,
  type PreparedTask,
  prepareTask,
} from "../queue_policy/new_task.ts";
import { preparePart } from "../queue_policy/page_request.ts";
import { preparePrune } from "../queue_policy/prune_request.ts";
import { prepareReplacement } from "../queue_policy/replacement.ts";
import { prepareUpdate } from "../queue_policy/update_request.ts";
import { Waits } from "../queue_policy/waiting.ts";
import { LedgerBulk } from "./bulk_engine.ts";
import { impossibleRows } from "./insight/integrity.ts";
import { count, list } from "./insight/list.ts";
import { stats } from "./insight/stats.ts";
import { type AccessOptions, LedgerAccess } from "./ledger_access.ts";
import { LedgerOperator, type LedgerOperatorOptions } from "./ledger_operator.ts";
import { logBackup, logCheckpoint, logClosed, logOpened } from "./queue_log.ts";
import { LedgerMoveEnd } from "./records/ledger_move_end.ts";
import { flowOf } from "./rows/flow_rows.ts";
import type { OperationContext } from "./rows/context.ts";
import { closureIn } from "./rows/notes.ts";
import { FLOW_TABLE, SLOT_TABLE, TASK_TABLE } from "./rows/schema.ts";
import { changeOfRow, findRow, oncePerRow, rowOfTask, taskOfRow } from "./rows/task_row.ts";
import { cancel, retry } from "./tasks/cancel_retry.ts";
import { claim, hasClaimable, nextDueMs } from "./tasks/claim.ts";
import { parentResults } from "./tasks/dependencies.ts";
import { enqueueAll } from "./tasks/enqueue.ts";
import { complete, fail, release, renew, reportProgress } from "./tasks/lease.ts";
import { remove } from "./tasks/remove.ts";
import { replace } from "./tasks/replace.ts";
import { update } from "./tasks/update.ts";

/** How a queue is made from a ledger. */
export interface LedgerQueueOptions extends AccessOptions, LedgerOperatorOptions {
  /** Whether the ledger is read only; default false. */
  readonly isReadOnly?: boolean;
  /** Which finished tasks are deleted by the queue itself; default none. */
  readonly retention?: readonly PruneRequest[];
  /** Writes and verifies a backup file; without it `backup` is refused. */
  readonly writeBackup?: (path: string, content: LedgerExport) => Promise<BackupReport>;
  /** Called when the queue is closed. */
  readonly onClosed?: () => void;
}

/** A result of so many characters is taken however full the memory is, as everything else is that ends a task. */
const SMALL_RESULT_LENGTH = 4096;

/** A queue on a ledger. */
export class LedgerQueue extends LedgerOperator implements EmbeddedQueue, MovableQueue {
  /** What a move needs of the queue. */
  readonly moveEnd = new LedgerMoveEnd(this.access);
  readonly #writeBackup: LedgerQueueOptions["writeBackup"];
  readonly #onClosed: () => void;
  readonly #waits = new Waits(this, this.access.clock);
  readonly #storingListeners = new Set<(types: readonly string[]) => void>();
  #isClosed = false;

  constructor(ledger: Ledger, options: LedgerQueueOptions) {
    super(new LedgerAccess(ledger, options), options);
    this.#writeBackup = options.writeBackup;
    this.#onClosed = options.onClosed ?? (() => {});
    const retention = (options.retention ?? []).map(preparePrune);
    if (!options.isReadOnly) this.duties.begin(retention);
    logOpened(ledger.location, ledger.tornTails);
  }

  async enqueue(task: NewTask, options: EnqueueOptions = {}): Promise<EnqueueResult> {
    const [result] = await this.#store([prepareTask(task, this.payloadMaxBytes, options)]);
    return result!;
  }

  async enqueueBatch(tasks: readonly NewTask[]): Promise<EnqueueResult[]> {
    checkBatch(tasks);
    return await this.#store(tasks.map((task) => prepareTask(task, this.payloadMaxBytes)));
  }

  async #store(prepared: readonly PreparedTask[]): Promise<EnqueueResult[]> {
    const types = prepared.map(({ kept }) => kept.type);
    this.#tellStoring(prepared);
    const enqueued = await inEnqueueSpan(
      types,
      (traceParent) =>
        this.access.writeIfOpen(
          (tx, context) => enqueueAll(tx, prepared, { ...context, traceParent }),
          "high_water",
        ),
    );
    const taskOf = oncePerRow(taskOfRow);
    return enqueued.map(({ row, created, outcome }) => ({ task: taskOf(row), created, outcome }));
  }

  /** Before anything is stored, so that a listener that throws leaves everything as it was. */
  #tellStoring(tasks: readonly PreparedTask[]): void {
    if (this.#storingListeners.size === 0) return;
    const nowMs = this.access.clock.nowMs();
    const due = tasks.filter((task) => isDueOnceStored(task, nowMs));
    const types = [...new Set(due.map(({ kept }) => kept.type))];
    if (types.length === 0) return;
    for (const listener of this.#storingListeners) listener(types);
  }

  async get(id: number): Promise<Task | undefined> {
    checkTaskId(id);
    const row = await this.access.read((reader) => findRow(reader, id));
    return row && taskOfRow(row);
  }

  async getByRunId(runId: string): Promise<Task | undefined> {
    const select = "SELECT * FROM task_queue WHERE run_id = ?";
    const checked = checkText(runId, "run id");
    const [row] = await this.access.read((reader) => reader.read(select, [checked]));
    return row && taskOfRow(row);
  }

  wait(reference: TaskReference, options: WaitOptions = {}): Promise<Task> {
    return this.#waits.wait(reference, options);
  }

  async list(request: ListRequest = {}): Promise<Task[]> {
    const prepared = prepareList(request);
    return (await this.access.read((reader) => list(reader, prepared))).map(taskOfRow);
  }

  async parentResults(taskId: number, request: PartRequest = {}): Promise<ParentResult[]> {
    checkTaskId(taskId);
    const part = preparePart(request);
    return await this.access.read((reader) => {
      rowOfTask(reader, taskId);
      return parentResults(reader, taskId, part);
    });
  }

  async count(request: Pick<ListRequest, "status" | "type" | "group"> = {}): Promise<number> {
    const prepared = prepareList(request);
    return await this.access.read((reader) => count(reader, prepared));
  }

  async nextDueAt(): Promise<Date | null> {
    const dueMs = await this.access.read((reader, nowMs) => nextDueMs(reader, nowMs));
    return dueMs === undefined ? null : new Date(dueMs);
  }

  async claim(request: ClaimRequest): Promise<Task[]> {
    const prepared = prepareClaim(request);
    if (!this.access.ledger.isGathering && !await this.#mayClaim(prepared)) return [];
    for (;;) {
      const rows = await this.access.writeIfOpen((tx, context) => claim(tx, prepared, context));
      if (rows !== undefined) return rows.map(taskOfRow);
    }
  }

  /** Whether a claim is worth a commit of its own. */
  async #mayClaim(request: PreparedClaim): Promise<boolean> {
    return await this.access.read((reader, nowMs) =>
      closureIn(reader) !== null || hasClaimable(reader, request, nowMs)
    );
  }

  async renew(
    lease: LeaseLike,
    options: { readonly leaseDurationMs?: number } = {},
  ): Promise<Task> {
    const held = toLease(lease);
    const leaseDurationMs = prepareRenewal(options);
    return taskOfRow(
      await this.access.write((tx, context) => renew(tx, held, leaseDurationMs, context)),
    );
  }

  async reportProgress(lease: LeaseLike, percent: number, message?: string): Promise<Task> {
    const progress = prepareProgress(lease, percent, message);
    return taskOfRow(
      await this.access.write((tx, context) =>
        reportProgress(tx, progress.lease, progress, context)
      ),
    );
  }

  async complete(
    lease: LeaseLike,
    result: unknown = null,
    options: CompleteOptions = {},
  ): Promise<Task> {
    const completion = prepareCompletion(lease, result, options, this.payloadMaxBytes);
    const { tasks } = completion;
    const isLarge = tasks.length > 0 || completion.result.length > SMALL_RESULT_LENGTH;
    const row = await inFollowingSpan(tasks, (traceParent) =>
      this.access.write(
        (tx, context) => complete(tx, completion, { ...context, traceParent }),
        isLarge ? "limit" : undefined,
      ));
    return taskOfRow(row);
  }

  async fail(lease: LeaseLike, error: unknown, options: FailOptions = {}): Promise<Task> {
    const held = toLease(lease);
    const { retryPolicy, maxAttempts } = checkFailOptions(options);
    const failure = failureOf(error, {
      retryPolicy: retryPolicy === undefined
        ? null
        : resolveRetryPolicy(retryPolicy, this.access.retryPolicy),
      maxAttempts: maxAttempts === undefined ? null : checkMaxAttempts(maxAttempts),
    });
    return taskOfRow(await this.access.write((tx, context) => fail(tx, held, failure, context)));
  }

  async release(lease: LeaseLike, options: ReleaseOptions = {}): Promise<Task> {
    const returned = { lease: toLease(lease), delayMs: checkReleaseDelay(options) };
    return taskOfRow(
      await this.access.write((tx, context) => release(tx, returned, context)),
    );
  }

  async cancel(id: number, options: ChangedBy = {}): Promise<boolean> {
    const asked = { id: checkTaskId(id), by: prepareBy(options, "cancel") };
    return await this.access.write((tx, context) => cancel(tx, asked, context));
  }

  async retry(id: number, options: ChangedBy = {}): Promise<boolean> {
    const asked = { id: checkTaskId(id), by: prepareBy(options, "retry") };
    return await this.access.writeIfOpen((tx, context) => retry(tx, asked, context));
  }

  async update(id: number, changes: TaskUpdate, options: UpdateOptions = {}): Promise<Task> {
    const asked = { id: checkTaskId(id), update: prepareUpdate(changes, options) };
    return taskOfRow(await this.access.writeIfOpen((tx, context) => update(tx, asked, context)));
  }

  async replace(
    id: number,
    replacement: TaskReplacement,
    options: UpdateOptions = {},
  ): Promise<Task> {
    const prepared = prepareReplacement(replacement, options, this.payloadMaxBytes);
    const asked = { id: checkTaskId(id), replacement: prepared };
    const run = (tx: Transaction, context: OperationContext) => replace(tx, asked, context);
    return taskOfRow(await this.access.writeIfOpen(run, "high_water"));
  }

  async remove(id: number, options: ChangedBy = {}): Promise<void> {
    const asked = { id: checkTaskId(id), by: prepareBy(options, "remove") };
    await this.duties.count();
    for (;;) {
      const isGone = await this.access.writeIfOpen((tx, context) => remove(tx, asked, context));
      if (isGone) return this.duties.tellPruned([id]);
    }
  }

  async bulk(request: BulkRequest): Promise<BulkReport> {
    return await walk(new LedgerBulk(this.access, this.duties), prepareBulk(request));
  }

  async rescue(): Promise<Task[]> {
    return await this.duties.rescue();
  }

  async stats(): Promise<QueueStats> {
    return await this.access.readCounted((reader, nowMs) => stats(reader, nowMs));
  }

  watch(listener: (changes: TaskChanges) => void): () => void {
    checkFunction(listener, "listener");
    return this.access.ledger.watch((changes) => {
      if (changes === "reset") return listener("reset");
      const tasks = changes.flatMap(({ table, row }) =>
        table === TASK_TABLE && row !== null ? [changeOfRow(row)] : []
      );
      if (tasks.length > 0) listener(tasks);
      if (this.#mayHaveRoom(changes, tasks)) listener("room");
    });
  }

  watchStoring(listener: (types: readonly string[]) => void): () => void {
    checkFunction(listener, "listener");
    this.#storingListeners.add(listener);
    return () => this.#storingListeners.delete(listener);
  }

  /** Whether a limit or a pause has changed, or a slot has come free. */
  #mayHaveRoom(
    changes: Exclude<LedgerChanges, "reset">,
    tasks: readonly TaskChange[],
  ): boolean {
    if (changes.some(({ table }) => table === FLOW_TABLE || table === SLOT_TABLE)) return true;
    const flow = this.access.ledger.peek(flowOf);
    return !flow.isEmpty &&
      tasks.some(({ status, type }) => status !== "leased" && flow.isLimited(type));
  }

  async checkpoint(): Promise<CheckpointReport> {
    const report = await this.access.ledger.checkpoint();
    logCheckpoint(this.access.ledger.location, report);
    return report;
  }

  async backup(path: string): Promise<BackupReport> {
    const write = this.#writeBackup;
    if (write === undefined) throw new StorageError("back up to", path, "there are no files here");
    const report = await write(path, await this.access.ledger.exportDurable());
    logBackup(this.access.ledger.location, report);
    return report;
  }

  async integrityCheck(): Promise<IntegrityReport> {
    const storage = await this.access.ledger.verify();
    const problems = [...storage, ...await this.access.read(impossibleRows)];
    return { ok: problems.length === 0, problems };
  }

  storageStats(): StorageStats {
    return this.access.ledger.stats();
  }

  async flush(): Promise<void> {
    await this.access.ledger.flush();
  }

  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.duties.stop();
      this.#waits.close();
      this.#onClosed();
      logClosed(this.access.ledger.location);
    }
    await this.access.ledger.close();
  }
}
