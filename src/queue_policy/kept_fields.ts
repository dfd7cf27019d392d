/**
 * Kept fields: what a caller gives and a task keeps as it was given, between the form that programs see and the form of its
 * columns. One rule for each kind of field, so that a new field of a known kind needs a line in the table and a column.
 */
import { resolveRetryPolicy } from "../domain/backoff.ts";
import { checkInstant, checkInteger, checkName, checkOneOf, checkPairs } from "../domain/check.ts";
import { canonicalJson } from "../domain/json.ts";
import { shownValue } from "../domain/shown_value.ts";
import { type PredecessorFailurePolicy, type Task, TASK_LIMITS } from "../domain/task.ts";
import { type SnakeName, snakeName } from "../domain/task_body.ts";
import {
  KEPT_FIELD_NAMES,
  type KeptFieldName,
  TASK_FIELDS,
  type TaskField,
} from "../domain/task_fields.ts";
import { tagsOfText, textOfTags } from "./tags.ts";

/** The column of a kept field. */
export type KeptColumn = Exclude<SnakeName<KeptFieldName>, "group"> | "grp";

/** The name that stands for each group; no task may have it as its own. */
export const EACH_GROUP = "*";

/** Columns that are not as most: another name where SQL has a use for the field's, another value for none. */
const COLUMNS: Readonly<
  Partial<Record<KeptFieldName, { readonly column: KeptColumn; readonly none: string }>>
> = Object.freeze({ group: { column: "grp", none: "" } });

/** The column of each kept field. They are made once: each task that is stored or read needs all of them. */
const COLUMN_NAMES = Object.freeze(
  Object.fromEntries(
    KEPT_FIELD_NAMES.map((name) => [name, COLUMNS[name]?.column ?? snakeName(name)]),
  ),
) as Readonly<Record<KeptFieldName, KeptColumn>>;

/** The column of a kept field. */
export function columnName(name: KeptFieldName): KeptColumn {
  return COLUMN_NAMES[name];
}

/** What the column holds when a task has no value of the field. */
function noneOf(name: KeptFieldName): string | null {
  return COLUMNS[name]?.none ?? null;
}

/** The kept fields of one task in the forms of their columns; JSON for what is an object. Those that are read one by one have types. */
export type KeptValues =
  & { readonly [Column in KeptColumn]: string | number | null }
  & {
    readonly type: string;
    readonly priority: number;
    readonly compatibility: string;
    readonly max_attempts: number;
    readonly idempotency_key: string | null;
    readonly retry_policy: string | null;
    readonly timeout_ms: number | null;
    /** An empty string for none, so that it can be compared. */
    readonly grp: string;
    /** Milliseconds since 1970. */
    readonly expires_at: number | null;
    readonly ordering_key: string | null;
    readonly on_predecessor_failure: PredecessorFailurePolicy | null;
    /** JSON, see `tags.ts`. */
    readonly tags: string | null;
  };

/** How messages name a field, where it is not by its own name. */
const NOUNS: Readonly<Partial<Record<KeptFieldName, string>>> = Object.freeze({
  type: "task type",
  idempotencyKey: "idempotency key",
  orderingKey: "ordering key",
});

/** No value for any of them. */
export const NO_KEPT_VALUES = Object.freeze(
  Object.fromEntries(KEPT_FIELD_NAMES.map((name) => [columnName(name), noneOf(name)])),
) as Readonly<Record<Exclude<KeptColumn, "grp">, null> & { grp: "" }>;

/** Checks the kept fields of a task, each by its kind. @throws TypeError, RangeError */
export function keptValues(
  task: Readonly<Partial<Record<KeptFieldName, unknown>>>,
  checkString: typeof checkName = checkName,
): KeptValues {
  const values = Object.fromEntries(
    KEPT_FIELD_NAMES.map((name) => [columnName(name), columnValue(name, task[name], checkString)]),
  ) as KeptValues;
  checkOrdering(values);
  return values;
}

/** A policy for what comes before a task in no order would have no effect. @throws TypeError */
function checkOrdering({ ordering_key, on_predecessor_failure }: KeptValues): void {
  if (on_predecessor_failure === null || ordering_key !== null) return;
  throw new TypeError(
    `Cannot use onPredecessorFailure ${
      shownValue(on_predecessor_failure)
    } without orderingKey: nothing comes before such a task`,
  );
}

/** The kept fields of a task, from its columns. */
export function keptFields(valueOf: (column: KeptColumn) => unknown): Pick<Task, KeptFieldName> {
  return Object.fromEntries(
    KEPT_FIELD_NAMES.map((name) => [name, fieldValue(name, valueOf(columnName(name)))]),
  ) as Pick<Task, KeptFieldName>;
}

/** One kept field in the form of its column; `null` for none. @throws TypeError, RangeError */
export function keptValue(name: KeptFieldName, given: unknown): string | number | null {
  return columnValue(name, given, checkName);
}

/** The kept fields of a task as its columns have them. */
export function keptColumns(valueOf: (column: KeptColumn) => unknown): KeptValues {
  const columns = KEPT_FIELD_NAMES.map(columnName);
  return Object.fromEntries(columns.map((column) => [column, valueOf(column)])) as KeptValues;
}

function columnValue(
  name: KeptFieldName,
  given: unknown,
  checkString: typeof checkName,
): string | number | null {
  const field = TASK_FIELDS[name];
  const value = given ?? field.default;
  const what = NOUNS[name] ?? name;
  if (field.isRequired === undefined && (value === undefined || value === null)) {
    return noneOf(name);
  }
  if (name === "group") return checkGroup(value, checkString);
  switch (field.kind) {
    case "name":
      return checkString(value, what, field.maxLength);
    case "key":
      return value === "" ? null : checkString(value, what, field.maxLength);
    case "integer":
      return checkInteger(value, what, field.min, field.max);
    case "instant":
      return checkInstant(value, what);
    case "choice":
      return checkOneOf(value, field.choices, what);
    case "names":
      return textOfTags(value, checkString);
    case "pairs":
      return canonicalJson(checkPairs(value, what));
    case "object":
      return JSON.stringify(resolveRetryPolicy(value as Task["retryPolicy"] ?? undefined));
    default:
      throw new TypeError(`Cannot keep ${name}: a field of kind ${field.kind} has no column`);
  }
}

/** A group of a task. @throws TypeError */
function checkGroup(value: unknown, checkString: typeof checkName = checkName): string {
  const group = checkString(value, "group", TASK_LIMITS.groupMaxLength);
  if (group !== EACH_GROUP) return group;
  throw new TypeError(`Cannot use "${EACH_GROUP}" as group of a task: it stands for each group`);
}

function fieldValue(name: KeptFieldName, stored: unknown): unknown {
  const { kind }: TaskField = TASK_FIELDS[name];
  if (kind === "names") return tagsOfText(stored as string | null);
  if (stored === noneOf(name)) return null;
  if (kind === "instant") return new Date(stored as number);
  const isJson = kind === "pairs" || kind === "object";
  return isJson ? JSON.parse(stored as string) : stored;
}
