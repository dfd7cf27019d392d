/**
 * TaskExecutionConfig: which TaskManager an application gets, from options and environment.
 */
import { shownValue } from "../domain/shown_value.ts";
import { z } from "zod";

/** Every backend, the default first. */
export const TASK_BACKENDS = ["in-memory", "queue"] as const;

/** Where runs are kept: in this process's memory, or on the durable queue. */
export type TaskBackend = typeof TASK_BACKENDS[number];

/** Which TaskManager to make. */
export interface TaskExecutionConfig {
  /** Default `in-memory`. Environment: `TASK_BACKEND`, or `USE_QUEUE_SYSTEM=true` for `queue`. */
  readonly taskBackend: TaskBackend;
  /** The queue's file; default `data/queue.db`. Environment: `QUEUE_DB_PATH`. */
  readonly queueDbPath: string;
  /** Whether to go on in memory when the queue cannot be opened; default true. Environment: `QUEUE_FALLBACK_ENABLED`. */
  readonly queueFallbackEnabled: boolean;
}

/** The defaults, behind options and environment. */
export const TASK_EXECUTION_DEFAULTS: TaskExecutionConfig = Object.freeze({
  taskBackend: "in-memory",
  queueDbPath: "data/queue.db",
  queueFallbackEnabled: true,
});

const BACKENDS_ALLOWED = '"in-memory" or "queue"';
const FLAG_ALLOWED = "true, false, 1 or 0";
const PATH_ALLOWED = "the path of a file";

const OPTIONS = z.object({
  taskBackend: z.enum(TASK_BACKENDS, refusal("taskBackend", BACKENDS_ALLOWED)).optional(),
  queueDbPath: z.string(refusal("queueDbPath", PATH_ALLOWED))
    .regex(/\S/, refusal("queueDbPath", PATH_ALLOWED)).optional(),
  queueFallbackEnabled: z.boolean(refusal("queueFallbackEnabled", "true or false")).optional(),
});

const ENVIRONMENT = z.object({
  TASK_BACKEND: variable(z.enum(TASK_BACKENDS, refusal("TASK_BACKEND", BACKENDS_ALLOWED))),
  USE_QUEUE_SYSTEM: variable(flag("USE_QUEUE_SYSTEM")),
  QUEUE_DB_PATH: variable(z.string()),
  QUEUE_FALLBACK_ENABLED: variable(flag("QUEUE_FALLBACK_ENABLED")),
});

/** The environment variables that are looked at. */
export const TASK_EXECUTION_VARIABLES: readonly string[] = Object.freeze(
  Object.keys(ENVIRONMENT.shape),
);

/** The option that each variable stands for. */
const STANDS_FOR: Readonly<Record<string, keyof TaskExecutionConfig>> = {
  TASK_BACKEND: "taskBackend",
  USE_QUEUE_SYSTEM: "taskBackend",
  QUEUE_DB_PATH: "queueDbPath",
  QUEUE_FALLBACK_ENABLED: "queueFallbackEnabled",
} satisfies Record<keyof typeof ENVIRONMENT.shape, keyof TaskExecutionConfig>;

/** The variables that count beside these options: one whose option is given is not looked at. */
export function variablesBeside(options: Partial<TaskExecutionConfig>): readonly string[] {
  return TASK_EXECUTION_VARIABLES.filter((name) => options[STANDS_FOR[name]!] === undefined);
}

/**
 * The configuration from options, then environment, then defaults.
 *
 * An empty variable counts as unset, and one whose option is given is not looked at. `TASK_BACKEND` takes precedence over `USE_QUEUE_SYSTEM`, so one variable suffices to switch back.
 *
 * @throws TypeError that names every wrong setting: its name, its value, and what is allowed.
 */
export function resolveTaskExecutionConfig(
  options: Partial<TaskExecutionConfig> = {},
  env: Readonly<Record<string, string | undefined>> = {},
): TaskExecutionConfig {
  const given = parse(OPTIONS, options);
  const looked = Object.fromEntries(variablesBeside(options).map((name) => [name, env[name]]));
  const variables = parse(ENVIRONMENT, looked);
  const defaults = TASK_EXECUTION_DEFAULTS;
  const switched = variables.USE_QUEUE_SYSTEM ? "queue" : defaults.taskBackend;
  return {
    taskBackend: given.taskBackend ?? variables.TASK_BACKEND ?? switched,
    queueDbPath: given.queueDbPath ?? variables.QUEUE_DB_PATH ?? defaults.queueDbPath,
    queueFallbackEnabled: given.queueFallbackEnabled ?? variables.QUEUE_FALLBACK_ENABLED ??
      defaults.queueFallbackEnabled,
  };
}

/** A variable: surrounding blanks do not count, and an empty one is unset. */
function variable<Schema extends z.ZodType>(
  schema: Schema,
): z.ZodType<z.output<Schema> | undefined> {
  return z.preprocess(
    (text) => typeof text === "string" ? text.trim() || undefined : text,
    schema.optional(),
  );
}

function flag(name: string): z.ZodType<boolean> {
  return z.stringbool({
    truthy: ["true", "1"],
    falsy: ["false", "0"],
    ...refusal(name, FLAG_ALLOWED),
  });
}

function refusal(name: string, allowed: string): { error: (issue: { input?: unknown }) => string } {
  return {
    error: ({ input }) => `Cannot use ${shownValue(input)} as ${name}: ${allowed} is needed`,
  };
}

function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new TypeError(parsed.error.issues.map((issue) => issue.message).join("; "));
}
