/**
 * Task definitions: a task type with the schemas of its payload and result, over the port of untyped tasks.
 *
 * A definition makes a `NewTask` of a payload that its schema accepts, or throws before anything is stored. What stores it is whatever
 * has an `enqueue`: each engine, a queue over HTTP, a handler's context. So none of them knows of definitions.
 */
import { checkOptions, optionNames } from "../domain/options.ts";
import { resolveRetryPolicy, type RetryPolicy } from "../domain/backoff.ts";
import { checkInteger, checkName } from "../domain/check.ts";
import { createRun, type NewRun, type Run } from "../domain/run.ts";
import {
  accepted,
  checkSchema,
  type InputOf,
  type OutputOf,
  type StandardSchema,
} from "../domain/standard_schema.ts";
import { type NewTask, type Task, TASK_LIMITS } from "../domain/task.ts";
import { ENQUEUE_FIELDS } from "../domain/task_fields.ts";
import type { EnqueueOptions, ParentResult } from "./task_queue.ts";

/** The part of a definition that tells what its results are. */
export interface WithResult {
  /** The task type. */
  readonly type: string;
  /** The schema of its results; `undefined` for any JSON value. */
  readonly result: StandardSchema | undefined;
}

/** The definitions of a task's parents: one for all of them, or one for each in the order of `dependsOn`. */
export type ParentDefinitions = WithResult | readonly WithResult[];

/** What a task is, as its definition says. */
export interface TaskDefinitionOptions<
  Type extends string,
  Payload extends StandardSchema,
  Result extends StandardSchema | undefined,
  Parents extends ParentDefinitions | undefined,
> {
  /** The task type, 1–200 characters. */
  readonly type: Type;
  /** The schema of its payload, of any library that follows Standard Schema; it may be asynchronous. */
  readonly payload: Payload;
  /** The schema of its result: checked before the task completes. Default any JSON value. */
  readonly result?: Result;
  /** The definitions of its parents, which type their results in its handler. Default any. */
  readonly parents?: Parents;
  /** The module's name for people; default the task type. */
  readonly name?: string;
  /** One line for people; default none. */
  readonly description?: string;
  /** Which version of the handler this is, for people; default none. */
  readonly version?: string;
  /** 1–1000, lower runs first; default 100. */
  readonly priority?: number;
  /** Executions allowed, 1–100; default 5. */
  readonly maxAttempts?: number;
  /** How failures are retried; default the queue's policy. */
  readonly retryPolicy?: Partial<RetryPolicy>;
  /** How long one attempt may take, 1 ms to 7 days in milliseconds; default no limit. */
  readonly timeoutMs?: number;
  /** Only workers whose capabilities contain each pair may claim such tasks. Default `{}`. */
  readonly compatibility?: Readonly<Record<string, unknown>>;
  /** How many such tasks one worker runs at the same time, 1–1000; default the worker's concurrency. */
  readonly concurrency?: number;
}

/** How to enqueue a task, apart from its type and payload. */
export type TaskOptions = Omit<NewTask, "type" | "payload">;

/** A task as its definition types it. */
export type DefinedTask<Definition extends WithResult & { readonly payload: StandardSchema }> =
  & Omit<Task, "type" | "payload" | "result">
  & {
    /** The definition's type. */
    readonly type: Definition["type"];
    /** The payload as its schema gives it. */
    readonly payload: OutputOf<Definition["payload"]>;
    /** The result as its schema gives it; `null` unless completed. */
    readonly result: OutputOf<Definition["result"]> | null;
  };

/** The outcome of a parent that has a definition. */
export type DefinedParentResult<Parent extends WithResult> = ParentResult<
  OutputOf<Parent["result"]> | null
>;

/** The outcomes of a task's parents, as their definitions type them. */
export type ParentResultsOf<Parents> = Parents extends readonly WithResult[] ? {
    readonly [Place in keyof Parents]: Parents[Place] extends WithResult
      ? DefinedParentResult<Parents[Place]>
      : never;
  }
  : Parents extends WithResult ? readonly DefinedParentResult<Parents>[]
  : readonly ParentResult[];

/** What can store a new task: a queue, or a handler's context. */
export interface EnqueueTarget<Answer> {
  /** Stores it. */
  enqueue(task: NewTask, how?: EnqueueOptions): Answer | Promise<Answer>;
}

