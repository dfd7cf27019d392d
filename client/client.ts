/**
 * A client for browsers, other services and scripts: `fetch` and nothing else.
 *
 * It imports nothing outside its folder, so it can be bundled for a page as it is.
 */
import {
  accept,
  type ClientDefinition,
  type ClientInput,
  type ClientSchema,
} from "./definition.ts";
import { readEvents, type StreamEvent } from "./event_stream.ts";
import { namesOf, refuseUnknown } from "./options.ts";
import type {
  BulkRequestBody,
  ClientBulkReport,
  ClientErrorBody,
  ClientExplanation,
  ClientLimit,
  ClientRun,
  ClientSearchPage,
  ClientTask,
  EnqueuedTask,
  EnqueueRequest,
  LimitRequest,
  PauseRequest,
  ReplaceRequest,
  RunEvent,
  RunOptions,
  SearchQuery,
  UpdateRequest,
} from "./types.ts";

export type {
  BulkRequestBody,
  ClientBulkReport,
  ClientErrorBody,
  ClientExplanation,
  ClientLimit,
  ClientLogLine,
  ClientPause,
  ClientRate,
  ClientRun,
  ClientRunProgress,
  ClientRunStatus,
  ClientSearchPage,
  ClientTask,
  EnqueuedTask,
  EnqueueRequest,
  LimitRequest,
  PauseRequest,
  ReplaceRequest,
  RunEvent,
  RunOptions,
  SearchQuery,
  UpdateRequest,
} from "./types.ts";

export {
  type ClientDefinition,
  type ClientInput,
  type ClientOutput,
  type ClientSchema,
  type ClientVerdict,
  resultOf,
} from "./definition.ts";

/** Where the server is, and how to ask it. */
export interface ClientOptions {
  /** Where the app is served or mounted, such as `https://example.com/tasks`; what is behind it begins with `/api`. */
  readonly url: string;
  /** A bearer token; default none. */
  readonly token?: string;
  /** Sent with every request, such as a host application's own authentication; default none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Asks; default the global `fetch`. */
  readonly fetch?: (request: Request) => Promise<Response>;
}

/** How to follow or to wait. */
export interface FollowOptions {
  /** Stops it. */
  readonly signal?: AbortSignal;
  /** The id of the last event seen earlier, to go on after it; default from the beginning. */
  readonly lastEventId?: string;
}

const CLIENT_OPTIONS = namesOf<ClientOptions>({
  url: true,
  token: true,
  headers: true,
  fetch: true,
});

const FOLLOW_OPTIONS = namesOf<FollowOptions>({ signal: true, lastEventId: true });

/** What the server answered instead of what was asked for. */
export class HoldfastError extends Error {
  /** `HoldfastError`. */
  override readonly name = "HoldfastError";
  /** The HTTP status. */
  readonly status: number;
  /** What went wrong; stable, for programs. `undefined` when something else than Holdfast answered. */
  readonly code: string | undefined;
  /** The problems, field by field. */
  readonly errors: ClientErrorBody["errors"];
  /** When to try again, in milliseconds, if the server says. */
  readonly retryAfterMs: number | undefined;

  /** The error that `response` stands for, whose body is `body`. */
  constructor(response: Response, body: Partial<ClientErrorBody>) {
    super(body.detail ?? `The server answered ${response.status}`);
    this.status = response.status;
    this.code = body.error_code;
    this.errors = body.errors;
    const seconds = Number(response.headers.get("Retry-After") ?? NaN);
    this.retryAfterMs = Number.isNaN(seconds) ? undefined : seconds * 1000;
  }
}

/** How long one waiting request waits. */
const WAIT = "30s";

/** How long a lost stream is left alone before it is opened again, in milliseconds; doubled up to the maximum. */
const RECONNECT_MS = Object.freeze({ first: 500, max: 10_000 });

/**
 * Asks a Holdfast server.
 *
 * ```ts ignore
 * const client = new HoldfastClient({ url: "http://127.0.0.1:8787" });
 * const run = await client.run("email", { to: "ann@example.com" });
 * for await (const { event, data } of client.follow(run.run_id)) console.log(event, data);
 * ```
 */
export class HoldfastClient {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #fetch: (request: Request) => Promise<Response>;

  /** A client of the server at `url`. @throws TypeError when that is not a URL, or an option is unknown. */
  constructor(options: ClientOptions) {
    refuseUnknown(options, CLIENT_OPTIONS, "a client");
    const { url, token, headers = {}, fetch = globalThis.fetch } = options;
    this.#url = new URL(url).href.replace(/\/+$/, "");
    this.#headers = token === undefined
      ? headers
      : { ...headers, Authorization: `Bearer ${token}` };
    this.#fetch = (request) => fetch(request);
  }

