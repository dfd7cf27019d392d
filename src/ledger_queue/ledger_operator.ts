/**
 * LedgerOperator: the operator's half of a queue on a ledger: workers, explanations, schedules, metrics, health, pruning, records.
 */
import { PAYLOAD_LIMIT_BYTES } from "../queue_policy/new_task.ts";
import { checkInteger, checkReference, checkTaskId, checkText } from "../domain/check.ts";
import { type Task, TASK_LIMITS } from "../domain/task.ts";
import type {
  Explanation,
  HealthThresholds,
  PruneReport,
  PruneRequest,
  QueueHealth,
  QueueOperator,
} from "../queue/operator.ts";
import type { MetricsRequest, QueueMetrics, WindowMetrics } from "../queue/metrics.ts";
import type { WorkerBeat, WorkerRecord } from "../queue/workers.ts";
import type { ChildrenRequest, ChildTask } from "../queue/children.ts";
import type { PartRequest } from "../queue/page_request.ts";
import type { QueueSearch, SearchPage, SearchRequest } from "../queue/search.ts";
import type {
  QueueRecords,
  RecordImport,
  RecordImportRequest,
  RecordRequest,
  TaskRecord,
} from "../queue/records.ts";
import type {
  AddScheduleResult,
  NewSchedule,
  Schedule,
  ScheduleListRequest,
  ScheduleRun,
  ScheduleRunsRequest,
} from "../queue/schedule.ts";
import type { HistoryPage, HistoryRequest, TaskTransition } from "../queue/task_transition.ts";
import type {
  ChangedBy,
  DeclaredLimit,
  Limit,
  LimitRecord,
  LimitScope,
  PauseOptions,
  QueueLimits,
} from "../queue/limits.ts";
import {
  prepareDeclared,
  prepareLimit,
  preparePause,
  prepareResume,
} from "../queue_policy/limit_request.ts";
import { resolveThresholds } from "../queue_policy/health_thresholds.ts";
import { prepareHistory } from "../queue_policy/history_request.ts";
import { prepareChildren } from "../queue_policy/children_request.ts";
import { prepareScheduleRuns } from "../queue_policy/schedule_runs.ts";
import { preparePart } from "../queue_policy/page_request.ts";
import {
  checkImport,
  prepareImport,
  prepareRecordRequest,
} from "../queue_policy/prepared_import.ts";
import { preparePrune } from "../queue_policy/prune_request.ts";
import { prepareSearch } from "../queue_policy/search_request.ts";
import { walkSearch } from "../queue_policy/search_walk.ts";
import { checkWindow } from "../queue_policy/rates.ts";
import { verdictOf } from "../queue_policy/verdict.ts";
import { prepareBeat } from "../queue_policy/worker_beat.ts";
import { Duties, type DutyListeners } from "./duties.ts";
import { childrenPage } from "./insight/children.ts";
import { explain } from "./insight/explain.ts";
import { healthFacts } from "./insight/health.ts";
import { measure } from "./insight/metrics.ts";
import { RecentTransitions, type WindowSum } from "./insight/recent.ts";
import { listLimits } from "./insight/limits.ts";
import { countOn } from "./insight/task_counts.ts";
import { beat, latestWorkers, retireWorker } from "./insight/workers.ts";
import type { Reader } from "../ledger/replica.ts";
import type { LedgerAccess } from "./ledger_access.ts";
import { LedgerSearch } from "./search_engine.ts";
import { TotalsSum } from "./rows/totals.ts";
import { exportAll, exportRecords } from "./records/export_records.ts";
import { dryRunImport, importRecords } from "./records/import_records.ts";
import { rowOfTask } from "./rows/task_row.ts";
import { history, transitionsOf } from "./rows/transition_log.ts";
import {
  type AddOptions,
  checkScheduleId,
  prepareAdding,
  preparePausing,
  prepareSchedule,
} from "../queue_policy/new_schedule.ts";
import { prepareScheduleList } from "../queue_policy/schedule_changes.ts";
import {
  addSchedule,
  getSchedule,
  listSchedules,
  pauseSchedule,
  removeSchedule,
} from "./schedules/store_schedule.ts";
import { scheduleRuns } from "./schedules/schedule_runs.ts";
import { pause, resume, setLimit } from "./tasks/limits.ts";

