/**
 * Handlers: the functions that execute tasks, by task type.
 */
import { checkOptions, optionNames } from "../domain/options.ts";
import { resolveRetryPolicy, type RetryPolicy } from "../domain/backoff.ts";
import { QueueError } from "../domain/errors.ts";
import { type ModuleParameter, PARAMETER_DEFAULTS } from "../domain/module_parameter.ts";
import { checkInteger, checkName } from "../domain/check.ts";
import {
  accepted,
  acceptedAtOnce,
  checkSchema,
  type InputOf,
  type OutputOf,
  type StandardSchema,
} from "../domain/standard_schema.ts";
import { type NewTask, type Task, TASK_LIMITS } from "../domain/task.ts";
import type {
  ParentDefinitions,
  ParentResultsOf,
  TaskDefinition,
} from "../queue/task_definition.ts";
import type { ParentResult } from "../queue/task_queue.ts";
import type { LogLevel } from "./log_store.ts";

/** A running handler's view of its task and worker. */
export interface TaskContext {
  /** Fires when the task is cancelled, times out, loses its lease, or the worker stops. `reason` says which. */
  readonly signal: AbortSignal;
  /** The run's id. */
  readonly runId: string;
  /** Which execution this is, from 1. */
  readonly attempt: number;
  /** Whether a failure of this attempt is final: the task, or its handler, allows no further one. */
  readonly isLastAttempt: boolean;
  /** When the attempt times out, if it does. */
  readonly deadline: Date | null;
  /**
   * Enqueues a task in the commit of this one's completion: both are stored, or neither. An attempt that fails, is snoozed, cancelled or
   * lost stores nothing. At most 1,000 for each attempt; they may depend on each other, and on this task.
   *
   * @returns Its run id, at once: `runId`, or a new random UUID. With an `idempotencyKey` that names a stored task that one stays as it
   * is, under its own run id.
   * @throws TypeError, RangeError for a field out of its range. @throws Error once the attempt has ended.
   */
  enqueue(task: NewTask): string;
  /**
   * Ends the attempt by throwing a `SnoozeError`: the task is given back and is due again after `delayMs` milliseconds, 0 to a year. It
   * costs no attempt. A handler that catches everything has to throw the `SnoozeError` on.
   *
   * @throws RangeError for a delay out of its range.
   */
  snooze(delayMs: number): never;
  /** The outcomes of the tasks that this one depends on, in their order; none when it depends on none. */
  parentResults(): Promise<readonly ParentResult[]>;
  /** Writes a line to the run's log. @throws TypeError for an unknown level, and for a message that is not a string. */
  log(level: LogLevel, message: string, details?: unknown): void;
  /** Reports progress, 0–100. */
  progress(percent: number, message?: string): void;
}

/**
 * Executes a task; what it returns (a JSON value) is the task's result.
 *
 * It runs on the worker's own thread, unless it was made by `isolated()`. While it blocks that thread (long synchronous
 * work) nothing else in the process runs: no lease is renewed, no signal fires, no timeout ends it, no other task goes on.
 * When a lease (10 s by default) runs out meanwhile, its task goes to any other process that has the queue open, within
 * seconds. That holds for the blocking handler's task and for all others that the process is running. Each then has a
 * further attempt; the earlier one's signal fires once the thread is free, and its outcome is refused (`lost`). Where no
 * other process has the queue open, the leases are renewed as soon as the thread is free, and nothing is lost. A handler
 * that awaits something at least once a second or so keeps all leases.
 */
// deno-lint-ignore no-explicit-any
export type Handler<Payload = any> = (
  task: Task & { readonly payload: Payload },
  context: TaskContext,
) => Promise<unknown> | unknown;

/** A running handler's view, and its task, for middleware. */
export interface MiddlewareContext extends TaskContext {
  /** The task, with its payload as the handler gets it. */
  readonly task: Task;
}

/**
 * Runs around handlers: what it does before and after `next()` surrounds the handler, or the middleware after it. What `next()` gives is
 * the result, and what it throws the error; what the middleware itself returns or throws takes their place.
 */
