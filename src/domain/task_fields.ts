/**
 * The fields of a new task, as one table: names, kinds, ranges, defaults and help. HTTP bodies, batch files, command-line
 * options, NDJSON and the tables of the docs are made from it, so no door can lack a field or allow another range.
 *
 * Programs say `maxAttempts`, everything that is written says `max_attempts`: the second name is always made from the first.
 */
import { DEFAULT_RETRY_POLICY, RETRY_LIMITS, type RetryPolicy } from "./backoff.ts";
import { type Unique, UNIQUE_LIMITS, UNIQUE_MODES } from "./unique.ts";
import {
  type NewTask,
  PARENT_FAILURE_POLICIES,
  PREDECESSOR_FAILURE_POLICIES,
  type Task,
  TASK_LIMITS,
} from "./task.ts";
import { type Webhook, WEBHOOK_EVENTS, WEBHOOK_URL_MAX_LENGTH } from "./webhook.ts";

/** What a field can hold. */
export type TaskFieldKind =
  /** A printable string, not blank. */
  | { readonly kind: "name"; readonly maxLength: number }
  /** The same, or empty for none. */
  | { readonly kind: "key"; readonly maxLength: number }
  /** Any JSON value. */
  | { readonly kind: "json" }
  /** A JSON object. */
  | { readonly kind: "pairs" }
  | { readonly kind: "integer" | "number"; readonly min: number; readonly max: number }
  /** A `Date`, or an ISO 8601 string with a zone; always the string where it is written. */
  | { readonly kind: "instant" }
  /** One of some strings, or an array of some of them. */
  | { readonly kind: "choice" | "choices"; readonly choices: readonly [string, ...string[]] }
  /** A set of printable strings, none blank; as it is stored in order, each once. */
  | { readonly kind: "names"; readonly maxLength: number; readonly max: number }
  /** Task ids (numbers) and run ids (strings). */
  | { readonly kind: "references"; readonly max: number }
  /** The URL of a webhook. */
  | { readonly kind: "url"; readonly maxLength: number }
  /** An object with fields of its own. */
  | { readonly kind: "object"; readonly fields: FieldTable };

/** One field. */
export type TaskField = TaskFieldKind & {
  /** What it means, as a phrase without its unit, its range and its default. */
  readonly help: string;
  /** Its value where none is given; only where that is always the same. */
  readonly default?: unknown;
  /** What holds where none is given, in words; only where `default` cannot say it. */
  readonly defaultText?: string;
  /** A value for documentation. */
  readonly example?: unknown;
  /** Whether it must be given. */
  readonly isRequired?: true;
  /** Whether a task keeps it under its name and in its form, so that it can be compared with what was given. */
  readonly isKept?: true;
};

/** Fields by their names in programs. */
export type FieldTable = Readonly<Record<string, TaskField>>;

/** The fields of a retry policy. */
export const RETRY_POLICY_FIELDS: Readonly<Record<keyof RetryPolicy, TaskField>> = Object.freeze({
  initialDelayMs: {
    kind: "number",
    min: 0,
    max: RETRY_LIMITS.delayMaxMs,
    default: DEFAULT_RETRY_POLICY.initialDelayMs,
    help: "the delay after the first failure",
    example: 1000,
  },
  multiplier: {
    kind: "number",
    min: 1,
    max: RETRY_LIMITS.multiplierMax,
    default: DEFAULT_RETRY_POLICY.multiplier,
    help: "the factor from one failure to the next",
    example: 2,
  },
  maxDelayMs: {
    kind: "number",
    min: 0,
    max: RETRY_LIMITS.delayMaxMs,
    default: DEFAULT_RETRY_POLICY.maxDelayMs,
    help: "the longest delay",
    example: 300_000,
  },
});

