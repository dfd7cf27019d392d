/**
 * The handler's side of isolation: what runs in the thread beside the handler's module.
 *
 * Nothing that the handler does here is lost on the worker: what it throws, also later and unawaited, is reported.
 */
import { type Deferred, deferred } from "../domain/deferred.ts";
import { messageOf, PermanentError, SnoozeError } from "../domain/errors.ts";
import type { ParentDefinitions } from "../queue/task_definition.ts";
import type { ParentResult } from "../queue/task_queue.ts";
import { followingTask } from "../queue_policy/attempt_request.ts";
import { checkPercent } from "../domain/check.ts";
import { checkedHandler, checkedParents } from "./checked_handler.ts";
import type { Handler, HandlerOptions, TaskContext } from "./handler_registry.ts";
import { checkLogCall } from "./log_line.ts";
import type { LogLevel } from "./log_store.ts";
import {
  errorOf,
  type ExportOptions,
  type FromThread,
  imageOf,
  type ParentsAnswer,
  type ToThread,
} from "./thread_messages.ts";

/** The part of a thread's global scope that is needed. */
export interface ThreadScope {
  postMessage(message: FromThread): void;
  addEventListener(
    type: "message" | "error" | "unhandledrejection",
    listener: (event: ThreadEvent) => void,
  ): void;
}

/** The parts of a message, an error and an unhandled rejection that are needed. */
export interface ThreadEvent {
  readonly data?: unknown;
  readonly error?: unknown;
  readonly reason?: unknown;
  preventDefault(): void;
}

/** What the module exports under the name that was given. */
interface Export {
  readonly handler: Handler;
  /** The same between the schemas of its payload and its result. */
  readonly checked: Handler;
  /** The definitions of its parents; `null` for any. */
  readonly parents: ParentDefinitions | null;
  readonly options: ExportOptions;
  /** Whether it says what its thread may do. */
  readonly hasPermissions: boolean;
}

/** How a thread is to serve. */
export interface ServeOptions {
  /** The handler's export. */
  readonly name: string;
  /** Whether payloads and results are checked here. */
  readonly checksPayload: boolean;
  /** Whether the thread has permissions of its own. */
  readonly hasPermissions: boolean;
}

/** Serves one attempt: waits for `run`, calls the handler `name` of `module`, and tells how it ended. */
export function serveHandler(
  scope: ThreadScope,
  module: Readonly<Record<string, unknown>>,
  { name, checksPayload, hasPermissions }: ServeOptions,
): void {
  const tell = (thrown: unknown): void =>
    scope.postMessage({ kind: "thrown", thrown: imageOf(thrown) });
  const tellStray = (thrown: unknown, event: ThreadEvent): void => {
    event.preventDefault();
    tell(thrown);
  };
  scope.addEventListener("error", (event) => tellStray(event.error, event));
  scope.addEventListener("unhandledrejection", (event) => tellStray(event.reason, event));
  const found = findExport(module, name);
  if (typeof found === "string") return scope.postMessage({ kind: "loaded", problem: found });
  if (found.hasPermissions && !hasPermissions) {
    const problem = `its export ${JSON.stringify(name)} has permissions that its thread has not: ` +
      "name them where its isolation is named";
    return scope.postMessage({ kind: "loaded", problem });
  }
  const controller = new AbortController();
  const parents = new ParentsAsker(scope, found.parents);
  scope.addEventListener("message", ({ data }) => {
    const message = data as ToThread;
    if (message.kind === "run") {
      const context = contextOf(message, { signal: controller.signal, scope, parents });
      const handler = checksPayload ? found.checked : found.handler;
      run(() => handler(message.task, context), scope).catch(tell);
    } else if (message.kind === "abort") {
      controller.abort(new DOMException(message.message, message.name));
    } else if (message.kind === "parents") parents.hear(message);
    // What is left is the platform asking whether this thread is still there.
  });
  scope.postMessage({ kind: "loaded", problem: null, options: found.options });
}

