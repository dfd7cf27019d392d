/**
 * RemoteOperator: the operator's half of a queue behind a server.
 */
import { checkReference, checkTaskId, checkText, isName } from "../domain/check.ts";
import type { Task } from "../domain/task.ts";
import type {
  Explanation,
  PruneReport,
  PruneRequest,
  QueueHealth,
  QueueOperator,
} from "../queue/operator.ts";
import type { MetricsRequest, QueueMetrics } from "../queue/metrics.ts";
import type { WorkerBeat, WorkerRecord } from "../queue/workers.ts";
import type {
  ChangedBy,
  DeclaredLimit,
  Limit,
  LimitRecord,
  LimitScope,
  PauseOptions,
  QueueLimits,
} from "../queue/limits.ts";
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
import { prepareScheduleRuns } from "../queue_policy/schedule_runs.ts";
import { prepareChildren } from "../queue_policy/children_request.ts";
import { prepareHistory } from "../queue_policy/history_request.ts";
import {
  type AddOptions,
  checkScheduleId,
  prepareAdding,
  preparePausing,
} from "../queue_policy/new_schedule.ts";
import { prepareScheduleList } from "../queue_policy/schedule_changes.ts";
import { preparePrune } from "../queue_policy/prune_request.ts";
import {
  prepareDeclared,
  type PreparedLimit,
  prepareLimit,
  preparePause,
  prepareResume,
  rateOf,
  type ScopeKey,
  scopeOf,
} from "../queue_policy/limit_request.ts";
import { checkImport, prepareRecordRequest } from "../queue_policy/prepared_import.ts";
import { checkWindow } from "../queue_policy/rates.ts";
import { prepareSearch } from "../queue_policy/search_request.ts";
import { prepareBeat } from "../queue_policy/worker_beat.ts";
import { type Decode, field, flag, json, list, nullable, number, object, text } from "./answer.ts";
import {
  child,
  explanation,
  health,
  history,
  pruned,
  schedule,
  scheduleRun,
  task,
  transitionOf,
  worker,
} from "./answers.ts";
import { metrics } from "./metrics_answers.ts";
import { limit as limitOfAnswer } from "./limit_answers.ts";
import type { ChangeFeed } from "./change_feed.ts";
import type { Connection, Question } from "./connection.ts";
import { importBody, imported, readRecords } from "./records.ts";
import { errorCodeOf, errorOf, unless } from "./refusal.ts";
import { partQuery, queryOf, scheduleBody, searchQuery } from "./request.ts";

const tasks: Decode<Task[]> = field("tasks", list(task));

const searchPage: Decode<SearchPage> = object<SearchPage>({
  tasks: list(task),
  searched: number,
  leftMax: number,
  cursor: nullable(text),
});

/** The operator's half of `HttpQueue`. */
export class RemoteOperator implements QueueOperator, QueueLimits, QueueSearch {
  protected readonly connection: Connection;
  protected readonly feed: ChangeFeed;

  constructor(connection: Connection, feed: ChangeFeed) {
    this.connection = connection;
    this.feed = feed;
  }

  async heartbeat(beat: WorkerBeat): Promise<void> {
    const { capabilities } = prepareBeat(beat);
    const body = {
      worker_id: beat.workerId,
      types: beat.types,
      capabilities: JSON.parse(capabilities),
      concurrency: beat.concurrency,
      strategy: beat.strategy ?? undefined,
      type_limits: beat.typeLimits ?? undefined,
      version: beat.version ?? undefined,
      runtime: beat.runtime ?? undefined,
    };
    await this.post("worker/heartbeat", body, json);
  }

  async retireWorker(workerId: string): Promise<void> {
    checkText(workerId, "worker id");
    this.connection.checkOpen();
    if (!isName(workerId)) return;
    const path = `queue/workers/${encodeURIComponent(workerId)}`;
    await this.connection.ask({ method: "DELETE", path, resend: true }, json);
  }

  async listWorkers(): Promise<WorkerRecord[]> {
    return await this.read("queue/workers", field("workers", list(worker)));
  }

  async transitions(taskId: number, request: PartRequest = {}): Promise<TaskTransition[]> {
    checkTaskId(taskId);
    const path = `queue/tasks/${taskId}/transitions${partQuery(request)}`;
    return await unless(
      "task_not_found",
      [],
      () => this.read(path, field("transitions", list(transitionOf(taskId)))),
    );
  }