/** The fields of a webhook. */
const WEBHOOK_FIELDS: Readonly<Record<keyof Webhook, TaskField>> = Object.freeze({
  url: {
    kind: "url",
    maxLength: WEBHOOK_URL_MAX_LENGTH,
    isRequired: true,
    help: "an http or https URL without user name and password",
    example: "https://hooks.example.com/done",
  },
  events: {
    kind: "choices",
    choices: WEBHOOK_EVENTS,
    defaultText: "all three",
    help: "which ends to report",
    example: ["completed", "failed"],
  },
});

/** The fields of what makes a task unique. */
export const UNIQUE_FIELDS: Readonly<Record<keyof Unique, TaskField>> = Object.freeze({
  key: {
    kind: "name",
    maxLength: UNIQUE_LIMITS.keyMaxLength,
    isRequired: true,
    help: "the key, unique for each task type",
    example: "report-4711",
  },
  mode: {
    kind: "choice",
    choices: UNIQUE_MODES,
    isRequired: true,
    help: "what becomes of a task when there is one under its key",
    example: "queued",
  },
  windowMs: {
    kind: "integer",
    min: 1,
    max: UNIQUE_LIMITS.windowMaxMs,
    defaultText: "none; throttle and debounce need one",
    help:
      "for how long a throttled task holds its key, or how long a debounced one waits for the next",
  },
  maxWaitMs: {
    kind: "integer",
    min: 1,
    max: UNIQUE_LIMITS.windowMaxMs,
    defaultText: "ten windows",
    help: "how long a debounced task waits at most",
  },
});

/** Every field that a caller gives for a new task. */
export const TASK_FIELDS: Readonly<Record<keyof NewTask, TaskField>> = Object.freeze({
  type: {
    kind: "name",
    maxLength: TASK_LIMITS.typeMaxLength,
    isRequired: true,
    isKept: true,
    help: "the task type: which handler executes it",
    example: "email",
  },
  payload: {
    kind: "json",
    default: {},
    help: "the handler's input, a JSON value",
    example: { to: "ann@example.com" },
  },
  priority: {
    kind: "integer",
    min: TASK_LIMITS.priorityMin,
    max: TASK_LIMITS.priorityMax,
    isKept: true,
    default: TASK_LIMITS.priorityDefault,
    help: "lower runs first",
    example: 50,
  },
  runAfter: {
    kind: "instant",
    defaultText: "now",
    help: "not before this instant",
    example: "2026-01-31T12:00:00.000Z",
  },
  expiresAt: {
    kind: "instant",
    isKept: true,
    defaultText: "never",
    help: "a task that has not started by this instant is cancelled by itself",
    example: "2026-01-31T13:00:00.000Z",
  },
  idempotencyKey: {
    kind: "key",
    maxLength: TASK_LIMITS.idempotencyKeyMaxLength,
    isKept: true,
    defaultText: "none",
    help: "the same key with the same content gives the same task; an empty key counts as none",
    example: "order-4711",
  },
  maxAttempts: {
    kind: "integer",
    min: TASK_LIMITS.maxAttemptsMin,
    max: TASK_LIMITS.maxAttemptsMax,
    isKept: true,
    default: TASK_LIMITS.maxAttemptsDefault,
    help: "executions allowed",
    example: 3,
  },
  compatibility: {
    kind: "pairs",
    isKept: true,
    default: {},
    help: "only workers whose capabilities contain each pair may claim the task",
    example: { region: "eu" },
  },
  runId: {
    kind: "name",
    maxLength: TASK_LIMITS.runIdMaxLength,
    defaultText: "a random UUID",
    help: "the caller's name for the run, unique",
    example: "5c2f1a3e-8d4b-4f6a-9a55-3f0f6f9f2b10",
  },
  retryPolicy: {
    kind: "object",
    fields: RETRY_POLICY_FIELDS,
    isKept: true,
    defaultText: "the handler's policy, then the queue's",
    help: "how failures are retried",
  },
  timeoutMs: {
    kind: "integer",
    min: 1,
    max: TASK_LIMITS.timeoutMaxMs,
    isKept: true,
    defaultText: "the handler's, then no limit",
    help: "how long one attempt may take",
    example: 60_000,
  },
  dependsOn: {
    kind: "references",
    max: TASK_LIMITS.parentsMax,
    defaultText: "none",
    help:
      "its parents, task ids (numbers) and run ids (strings): it runs once all of them are final",
    example: [],
  },
  onParentFailure: {
    kind: "choice",
    choices: PARENT_FAILURE_POLICIES,
    default: PARENT_FAILURE_POLICIES[0],
    help: "the policy for when a parent fails or is cancelled",
    example: "fail",
  },
  unique: {
    kind: "object",
    fields: UNIQUE_FIELDS,
    defaultText: "none",
    help:
      "what becomes of it when there is one of its type under the same key; not with idempotency_key",
  },
  group: {
    kind: "name",
    maxLength: TASK_LIMITS.groupMaxLength,
    isKept: true,
    defaultText: "none",
    help: "whose it is, such as a tenant: groups take turns, and may have limits",
    example: "acme",
  },
  orderingKey: {
    kind: "name",
    maxLength: TASK_LIMITS.orderingKeyMaxLength,
    isKept: true,
    defaultText: "none",
    help: "tasks with the same key run one at a time, in the order in which they were stored",
    example: "order-4711",
  },
  onPredecessorFailure: {
    kind: "choice",
    choices: PREDECESSOR_FAILURE_POLICIES,
    isKept: true,
    defaultText: "continue",
    help: "the policy for when one before it under its ordering key has failed for good",
    example: "hold",
  },
  tags: {
    kind: "names",
    maxLength: TASK_LIMITS.tagMaxLength,
    max: TASK_LIMITS.tagsMax,
    isKept: true,
    default: [],
    help: "what it can be found by, in lists and bulk actions",
    example: ["customer-17", "release-42"],
  },
  webhook: {
    kind: "object",
    fields: WEBHOOK_FIELDS,
    defaultText: "none",
    help: "a URL that gets a report when the task has ended; a worker must allow its host",
  },
});

