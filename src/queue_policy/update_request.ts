/**
 * Updates of a queued task, checked, and what one makes of a task as it is.
 */
import { checkInstant } from "../domain/check.ts";
import { checkDelay, QueueError } from "../domain/errors.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { shownValue } from "../domain/shown_value.ts";
import type { TaskStatus } from "../domain/task.ts";
import type { KeptFieldName } from "../domain/task_fields.ts";
import type { TaskUpdate, UpdateOptions } from "../queue/changes.ts";
import type { FieldChange } from "../queue/task_transition.ts";
import { checkBy } from "./changed_by.ts";
import { columnName, keptValue } from "./kept_fields.ts";
import { checkExpiry } from "./new_task.ts";
import { tagsOfText } from "./tags.ts";
import type { TransitionNote } from "./transition_note.ts";

/** What can be changed of a queued task and is kept as it was given, in the forms of the columns. */
export interface EditableValues {
  readonly priority: number;
  readonly max_attempts: number;
  readonly grp: string;
  readonly expires_at: number | null;
  readonly tags: string | null;
}

const EDITABLE = [
  "priority",
  "maxAttempts",
  "group",
  "expiresAt",
  "tags",
] as const satisfies readonly KeptFieldName[];

/** Those that a task can be without. */
const NULLABLE: readonly KeptFieldName[] = ["group", "expiresAt", "tags"];

/** When a task is to be due: at an instant, or so long from now. */
export type Due = { readonly atMs: number } | { readonly delayMs: number };

/** A checked update. */
export interface PreparedUpdate {
  readonly values: Partial<EditableValues>;
  /** `null` for as it is. */
  readonly due: Due | null;
  readonly by: string | null;
  /** `null` for whatever it is. */
  readonly expectUpdatedAtMs: number | null;
}

/** A task as far as an update needs it. */
export interface EditableTask extends EditableValues {
  readonly id: number;
  readonly status: TaskStatus;
  readonly attempts: number;
  readonly runAfterMs: number;
  readonly updatedAtMs: number;
}

/** What an update makes of a task. */
export interface TaskEdit {
  /** What is different. */
  readonly values: Partial<EditableValues>;
  readonly runAfterMs: number;
  /** Later than before, so that whoever has seen the task before notices. */
  readonly updatedAtMs: number;
  readonly note: TransitionNote;
}

const UPDATE_FIELDS = optionNames<TaskUpdate>({
  priority: true,
  runAfter: true,
  delayMs: true,
  maxAttempts: true,
  group: true,
  expiresAt: true,
  tags: true,
});

const UPDATE_OPTIONS = optionNames<UpdateOptions>({ by: true, expectUpdatedAt: true });

/** Checks an update. @throws TypeError, RangeError */
export function prepareUpdate(changes: TaskUpdate, options: UpdateOptions = {}): PreparedUpdate {
  checkOptions(changes, UPDATE_FIELDS, "update");
  const values = editableValues(changes);
  const due = dueOf(changes);
  if (due === null && Object.keys(values).length === 0) {
    throw new TypeError(
      `Cannot update a task without a change: one of ${[...UPDATE_FIELDS].join(", ")} is needed`,
    );
  }
  return { values, due, ...prepareOptions(options, "update") };
}

/** Checks who changes a task, and what of it was seen. @throws TypeError, RangeError */
export function prepareOptions(
  options: UpdateOptions,
  doing: string,
): Pick<PreparedUpdate, "by" | "expectUpdatedAtMs"> {
  checkOptions(options, UPDATE_OPTIONS, doing);
  const { expectUpdatedAt } = options;
  return {
    by: checkBy(options),
    expectUpdatedAtMs: expectUpdatedAt === undefined
      ? null
      : checkInstant(expectUpdatedAt, "expectUpdatedAt"),
  };
}

/** Checks the fields that a task keeps as they are given. @throws TypeError, RangeError */
export function editableValues(changes: TaskUpdate): Partial<EditableValues> {
  const given = EDITABLE.filter((name) => changes[name] !== undefined);
  return Object.fromEntries(given.map((name) => {
    if (changes[name] === null && !NULLABLE.includes(name)) {
      throw new TypeError(`Cannot use null as ${name}: an integer is needed`);
    }
    return [columnName(name), keptValue(name, changes[name])];
  }));
}