  async children(taskId: number, request: ChildrenRequest = {}): Promise<ChildTask[]> {
    checkTaskId(taskId);
    const { afterId, limit } = prepareChildren(request);
    const query = queryOf({ cursor: afterId === 0 ? undefined : afterId, limit });
    return await this.read(
      `queue/tasks/${taskId}/children${query}`,
      field("children", list(child)),
    );
  }

  async history(request: HistoryRequest = {}): Promise<HistoryPage> {
    const { after, limit } = prepareHistory(request);
    const path = `queue/history${queryOf({ after: after ?? undefined, limit })}`;
    return await this.read(path, history);
  }

  async explain(idOrRunId: number | string): Promise<Explanation | undefined> {
    checkReference(idOrRunId);
    this.connection.checkOpen();
    if (typeof idOrRunId === "string" && !isName(idOrRunId)) return undefined;
    const path = typeof idOrRunId === "number"
      ? `queue/tasks/${idOrRunId}/explain`
      : `runs/${encodeURIComponent(idOrRunId)}/explain`;
    return await unless("task_not_found", undefined, () => this.read(path, explanation));
  }

  async addSchedule(
    wanted: NewSchedule,
    options: AddOptions = {},
  ): Promise<AddScheduleResult> {
    const body = { ...scheduleBody(wanted), ...prepareAdding(options) };
    let isInDoubt = false;
    const onDoubt = (): void => void (isInDoubt = true);
    const question = { method: "POST", path: "schedules", body, resend: true, onDoubt } as const;
    const added = await this.connection.ask(question, (answer) => ({
      schedule: schedule(answer),
      created: field("created", flag)(answer),
    }));
    const isNew = isInDoubt && added.schedule.createdAt.getTime() ===
        added.schedule.updatedAt.getTime();
    return { ...added, created: added.created || isNew };
  }

  async search(request: SearchRequest): Promise<SearchPage> {
    const { budgetMs: waitMs } = prepareSearch(request);
    const path = `queue/search${searchQuery(request)}`;
    return await this.connection.ask({ method: "GET", path, resend: true, waitMs }, searchPage);
  }

  async getSchedule(id: string): Promise<Schedule | undefined> {
    checkText(id, "schedule id");
    this.connection.checkOpen();
    if (!isName(id)) return undefined;
    const path = pathOfSchedule(id);
    return await unless("schedule_not_found", undefined, () => this.read(path, schedule));
  }

  async listSchedules(request: ScheduleListRequest = {}): Promise<Schedule[]> {
    const { afterId, limit } = prepareScheduleList(request);
    const path = `schedules${queryOf({ cursor: afterId || undefined, limit })}`;
    return await this.read(path, field("schedules", list(schedule)));
  }

  async scheduleRuns(id: string, request: ScheduleRunsRequest = {}): Promise<ScheduleRun[]> {
    checkText(id, "schedule id");
    const limit = prepareScheduleRuns(request);
    this.connection.checkOpen();
    if (!isName(id)) return [];
    return await this.read(
      `${pathOfSchedule(id)}/runs${queryOf({ limit })}`,
      field("runs", list(scheduleRun)),
    );
  }

  async removeSchedule(id: string): Promise<boolean> {
    let isInDoubt = false;
    const onDoubt = (): void => void (isInDoubt = true);
    const path = pathOfSchedule(checkScheduleId(id));
    const question = { method: "DELETE", path, resend: true, onDoubt } as const;
    const removed = async (): Promise<boolean> => {
      await this.connection.ask(question, json);
      return true;
    };
    return await unless("schedule_not_found", false, removed) || isInDoubt;
  }

  async pauseSchedule(id: string, paused: boolean): Promise<Schedule> {
    const change = preparePausing(id, paused);
    const path = pathOfSchedule(change.id);
    const question = { method: "PATCH", path, body: { paused }, resend: true } as const;
    return await this.connection.ask(question, schedule);
  }

  async fireSchedules(): Promise<Task[]> {
    return await this.told(this.post("queue/fire-schedules", {}, tasks));
  }