  /** Enqueues a task; resolves when it is durable. @throws HoldfastError */
  async enqueue(task: EnqueueRequest): Promise<EnqueuedTask> {
    return await this.#json("POST", "/queue/enqueue", { body: task });
  }

  /**
   * Runs a module; resolves when the run is durable. The module may be a task's definition, whose schema then types and checks the
   * parameters before anything is sent; `resultOf` types the run's result.
   *
   * @throws HoldfastError; TypeError when the definition's schema refuses the parameters.
   */
  async run<Payload extends ClientSchema>(
    module: ClientDefinition<Payload>,
    parameters: ClientInput<Payload>,
    options?: RunOptions,
  ): Promise<ClientRun>;
  async run(moduleId: string, parameters: unknown, options?: RunOptions): Promise<ClientRun>;
  async run(
    module: string | ClientDefinition,
    parameters: unknown,
    options: RunOptions = {},
  ): Promise<ClientRun> {
    const moduleId = typeof module === "string" ? module : module.type;
    if (typeof module !== "string") {
      await accept(module.payload, parameters, { part: "parameters", type: moduleId });
    }
    const body = { parameters, ...options };
    return await this.#json("POST", `/modules/${encodeURIComponent(moduleId)}/run`, { body });
  }

  /** A run as it is now. @throws HoldfastError */
  async get(runId: string): Promise<ClientRun> {
    return await this.#json("GET", pathOf(runId));
  }

  /** Why a run is where it is. @throws HoldfastError */
  async explain(runId: string): Promise<ClientExplanation> {
    return await this.#json("GET", `${pathOf(runId)}/explain`);
  }

  /** Cancels a run. @throws HoldfastError `RUN_FINISHED` when it is over already. */
  async cancel(runId: string): Promise<ClientRun> {
    return await this.#json("POST", `${pathOf(runId)}/cancel`);
  }

  /** Queues a failed or cancelled run again. @throws HoldfastError `RUN_NOT_RETRYABLE`. */
  async retry(runId: string): Promise<ClientRun> {
    return await this.#json("POST", `${pathOf(runId)}/retry`);
  }

  /** Changes a task while it waits; the task as it is then. @throws HoldfastError `TASK_NOT_QUEUED`, `TASK_CHANGED`. */
  async updateTask(taskId: number, changes: UpdateRequest): Promise<ClientTask> {
    return await this.#json("PATCH", `/queue/tasks/${taskId}`, { body: changes });
  }

  /** Stores another task with another payload in place of one; the new one. @throws HoldfastError `TASK_NOT_QUEUED`, `TASK_CHANGED`. */
  async replaceTask(taskId: number, replacement: ReplaceRequest): Promise<ClientTask> {
    return await this.#json("POST", `/queue/tasks/${taskId}/replace`, { body: replacement });
  }

  /** Deletes a task for good. @throws HoldfastError `TASK_LEASED`, `TASK_HAS_CHILDREN`. */
  async removeTask(taskId: number): Promise<void> {
    await this.#ask("DELETE", `/queue/tasks/${taskId}`, {});
  }

  /** Changes all tasks that match, for as long as it may; ask again with the answer's cursor for the rest. @throws HoldfastError */
  async bulk(request: BulkRequestBody): Promise<ClientBulkReport> {
    return await this.#json("POST", "/queue/bulk", { body: request });
  }

  /** Finds tasks by a text, for as long as it may; ask again with the answer's cursor to go on. @throws HoldfastError */
  async search(query: SearchQuery): Promise<ClientSearchPage> {
    return await this.#json("GET", `/queue/search${queryOf({ ...query })}`);
  }

  /** Every limit and pause: the whole queue's first, then by type. @throws HoldfastError */
  async listLimits(): Promise<ClientLimit[]> {
    const { limits } = await this.#json<{ limits: ClientLimit[] }>("GET", "/limits");
    return limits;
  }

  /** Lets at most so many tasks of a type, or of the queue, run at the same time; whether that is new. @throws HoldfastError */
  async setLimit({ type, group, ...body }: LimitRequest): Promise<boolean> {
    return await this.#change("PUT", `/limits${queryOf({ type, group })}`, body);
  }

  /** Removes the limit of a type, of a group, or of the queue; whether there was one. @throws HoldfastError */
  async removeLimit(type?: string, group?: string): Promise<boolean> {
    return await this.#change("DELETE", `/limits${queryOf({ type, group })}`);
  }