export type Middleware = (
  context: MiddlewareContext,
  next: () => Promise<unknown>,
) => Promise<unknown> | unknown;

/** A handler's view of its task and worker, with its parents' results as their definitions type them. */
export interface DefinedContext<Parents> extends Omit<TaskContext, "parentResults"> {
  /** The outcomes of the tasks that this one depends on, in their order; refused when a result is not as its definition says. */
  parentResults(): Promise<ParentResultsOf<Parents>>;
}

/** Executes a task that has a definition: its payload, its parents' results and its own result are as that says. */
export type DefinedHandler<Definition extends TaskDefinition> = (
  task: Task & {
    readonly type: Definition["type"];
    readonly payload: OutputOf<Definition["payload"]>;
  },
  context: DefinedContext<Definition["parents"]>,
) => Promise<InputOf<Definition["result"]>> | InputOf<Definition["result"]>;

/** How the handler of a defined task is registered; what the definition says already may be overridden. */
export type DefinedHandlerOptions = Omit<HandlerOptions, "payload" | "result" | "parents">;

/**
 * How tasks of one type are executed. Where they are executed is the handler's own: one made by `isolated()`, or listed
 * with isolation `worker` in a handler file, has a thread to itself; any other shares the worker's, see `Handler` for what
 * happens when it blocks it.
 */
export interface HandlerOptions {
  /** The module's name for people, 1–200 characters; default the task type. */
  readonly name?: string;
  /** One line for people; shown as the module's description. Default none. */
  readonly description?: string;
  /** Which version of the handler this is, up to 100 characters, for people; default none. */
  readonly version?: string;
  /**
   * Checks the payload before it is stored where this registry is known (a task manager, HTTP, `run --handlers`), and again
   * before running; `enqueue` of a queue knows no handlers and stores what it gets. Default none.
   */
  readonly payload?: StandardSchema;
  /** Checks what the handler returns, before the task completes; a result that it refuses fails the task at once. Default none. */
  readonly result?: StandardSchema;
  /** The definitions of its parents: each result of theirs is checked when the handler asks for it. Default none. */
  readonly parents?: ParentDefinitions;
  /** The definitions of the module's parameters, for forms; default none. What checks payloads is `payload`. */
  readonly parameters?: readonly ModuleParameter[];
  /** How failures are retried, where the task does not say; default the queue's policy. */
  readonly retryPolicy?: Partial<RetryPolicy>;
  /** After how many attempts a failure is final, 1–100, when the task allows more; default the task's own `maxAttempts`. */
  readonly maxAttempts?: number;
  /**
   * How long one attempt may take: 1 ms to 7 days; default no limit. The task's own takes precedence over it. A handler that ignores
   * its signal loses its slot a second after its time is over, so it goes on beside as many others as `concurrency` allows;
   * one made by `isolated()` is ended then.
   */
  readonly timeoutMs?: number;
  /** How many tasks of this type one worker runs at the same time, 1–1000; default the worker's concurrency. */
  readonly concurrency?: number;
  /** Replace a handler that is registered already; default false. */
  readonly allowOverride?: boolean;
}

/** A registered handler. */
export interface HandlerEntry {
  /** The task type. */
  readonly type: string;
  /** The module's name for people. */
  readonly name: string;
  /** The function that executes its tasks. */
  readonly handler: Handler;
  /** One line for people, or `""`. */
  readonly description: string;
  /** Which version this is, or `null`. */
  readonly version: string | null;
  /** Checks payloads. */
  readonly payload: StandardSchema | null;
  /** Checks results. */
  readonly result: StandardSchema | null;
  /** The definitions of its parents; `null` for any. */
  readonly parents: ParentDefinitions | null;
  /** The definitions of the module's parameters; `null` when there are none. */
  readonly parameters: readonly ModuleParameter[] | null;
  /** How failures are retried; `null` for the queue's policy. */
  readonly retryPolicy: RetryPolicy | null;
  /** After how many attempts a failure is final; `null` for the task's own number. */
  readonly maxAttempts: number | null;
  /** How long one attempt may take, in milliseconds; `null` for no limit. */
  readonly timeoutMs: number | null;
  /** How many run at the same time in one worker; `null` for the worker's concurrency. */
  readonly concurrency: number | null;
}

