/**
 * A queue behind `holdfast serve`: each question is a request, each answer is checked before it is believed.
 */
import { z } from "zod";
import {
  messageOf,
  type NewSchedule,
  type NewTask,
  type PruneRequest,
  toTaskBody,
} from "../src/mod.ts";
import { LogPageSchema } from "../server/logs/schemas.ts";
import { ScheduleAddedSchema, type ScheduleBody } from "../server/schedules/schemas.ts";
import { EnqueuedBatchSchema, EnqueuedSchema, TaskPageSchema } from "../server/tasks/schemas.ts";
import { ErrorSchema } from "../server/http/error_schema.ts";
import { HealthSchema } from "../server/operations/schemas.ts";
import {
  batchDocument,
  type Desk,
  type ListQuery,
  type LogPart,
  type LogPosition,
  noSuchSchedule,
  noSuchTask,
  parseReference,
  type ScheduleQuery,
  type TaskDocument,
  type TransitionQuery,
} from "./queue_access.ts";
import { type DocumentOf, DOCUMENTS } from "./documents.ts";
import { NotFoundError, OpenError, UsageError } from "./exit.ts";

/** A server is asked this often whether something is new. */
const LOOK_INTERVAL_MS = 500;

/** A request that takes longer is given up. */
const REQUEST_TIMEOUT_MS = 30_000;

/** Lines of a log in one answer. */
const LOG_LINES_MAX = 10_000;

/** The cursor before the first line. */
const LOG_BEGINNING = "0-0";

/** The statuses by which a server says that the question was wrong. */
const WRONG_USAGE: readonly number[] = [400, 401, 403, 413, 415, 422, 431];

/** An unhealthy server answers with the verdict beside the error. */
const AnyHealth = z.object({
  status: z.enum(["healthy", "degraded", "unhealthy"]),
  reasons: HealthSchema.shape.reasons.optional(),
  detail: z.string().optional(),
});

/** Where a server is, and the token to present. */
export interface RemoteOptions {
  /** Its address, `http://host:8787`; a path before `/api` may follow. */
  readonly url: string;
  /** Sent as a bearer token; default none. */
  readonly token?: string;
}

/** What is asked; by default it is a GET. */
interface RequestParts {
  readonly method?: "GET" | "POST" | "PATCH" | "DELETE";
  /** Sent as JSON. */
  readonly body?: unknown;
}

/** What one request came to. */
interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Asks a server. */
export class RemoteDesk implements Desk {
  readonly lookIntervalMs = LOOK_INTERVAL_MS;
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** @throws UsageError when the address is not one, or the token cannot be sent. */
  constructor({ url, token }: RemoteOptions) {
    this.#base = checkUrl(url);
    if (token !== undefined && !/^[\w.~+/=-]+$/.test(token)) {
      throw new UsageError("--token holds characters that no token has");
    }
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  async enqueue(task: NewTask): Promise<DocumentOf<"Enqueued">> {
    const { created, ...stored } = await this.#post(
      "queue/enqueue",
      EnqueuedSchema,
      toTaskBody(task),
    );
    return { created, task: stored };
  }

  async enqueueBatch(tasks: readonly NewTask[]): Promise<DocumentOf<"EnqueuedBatch">> {
    if (tasks.length === 0) return batchDocument([]);
    const body = { tasks: tasks.map((task) => toTaskBody(task)) };
    const answer = await this.#post("queue/enqueue/batch", EnqueuedBatchSchema, body);
    return batchDocument(answer.tasks);
  }