/** The operator's part of a queue on a ledger. */
export interface LedgerOperatorOptions extends DutyListeners {
  /** How large a payload may be, in bytes, 1 to 16 MiB; default 256 KiB. */
  readonly payloadMaxBytes?: number;
  /** When the queue is no longer healthy, where it differs from `HEALTH_THRESHOLDS`. */
  readonly health?: Partial<HealthThresholds>;
}

/** The operator's half of `LedgerQueue`. */
export class LedgerOperator implements QueueOperator, QueueLimits, QueueSearch {
  protected readonly access: LedgerAccess;
  protected readonly duties: Duties;
  protected readonly payloadMaxBytes: number;
  readonly #health: HealthThresholds;
  #recent: RecentTransitions | undefined;

  constructor(access: LedgerAccess, options: LedgerOperatorOptions) {
    const { payloadMaxBytes = TASK_LIMITS.payloadMaxBytes } = options;
    this.access = access;
    this.payloadMaxBytes = checkInteger(payloadMaxBytes, "payloadMaxBytes", 1, PAYLOAD_LIMIT_BYTES);
    this.#health = resolveThresholds(options.health);
    this.duties = new Duties(access, options);
  }

  async heartbeat(worker: WorkerBeat): Promise<void> {
    const prepared = prepareBeat(worker);
    await this.access.write((tx, { nowMs }) => beat(tx, prepared, nowMs));
  }

  async retireWorker(workerId: string): Promise<void> {
    const checked = checkText(workerId, "worker id");
    await this.access.write((tx) => retireWorker(tx, checked));
  }

  async listWorkers(): Promise<WorkerRecord[]> {
    return await this.access.read((reader, nowMs) => latestWorkers(reader, nowMs));
  }

  async transitions(taskId: number, request: PartRequest = {}): Promise<TaskTransition[]> {
    checkTaskId(taskId);
    const part = preparePart(request);
    return await this.access.read((reader) => transitionsOf(reader, taskId, part));
  }

  async children(taskId: number, request: ChildrenRequest = {}): Promise<ChildTask[]> {
    checkTaskId(taskId);
    const prepared = prepareChildren(request);
    return await this.access.read((reader) => {
      rowOfTask(reader, taskId);
      return childrenPage(reader, taskId, prepared);
    });
  }

  async history(request: HistoryRequest = {}): Promise<HistoryPage> {
    const prepared = prepareHistory(request);
    return await this.access.read((reader) => history(reader, prepared));
  }

  async explain(idOrRunId: number | string): Promise<Explanation | undefined> {
    checkReference(idOrRunId);
    return await this.access.read((reader, nowMs) => explain(reader, idOrRunId, nowMs));
  }

  async search(request: SearchRequest): Promise<SearchPage> {
    return await walkSearch(new LedgerSearch(this.access), prepareSearch(request));
  }

  async addSchedule(
    schedule: NewSchedule,
    options: AddOptions = {},
  ): Promise<AddScheduleResult> {
    const prepared = prepareSchedule(schedule, this.payloadMaxBytes);
    const { replace } = prepareAdding(options);
    const added = await this.access.writeIfOpen(
      (tx, { nowMs }) => addSchedule(tx, prepared, { replace, nowMs }),
      "high_water",
    );
    this.duties.schedulesChanged();
    return added;
  }

  async getSchedule(id: string): Promise<Schedule | undefined> {
    const checked = checkText(id, "schedule id");
    return await this.access.read((reader, nowMs) => getSchedule(reader, checked, nowMs));
  }

  async listSchedules(request: ScheduleListRequest = {}): Promise<Schedule[]> {
    const prepared = prepareScheduleList(request);
    return await this.access.read((reader, nowMs) => listSchedules(reader, prepared, nowMs));
  }

  async scheduleRuns(id: string, request: ScheduleRunsRequest = {}): Promise<ScheduleRun[]> {
    const checked = checkText(id, "schedule id");
    const limit = prepareScheduleRuns(request);
    return await this.access.read((reader) => scheduleRuns(reader, checked, limit));
  }

  async removeSchedule(id: string): Promise<boolean> {
    return await this.access.writeIfOpen((tx) => removeSchedule(tx, checkScheduleId(id)));
  }

