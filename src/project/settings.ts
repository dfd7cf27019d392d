/**
 * The settings of a project, each in one entry: its name in a file, its variable, what it may be, its default, what it means.
 *
 * Reading, the published schema (`docs/holdfast.schema.json`) and the table of `docs/configuration.md` are all made from here.
 */
import { z } from "zod";
import { CLAIM_ORDERS, type ClaimOrder } from "../domain/claim_order.ts";
import { DURABILITIES, type Durability } from "../domain/durability.ts";
import { MEMORY_LIMITS } from "../domain/memory_limits.ts";
import { TASK_LIMITS } from "../domain/task.ts";
import { WORKER_LIMITS } from "../domain/worker_limits.ts";
import { PAYLOAD_LIMIT_BYTES } from "../queue_policy/new_task.ts";
import { LOGS_LIMITS } from "../queue/queue_settings.ts";
import { LOG_LIMITS } from "../worker/log_limits.ts";
import { checkHost, WEBHOOK_TIMEOUT_MS } from "../worker/webhook_handler.ts";
import { WORKER_DEFAULTS } from "../worker/worker_options.ts";
import type { ProjectConfig } from "./project_config.ts";
import { RETENTION_ALLOWED, RETENTION_DEFAULT, RETENTION_RULE } from "./retention_rules.ts";

/** One setting. */
export interface Setting<Value> {
  /** Its name in a file. */
  readonly field: string;
  /** Its environment variable. */
  readonly variable: string;
  /** What it is when nobody says. */
  readonly byDefault: Value;
  /** What it means, in one line. */
  readonly about: string;
  /** The value that a variable's text stands for; the text itself when it stands for none. */
  readonly read: (text: string) => unknown;
  /** Whether it is a path, which is relative to the file that it stands in. */
  readonly isPath: boolean;
}

/** One setting, and what it may be. */
interface CheckedSetting<Value> extends Setting<Value> {
  readonly schema: z.ZodType<Value>;
}

interface Traits<Value> {
  readonly schema: z.ZodType<NonNullable<Value>>;
  readonly about: string;
  readonly byDefault?: Value;
  readonly variable?: string;
  readonly read?: (text: string) => unknown;
  readonly isPath?: boolean;
}

const { workerIdMaxLength, leaseDurationMinMs, leaseDurationMaxMs } = TASK_LIMITS;
const { concurrencyMax, pollIntervalMaxMs } = WORKER_LIMITS;
const { memoryMaxBytesMin, memoryMaxBytesMax } = MEMORY_LIMITS;
const HOSTS_MAX = 1000;
const RULES_MAX = 20;
const HOST_ALLOWED =
  "a host name such as hooks.example.com, perhaps with a port, or an address is needed";