/** The names of every field, in order. */
export const TASK_FIELD_NAMES: readonly (keyof NewTask)[] = Object.freeze(
  Object.keys(TASK_FIELDS) as (keyof NewTask)[],
);

/** Their names, for `checkOptions`. */
export const TASK_OPTIONS: ReadonlySet<string> = new Set(TASK_FIELD_NAMES);

/** Those without type and payload: how a task is enqueued whose type and payload are said elsewhere. */
export const ENQUEUE_FIELDS: ReadonlySet<string> = new Set(
  TASK_FIELD_NAMES.filter((name) => name !== "type" && name !== "payload"),
);

/** The names of the fields that a schedule gives to each of its tasks. */
export const SCHEDULED_FIELD_NAMES = [
  "type",
  "payload",
  "priority",
  "maxAttempts",
  "compatibility",
  "retryPolicy",
  "timeoutMs",
  "group",
  "orderingKey",
  "onPredecessorFailure",
  "tags",
  "unique",
  "webhook",
] as const satisfies readonly (keyof NewTask)[];

/** The name of a field that a schedule gives to each of its tasks. */
export type ScheduledFieldName = typeof SCHEDULED_FIELD_NAMES[number];

/** The name of a field that a task keeps as it was given. */
export type KeptFieldName = Exclude<keyof NewTask & keyof Task, "payload" | "runAfter" | "runId">;

/** The names of the fields that a task keeps as they were given. */
export const KEPT_FIELD_NAMES: readonly KeptFieldName[] = Object.freeze(
  TASK_FIELD_NAMES.filter((name): name is KeptFieldName => TASK_FIELDS[name].isKept === true),
);

/** The names of those that a schedule gives to each of its tasks. */
export const KEPT_IN_SCHEDULES: readonly (KeptFieldName & ScheduledFieldName)[] = Object.freeze(
  SCHEDULED_FIELD_NAMES.filter((name) => {
    return name !== "payload" && name !== "unique" && name !== "webhook";
  }),
);