  async pauseSchedule(id: string, paused: boolean): Promise<Schedule> {
    const change = preparePausing(id, paused);
    const schedule = await this.access.writeIfOpen((tx, { nowMs }) =>
      pauseSchedule(tx, change, nowMs)
    );
    this.duties.schedulesChanged();
    return schedule;
  }

  async fireSchedules(): Promise<Task[]> {
    return await this.duties.fireSchedules();
  }

  async setLimit(
    scope: LimitScope,
    limit: Limit | null,
    options: ChangedBy = {},
  ): Promise<boolean> {
    const prepared = prepareLimit(scope, limit, options);
    return await this.access.write((tx, { nowMs }) => setLimit(tx, prepared, nowMs));
  }

  async declareLimits(limits: readonly DeclaredLimit[]): Promise<number> {
    const prepared = prepareDeclared(limits);
    return await this.access.write((tx, { nowMs }) =>
      prepared.filter((limit) => setLimit(tx, limit, nowMs)).length
    );
  }

  async pause(scope: LimitScope, options: PauseOptions = {}): Promise<boolean> {
    const prepared = preparePause(scope, options);
    return await this.access.write((tx, { nowMs }) => pause(tx, prepared, nowMs));
  }

  async resume(scope: LimitScope, options: ChangedBy = {}): Promise<boolean> {
    const key = prepareResume(scope, options);
    return await this.access.write((tx, { nowMs }) => resume(tx, key, nowMs));
  }

  async listLimits(): Promise<LimitRecord[]> {
    return await this.access.readCounted(listLimits);
  }

  async metrics(request: MetricsRequest = {}): Promise<QueueMetrics> {
    const windowMs = checkWindow(request);
    const sum = new TotalsSum();
    return await this.#withWindow(
      windowMs,
      (reader, window, nowMs) => measure(reader, { window, totals: sum.values() }, nowMs),
      (reader) => sum.follow(reader),
    );
  }

  async health(): Promise<QueueHealth> {
    const { ledger } = this.access;
    const thresholds = this.#health;
    return await this.#withWindow(thresholds.failureWindowMs, (reader, window, nowMs) =>
      verdictOf({
        ...healthFacts(reader, { thresholds, window, nowMs }),
        storage: ledger.stats(),
        lockWaitMs: ledger.lockWaitMs,
        failingDuties: this.duties.failures.failing,
        unplannable: this.duties.unplannable,
      }));
  }

  /**
   * One read that knows all counts and what happened in a window, and for which `follow` has nothing left to look at; what it has yet
   * to learn, or to add up, holds nothing else up.
   */
  async #withWindow<T>(
    windowMs: number,
    operation: (reader: Reader, window: WindowMetrics, nowMs: number) => T,
    follow: (reader: Reader) => boolean = () => true,
  ): Promise<T> {
    this.#recent ??= this.#beginRecent();
    const recent = this.#recent;
    let sum: WindowSum | undefined;
    return await this.access.readOnce((reader, nowMs) => {
      if (!countOn(reader) || recent.follow(reader) || !follow(reader)) return undefined;
      sum ??= recent.sumOf(windowMs, nowMs);
      const window = sum.next();
      return window && { value: operation(reader, window, nowMs) };
    });
  }

  #beginRecent(): RecentTransitions {
    const recent = new RecentTransitions();
    this.access.ledger.watch((changes) => recent.heed(changes));
    return recent;
  }

  async prune(request: PruneRequest): Promise<PruneReport> {
    return await this.duties.prune(preparePrune(request));
  }

  async exportRecords(request: RecordRequest = {}): Promise<TaskRecord[]> {
    const statuses = prepareRecordRequest(request);
    return await this.access.read((reader) => exportRecords(reader, statuses));
  }

  async exportAll(): Promise<QueueRecords> {
    return await this.access.read(exportAll);
  }

  async importRecords(
    records: readonly TaskRecord[],
    request: RecordImportRequest = {},
  ): Promise<RecordImport> {
    checkImport(records, request);
    const { schedules, limits, ...options } = request;
    const prepared = prepareImport(records, { schedules, limits }, this.payloadMaxBytes);
    if (options.dryRun) {
      return await this.access.read((reader) => dryRunImport(reader, prepared, options));
    }
    return await this.access.writeIfOpen(
      (tx, context) => importRecords(tx, prepared, options, context),
      "high_water",
    );
  }
}