  async find(reference: string): Promise<TaskDocument> {
    const { taskId, runId } = parseReference(reference);
    if (taskId !== undefined) return await this.#get(`queue/tasks/${taskId}`, DOCUMENTS.Task);
    const path = `runs/${encodeURIComponent(runId)}/explain`;
    const { task_id } = await this.#get(path, DOCUMENTS.Explanation).catch((thrown) => {
      throw thrown instanceof NotFoundError ? noSuchTask(reference) : thrown;
    });
    return await this.#get(`queue/tasks/${task_id}`, DOCUMENTS.Task);
  }

  async list({ status, type, limit, cursor }: ListQuery): Promise<DocumentOf<"TaskList">> {
    const query = queryOf({ limit, status, type, cursor });
    const { tasks, next_cursor } = await this.#get(`queue/tasks${query}`, TaskPageSchema);
    return { tasks, total: null, next_cursor };
  }

  async cancel(reference: string): Promise<DocumentOf<"Cancelled">> {
    const { done, task } = await this.#byHand(reference, "cancel");
    return { cancelled: done, task };
  }

  async retry(reference: string): Promise<DocumentOf<"Retried">> {
    const { done, task } = await this.#byHand(reference, "retry");
    return { retried: done, task };
  }

  async explain(reference: string): Promise<DocumentOf<"Explanation">> {
    const { run_id } = await this.find(reference);
    return await this.#get(`runs/${encodeURIComponent(run_id)}/explain`, DOCUMENTS.Explanation);
  }

  async transitions(
    reference: string,
    query: TransitionQuery = {},
  ): Promise<DocumentOf<"TransitionList">> {
    const { id } = await this.find(reference);
    const path = `queue/tasks/${id}/transitions${queryOf({ ...query })}`;
    return await this.#get(path, DOCUMENTS.TransitionList);
  }

  workers(): Promise<DocumentOf<"WorkerList">> {
    return this.#get("queue/workers", DOCUMENTS.WorkerList);
  }

  stats(): Promise<DocumentOf<"Stats">> {
    return this.#get("queue/stats", DOCUMENTS.Stats);
  }

  /** A server that says that it is unhealthy has answered. */
  async health(): Promise<DocumentOf<"Health">> {
    const answer = await this.#ask("health");
    if (answer.status !== 200 && answer.status !== 503) throw refusalOf(answer);
    const { status, reasons, detail } = believed(AnyHealth, answer);
    if (reasons === undefined && status === "unhealthy") {
      throw new OpenError(`the server's queue does not answer: ${detail ?? "it does not say why"}`);
    }
    return { status, reasons: reasons ?? [] };
  }

  async prune({ olderThanMs, keep, statuses }: PruneRequest): Promise<DocumentOf<"Pruned">> {
    const body = { older_than_ms: olderThanMs, keep, statuses };
    return await this.#post("queue/prune", DOCUMENTS.Pruned, body);
  }

  checkpoint(): Promise<DocumentOf<"Checkpointed">> {
    return this.#post("queue/checkpoint", DOCUMENTS.Checkpointed, {});
  }

  schedules(query: ScheduleQuery): Promise<DocumentOf<"ScheduleList">> {
    return this.#get(`schedules${queryOf({ ...query })}`, DOCUMENTS.ScheduleList);
  }

  async addSchedule(
    wanted: NewSchedule,
    replace: boolean,
  ): Promise<DocumentOf<"ScheduleAdded">> {
    const body = { ...scheduleBody(wanted), replace };
    const { created, ...schedule } = await this.#post("schedules", ScheduleAddedSchema, body);
    return { created, schedule };
  }

  removeSchedule(id: string): Promise<DocumentOf<"ScheduleRemoved">> {
    return this.#onSchedule(id, { method: "DELETE" }, DOCUMENTS.ScheduleRemoved);
  }

  pauseSchedule(id: string, paused: boolean): Promise<DocumentOf<"Schedule">> {
    return this.#onSchedule(id, { method: "PATCH", body: { paused } }, DOCUMENTS.Schedule);
  }

  async readLog({ run_id }: TaskDocument, from: LogPosition): Promise<LogPart> {
    const query = new URLSearchParams({
      limit: String(LOG_LINES_MAX),
      cursor: String(from ?? LOG_BEGINNING),
    });
    const path = `runs/${encodeURIComponent(run_id)}/logs?${query}`;
    const { lines, next_cursor } = await this.#get(path, LogPageSchema);
    return { lines, next: next_cursor };
  }

  watch(): () => void {
    return () => {};
  }

  async #byHand(
    reference: string,
    act: "cancel" | "retry",
  ): Promise<{ done: boolean; task: TaskDocument }> {
    const { id } = await this.find(reference);
    const answer = await this.#ask(`queue/tasks/${id}/${act}`, { method: "POST", body: {} });
    if (answer.status === 409) return { done: false, task: await this.find(String(id)) };
    if (answer.status !== 200) throw refusalOf(answer);
    return { done: true, task: believed(DOCUMENTS.Task, answer) };
  }

  async #onSchedule<Schema extends z.ZodType>(
    id: string,
    request: RequestParts,
    schema: Schema,
  ): Promise<z.output<Schema>> {
    const answer = await this.#ask(`schedules/${encodeURIComponent(id)}`, request);
    const code = ErrorSchema.safeParse(answer.body).data?.error_code;
    if (code === "SCHEDULE_NOT_FOUND") throw noSuchSchedule(id);
    return acceptedAs(schema, answer);
  }

  async #get<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>> {
    return acceptedAs(schema, await this.#ask(path));
  }

  async #post<Schema extends z.ZodType>(
    path: string,
    schema: Schema,
    body: unknown,
  ): Promise<z.output<Schema>> {
    return acceptedAs(schema, await this.#ask(path, { method: "POST", body }));
  }

  /** @throws OpenError when there is no answer, or none in JSON. */
  async #ask(path: string, { method = "GET", body }: RequestParts = {}): Promise<Answer> {
    const url = `${this.#base}/api/${path}`;
    try {
      const response = await fetch(url, {
        headers: { ...this.#headers, "content-type": "application/json" },
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        redirect: "error",
        method,
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      const text = await response.text();
      return { status: response.status, body: JSON.parse(text) };
    } catch (thrown) {
      throw new OpenError(`Cannot ask ${url}: ${reasonOf(thrown)}`, { cause: thrown });
    }
  }
}

/** What kept an answer away; what the runtime says does not help a user who typed the address. */
function reasonOf(thrown: unknown): string {
  if (thrown instanceof SyntaxError) {
    return "the server does not answer in JSON, as Holdfast does: is --url right?";
  }
  if (thrown instanceof DOMException && thrown.name === "TimeoutError") {
    return `there was no answer within ${REQUEST_TIMEOUT_MS / 1000} s`;
  }
  const cause = thrown instanceof TypeError ? thrown.cause : undefined;
  return `there is no answer (${
    messageOf(cause ?? thrown)
  }): does the server run, and is --url right?`;
}

/** A schedule as the interface takes it. */
function scheduleBody(schedule: NewSchedule): z.input<typeof ScheduleBody> {
  const { id, type, everyMs, cron, timeZone, catchUp, catchUpMax, overlap, paused } = schedule;
  return {
    ...toTaskBody(schedule),
    ...{ id, type, every_ms: everyMs, cron, time_zone: timeZone },
    ...{ catch_up: catchUp, catch_up_max: catchUpMax, overlap, paused },
  };
}

function checkUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    throw new UsageError(
      `--url ${
        JSON.stringify(text)
      } is not an address: one such as http://127.0.0.1:8787 is needed`,
    );
  }
  if (url.username !== "" || url.search !== "" || url.hash !== "") {
    throw new UsageError(`--url takes an address without user, query and fragment`);
  }
  return url.href.replace(/\/+$/, "");
}