const DEFINITION_OPTIONS = optionNames<
  TaskDefinitionOptions<string, StandardSchema, undefined, undefined>
>({
  type: true,
  payload: true,
  result: true,
  parents: true,
  name: true,
  description: true,
  version: true,
  priority: true,
  maxAttempts: true,
  retryPolicy: true,
  timeoutMs: true,
  compatibility: true,
  concurrency: true,
});

/**
 * A task type with what is known of it: typed for the compiler, and checked at run time.
 *
 * Every check is made before anything is stored. What is stored is the payload, and the result, as it was given; the conversions of
 * a schema are made for whoever reads it.
 */
export class TaskDefinition<
  const Type extends string = string,
  Payload extends StandardSchema = StandardSchema,
  Result extends StandardSchema | undefined = StandardSchema | undefined,
  const Parents extends ParentDefinitions | undefined = ParentDefinitions | undefined,
> {
  /** The task type. */
  readonly type: Type;
  /** The schema of its payload. */
  readonly payload: Payload;
  /** The schema of its result; `undefined` for any JSON value. */
  readonly result: Result;
  /** The definitions of its parents; `undefined` for any. */
  readonly parents: Parents;
  /** Everything that was said of it. */
  readonly options: Readonly<TaskDefinitionOptions<Type, Payload, Result, Parents>>;
  /** What each of its tasks is stored with, unless its enqueueing says otherwise. */
  readonly #taskOptions: TaskOptions;

  /** See `defineTask`. */
  constructor(options: TaskDefinitionOptions<Type, Payload, Result, Parents>) {
    checkDefinition(options);
    this.type = options.type;
    this.payload = options.payload;
    this.result = options.result as Result;
    this.parents = options.parents as Parents;
    this.options = Object.freeze({ ...options });
    const { priority, maxAttempts, retryPolicy, timeoutMs, compatibility } = options;
    this.#taskOptions = onlyGiven({
      priority,
      maxAttempts,
      retryPolicy,
      timeoutMs,
      compatibility,
    });
    Object.freeze(this);
  }

  /**
   * A new task with a payload that the schema accepts: for `enqueueBatch`, `scheduleTasks`, or a schedule.
   *
   * @throws TypeError with every problem when the payload is refused, or when there are not as many `dependsOn` as parents that the
   * definition names in order.
   */
  async newTask(payload: InputOf<Payload>, options: TaskOptions = {}): Promise<NewTask> {
    checkOptions(options, ENQUEUE_FIELDS, `a task of the type ${JSON.stringify(this.type)}`);
    this.#checkParents(options);
    await accepted(this.payload, payload, { part: "payload", type: this.type });
    return { ...this.#taskOptions, ...onlyGiven(options), type: this.type, payload };
  }

  /**
   * Checks the payload and stores a task: in a queue, or through whatever else has an `enqueue`, whose answer this is.
   *
   * @throws TypeError as `newTask`; else what the target throws.
   */
  async enqueue<Answer>(
    target: EnqueueTarget<Answer>,
    payload: InputOf<Payload>,
    options: TaskOptions = {},
    how?: EnqueueOptions,
  ): Promise<Answer> {
    return await target.enqueue(await this.newTask(payload, options), how);
  }

  /**
   * A new run with parameters that the schema accepts, for a manager's `startTask`; its id is a random one unless it is given.
   *
   * @throws TypeError with every problem when the parameters are refused.
   */
  async newRun(
    parameters: InputOf<Payload>,
    fields: Partial<Omit<NewRun, "moduleId" | "parameters">> = {},
  ): Promise<Run> {
    await accepted(this.payload, parameters, { part: "payload", type: this.type });
    const { priority, maxAttempts, retryPolicy } = this.#taskOptions;
    return createRun({
      runId: crypto.randomUUID(),
      moduleName: this.options.name,
      ...onlyGiven({ priority, maxAttempts, retryPolicy }),
      ...onlyGiven(fields),
      moduleId: this.type,
      parameters,
    });
  }

  /**
   * `task` with its payload and its result as the schemas give them.
   *
   * @throws TypeError when it is of another type, or a schema refuses what it holds.
   */
  async read(task: Task): Promise<DefinedTask<this>> {
    if (task.type !== this.type) {
      throw new TypeError(
        `Cannot read task ${task.id} as ${JSON.stringify(this.type)}: its type is ${
          JSON.stringify(task.type)
        }`,
      );
    }
    const { type } = this;
    const payload = await accepted(this.payload, task.payload, { part: "payload", type });
    const result = await readResult(this, task);
    return { ...task, type, payload, result } as DefinedTask<this>;
  }

  #checkParents({ dependsOn = [] }: TaskOptions): void {
    if (!Array.isArray(this.parents) || this.parents.length === dependsOn.length) return;
    const types = this.parents.map(({ type }) => JSON.stringify(type)).join(", ");
    throw new TypeError(
      `Cannot enqueue ${JSON.stringify(this.type)} with ${dependsOn.length} parents: ` +
        `${this.parents.length} are needed in dependsOn, of the types ${types}`,
    );
  }
}

