/**
 * PostgresQueue: the TaskQueue whose tasks are rows on a PostgreSQL server, shared by processes on any number of machines.
 *
 * Every argument is checked before any effect; every change is one transaction of READ COMMITTED.
 */
import { resolveRetryPolicy } from "../domain/backoff.ts";
import { checkFunction, checkTaskId, checkText } from "../domain/check.ts";
import type { LeaseLike, NewTask, Task, TaskReference } from "../domain/task.ts";
import { toLease } from "../domain/to_lease.ts";
import type { MovableQueue } from "../queue/move_end.ts";
import type { BulkReport, BulkRequest } from "../queue/bulk.ts";
import type { TaskReplacement, TaskUpdate, UpdateOptions } from "../queue/changes.ts";
import type { ChangedBy } from "../queue/limits.ts";
import type { PartRequest } from "../queue/page_request.ts";
import type {
  ClaimRequest,
  CompleteOptions,
  EnqueueOptions,
  EnqueueResult,
  FailOptions,
  IsWanted,
  ListRequest,
  ParentResult,
  QueueStats,
  ReleaseOptions,
  TaskChanges,
  WaitOptions,
} from "../queue/task_queue.ts";
import { checkMaxAttempts } from "../queue_policy/attempt_end.ts";
import { prepareClaim } from "../queue_policy/claim_request.ts";
import {
  checkFailOptions,
  checkReleaseDelay,
  type Completion,
  prepareCompletion,
  prepareProgress,
  prepareRenewal,
} from "../queue_policy/attempt_request.ts";
import { inEnqueueSpan, inFollowingSpan } from "../queue_policy/enqueue_span.ts";
import { prepareBulk } from "../queue_policy/bulk_request.ts";
import { walk } from "../queue_policy/bulk_walk.ts";
import { prepareBy } from "../queue_policy/changed_by.ts";
import { failureOf } from "../queue_policy/failure.ts";
import { prepareList } from "../queue_policy/list_request.ts";
import { checkBatch, type PreparedTask, prepareTask } from "../queue_policy/new_task.ts";
import { preparePart } from "../queue_policy/page_request.ts";
import { ReportsInTurn } from "../queue_policy/reports_in_turn.ts";
import { prepareReplacement } from "../queue_policy/replacement.ts";
import { prepareUpdate } from "../queue_policy/update_request.ts";
import { Waits } from "../queue_policy/waiting.ts";
import { PostgresBulk } from "./bulk_engine.ts";
import { CallGroup, GROUP } from "./call_group.ts";
import { Claims } from "./claims.ts";
import { count, list } from "./insight/list.ts";
import { parentResults } from "./insight/parent_results.ts";
import { stats } from "./insight/stats.ts";
import { joinTransaction } from "./join_transaction.ts";
import { PostgresOperator, type PostgresOperatorOptions } from "./postgres_operator.ts";
import type { PostgresAccess } from "./postgres_access.ts";
import { PostgresMoveEnd } from "./records/postgres_move_end.ts";
import { checkOpen } from "./rows/closure.ts";
import { soughtName } from "./rows/sought_name.ts";
import { SELECT_TASKS, taskOfRow, type TaskRow, taskRows } from "./rows/task_row.ts";
import { cancel, retry } from "./tasks/cancel_retry.ts";
import { enqueueAll, type Enqueued, findEnqueued } from "./tasks/enqueue.ts";
import { enqueueNew, findNew, type NewEntry, standsAlone } from "./tasks/enqueue_new.ts";
import {
  complete,
  completeHeld,
  fail,
  type Progress,
  progressHeld,
  release,
  renew,
  type Renewal,
  renewHeld,
  reportProgress,
} from "./tasks/lease.ts";
import { remove } from "./tasks/remove.ts";
import { replace } from "./tasks/replace.ts";
import { update } from "./tasks/update.ts";

/** A queue on a database. */
export class PostgresQueue extends PostgresOperator implements MovableQueue {
  /** What a move needs of the queue. */
  readonly moveEnd = new PostgresMoveEnd(this.access);
  readonly #claims = new Claims(this.access, () => this.hearing);
  readonly #enqueues: CallGroup<NewEntry, EnqueueResult>;
  readonly #completions: CallGroup<Completion, Task>;
  readonly #renewals: CallGroup<Renewal, Task>;
  readonly #reports = new ReportsInTurn();
  readonly #waits = new Waits(this, this.access.clock);