  /** Lets no task of a type, or of the queue, start; what runs goes on. Whether that is new. @throws HoldfastError */
  async pause(pause: PauseRequest = {}): Promise<boolean> {
    return await this.#change("POST", "/queue/pause", pause);
  }

  /** Ends a pause of a type, of a group, or of the queue; whether it was paused. @throws HoldfastError */
  async resume(type?: string, group?: string): Promise<boolean> {
    return await this.#change("POST", "/queue/resume", { type, group });
  }

  /** The run once it is over. @throws HoldfastError; the signal's reason when it aborts. */
  async wait(runId: string, options: Pick<FollowOptions, "signal"> = {}): Promise<ClientRun> {
    refuseUnknown(options, ["signal"], "wait");
    const { signal } = options;
    for (;;) {
      const run: ClientRun = await this.#json("GET", `${pathOf(runId)}?wait=${WAIT}`, { signal });
      if (run.status !== "queued" && run.status !== "running") return run;
    }
  }

  /**
   * What a run says and how far it is, until it is over; every line of its log exactly once. A connection that is lost is
   * opened again.
   *
   * @throws HoldfastError when the server refuses; the signal's reason when it aborts.
   */
  async *follow(
    runId: string,
    options: FollowOptions = {},
  ): AsyncGenerator<RunEvent, void> {
    refuseUnknown(options, FOLLOW_OPTIONS, "follow");
    const { signal } = options;
    let { lastEventId } = options;
    for (let delayMs: number = RECONNECT_MS.first;;) {
      signal?.throwIfAborted();
      try {
        for await (const { event, id, data } of this.#stream(runId, { signal, lastEventId })) {
          lastEventId = id;
          delayMs = RECONNECT_MS.first;
          yield { event, id, data: JSON.parse(data) } as RunEvent;
          if (event === "complete") return;
        }
      } catch (thrown) {
        signal?.throwIfAborted();
        if (!isPassing(thrown)) throw thrown;
        if (thrown instanceof HoldfastError) delayMs = thrown.retryAfterMs ?? delayMs;
      }
      await pause(delayMs, signal);
      delayMs = Math.min(RECONNECT_MS.max, delayMs * 2);
    }
  }

  async *#stream(
    runId: string,
    { signal, lastEventId }: FollowOptions,
  ): AsyncGenerator<StreamEvent, void> {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (lastEventId !== undefined) headers["Last-Event-ID"] = lastEventId;
    const response = await this.#ask("GET", `${pathOf(runId)}/logs/stream`, { signal, headers });
    if (response.body !== null) yield* readEvents(response.body);
  }

  async #change(method: string, path: string, body?: unknown): Promise<boolean> {
    return (await this.#json<{ changed: boolean }>(method, path, { body })).changed;
  }

  async #json<T>(method: string, path: string, details: RequestDetails = {}): Promise<T> {
    return await (await this.#ask(method, path, details)).json() as T;
  }

  async #ask(method: string, path: string, details: RequestDetails): Promise<Response> {
    const { body, signal, headers } = details;
    const allHeaders = new Headers({ ...this.#headers, ...headers });
    if (body !== undefined) allHeaders.set("Content-Type", "application/json");
    const request = new Request(`${this.#url}/api${path}`, {
      method,
      headers: allHeaders,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
    });
    const response = await this.#fetch(request);
    if (response.ok) return response;
    throw new HoldfastError(response, await errorBodyOf(response));
  }
}

interface RequestDetails {
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
}

function pathOf(runId: string): string {
  return `/runs/${encodeURIComponent(runId)}`;
}

function queryOf(fields: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  const query = given.map(([name, value]) => `${name}=${encodeURIComponent(value!)}`).join("&");
  return query === "" ? "" : `?${query}`;
}

/** A proxy's answer need not be JSON. */
async function errorBodyOf(response: Response): Promise<Partial<ClientErrorBody>> {
  const text = await response.text();
  try {
    return Object(JSON.parse(text));
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return {};
    throw thrown;
  }
}

/** Whether it may be better next time: no connection (`fetch` throws a TypeError), or a server that is not up to it. */
function isPassing(thrown: unknown): boolean {
  return thrown instanceof HoldfastError ? thrown.status >= 500 : thrown instanceof TypeError;
}

/** Resolves after a time. @throws the signal's reason when it aborts. */
async function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, delayMs);
  const wake = (): void => resolve();
  signal?.addEventListener("abort", wake, { once: true });
  await promise;
  clearTimeout(timer);
  signal?.removeEventListener("abort", wake);
  signal?.throwIfAborted();
}