  async setLimit(
    scope: LimitScope,
    limit: Limit | null,
    options: ChangedBy = {},
  ): Promise<boolean> {
    const prepared = prepareLimit(scope, limit, options);
    const path = `limits${queryOf({ ...scopeOf(prepared.key) })}`;
    if (limit === null) return await this.#change({ method: "DELETE", path });
    return await this.#change({
      method: "PUT",
      path,
      body: { ...limitBody(prepared.limit), by: prepared.by ?? undefined },
    });
  }

  async declareLimits(limits: readonly DeclaredLimit[]): Promise<number> {
    const body = {
      limits: prepareDeclared(limits).map(({ key, limit }) => {
        return { ...scopeOf(key), ...limitBody(limit) };
      }),
    };
    return await this.post("limits/declare", body, field("declared", number));
  }

  async pause(scope: LimitScope, options: PauseOptions = {}): Promise<boolean> {
    const { key, by, reason, untilMs } = preparePause(scope, options);
    const until = untilMs === null ? undefined : new Date(untilMs).toISOString();
    return await this.#changePause("pause", key, {
      reason: reason ?? undefined,
      by: by ?? undefined,
      until,
    });
  }

  async resume(scope: LimitScope, options: ChangedBy = {}): Promise<boolean> {
    return await this.#changePause("resume", prepareResume(scope, options), { by: options.by });
  }

  async listLimits(): Promise<LimitRecord[]> {
    return await this.read("limits", field("limits", list(limitOfAnswer)));
  }

  async #changePause(what: "pause" | "resume", key: ScopeKey, fields: object): Promise<boolean> {
    const body = { ...scopeOf(key), ...fields };
    return await this.#change({ method: "POST", path: `queue/${what}`, body });
  }

  /** Whether something changed; an answer that was lost may have been to the change itself. */
  async #change(question: Pick<Question, "method" | "path" | "body">): Promise<boolean> {
    let isInDoubt = false;
    const onDoubt = (): void => void (isInDoubt = true);
    const parts = { ...question, resend: true, onDoubt };
    return await this.connection.ask(parts, field("changed", flag)) || isInDoubt;
  }

  async metrics(request: MetricsRequest = {}): Promise<QueueMetrics> {
    const query = queryOf({ window_ms: checkWindow(request) });
    return await this.read(`queue/metrics${query}`, metrics);
  }

  async health(): Promise<QueueHealth> {
    const { url } = this.connection;
    return await this.read("health", (answer) => {
      if (errorCodeOf(answer) !== "QUEUE_UNAVAILABLE") return health(answer);
      throw errorOf({ url, status: 503, body: answer, retryAfterMs: 0 });
    }, { alsoAnswers: [503] });
  }

  async prune(request: PruneRequest): Promise<PruneReport> {
    preparePrune(request);
    const { olderThanMs, keep, statuses } = request;
    const body = { older_than_ms: olderThanMs, keep, statuses };
    return await this.connection.ask({ method: "POST", path: "queue/prune", body }, pruned);
  }

  async exportRecords(request: RecordRequest = {}): Promise<TaskRecord[]> {
    const wanted = prepareRecordRequest(request);
    this.connection.checkOpen();
    if (wanted.length === 0) return [];
    const path = `queue/records${queryOf({ statuses: wanted.join(",") })}`;
    return [...(await this.connection.readLines(path, readRecords)).tasks];
  }

  async exportAll(): Promise<QueueRecords> {
    return await this.connection.readLines("queue/records", readRecords);
  }

  async importRecords(
    records: readonly TaskRecord[],
    options: RecordImportRequest = {},
  ): Promise<RecordImport> {
    checkImport(records, options);
    const body = importBody(records, options);
    return await this.connection.ask({ method: "POST", path: "queue/records", body }, imported);
  }

  /** Asks what can be asked again. */
  protected read<T>(
    path: string,
    decode: Decode<T>,
    parts: Partial<Question> = {},
  ): Promise<T> {
    return this.connection.ask({ ...parts, method: "GET", path, resend: true }, decode);
  }

  /** Does what can be done again. */
  protected post<T>(path: string, body: unknown, decode: Decode<T>): Promise<T> {
    return this.connection.ask({ method: "POST", path, body, resend: true }, decode);
  }

  /** Tells watchers of tasks that were changed. */
  protected async told(changed: Promise<Task[]>): Promise<Task[]> {
    const tasks = await changed;
    this.feed.tell(tasks);
    return tasks;
  }
}

function pathOfSchedule(id: string): string {
  return `schedules/${encodeURIComponent(id)}`;
}

/** A limit as it is asked for. */
function limitBody(limit: PreparedLimit["limit"]): Readonly<Record<string, unknown>> {
  const rate = rateOf(limit);
  return {
    concurrency: limit.concurrency ?? undefined,
    rate: rate === null
      ? undefined
      : { limit: rate.limit, period_ms: rate.periodMs, burst: rate.burst },
    weight: limit.weight ?? undefined,
  };
}