/** Every setting with its schema, in the order of the docs. */
export const CHECKED_SETTINGS: {
  readonly [Name in keyof ProjectConfig]-?: CheckedSetting<ProjectConfig[Name]>;
} = Object.freeze({
  db: setting<string>("db", {
    schema: text("a path or an address such as postgres://user@host/database is needed"),
    byDefault: "data/queue.db",
    variable: "QUEUE_DB_PATH",
    isPath: true,
    about: "the queue: a path, or the address of a PostgreSQL database",
  }),
  handlers: path("handlers", "the handler file; default `handlers.ts` or `handlers.js`, if there"),
  modules: path("modules", "the file of command modules"),
  retention: setting<readonly string[]>("retention", {
    schema: z.array(z.string(RETENTION_ALLOWED).regex(RETENTION_RULE, RETENTION_ALLOWED))
      .max(RULES_MAX, `at most ${RULES_MAX} rules are allowed`),
    byDefault: RETENTION_DEFAULT,
    read: (given) => given === "none" ? [] : readList(given),
    about:
      "which finished tasks `worker` and `serve` delete, every minute; `[]` keeps all (a variable: `none`)",
  }),
  durability: setting<Durability>("durability", {
    schema: z.enum(DURABILITIES),
    byDefault: "full",
    about: "`relaxed` may lose the last 50 ms in a power cut",
  }),
  payloadMaxBytes: integer("payload_max_bytes", {
    min: 1,
    max: PAYLOAD_LIMIT_BYTES,
    byDefault: TASK_LIMITS.payloadMaxBytes,
    about: "how large a payload may be",
  }),
  memoryMaxBytes: integer("memory_max_bytes", {
    min: memoryMaxBytesMin,
    max: memoryMaxBytesMax,
    byDefault: memoryMaxBytesMax,
    about: "what the tasks may take of memory in each process (files)",
  }),
  logMaxBytes: integer("log_max_bytes", {
    min: LOG_LIMITS.taskMaxBytesMin,
    max: LOG_LIMITS.taskMaxBytesMax,
    byDefault: LOG_LIMITS.taskMaxBytesDefault,
    about: "what the log of one task may take",
  }),
  logsMaxBytes: integer("logs_max_bytes", {
    min: LOGS_LIMITS.logsMaxBytesMin,
    max: LOGS_LIMITS.logsMaxBytesMax,
    byDefault: LOGS_LIMITS.logsMaxBytesDefault,
    about:
      "what the logs of all tasks together may take; above it those of the first finished tasks go",
  }),
  workerId: setting<string | undefined>("worker_id", {
    schema: z.string(idAllowed()).trim().min(1, idAllowed()).max(workerIdMaxLength, idAllowed()),
    about: "the worker's name, unique among those of a queue; default a random one",
  }),
  strategy: setting<ClaimOrder>("scheduling_strategy", {
    schema: z.enum(CLAIM_ORDERS),
    byDefault: WORKER_DEFAULTS.strategy,
    about: "which due task comes first",
  }),
  concurrency: integer("concurrency", {
    min: 1,
    max: concurrencyMax,
    byDefault: WORKER_DEFAULTS.concurrency,
    about: "how many tasks a worker runs at the same time",
  }),
  leaseDurationMs: integer("lease_duration_ms", {
    min: leaseDurationMinMs,
    max: leaseDurationMaxMs,
    byDefault: WORKER_DEFAULTS.leaseDurationMs,
    about: "how long a lease lasts without renewal",
  }),
  pollIntervalMs: integer("poll_interval_ms", {
    min: 1,
    max: pollIntervalMaxMs,
    byDefault: WORKER_DEFAULTS.pollIntervalMs,
    about: "how often a worker looks although nothing was announced",
  }),
  capabilities: setting<Readonly<Record<string, unknown>>>("capabilities", {
    schema: z.record(z.string(), z.unknown(), "a JSON object is needed"),
    byDefault: Object.freeze({}),
    read: readJson,
    about: "what this worker can do; all compatibility pairs of a task must be here",
  }),
  webhookAllowedHosts: setting<readonly string[]>("webhook_allowed_hosts", {
    schema: z.array(
      z.string(HOST_ALLOWED).refine(isHost, HOST_ALLOWED),
      "a list of hosts is needed",
    )
      .max(HOSTS_MAX, `at most ${HOSTS_MAX} hosts are allowed`),
    byDefault: Object.freeze([]),
    read: readList,
    about: "the hosts that webhooks may be delivered to; none: nothing is delivered",
  }),
  webhookSecretFile: path(
    "webhook_secret_file",
    "what webhooks are signed with; default the variable `HOLDFAST_WEBHOOK_SECRET`",
  ),
  webhookTimeoutMs: integer("webhook_timeout_ms", {
    min: WEBHOOK_TIMEOUT_MS.min,
    max: WEBHOOK_TIMEOUT_MS.max,
    byDefault: WEBHOOK_TIMEOUT_MS.default,
    about: "how long one delivery may take",
  }),
  host: setting<string>("host", {
    schema: text("the name or address to listen on is needed"),
    byDefault: "127.0.0.1",
    about: "where `serve` listens; beyond loopback tokens are needed",
  }),
  port: integer("port", {
    min: 0,
    max: 65_535,
    byDefault: 8787,
    about: "the port of `serve`; 0 takes a free one",
  }),
  tokensFile: path(
    "tokens_file",
    "the access tokens of `serve`, one a line; also the variable `HOLDFAST_TOKENS`",
  ),
  corsOrigins: setting<readonly string[]>("cors_origins", {
    schema: z.array(text("an origin such as https://app.example.com is needed")),
    byDefault: Object.freeze([]),
    read: readList,
    about: "origins whose pages may use the HTTP interface",
  }),
  dashboard: setting<boolean>("dashboard", {
    schema: z.boolean("true or false is needed"),
    byDefault: true,
    read: (given) => given === "true" || (given === "false" ? false : given),
    about: "whether `serve` shows the dashboard at `/`",
  }),
});

/** Every setting, in the order of the docs. */
export const SETTINGS: {
  readonly [Name in keyof ProjectConfig]-?: Setting<ProjectConfig[Name]>;
} = CHECKED_SETTINGS;

function setting<Value>(field: string, traits: Traits<Value>): CheckedSetting<Value> {
  return {
    field,
    variable: traits.variable ?? `HOLDFAST_${field.toUpperCase()}`,
    // what is optional is left out, so a schema need not allow it
    schema: traits.schema as z.ZodType<Value>,
    byDefault: traits.byDefault as Value,
    about: traits.about,
    read: traits.read ?? ((given) => given),
    isPath: traits.isPath ?? false,
  };
}

function path(field: string, about: string): CheckedSetting<string | undefined> {
  return setting<string | undefined>(field, {
    schema: text("the path of a file is needed"),
    isPath: true,
    about,
  });
}

function integer(
  field: string,
  { min, max, ...traits }: { min: number; max: number; byDefault: number; about: string },
): CheckedSetting<number> {
  const allowed = `an integer from ${min} to ${max} is needed`;
  const schema = z.int(allowed).min(min, allowed).max(max, allowed);
  const read = (given: string): unknown => /^[+-]?\d+$/.test(given) ? Number(given) : given;
  return setting<number>(field, { schema, read, ...traits });
}

function text(allowed: string): z.ZodType<string> {
  return z.string(allowed).trim().min(1, allowed);
}

function idAllowed(): string {
  return `a string of 1 to ${workerIdMaxLength} characters is needed`;
}

function readList(given: string): string[] {
  return given.split(",").map((each) => each.trim()).filter((each) => each !== "");
}

function readJson(given: string): unknown {
  try {
    return JSON.parse(given);
  } catch {
    return given;
  }
}

function isHost(given: string): boolean {
  try {
    checkHost(given);
    return true;
  } catch (thrown) {
    if (thrown instanceof TypeError) return false;
    throw thrown;
  }
}
