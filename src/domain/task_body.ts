/**
 * Tasks as they are written, in HTTP bodies, batch files and lines: the same fields as in programs, under names made from theirs.
 */
import type { RetryPolicy } from "./backoff.ts";
import type { NewTask } from "./task.ts";
import {
  type FieldTable,
  RETRY_POLICY_FIELDS,
  TASK_FIELDS,
  type TaskField,
  UNIQUE_FIELDS,
} from "./task_fields.ts";
import type { Unique } from "./unique.ts";

/** The name of a field where it is written: `max_attempts` for `maxAttempts`. */
export type SnakeName<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${SnakeName<Rest>}`
  : "";

/** A retry policy, or parts of one, as it is written. */
export type RetryPolicyBody = { readonly [Name in keyof RetryPolicy as SnakeName<Name>]?: number };

/** What makes a task unique, as it is written. */
export type UniqueBody = { readonly [Name in keyof Unique as SnakeName<Name>]: Unique[Name] };

/** A new task as it is written: in HTTP bodies and batch files. */
export type TaskBody = {
  readonly [Name in keyof NewTask as SnakeName<Name>]: Name extends "runAfter" | "expiresAt"
    ? string
    : Name extends "retryPolicy" ? RetryPolicyBody
    : Name extends "unique" ? UniqueBody
    : NewTask[Name];
};

/** The name of a field where it is written. */
export function snakeName<Name extends string>(name: Name): SnakeName<Name> {
  let snake = snakeNames.get(name);
  if (snake === undefined) {
    snake = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    snakeNames.set(name, snake);
  }
  return snake as SnakeName<Name>;
}

/** The names of fields, of which there are some dozens: each task that is read or written needs all of them. */
const snakeNames = new Map<string, string>();

/** The fields of a new task that `body` has, under their names in programs. What else it has is left out. */
export function toNewTask<Body extends Partial<TaskBody>>(
  body: Body,
): Body extends TaskBody ? NewTask : Partial<NewTask> {
  const fields: unknown = renamed(body, TASK_FIELDS, (name) => [snakeName(name), name]);
  return fields as Body extends TaskBody ? NewTask : Partial<NewTask>;
}

/** The fields of a new task that `task` has, as they are written. What else it has is left out. */
export function toTaskBody<Task extends Partial<NewTask>>(
  task: Task,
): Task extends NewTask ? TaskBody : Partial<TaskBody> {
  const fields: unknown = renamed(task, TASK_FIELDS, (name) => [name, snakeName(name)]);
  return fields as Task extends NewTask ? TaskBody : Partial<TaskBody>;
}

/** The parts of a retry policy that was written. */
export function toRetryPolicy(body: RetryPolicyBody): Partial<RetryPolicy> {
  return renamed(body, RETRY_POLICY_FIELDS, (name) => [snakeName(name), name]);
}

/** A retry policy as it is written. */
export function toRetryPolicyBody(policy: Partial<RetryPolicy>): RetryPolicyBody {
  return renamed(policy, RETRY_POLICY_FIELDS, (name) => [name, snakeName(name)]);
}

/** What makes a task unique, from how it is written. */
export function toUnique(body: UniqueBody): Unique {
  const unique: unknown = renamed(body, UNIQUE_FIELDS, (name) => [snakeName(name), name]);
  return unique as Unique;
}

/** What makes a task unique, as it is written. */
export function toUniqueBody(unique: Unique): UniqueBody {
  const body: unknown = renamed({ ...unique }, UNIQUE_FIELDS, (name) => [name, snakeName(name)]);
  return body as UniqueBody;
}

/** Which field is read, and under which name it is written. */
type Renaming = (name: string) => readonly [from: string, to: string];

function renamed(
  given: Readonly<Record<string, unknown>>,
  fields: FieldTable,
  renaming: Renaming,
): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    const [from, to] = renaming(name);
    const value = given[from];
    if (value !== undefined) result[to] = converted(value, field, renaming);
  }
  return result;
}

/** A value that is not an object where one is needed stays as it is: a check names it. */
function converted(value: unknown, field: TaskField, renaming: Renaming): unknown {
  if (value instanceof Date) return value.toISOString();
  if (field.kind !== "object" || typeof value !== "object" || value === null) return value;
  return renamed(value as Readonly<Record<string, unknown>>, field.fields, renaming);
}
