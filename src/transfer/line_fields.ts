/**
 * The fields of an NDJSON line that need more than a name: instants, retry policies, webhooks, numbers digit by digit.
 */
import { resolveRetryPolicy, type RetryPolicy } from "../domain/backoff.ts";
import { checkInstant } from "../domain/check.ts";
import {
  type SnakeName,
  snakeName,
  toRetryPolicy,
  toTaskBody,
  toUnique,
  type UniqueBody,
} from "../domain/task_body.ts";
import { type KeptFieldName, TASK_FIELDS } from "../domain/task_fields.ts";
import type { Unique } from "../domain/unique.ts";
import type { Webhook } from "../domain/webhook.ts";
import type { TaskRecord } from "../queue/records.ts";

/** A line, or an object in it, as JSON gives it. */
export type Fields = Readonly<Record<string, unknown>>;

/** A number by the characters that it is written with. */
interface ExactJson {
  rawJSON(text: string): unknown;
}

/** An instant that must be there. @throws TypeError */
export function instantOf(line: Fields, field: string): Date {
  return new Date(checkInstant(line[field], field));
}

/** An instant, or `null` where there is none. @throws TypeError */
export function optionalInstantOf(line: Fields, field: string): Date | null {
  return line[field] === undefined || line[field] === null ? null : instantOf(line, field);
}

/** The payload that was written, digit by digit; that of a new task where there is none. `null` is one. */
export function payloadTextOf({ payload }: { readonly payload?: unknown }): string {
  return payload === undefined ? "{}" : JSON.stringify(payload);
}

/** Kept fields of a task, or of a schedule's tasks, as they are written. */
export function keptFields<Name extends KeptFieldName>(
  record: Readonly<Record<Name, unknown>>,
  names: readonly Name[],
): Record<SnakeName<Name>, unknown> {
  const fields = names.map((name) => [name, record[name]]);
  return toTaskBody(Object.fromEntries(fields)) as Record<SnakeName<Name>, unknown>;
}

/** Kept fields that were written; what is missing has the value that a new task has. @throws TypeError, RangeError */
export function keptFieldsOf<Name extends KeptFieldName>(
  line: Fields,
  names: readonly Name[],
): Pick<TaskRecord, Name> {
  const fields = names.map((name) => [name, keptFieldOf(name, line[snakeName(name)])]);
  return Object.fromEntries(fields) as Pick<TaskRecord, Name>;
}

function keptFieldOf(name: KeptFieldName, value: unknown): unknown {
  const { default: ofNewTask = null, isRequired, kind } = TASK_FIELDS[name];
  if (isRequired) return value;
  if (kind === "instant") return optionalInstantOf({ [name]: value }, name);
  return name === "retryPolicy" ? policyOf(value ?? null) : value ?? ofNewTask;
}

/** A retry policy that was written. @throws TypeError, RangeError */
function policyOf(value: unknown): RetryPolicy | null {
  if (value === null) return null;
  if (typeof value !== "object") throw new TypeError("retry_policy: a JSON object is needed");
  return resolveRetryPolicy(toRetryPolicy(value));
}

/** A webhook that was written; the queue checks its fields. @throws TypeError */
export function webhookOf(value: unknown): Webhook | null {
  if (value === null) return null;
  if (typeof value !== "object") throw new TypeError("webhook: a JSON object is needed");
  const { url, events } = value as Webhook;
  return { url, events };
}

/** What makes tasks unique, as it was written; the queue checks its fields. @throws TypeError */
export function uniqueOf(value: unknown): Unique | null {
  if (value === null) return null;
  if (typeof value !== "object") throw new TypeError("unique: a JSON object is needed");
  return toUnique(value as UniqueBody);
}

/** The value of a JSON text. Where a number of JavaScript's would be written differently, the characters stay. */
export function parseExactly(text: string): unknown {
  return JSON.parse(
    text,
    ((_key: string, value: unknown, { source }: { readonly source?: string }): unknown => {
      if (typeof value !== "number" || source === undefined || String(value) === source) {
        return value;
      }
      return (JSON as unknown as ExactJson).rawJSON(source);
    }) as (key: string, value: unknown) => unknown,
  );
}
