/**
 * Questions, as requests carry them: what a caller gives is checked here by the same rules, and with the same words, as where the
 * queue is, before anything is sent.
 */
import type { LeaseLike, NewTask } from "../domain/task.ts";
import { toRetryPolicyBody, toTaskBody } from "../domain/task_body.ts";
import type { RetryPolicy } from "../domain/backoff.ts";
import type { BulkRequest } from "../queue/bulk.ts";
import type { TaskReplacement, TaskUpdate, UpdateOptions } from "../queue/changes.ts";
import type { ChangedBy } from "../queue/limits.ts";
import type { PartRequest } from "../queue/page_request.ts";
import type { NewSchedule } from "../queue/schedule.ts";
import type { SearchRequest } from "../queue/search.ts";
import type { CompleteOptions, EnqueueOptions } from "../queue/task_queue.ts";
import { prepareCompletion } from "../queue_policy/attempt_request.ts";
import { prepareBy } from "../queue_policy/changed_by.ts";
import type { PreparedList } from "../queue_policy/list_request.ts";
import { prepareSchedule } from "../queue_policy/new_schedule.ts";
import { PAYLOAD_LIMIT_BYTES, prepareTask } from "../queue_policy/new_task.ts";
import { preparePart } from "../queue_policy/page_request.ts";
import { prepareReplacement } from "../queue_policy/replacement.ts";
import { type PreparedUpdate, prepareUpdate } from "../queue_policy/update_request.ts";

/** A JSON object. */
export type Body = Readonly<Record<string, unknown>>;

/** A task to enqueue, whose run id is known before its answer comes. */
export type TaskBodyWithRunId = Body & { readonly run_id: string };

/** A task to enqueue, under a run id that is known before its answer comes. @throws TypeError, RangeError */
export function taskBody(
  task: NewTask,
  options: EnqueueOptions = {},
): TaskBodyWithRunId {
  const { payload, runId, runAfterMs, kept, leaseTo, isCancelled } = prepareTask(
    task,
    PAYLOAD_LIMIT_BYTES,
    options,
  );
  const { retryPolicy } = task;
  return {
    ...given(toTaskBody(task)),
    ...given({ retry_policy: retryPolicy && policyBody(retryPolicy) }),
    payload: JSON.parse(payload),
    run_after: instantText(runAfterMs),
    expires_at: instantText(kept.expires_at),
    run_id: runId ?? crypto.randomUUID(),
    lease_to: leaseTo === null
      ? undefined
      : { worker_id: leaseTo.workerId, lease_duration_ms: leaseTo.leaseDurationMs },
    cancelled: isCancelled ? true : undefined,
  };
}

function instantText(atMs: number | null): string | undefined {
  return atMs === null ? undefined : new Date(atMs).toISOString();
}

/** The parts of a retry policy that are given. */
export function policyBody(policy: Partial<RetryPolicy>): Body {
  return given({ ...toRetryPolicyBody(policy) });
}

/** A completion, and the tasks that follow from it. @throws TypeError, RangeError */
export function completionBody(
  lease: LeaseLike,
  result: unknown,
  options: CompleteOptions,
): Body {
  const prepared = prepareCompletion(lease, result, options, PAYLOAD_LIMIT_BYTES);
  const { result: text, tasks } = prepared;
  const enqueue = tasks.length > 0 ? options.enqueue!.map((task) => taskBody(task)) : undefined;
  return { result: JSON.parse(text), enqueue };
}

/** Where something is done to a task by hand. @throws TypeError */
export function byHandPath(id: number, what: "cancel" | "retry", options: ChangedBy): string {
  return `queue/tasks/${id}/${what}${queryOf({ by: prepareBy(options, what) ?? undefined })}`;
}

/** A change of a queued task. @throws TypeError, RangeError */
export function updateBody(changes: TaskUpdate, options: UpdateOptions): Body {
  return changeBody(changes, prepareUpdate(changes, options));
}

/** What is to take the place of a task, under a run id that is known before its answer comes. @throws TypeError, RangeError */
export function replacementBody(
  replacement: TaskReplacement,
  options: UpdateOptions,
): TaskBodyWithRunId {
  const prepared = prepareReplacement(replacement, options, PAYLOAD_LIMIT_BYTES);
  return {
    ...changeBody(replacement, prepared),
    payload: JSON.parse(prepared.payload),
    run_id: prepared.runId ?? crypto.randomUUID(),
  };
}