/** When a task is to be due; `null` when nothing is said. @throws TypeError, RangeError */
export function dueOf(
  { runAfter, delayMs }: Pick<TaskUpdate, "runAfter" | "delayMs">,
): Due | null {
  if (runAfter !== undefined && delayMs !== undefined) {
    throw new TypeError("Cannot use runAfter together with delayMs: one of them is needed");
  }
  if (runAfter !== undefined) return { atMs: checkInstant(runAfter, "runAfter") };
  if (delayMs === undefined) return null;
  if (typeof delayMs === "number") return { delayMs: checkDelay(delayMs, "delay a task by") };
  throw new TypeError(`Cannot use ${shownValue(delayMs)} as delayMs: a number is needed`);
}

/** Refuses what was seen differently. @throws QueueError `task_changed`. */
export function checkExpected(
  { id, updatedAtMs }: Pick<EditableTask, "id" | "updatedAtMs">,
  { expectUpdatedAtMs }: Pick<PreparedUpdate, "expectUpdatedAtMs">,
  doing: string,
): void {
  if (expectUpdatedAtMs === null || expectUpdatedAtMs === updatedAtMs) return;
  const [seen, found] = [expectUpdatedAtMs, updatedAtMs].map((ms) => new Date(ms).toISOString());
  throw new QueueError(
    "task_changed",
    `Cannot ${doing} task ${id}: it was changed at ${found}, expected is ${seen}`,
  );
}

/**
 * What an update makes of a task; `undefined` when it is so already.
 *
 * @throws QueueError `task_not_queued`, `task_changed`. @throws RangeError for too few attempts.
 */
export function editOf(
  task: EditableTask,
  update: PreparedUpdate,
  nowMs: number,
): TaskEdit | undefined {
  if (task.status !== "queued") {
    throw new QueueError(
      "task_not_queued",
      `Cannot update task ${task.id}: it is ${task.status}, queued is needed`,
    );
  }
  checkAttemptsLeft(task, update.values.max_attempts);
  const runAfterMs = runAfterOf(task, update.due, nowMs);
  if (task.attempts === 0) checkExpiry(update.values.expires_at ?? null, runAfterMs);
  const values = Object.fromEntries(
    Object.entries(update.values).filter(([column, value]) =>
      task[column as keyof EditableValues] !== value
    ),
  ) as Partial<EditableValues>;
  if (Object.keys(values).length === 0 && runAfterMs === task.runAfterMs) return undefined;
  checkExpected(task, update, "update"); // after what is so already: an update whose answer was lost may come again
  return {
    values,
    runAfterMs,
    updatedAtMs: Math.max(nowMs, task.updatedAtMs + 1),
    note: {
      by: update.by ?? undefined,
      changes: changesOf(task, { ...task, ...values, runAfterMs }),
    },
  };
}

/** A task that is due already stays due since when it is. */
function runAfterOf({ runAfterMs }: EditableTask, due: Due | null, nowMs: number): number {
  if (due === null) return runAfterMs;
  const wantedMs = "atMs" in due ? due.atMs : nowMs + Math.ceil(due.delayMs);
  if (wantedMs > nowMs) return wantedMs;
  return Math.min(runAfterMs, nowMs);
}

function checkAttemptsLeft({ id, attempts }: EditableTask, wanted: number | undefined): void {
  if (wanted === undefined || wanted > attempts) return;
  throw new RangeError(
    `Cannot use ${wanted} as maxAttempts of task ${id}: it has begun ${attempts}, more are needed`,
  );
}

function changesOf(before: EditableTask, after: EditableTask): Record<string, FieldChange> {
  const fields = [
    ["priority", before.priority, after.priority],
    ["max_attempts", before.max_attempts, after.max_attempts],
    ["group", before.grp || null, after.grp || null],
    ["expires_at", textOf(before.expires_at), textOf(after.expires_at)],
    ["run_after", textOf(before.runAfterMs), textOf(after.runAfterMs)],
    ["tags", inWords(before.tags), inWords(after.tags)],
  ] as const;
  return Object.fromEntries(
    fields.filter(([, from, to]) => from !== to).map(([name, from, to]) => [name, { from, to }]),
  );
}

/** Tags in one line, as a history shows them. */
function inWords(tags: string | null): string | null {
  return tags === null ? null : tagsOfText(tags).join(", ");
}

function textOf(atMs: number | null): string | null {
  return atMs === null ? null : new Date(atMs).toISOString();
}