/**
 * Defines a task type: the same definition types and checks what is enqueued, what its handler gets and returns, and what is read.
 *
 * ```ts ignore
 * const email = defineTask({
 *   type: "email",
 *   payload: z.object({ to: z.email() }),
 *   result: z.object({ messageId: z.string() }),
 *   maxAttempts: 3,
 * });
 * registry.register(email, async (task) => ({ messageId: await send(task.payload.to) }));
 * const { task } = await email.enqueue(queue, { to: "ann@example.com" });
 * ```
 *
 * @throws TypeError, RangeError for an option that is not allowed.
 */
export function defineTask<
  const Type extends string,
  Payload extends StandardSchema,
  Result extends StandardSchema | undefined = undefined,
  const Parents extends ParentDefinitions | undefined = undefined,
>(
  options: TaskDefinitionOptions<Type, Payload, Result, Parents>,
): TaskDefinition<Type, Payload, Result, Parents> {
  return new TaskDefinition(options);
}

/**
 * The outcomes of parents as their definitions give them.
 *
 * @throws TypeError when a result is refused, or there are more or fewer parents than are defined.
 */
export async function readParentResults(
  parents: ParentDefinitions,
  results: readonly ParentResult[],
): Promise<ParentResult[]> {
  const definitions: readonly WithResult[] | null = "type" in parents ? null : parents;
  if (definitions !== null && definitions.length !== results.length) {
    throw new TypeError(
      `Cannot read the results of ${results.length} parents: ${definitions.length} are defined`,
    );
  }
  return await Promise.all(results.map(async (parent, place) => {
    const definition = definitions?.[place] ?? (parents as WithResult);
    return { ...parent, result: await readResult(definition, parent) };
  }));
}

async function readResult(
  { type, result: schema }: WithResult,
  { status, result }: { readonly status: string; readonly result: unknown },
): Promise<unknown> {
  if (status !== "completed" || schema === undefined) return result;
  return await accepted(schema, result, { part: "result", type });
}

function checkDefinition(
  options: TaskDefinitionOptions<
    string,
    StandardSchema,
    StandardSchema | undefined,
    ParentDefinitions | undefined
  >,
): void {
  checkOptions(options, DEFINITION_OPTIONS, "a task's definition");
  const { type, payload, result, retryPolicy } = options;
  if (checkName(type, "task type", TASK_LIMITS.typeMaxLength) !== type) {
    throw new TypeError(
      `Cannot use ${JSON.stringify(type)} as task type: surrounding blanks are not allowed`,
    );
  }
  checkSchema(payload, `payload of ${JSON.stringify(type)}`);
  if (result !== undefined) checkSchema(result, `result of ${JSON.stringify(type)}`);
  resolveRetryPolicy(retryPolicy);
  for (const [name, min, max] of RANGES) {
    const value = options[name];
    if (value !== undefined) checkInteger(value, name, min, max);
  }
}

const RANGES = [
  ["priority", TASK_LIMITS.priorityMin, TASK_LIMITS.priorityMax],
  ["maxAttempts", TASK_LIMITS.maxAttemptsMin, TASK_LIMITS.maxAttemptsMax],
  ["timeoutMs", 1, TASK_LIMITS.timeoutMaxMs],
] as const;

/** The fields that have a value: one without would hide a default. */
function onlyGiven<T extends object>(fields: T): T {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as T;
}
