/**
 * Replacements: another task with another payload in place of one that no worker holds.
 */
import { QueueError } from "../domain/errors.ts";
import { toJsonText } from "../domain/json.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import type { TaskStatus } from "../domain/task.ts";
import { WEBHOOK_TYPE } from "../domain/webhook.ts";
import type { TaskReplacement, UpdateOptions } from "../queue/changes.ts";
import type { DependencyState } from "../queue/records.ts";
import type { KeptValues } from "./kept_fields.ts";
import { checkRunId, type StorableTask } from "./new_task.ts";
import {
  checkExpected,
  type Due,
  dueOf,
  type EditableTask,
  type EditableValues,
  editableValues,
  prepareOptions,
} from "./update_request.ts";

/** How many tasks that wait for it a replaced task may have: they follow in one transaction. */
export const FOLLOWING_MAX = 10_000;

/** A checked replacement. */
export interface PreparedReplacement {
  readonly payload: string;
  readonly runId: string | null;
  readonly values: Partial<EditableValues>;
  readonly due: Due | null;
  readonly by: string | null;
  readonly expectUpdatedAtMs: number | null;
}

const REPLACEMENT_FIELDS = optionNames<TaskReplacement>({
  payload: true,
  runId: true,
  priority: true,
  runAfter: true,
  delayMs: true,
  maxAttempts: true,
  group: true,
  expiresAt: true,
  tags: true,
});

/** Checks a replacement. @throws TypeError, RangeError */
export function prepareReplacement(
  replacement: TaskReplacement,
  options: UpdateOptions,
  payloadMaxBytes: number,
): PreparedReplacement {
  checkOptions(replacement, REPLACEMENT_FIELDS, "replace");
  const { payload, runId } = replacement;
  if (payload === undefined) {
    throw new TypeError("Cannot replace a task without a payload: a JSON value is needed");
  }
  return {
    payload: toJsonText(payload, "payload", payloadMaxBytes),
    runId: runId === undefined ? null : checkRunId(runId),
    values: editableValues(replacement),
    due: dueOf(replacement),
    ...prepareOptions(options, "replace"),
  };
}

/** A task as far as a replacement needs it. */
export interface ReplaceableTask extends Omit<EditableTask, keyof EditableValues> {
  readonly kept: KeptValues;
  readonly uniqueKey: string | null;
  readonly orderingPlace: number | null;
}

/**
 * The task that takes the place of another.
 *
 * @throws QueueError `task_not_queued`, `task_changed`. @throws TypeError for a delivery.
 */
export function replacementOf(
  task: ReplaceableTask,
  replacement: PreparedReplacement,
  nowMs: number,
): StorableTask {
  const { id, status, kept } = task;
  if (status === "leased" || status === "completed") {
    throw new QueueError(
      "task_not_queued",
      `Cannot replace task ${id}: it is ${status}; queued, failed or cancelled is needed`,
    );
  }
  if (kept.type === WEBHOOK_TYPE) {
    throw new TypeError(`Cannot replace task ${id}: only the queue makes deliveries of webhooks`);
  }
  checkExpected(task, replacement, "replace");
  const { runId, payload, values } = replacement;
  const runAfterMs = runAfterOf(task, replacement.due, nowMs);
  // one that has ended is wanted all the same, as when it is retried
  const expires_at = status === "queued" ? kept.expires_at : null;
  const fresh = { ...kept, expires_at, ...values, idempotency_key: null };
  const { uniqueKey, orderingPlace } = task;
  const place = kept.ordering_key === null ? null : orderingPlace ?? id;
  return { runId, payload, runAfterMs, kept: fresh, uniqueKey, orderingPlace: place };
}

function runAfterOf(
  { status, runAfterMs }: ReplaceableTask,
  due: Due | null,
  nowMs: number,
): number {
  if (due === null) return status === "queued" ? runAfterMs : nowMs;
  return Math.max(nowMs, "atMs" in due ? due.atMs : nowMs + Math.ceil(due.delayMs));
}

/** What a task that was replaced says. */
export function replacedBy(runId: string): string {
  return `Replaced by run ${runId}`;
}

/** Refuses what would be too much for one transaction. @throws RangeError */
export function checkFollowing(id: number, count: number): void {
  if (count <= FOLLOWING_MAX) return;
  throw new RangeError(
    `Cannot replace task ${id}: more than ${FOLLOWING_MAX} tasks wait for it, which is the most that can follow`,
  );
}

/** How a replacement stands to a parent of the task before: as one that is queued by hand, it ignores how that one ended. */
export function standingOf(
  { status, state }: { readonly status: TaskStatus; readonly state: DependencyState },
): DependencyState {
  return status === "queued" || state === "open" ? state : "met";
}
