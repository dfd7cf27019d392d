/**
 * PostgresOperator: the operator's half of a queue on a database: workers, explanations, schedules, metrics, health, pruning,
 * records.
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
import type { MetricsRequest, QueueMetrics } from "../queue/metrics.ts";
import type { WorkerBeat, WorkerRecord } from "../queue/workers.ts";
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
import type { ChildrenRequest, ChildTask } from "../queue/children.ts";
import type { DatabaseState } from "../queue/database_state.ts";
import type { PartRequest } from "../queue/page_request.ts";
import type { QueueSearch, SearchPage, SearchRequest } from "../queue/search.ts";
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
import {
  type AddOptions,
  checkScheduleId,
  prepareAdding,
  preparePausing,
  prepareSchedule,
} from "../queue_policy/new_schedule.ts";
import {
  checkImport,
  prepareImport,
  prepareRecordRequest,
} from "../queue_policy/prepared_import.ts";
import { type PreparedPrune, preparePrune } from "../queue_policy/prune_request.ts";
import { checkWindow } from "../queue_policy/rates.ts";
import { prepareSearch } from "../queue_policy/search_request.ts";
import { walkSearch } from "../queue_policy/search_walk.ts";
import { prepareScheduleList } from "../queue_policy/schedule_changes.ts";
import { prepareBeat } from "../queue_policy/worker_beat.ts";
import { childrenPage } from "./insight/children.ts";
import { explain } from "./insight/explain.ts";
import { assess, databaseFacts } from "./insight/health.ts";
import { listLimits } from "./insight/limits.ts";
import { measure } from "./insight/metrics.ts";
import { beat, latestWorkers, retireWorker } from "./insight/workers.ts";
import { exportAll, exportRecords } from "./records/export_records.ts";
import { importRecords } from "./records/import_records.ts";
import {
  addSchedule,
  getSchedule,
  listSchedules,
  pauseSchedule,
  removeSchedule,
} from "./schedules/store_schedule.ts";
import { scheduleRuns } from "./schedules/schedule_runs.ts";
import { pause, resume, setLimits } from "./tasks/limits.ts";
import { prepareHistory } from "../queue_policy/history_request.ts";
import { prepareChildren } from "../queue_policy/children_request.ts";
import { prepareScheduleRuns } from "../queue_policy/schedule_runs.ts";
import { preparePart } from "../queue_policy/page_request.ts";
import { CallGroup } from "./call_group.ts";
import { ChangeFeed } from "./change_feed.ts";
import { Duties, type DutyListeners } from "./duties.ts";
import type { PostgresAccess } from "./postgres_access.ts";
import { history, transitionsOf } from "./rows/transition_log.ts";
import type { Hearing } from "./quiet.ts";
import { PostgresSearch } from "./search_engine.ts";
import { WakeUp } from "./wake_up.ts";

/** Who asks for the health of a queue whose server is away is told so soon: half a minute is longer than monitors wait. */
const HEALTH_AWAY_MAX_MS = 2000;

/** How many windows are measured in one read at most, and how many such reads a process has under way. */
const METRICS_GROUP = { sizeMax: 10, groupsMax: 2 } as const;

/** The operator's part of a queue on a database. */
export interface PostgresOperatorOptions extends DutyListeners {
  /** How large a payload may be, in bytes, 1 to 16 MiB; default 256 KiB. */
  readonly payloadMaxBytes?: number;
  /** When the queue is no longer healthy, where it differs from `HEALTH_THRESHOLDS`. */
  readonly health?: Partial<HealthThresholds>;
  /** Which finished tasks are deleted by the queue itself; default none. */
  readonly retention?: readonly PruneRequest[];
  /** Called when the queue is closed. */
  readonly onClosed?: () => void;
}