function acceptedAs<Schema extends z.ZodType>(schema: Schema, answer: Answer): z.output<Schema> {
  if (answer.status >= 200 && answer.status < 300) return believed(schema, answer);
  throw refusalOf(answer);
}

/** @throws OpenError when the server answers something else than Holdfast does. */
function believed<Schema extends z.ZodType>(schema: Schema, { body }: Answer): z.output<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new OpenError("the server does not answer as Holdfast does: is --url right?");
}

/** What a refusal means here. */
function refusalOf({ status, body }: Answer): Error {
  const parsed = ErrorSchema.safeParse(body);
  const fields = parsed.data?.errors?.map(({ field, message }) => `${field}: ${message}`) ?? [];
  const detail = parsed.data?.detail ?? `the server answers ${status}`;
  const isSaid = fields.every((field) => detail.includes(field));
  const said = isSaid ? detail : `${detail}: ${fields.join("; ")}`;
  const text = status === 401 ? `${said}; give it by --token or HOLDFAST_TOKEN` : said;
  if (status === 404 && parsed.success) return new NotFoundError(text);
  if (WRONG_USAGE.includes(status)) return new UsageError(text);
  return status === 409 ? new Error(text) : new OpenError(text);
}

/** What stands behind the path of a request; nothing of what is not given. */
function queryOf(fields: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]]
  );
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
}
