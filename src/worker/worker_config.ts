/**
 * A worker's configuration, from options, environment and file: the first that says something counts.
 */
import { z } from "zod";
import { CLAIM_ORDERS, type ClaimOrder } from "../domain/claim_order.ts";
import { MEMORY_LIMITS } from "../domain/memory_limits.ts";
import { TASK_LIMITS } from "../domain/task.ts";
import { WORKER_LIMITS } from "../domain/worker_limits.ts";
import { LOG_LIMITS } from "./log_limits.ts";
import { describeProblems, onlyFields } from "./schema_problems.ts";
import { checkHost, WEBHOOK_TIMEOUT_MS } from "./webhook_handler.ts";
import { withDefaults } from "./worker_options.ts";

/** The settings that can come from outside; the same as in `WorkerOptions`, and what the worker's queue and logs may take. */
export interface WorkerConfig {
  /** 1–200 characters, unique among the workers of a queue; default a random one. Environment: `HOLDFAST_WORKER_ID`. */
  readonly workerId: string | undefined;
  /** Which due task comes first; default `priority`. Environment: `HOLDFAST_SCHEDULING_STRATEGY`. */
  readonly strategy: ClaimOrder;
  /** How long a lease lasts without renewal: 100 ms to 24 h; default 10,000 ms. Environment: `HOLDFAST_LEASE_DURATION_MS`. */
  readonly leaseDurationMs: number;
  /** How many tasks run at the same time, 1–1000; default 4. Environment: `HOLDFAST_CONCURRENCY`. */
  readonly concurrency: number;
  /** The worker's capabilities, a JSON object; default `{}`. Environment: `HOLDFAST_CAPABILITIES`, as JSON. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** The polling interval, 1 to 60,000 ms; default 1000. Environment: `HOLDFAST_POLL_INTERVAL_MS`. */
  readonly pollIntervalMs: number;
  /**
   * The hosts that webhooks may be delivered to, as in `WebhookOptions`; default none, and nothing is delivered. Environment:
   * `HOLDFAST_WEBHOOK_ALLOWED_HOSTS`, between commas.
   */
  readonly webhookAllowedHosts: readonly string[];
  /**
   * The file that holds the secret by which webhooks are signed; default none: then `HOLDFAST_WEBHOOK_SECRET` is the secret.
   * Environment: `HOLDFAST_WEBHOOK_SECRET_FILE`.
   */
  readonly webhookSecretFile: string | undefined;
  /** How long one delivery may take, 100 to 60,000 ms; default 10,000. Environment: `HOLDFAST_WEBHOOK_TIMEOUT_MS`. */
  readonly webhookTimeoutMs: number;
  /** As in `QueueSettings`: 1 MiB to 1.25 GiB in bytes; default 1.25 GiB. Environment: `HOLDFAST_MEMORY_MAX_BYTES`. */
  readonly memoryMaxBytes: number;
  /** `taskMaxBytes` of `LogLimits`: 64 KiB to 1 GiB in bytes; default 16 MiB. Environment: `HOLDFAST_LOG_MAX_BYTES`. */
  readonly logMaxBytes: number;
}

/** Where a worker's configuration may come from. */
export interface WorkerConfigSources {
  /** Takes precedence over everything else. */
  readonly options?: Partial<WorkerConfig>;
  /** Environment variables; an empty one counts as unset. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The content of a file, and its name for messages. Its fields are those of the options in snake_case. */
  readonly file?: { readonly name: string; readonly content: unknown };
}

const { workerIdMaxLength, leaseDurationMinMs, leaseDurationMaxMs } = TASK_LIMITS;
const { concurrencyMax, pollIntervalMaxMs } = WORKER_LIMITS;
const ID_ALLOWED = `a string of 1 to ${workerIdMaxLength} characters is needed`;
const HOSTS_ALLOWED = "a list of hosts is needed";
const HOST_ALLOWED =
  "a host name such as hooks.example.com, perhaps with a port, or an address is needed";
const FILE_ALLOWED = "the path of a file is needed";
const HOSTS_MAX = 1000;
const PAIRS_ALLOWED = "a JSON object is needed";

const FIELDS = {
  worker_id: z.string(ID_ALLOWED).trim().min(1, ID_ALLOWED).max(workerIdMaxLength, ID_ALLOWED),
  scheduling_strategy: z.enum(CLAIM_ORDERS),
  lease_duration_ms: integer(leaseDurationMinMs, leaseDurationMaxMs),
  concurrency: integer(1, concurrencyMax),
  capabilities: z.record(z.string(), z.unknown(), PAIRS_ALLOWED),
  poll_interval_ms: integer(1, pollIntervalMaxMs),
  webhook_allowed_hosts: z.array(z.string(HOST_ALLOWED).refine(isHost, HOST_ALLOWED), HOSTS_ALLOWED)
    .max(HOSTS_MAX, `at most ${HOSTS_MAX} hosts are allowed`),
  webhook_secret_file: z.string(FILE_ALLOWED).trim().min(1, FILE_ALLOWED),
  webhook_timeout_ms: integer(WEBHOOK_TIMEOUT_MS.min, WEBHOOK_TIMEOUT_MS.max),
  memory_max_bytes: integer(MEMORY_LIMITS.memoryMaxBytesMin, MEMORY_LIMITS.memoryMaxBytesMax),
  log_max_bytes: integer(LOG_LIMITS.taskMaxBytesMin, LOG_LIMITS.taskMaxBytesMax),
};

const SETTINGS = onlyFields(FIELDS).partial();

type Settings = z.output<typeof SETTINGS>;