/** The operator's half of `PostgresQueue`. */
export class PostgresOperator implements QueueOperator, QueueLimits, QueueSearch {
  protected readonly access: PostgresAccess;
  protected readonly duties: Duties;
  protected readonly feed: ChangeFeed;
  protected readonly payloadMaxBytes: number;
  readonly #wakeUp: WakeUp;
  readonly #health: HealthThresholds;
  readonly #retention: readonly PreparedPrune[];
  readonly #onClosed: () => void;
  /** Windows that are asked for at the same time are measured in one read: the tasks are counted once. */
  readonly #metrics: CallGroup<number, QueueMetrics>;
  #closing: Promise<void> | undefined;

  constructor(access: PostgresAccess, options: PostgresOperatorOptions) {
    const { payloadMaxBytes = TASK_LIMITS.payloadMaxBytes, onClosed = () => {} } = options;
    this.access = access;
    this.payloadMaxBytes = checkInteger(payloadMaxBytes, "payloadMaxBytes", 1, PAYLOAD_LIMIT_BYTES);
    this.#health = resolveThresholds(options.health);
    this.#retention = (options.retention ?? []).map(preparePrune);
    this.duties = new Duties(access, options);
    const onError = (error: unknown): void => this.duties.report(error);
    this.feed = new ChangeFeed(onError);
    this.#wakeUp = new WakeUp({ access, feed: this.feed, onError });
    this.#onClosed = onClosed;
    this.#metrics = new CallGroup({ ...METRICS_GROUP, run: (windows) => this.#measure(windows) });
    access.tellChanges((rows) => this.#wakeUp.note(rows), () => this.#wakeUp.noteRoom());
  }

  /** What this process hears of changes by others. */
  protected get hearing(): Hearing {
    return { isListening: this.#wakeUp.mode === "listening", changes: this.#wakeUp.changes };
  }

  /** Begins what the queue does by itself. */
  async begin(): Promise<void> {
    this.duties.begin(this.#retention);
    await this.#wakeUp.begin();
  }

  async transitions(taskId: number, request: PartRequest = {}): Promise<TaskTransition[]> {
    checkTaskId(taskId);
    const part = preparePart(request);
    return await this.access.read((tx) => transitionsOf(tx, taskId, part));
  }

  async children(taskId: number, request: ChildrenRequest = {}): Promise<ChildTask[]> {
    checkTaskId(taskId);
    const prepared = prepareChildren(request);
    return await this.access.read((tx) => childrenPage(tx, taskId, prepared));
  }

  async history(request: HistoryRequest = {}): Promise<HistoryPage> {
    const prepared = prepareHistory(request);
    return await this.access.read((tx) => history(tx, prepared));
  }

  async heartbeat(worker: WorkerBeat): Promise<void> {
    await beat(this.access.statements, prepareBeat(worker), this.access.testMs);
  }

  async retireWorker(workerId: string): Promise<void> {
    await retireWorker(this.access.statements, checkText(workerId, "worker id"));
  }

  async listWorkers(): Promise<WorkerRecord[]> {
    return await this.access.read((tx, nowMs) => latestWorkers(tx, nowMs));
  }

  async explain(idOrRunId: number | string): Promise<Explanation | undefined> {
    checkReference(idOrRunId);
    return await this.access.read((tx, nowMs) => explain(tx, idOrRunId, nowMs));
  }

  async search(request: SearchRequest): Promise<SearchPage> {
    return await walkSearch(new PostgresSearch(this.access), prepareSearch(request));
  }

  async addSchedule(
    schedule: NewSchedule,
    options: AddOptions = {},
  ): Promise<AddScheduleResult> {
    const prepared = prepareSchedule(schedule, this.payloadMaxBytes);
    const { replace } = prepareAdding(options);
    const added = await this.access.writeIfOpen((work) => addSchedule(work, prepared, { replace }));
    this.duties.schedulesChanged();
    return added;
  }

  async getSchedule(id: string): Promise<Schedule | undefined> {
    const checked = checkText(id, "schedule id");
    return await this.access.read((tx, nowMs) => getSchedule(tx, checked, nowMs));
  }

  async listSchedules(request: ScheduleListRequest = {}): Promise<Schedule[]> {
    const prepared = prepareScheduleList(request);
    return await this.access.read((tx, nowMs) => listSchedules(tx, prepared, nowMs));
  }

  async scheduleRuns(id: string, request: ScheduleRunsRequest = {}): Promise<ScheduleRun[]> {
    const checked = checkText(id, "schedule id");
    const limit = prepareScheduleRuns(request);
    return await scheduleRuns(this.access.statements, checked, limit);
  }

  async removeSchedule(id: string): Promise<boolean> {
    const checked = checkScheduleId(id);
    return await this.access.writeIfOpen((work) => removeSchedule(work, checked));
  }

  async pauseSchedule(id: string, paused: boolean): Promise<Schedule> {
    const change = preparePausing(id, paused);
    const schedule = await this.access.writeIfOpen((work) => pauseSchedule(work, change));
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
    return (await this.access.write((work) => setLimits(work, [prepared])))[0]!;
  }

  async declareLimits(limits: readonly DeclaredLimit[]): Promise<number> {
    const prepared = prepareDeclared(limits);
    const made = await this.access.write((work) => setLimits(work, prepared));
    return made.filter((isChange) => isChange).length;
  }

  async pause(scope: LimitScope, options: PauseOptions = {}): Promise<boolean> {
    const prepared = preparePause(scope, options);
    return await this.access.write((work) => pause(work, prepared));
  }

  async resume(scope: LimitScope, options: ChangedBy = {}): Promise<boolean> {
    const key = prepareResume(scope, options);
    return await this.access.write((work) => resume(work, key));
  }

  async listLimits(): Promise<LimitRecord[]> {
    return await this.access.read((tx, nowMs) => listLimits(tx, nowMs));
  }

  async metrics(request: MetricsRequest = {}): Promise<QueueMetrics> {
    return await this.#metrics.call(checkWindow(request));
  }

  async #measure(windowsMs: readonly number[]): Promise<readonly Promise<QueueMetrics>[]> {
    const measured = await this.access.read((tx, nowMs) => measure(tx, windowsMs, nowMs));
    return measured.map((each) => Promise.resolve(each));
  }

  async health(): Promise<QueueHealth> {
    return await this.access.read((tx, nowMs) => {
      return assess(tx, {
        thresholds: this.#health,
        isDeaf: this.#wakeUp.isDeaf,
        failingDuties: this.duties.failures.failing,
        unplannable: this.duties.unplannable,
        nowMs,
      });
    }, HEALTH_AWAY_MAX_MS);
  }

  async databaseState(): Promise<DatabaseState> {
    const { location } = this.access;
    const isListening = this.#wakeUp.mode === "listening";
    const facts = await this.access.read(databaseFacts, HEALTH_AWAY_MAX_MS);
    return { location, isListening, ...facts };
  }

  async prune(request: PruneRequest): Promise<PruneReport> {
    return await this.duties.prune(preparePrune(request));
  }

  async exportRecords(request: RecordRequest = {}): Promise<TaskRecord[]> {
    const statuses = prepareRecordRequest(request);
    return await this.access.read((tx) => exportRecords(tx, statuses));
  }

  async exportAll(): Promise<QueueRecords> {
    return await this.access.read((tx, nowMs) => exportAll(tx, nowMs));
  }

  async importRecords(
    records: readonly TaskRecord[],
    request: RecordImportRequest = {},
  ): Promise<RecordImport> {
    checkImport(records, request);
    const { schedules, limits, ...options } = request;
    const prepared = prepareImport(records, { schedules, limits }, this.payloadMaxBytes);
    const imported = await importRecords(this.access, prepared, options);
    if (imported.schedules.additions.length > 0) this.duties.schedulesChanged();
    return imported;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.duties.stop();
    await this.#wakeUp.stop();
    this.#onClosed();
    await this.access.close();
  }
}