  constructor(access: PostgresAccess, options: PostgresOperatorOptions) {
    super(access, options);
    this.#enqueues = new CallGroup({ ...GROUP, run: (entries) => this.#enqueueNew(entries) });
    this.#completions = new CallGroup({
      ...GROUP,
      keyOf: ({ lease }) => lease.taskId,
      run: (completions) => this.#complete(completions),
    });
    this.#renewals = new CallGroup({
      ...GROUP,
      keyOf: ({ lease }) => lease.taskId,
      run: (renewals) => this.#renew(renewals),
    });
  }

  async enqueue(
    task: NewTask,
    options: EnqueueOptions = {},
  ): Promise<EnqueueResult> {
    const tx = options?.tx;
    const own = tx === undefined ? options : { ...options, tx: undefined };
    const prepared = prepareTask(task, this.payloadMaxBytes, own);
    return await inEnqueueSpan([prepared.kept.type], async (traceParent) => {
      if (tx !== undefined) return await this.#storeWithin(tx, prepared, traceParent);
      if (!standsAlone(prepared)) return (await this.#store([prepared], traceParent))[0]!;
      await this.access.ensureLanes([prepared]);
      const runId = prepared.runId ?? this.access.newRunId();
      return await this.#enqueues.call({ task: prepared, runId, traceParent });
    });
  }

  /** Lanes have a transaction of their own: they may stay when the caller's is undone. */
  async #storeWithin(
    tx: object,
    prepared: PreparedTask,
    traceParent: string | null,
  ): Promise<EnqueueResult> {
    await this.access.ensureLanes([prepared]);
    return await joinTransaction(this.access, tx, async (work) => {
      await checkOpen(work.tx);
      const [enqueued] = await enqueueAll(work, [prepared], { traceParent });
      return resultOf(enqueued!);
    });
  }

  async enqueueBatch(tasks: readonly NewTask[]): Promise<EnqueueResult[]> {
    checkBatch(tasks);
    const prepared = tasks.map((task) => prepareTask(task, this.payloadMaxBytes));
    const types = prepared.map(({ kept }) => kept.type);
    return await inEnqueueSpan(types, (traceParent) => this.#store(prepared, traceParent));
  }

  async #store(
    prepared: readonly PreparedTask[],
    traceParent: string | null,
  ): Promise<EnqueueResult[]> {
    const { access } = this;
    await access.ensureLanes(prepared);
    // with a name from the start, a task can be found again when the answer is lost
    const tasks = prepared.map((task) => ({ ...task, runId: task.runId ?? access.newRunId() }));
    const enqueued = await access.writeIfOpen(async (work, isRepeat) => {
      const stored = isRepeat ? await findEnqueued(work, tasks) : undefined;
      return stored ?? await enqueueAll(work, tasks, { traceParent });
    });
    return enqueued.map(resultOf);
  }

  async #enqueueNew(entries: readonly NewEntry[]): Promise<Promise<EnqueueResult>[]> {
    const { access } = this;
    const { lanes, random, testMs: nowMs } = access;
    const rows = await access.persist(async (isRepeat) => {
      const stored = isRepeat ? await findNew(access.once, entries) : [];
      const known = new Set(stored.map(({ run_id }) => run_id));
      const left = entries.filter(({ runId }) => !known.has(runId));
      return [...stored, ...await enqueueNew(access.once, left, { lanes, random, nowMs })];
    });
    access.changed(rows);
    const byRunId = new Map(rows.map((row) => [row.run_id, row]));
    return entries.map(async ({ task, runId, traceParent }) => {
      const row = byRunId.get(runId);
      byRunId.delete(runId); // another entry may have the same run id, or the same key
      if (row !== undefined) return resultOf({ row, created: true, outcome: "created" });
      return (await this.#store([{ ...task, runId }], traceParent))[0]!;
    });
  }

  async get(id: number): Promise<Task | undefined> {
    checkTaskId(id);
    const rows = await this.access.statements.query(`${SELECT_TASKS} where t.id = $1`, [id]);
    return taskRows(rows).map(taskOfRow)[0];
  }

  async getByRunId(runId: string): Promise<Task | undefined> {
    const select = `${SELECT_TASKS} where t.run_id = $1`;
    const rows = await this.access.statements.query(select, [
      soughtName(checkText(runId, "run id")),
    ]);
    return taskRows(rows).map(taskOfRow)[0];
  }

  wait(reference: TaskReference, options: WaitOptions = {}): Promise<Task> {
    return this.#waits.wait(reference, options);
  }

  async list(request: ListRequest = {}): Promise<Task[]> {
    const prepared = prepareList(request);
    return (await this.access.read((tx) => list(tx, prepared))).map(taskOfRow);
  }

  async parentResults(taskId: number, request: PartRequest = {}): Promise<ParentResult[]> {
    checkTaskId(taskId);
    const part = preparePart(request);
    return await this.access.read((tx) => parentResults(tx, taskId, part));
  }

  async count(request: Pick<ListRequest, "status" | "type" | "group"> = {}): Promise<number> {
    const prepared = prepareList(request);
    return await this.access.read((tx) => count(tx, prepared));
  }

  async nextDueAt(): Promise<Date | null> {
    return await this.#claims.nextDueAt();
  }

  async claim(request: ClaimRequest): Promise<Task[]> {
    return await this.#claims.claim(prepareClaim(request));
  }

  async renew(
    lease: LeaseLike,
    options: { readonly leaseDurationMs?: number } = {},
  ): Promise<Task> {
    const leaseDurationMs = prepareRenewal(options);
    return await this.#renewals.call({ lease: toLease(lease), leaseDurationMs });
  }

  async #renew(renewals: readonly Renewal[]): Promise<Promise<Task>[]> {
    const { statements, testMs } = this.access;
    const rows = this.#byId(await renewHeld(statements, renewals, testMs));
    return renewals.map(async (renewal) => {
      const row = rows.get(renewal.lease.taskId);
      return taskOfRow(row ?? await this.access.write((work) => renew(work, renewal)));
    });
  }

  async reportProgress(lease: LeaseLike, percent: number, message?: string): Promise<Task> {
    const progress = prepareProgress(lease, percent, message);
    const { taskId } = progress.lease;
    return taskOfRow(await this.#reports.send(taskId, () => this.#progress(progress)));
  }

  async #progress(progress: Progress): Promise<TaskRow> {
    const { statements, testMs } = this.access;
    const row = await progressHeld(statements, progress, testMs);
    if (row === undefined) return await this.access.write((work) => reportProgress(work, progress));
    this.access.changed([row]);
    return row;
  }

  async complete(
    lease: LeaseLike,
    result: unknown = null,
    options: CompleteOptions = {},
  ): Promise<Task> {
    const { access } = this;
    const completion = prepareCompletion(lease, result, options, this.payloadMaxBytes);
    if (completion.tasks.length === 0) return await this.#completions.call(completion);
    await access.ensureLanes(completion.tasks);
    return await inFollowingSpan(completion.tasks, async (traceParent) => {
      const traced = { ...completion, traceParent };
      return taskOfRow(
        await access.write((work, isRepeat) => complete(work, traced, isRepeat)),
      );
    });
  }

  async #complete(completions: readonly Completion[]): Promise<Promise<Task>[]> {
    const { access } = this;
    let isInDoubt = false;
    const rows = this.#byId(
      await access.persist((isRepeat) => {
        isInDoubt ||= isRepeat;
        return completeHeld(access.once, completions, access.testMs);
      }),
    );
    return completions.map(async (completion) => {
      const row = rows.get(completion.lease.taskId) ??
        await access.write((work, isRepeat) =>
          complete(work, { ...completion, traceParent: null }, isInDoubt || isRepeat)
        );
      return taskOfRow(row);
    });
  }

  async fail(lease: LeaseLike, error: unknown, options: FailOptions = {}): Promise<Task> {
    const { retryPolicy, maxAttempts } = checkFailOptions(options);
    const failure = failureOf(error, {
      retryPolicy: retryPolicy === undefined
        ? null
        : resolveRetryPolicy(retryPolicy, this.access.retryPolicy),
      maxAttempts: maxAttempts === undefined ? null : checkMaxAttempts(maxAttempts),
    });
    const held = toLease(lease);
    await this.#reports.settled(held.taskId);
    const row = await this.access.write((work, isRepeat) =>
      fail(work, { lease: held, failure }, isRepeat)
    );
    return taskOfRow(row);
  }

  async release(lease: LeaseLike, options: ReleaseOptions = {}): Promise<Task> {
    const returned = { lease: toLease(lease), delayMs: checkReleaseDelay(options) };
    const row = await this.access.write((work, isRepeat) => release(work, returned, isRepeat));
    return taskOfRow(row);
  }

  async cancel(id: number, options: ChangedBy = {}): Promise<boolean> {
    const asked = { id: checkTaskId(id), by: prepareBy(options, "cancel") };
    return await this.access.write((work) => cancel(work, asked));
  }

  async retry(id: number, options: ChangedBy = {}): Promise<boolean> {
    const asked = { id: checkTaskId(id), by: prepareBy(options, "retry") };
    return await this.access.writeIfOpen((work) => retry(work, asked));
  }

  async update(id: number, changes: TaskUpdate, options: UpdateOptions = {}): Promise<Task> {
    checkTaskId(id);
    const prepared = prepareUpdate(changes, options);
    if (changes.group !== undefined) await this.#ensureLaneOf(id, changes.group);
    return taskOfRow(await this.access.writeIfOpen((work) => update(work, id, prepared)));
  }

  /** Tasks with a group have lanes of their own: sees to that of a task that is to have this group, or keeps its own. */
  async #ensureLaneOf(id: number, group: string | null | undefined): Promise<void> {
    const rows = await this.access.statements.query(`${SELECT_TASKS} where t.id = $1`, [id]);
    await this.access.lanes.ensure(
      taskRows(rows).map((row) => ({ ...row, grp: group === undefined ? row.grp : group ?? "" })),
    );
  }

  async replace(
    id: number,
    replacement: TaskReplacement,
    options: UpdateOptions = {},
  ): Promise<Task> {
    const prepared = prepareReplacement(replacement, options, this.payloadMaxBytes);
    const runId = prepared.runId ?? this.access.newRunId();
    const asked = { id: checkTaskId(id), replacement: { ...prepared, runId } };
    await this.#ensureLaneOf(id, replacement.group);
    const row = await this.access.writeIfOpen((work, isRepeat) => replace(work, asked, isRepeat));
    return taskOfRow(row);
  }

  async remove(id: number, options: ChangedBy = {}): Promise<void> {
    const asked = { id: checkTaskId(id), by: prepareBy(options, "remove") };
    for (let wasCancelled = false;; wasCancelled = true) {
      const isGone = await this.access.writeIfOpen(async (work, isRepeat) => {
        const isDone = isRepeat && await work.row(id) === undefined;
        return isDone || await remove(work, asked);
      });
      if (!isGone) continue;
      if (wasCancelled) this.access.changed("many"); // who reads only now finds no task that could say so
      return this.duties.tellPruned([id]);
    }
  }

  async bulk(request: BulkRequest): Promise<BulkReport> {
    return await walk(new PostgresBulk(this.access, this.duties), prepareBulk(request));
  }

  async rescue(): Promise<Task[]> {
    return await this.duties.rescue();
  }

  async stats(): Promise<QueueStats> {
    return await this.access.read((tx, nowMs) => stats(tx, nowMs));
  }

  watch(listener: (changes: TaskChanges) => void, isWanted?: IsWanted): () => void {
    return this.feed.watch(checkFunction(listener, "listener"), isWanted);
  }

  async flush(): Promise<void> {
    await this.access.statements.query("select 1");
  }

  override close(): Promise<void> {
    this.#waits.close();
    return super.close();
  }

  /** The rows by their ids; who watches hears of them. */
  #byId(rows: readonly TaskRow[]): ReadonlyMap<number, TaskRow> {
    this.access.changed(rows);
    return new Map(rows.map((row) => [row.id, row]));
  }
}

function resultOf({ row, created, outcome }: Enqueued): EnqueueResult {
  return { task: taskOfRow(row), created, outcome };
}