/** The names here of the Python system's fields. */
const PYTHON_FIELDS: Readonly<Record<string, string>> = Object.freeze({
  lease_duration_seconds: "lease_duration_ms, in milliseconds",
  poll_interval_seconds: "poll_interval_ms, in milliseconds",
  max_retries:
    "max_attempts of a task, or `maxAttempts` of its handler: executions, the first included",
});

const PREFIX = "HOLDFAST_";

/** The environment variable of each field. */
const VARIABLES = Object.keys(FIELDS).map((field) =>
  [field, `${PREFIX}${field.toUpperCase()}`] as const
);

/** The environment variables that are looked at. */
export const WORKER_CONFIG_VARIABLES: readonly string[] = Object.freeze(
  VARIABLES.map(([, variable]) => variable),
);

/**
 * The configuration from options, then environment, then file, then defaults.
 *
 * @throws TypeError that names every wrong setting of the first source that has one: its name, its value, and what is
 * allowed.
 */
export function resolveWorkerConfig(
  { options = {}, env = {}, file }: WorkerConfigSources = {},
): WorkerConfig {
  const given = check(SETTINGS, fromOptions(options), "the worker's options");
  const variables = fromEnvironment(env);
  const written = file === undefined ? {} : checkFile(file);
  const settings: Settings = { ...written, ...defined(variables), ...defined(given) };
  return {
    workerId: settings.worker_id,
    ...withDefaults({
      strategy: settings.scheduling_strategy,
      leaseDurationMs: settings.lease_duration_ms,
      concurrency: settings.concurrency,
      capabilities: settings.capabilities,
      pollIntervalMs: settings.poll_interval_ms,
    }),
    webhookAllowedHosts: settings.webhook_allowed_hosts ?? [],
    webhookSecretFile: settings.webhook_secret_file,
    webhookTimeoutMs: settings.webhook_timeout_ms ?? WEBHOOK_TIMEOUT_MS.default,
    memoryMaxBytes: settings.memory_max_bytes ?? MEMORY_LIMITS.memoryMaxBytesMax,
    logMaxBytes: settings.log_max_bytes ?? LOG_LIMITS.taskMaxBytesDefault,
  };
}

function fromOptions(options: Partial<WorkerConfig>): Record<string, unknown> {
  const { workerId, strategy, leaseDurationMs, concurrency, capabilities, pollIntervalMs } =
    options;
  const { webhookAllowedHosts, webhookSecretFile, webhookTimeoutMs } = options;
  const { memoryMaxBytes, logMaxBytes } = options;
  return defined({
    worker_id: workerId,
    scheduling_strategy: strategy,
    lease_duration_ms: leaseDurationMs,
    concurrency,
    capabilities,
    poll_interval_ms: pollIntervalMs,
    webhook_allowed_hosts: webhookAllowedHosts,
    webhook_secret_file: webhookSecretFile,
    webhook_timeout_ms: webhookTimeoutMs,
    memory_max_bytes: memoryMaxBytes,
    log_max_bytes: logMaxBytes,
  });
}

/** The settings in the environment; a problem names its variable. */
function fromEnvironment(env: Readonly<Record<string, string | undefined>>): Settings {
  const problems: string[] = [];
  const settings: Record<string, unknown> = {};
  for (const [field, variable] of VARIABLES) {
    const text = env[variable]?.trim();
    if (text === undefined || text === "") continue;
    const parsed = FIELDS[field as keyof typeof FIELDS].safeParse(readVariable(field, text));
    if (parsed.success) settings[field] = parsed.data;
    else {
      const wrong = { [variable]: text };
      const issues = parsed.error.issues.map((issue) => ({ ...issue, path: [variable] }));
      problems.push(describeProblems(new z.ZodError(issues), wrong));
    }
  }
  if (problems.length > 0) throw refusal("the environment", problems.join("; "));
  return settings;
}

/** The value that a variable's text stands for; the text itself when it stands for none. */
function readVariable(field: string, text: string): unknown {
  if (/_(ms|bytes)$/.test(field) || field === "concurrency") {
    return /^[+-]?\d+$/.test(text) ? Number(text) : text;
  }
  if (field === "webhook_allowed_hosts") {
    return text.split(",").map((host) => host.trim()).filter((host) => host !== "");
  }
  if (field !== "capabilities") return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function check<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  source: string,
): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw refusal(source, describeProblems(parsed.error, value));
}

/** A field of the Python system's is reported with its name here. */
function checkFile(file: { readonly name: string; readonly content: unknown }): Settings {
  try {
    return check(SETTINGS, file.content, file.name);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const fields = Object.keys(Object(file.content)).filter((field) =>
      Object.hasOwn(PYTHON_FIELDS, field)
    );
    if (fields.length === 0) throw error;
    const hints = fields.map((field) => `${field} is ${PYTHON_FIELDS[field]}`);
    throw new TypeError(`${error.message}; ${hints.join("; ")}`);
  }
}

function refusal(source: string, problems: string): TypeError {
  return new TypeError(`Cannot configure the worker from ${source}: ${problems}`);
}

function defined<T extends object>(settings: T): T {
  const entries = Object.entries(settings).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as T;
}

function isHost(text: string): boolean {
  try {
    checkHost(text);
    return true;
  } catch (thrown) {
    if (thrown instanceof TypeError) return false;
    throw thrown;
  }
}

function integer(min: number, max: number): z.ZodType<number> {
  const allowed = `an integer from ${min} to ${max} is needed`;
  return z.int(allowed).min(min, allowed).max(max, allowed);
}