/** The export's handler, or its problem. */
function findExport(module: Readonly<Record<string, unknown>>, name: string): Export | string {
  if (!Object.hasOwn(module, name)) {
    return `it exports no ${JSON.stringify(name)}, only ${
      Object.keys(module).join(", ") || "nothing"
    }`;
  }
  const value = module[name];
  if (typeof value === "function") {
    const handler = value as Handler;
    return { handler, checked: handler, parents: null, options: {}, hasPermissions: false };
  }
  if (typeof value === "object" && value !== null && "handler" in value) {
    const entry = value as HandlerOptions & { handler: Handler; permissions?: unknown };
    if (typeof entry.handler === "function") {
      const { payload = null, result = null, parents = null } = entry;
      return {
        handler: entry.handler,
        checked: checkedHandler(entry.handler, { type: name, payload, result }),
        parents,
        options: optionsOf(entry),
        hasPermissions: entry.permissions !== undefined && entry.permissions !== "inherit",
      };
    }
  }
  return `its export ${JSON.stringify(name)} is neither a function nor an object with a "handler"`;
}

function optionsOf(entry: HandlerOptions): ExportOptions {
  const { name, description, version, retryPolicy, maxAttempts, timeoutMs, concurrency } = entry;
  return { name, description, version, retryPolicy, maxAttempts, timeoutMs, concurrency };
}

/** @throws what the handler throws, and PermanentError for a result that cannot leave the thread. */
async function run(handler: () => unknown, scope: ThreadScope): Promise<void> {
  const result = await handler() ?? null;
  try {
    scope.postMessage({ kind: "result", result });
  } catch (thrown) {
    throw new PermanentError(`The handler's result was refused: ${messageOf(thrown)}`);
  }
}

/**
 * Asks the worker for the results of the task's parents, and keeps the answer: parents have ended, so it stays the same.
 * Each question passes the gate, so that a loop of them ends there.
 */
class ParentsAsker {
  readonly #scope: ThreadScope;
  readonly #parents: ParentDefinitions | null;
  #answer = newAnswer();

  constructor(scope: ThreadScope, parents: ParentDefinitions | null) {
    this.#scope = scope;
    this.#parents = parents;
  }

  async ask(): Promise<readonly ParentResult[]> {
    this.#scope.postMessage({ kind: "parents" });
    const results = this.#answer.promise.then((answer) => structuredClone(answer));
    return await checkedParents(this.#parents, results);
  }

  /** After an error the next question is answered anew. */
  hear(answer: ParentsAnswer): void {
    if ("results" in answer) return this.#answer.resolve(answer.results);
    this.#answer.reject(errorOf(answer.thrown));
    this.#answer = newAnswer();
  }
}

/** Nobody may be waiting when it is rejected. */
function newAnswer(): Deferred<readonly ParentResult[]> {
  const answer = deferred<readonly ParentResult[]>();
  answer.promise.catch(() => {});
  return answer;
}

function contextOf(
  { runId, attempt, isLastAttempt, deadline }: Extract<ToThread, { kind: "run" }>,
  { signal, scope, parents }: {
    readonly signal: AbortSignal;
    readonly scope: ThreadScope;
    readonly parents: ParentsAsker;
  },
): TaskContext {
  return {
    signal,
    runId,
    attempt,
    isLastAttempt,
    deadline,
    enqueue: (task) => {
      const following = followingTask(task, 1);
      scope.postMessage({ kind: "enqueue", task: following });
      return following.runId;
    },
    snooze: (delayMs) => {
      throw new SnoozeError(delayMs);
    },
    parentResults: () => parents.ask(),
    log: (level, message, details) => {
      checkLogCall(level, message);
      log(scope, level, { message, details });
    },
    progress: (percent, message) => {
      scope.postMessage({ kind: "progress", percent: checkPercent(percent), message });
    },
  };
}

/** Details that cannot leave the thread do not fail the handler. */
function log(
  scope: ThreadScope,
  level: LogLevel,
  { message, details }: { readonly message: string; readonly details: unknown },
): void {
  try {
    scope.postMessage({ kind: "log", level, message, details });
  } catch (thrown) {
    scope.postMessage({ kind: "log", level, message, details: `not JSON: ${messageOf(thrown)}` });
  }
}