/** One change for all tasks that match; it has been checked. */
export function bulkBody(request: BulkRequest): Body {
  const { action, filter, all, priority, runAfter, delayMs, dryRun, cursor, budgetMs, by } =
    request;
  const { statuses, type, group, tag, ids, attemptsMin, errorContains } = filter;
  return given({
    ...{ action, all, priority, delay_ms: delayMs, dry_run: dryRun, cursor, by },
    run_after: runAfter,
    budget_ms: budgetMs,
    filter: given({
      ...{ statuses, type, group, tag, ids, attempts_min: attemptsMin },
      error_contains: errorContains,
      created_before: filter.createdBefore,
      finished_before: filter.finishedBefore,
      up_to_id: filter.upToId,
    }),
  });
}

/** A search; it has been checked. */
export function searchQuery({ text, filter = {}, limit, cursor, budgetMs }: SearchRequest): string {
  const { status, type, group, tag, createdBefore } = filter;
  const before = createdBefore === undefined ? undefined : new Date(createdBefore).toISOString();
  return queryOf({
    ...{ text, status, type, group, tag, limit, cursor },
    created_before: before,
    budget_ms: budgetMs,
  });
}

function changeBody(
  { priority, maxAttempts, group, expiresAt, tags }: TaskUpdate,
  { due, by, expectUpdatedAtMs }: Pick<PreparedUpdate, "due" | "by" | "expectUpdatedAtMs">,
): Body {
  return {
    ...(group === undefined ? {} : { group }), // null is for none
    ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
    ...(tags === undefined ? {} : { tags }),
    ...given({ priority, max_attempts: maxAttempts, by }),
    run_after: due !== null && "atMs" in due ? new Date(due.atMs).toISOString() : undefined,
    delay_ms: due !== null && "delayMs" in due ? due.delayMs : undefined,
    expect_updated_at: expectUpdatedAtMs === null
      ? undefined
      : new Date(expectUpdatedAtMs).toISOString(),
  };
}

/** A schedule to add. @throws TypeError, RangeError */
export function scheduleBody(schedule: NewSchedule): Body {
  const { payload } = prepareSchedule(schedule, PAYLOAD_LIMIT_BYTES);
  const { id, type, everyMs, cron, timeZone, catchUp, catchUpMax, overlap, paused } = schedule;
  const { expiresInMs } = schedule;
  const { run_id: _1, depends_on: _2, on_parent_failure: _3, ...task } = toTaskBody(schedule) as
    & Body
    & Partial<Record<"run_id" | "depends_on" | "on_parent_failure", unknown>>;
  return {
    ...given(task),
    payload: JSON.parse(payload),
    ...given({
      id,
      type,
      expires_in_ms: expiresInMs,
      every_ms: everyMs,
      cron,
      time_zone: timeZone,
    }),
    ...given({ catch_up: catchUp, catch_up_max: catchUpMax, overlap, paused }),
  };
}

/** Which part of a list that only grows. @throws TypeError, RangeError */
export function partQuery(request: PartRequest): string {
  const { offset, limit } = preparePart(request);
  const begin = offset < 0 ? { last: -offset } : offset > 0 ? { cursor: offset } : {};
  return queryOf({ ...begin, limit });
}

/** What stands behind the path of a request; nothing of what is not given. */
export function queryOf(fields: Readonly<Record<string, string | number | undefined>>): string {
  const entries = Object.entries(given(fields)).map(([name, value]) => [name, String(value)]);
  return entries.length === 0 ? "" : `?${new URLSearchParams(entries)}`;
}

/** What a list is asked for, but for the page. */
export function filterOf({ status, type, group, tag }: PreparedList): Readonly<
  Record<"status" | "type" | "group" | "tag", string | undefined>
> {
  return {
    status: status ?? undefined,
    type: type ?? undefined,
    group: group ?? undefined,
    tag: tag ?? undefined,
  };
}

/** Without what is `null` or `undefined`: both mean that nothing was given. */
function given(fields: Body): Body {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== null),
  );
}