const VERSION_MAX_LENGTH = 100;

const HANDLER_OPTIONS = optionNames<HandlerOptions>({
  name: true,
  description: true,
  version: true,
  payload: true,
  result: true,
  parents: true,
  parameters: true,
  retryPolicy: true,
  maxAttempts: true,
  timeoutMs: true,
  concurrency: true,
  allowOverride: true,
});

/** Knows a handler for each task type. */
export class HandlerRegistry {
  readonly #entries = new Map<string, HandlerEntry>();
  readonly #listeners = new Set<() => void>();
  readonly #middleware: Middleware[] = [];

  /**
   * Registers the handler of a task type; the type may be a definition, which then types and checks what the handler gets and
   * returns.
   *
   * @throws TypeError when the type is taken and `allowOverride` is not set, or an argument is out of its range.
   */
  register<
    const Type extends string,
    Payload extends StandardSchema,
    Result extends StandardSchema | undefined,
    const Parents extends ParentDefinitions | undefined,
  >(
    definition: TaskDefinition<Type, Payload, Result, Parents>,
    handler: DefinedHandler<TaskDefinition<Type, Payload, Result, Parents>>,
    options?: DefinedHandlerOptions,
  ): this;
  /** Registers the handler of a task type. @throws TypeError as for a definition. */
  register(type: string, handler: Handler, options?: HandlerOptions): this;
  register(
    type: string | TaskDefinition,
    handler: Handler,
    options: HandlerOptions = {},
  ): this {
    if (typeof type === "string") return this.#register(type, handler, options);
    return this.#register(type.type, handler, { ...handlerOptionsOf(type), ...options });
  }

  #register(type: string, handler: Handler, options: HandlerOptions): this {
    checkOptions(options, HANDLER_OPTIONS, "a handler");
    const name = checkName(type, "task type", TASK_LIMITS.typeMaxLength);
    if (typeof handler !== "function") {
      throw new TypeError(
        `Cannot register ${
          JSON.stringify(name)
        }: its handler is a ${typeof handler}, not a function`,
      );
    }
    if (this.#entries.has(name) && !options.allowOverride) {
      throw new TypeError(
        `Cannot register ${
          JSON.stringify(name)
        }: it has a handler already (allowOverride replaces it)`,
      );
    }
    this.#entries.set(name, {
      type: name,
      name: options.name === undefined
        ? name
        : checkName(options.name, "module name", TASK_LIMITS.typeMaxLength),
      handler,
      description: options.description ?? "",
      version: options.version === undefined
        ? null
        : checkName(options.version, "version", VERSION_MAX_LENGTH),
      payload: schemaOf(options.payload, `payload of ${JSON.stringify(name)}`),
      result: schemaOf(options.result, `result of ${JSON.stringify(name)}`),
      parents: options.parents ?? null,
      parameters: options.parameters?.map((given) => ({ ...PARAMETER_DEFAULTS, ...given })) ?? null,
      retryPolicy: options.retryPolicy === undefined
        ? null
        : resolveRetryPolicy(options.retryPolicy),
      maxAttempts: options.maxAttempts === undefined ? null : checkInteger(
        options.maxAttempts,
        "maxAttempts",
        TASK_LIMITS.maxAttemptsMin,
        TASK_LIMITS.maxAttemptsMax,
      ),
      timeoutMs: options.timeoutMs === undefined
        ? null
        : checkInteger(options.timeoutMs, "timeoutMs", 1, TASK_LIMITS.timeoutMaxMs),
      concurrency: options.concurrency === undefined
        ? null
        : checkInteger(options.concurrency, "concurrency", 1, 1000),
    });
    for (const listener of this.#listeners) listener();
    return this;
  }

  /**
   * Runs `middleware` around the handlers of this registry, also of those that are registered later. The first that is added is the
   * outermost. Work that a task manager is given itself has none around it; of an isolated handler it runs outside the thread.
   *
   * @throws TypeError when it is not a function.
   */
  use(middleware: Middleware): this {
    if (typeof middleware !== "function") {
      throw new TypeError(`Cannot use a ${typeof middleware} as middleware: a function is needed`);
    }
    this.#middleware.push(middleware);
    return this;
  }

  /** The handler of `type` with the middleware around it. @throws QueueError `unknown_task_type`. */
  inMiddleware(type: string): Handler {
    const { handler } = this.#entry(type);
    return this.#middleware.length === 0 ? handler : around(handler, [...this.#middleware]);
  }

  /** Calls `listener` after each registration until the function that it returns is called. */
  watch(listener: () => void): () => void {
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** The handler of `type`, if there is one. */
  get(type: string): HandlerEntry | undefined {
    return this.#entries.get(type);
  }

  /** Whether `type` has a handler. */
  has(type: string): boolean {
    return this.#entries.has(type);
  }

  /** The types that have handlers, in order of registration. */
  types(): string[] {
    return [...this.#entries.keys()];
  }

  /** The handlers, in order of registration. */
  entries(): HandlerEntry[] {
    return [...this.#entries.values()];
  }

  /**
   * Checks `payload` against the handler's schema, if it has one. Throws at once, so a schema that has to wait for something
   * is refused; `checkPayloadAsync` waits.
   *
   * @throws QueueError `unknown_task_type` when there is no such handler; TypeError with every problem when the payload is
   * refused, or when the schema is asynchronous.
   */
  checkPayload(type: string, payload: unknown): unknown {
    return checkPayload(this.#entry(type), payload);
  }

  /** The same, also for a schema that has to wait for something. */
  async checkPayloadAsync(type: string, payload: unknown): Promise<unknown> {
    return await checkPayloadAsync(this.#entry(type), payload);
  }

  #entry(type: string): HandlerEntry {
    const entry = this.#entries.get(type);
    if (entry === undefined) {
      throw new QueueError(
        "unknown_task_type",
        `Cannot find a handler for ${JSON.stringify(type)}: known are ${
          this.types().join(", ") || "none"
        }`,
      );
    }
    return entry;
  }
}

/** A handler with middleware around it. */
function around(handler: Handler, middleware: readonly Middleware[]): Handler {
  return (task, context) => {
    const run = async (at: number): Promise<unknown> => {
      const here = middleware[at];
      if (here === undefined) return await handler(task, context);
      let isCalled = false;
      return await here({ ...context, task }, () => {
        if (isCalled) throw new Error("Cannot call next() again: the handler has run already");
        isCalled = true;
        return run(at + 1);
      });
    };
    return run(0);
  };
}

/** What is needed to check a payload. */
export type PayloadRule = Pick<HandlerEntry, "type" | "payload">;

/** The payload as the handler's schema gives it. @throws TypeError with every problem when it is refused. */
export async function checkPayloadAsync(rule: PayloadRule, payload: unknown): Promise<unknown> {
  if (rule.payload === null) return payload;
  return await accepted(rule.payload, payload, { part: "payload", type: rule.type });
}

/** The same, of a schema that need not wait. @throws TypeError also when the schema is asynchronous. */
function checkPayload(rule: PayloadRule, payload: unknown): unknown {
  if (rule.payload === null) return payload;
  return acceptedAtOnce(rule.payload, payload, { part: "payload", type: rule.type });
}

/** What a definition says of the handler of its tasks. */
export function handlerOptionsOf({ options }: TaskDefinition): HandlerOptions {
  const { type: _type, priority: _priority, compatibility: _compatibility, ...rest } = options;
  return rest;
}

function schemaOf(schema: StandardSchema | undefined, role: string): StandardSchema | null {
  return schema === undefined ? null : checkSchema(schema, role);
}
