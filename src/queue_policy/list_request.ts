/**
 * List requests, checked.
 */
import { checkInteger, checkOneOf, checkText, isName } from "../domain/check.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { TASK_LIMITS, TASK_STATUSES, type TaskStatus } from "../domain/task.ts";
import type { ListRequest } from "../queue/task_queue.ts";

/** A checked `ListRequest`. */
export interface PreparedList {
  /** `null` for any. */
  readonly status: TaskStatus | null;
  readonly type: string | null;
  readonly group: string | null;
  readonly tag: string | null;
  readonly beforeId: number;
  readonly limit: number;
  readonly offset: number;
}

const LIST_OPTIONS = optionNames<ListRequest>({
  status: true,
  type: true,
  group: true,
  tag: true,
  limit: true,
  offset: true,
  beforeId: true,
});

/** Checks a request. @throws TypeError, RangeError */
export function prepareList(request: ListRequest): PreparedList {
  checkOptions(request, LIST_OPTIONS, "list");
  const { status = null, type = null, group = null, tag = null } = request;
  if (status !== null) checkOneOf(status, TASK_STATUSES, { doing: "list status" });
  const { listDefault, listMax } = TASK_LIMITS;
  return {
    status,
    type: type === null ? null : checkText(type, "task type"),
    group: group === null ? null : checkText(group, "group"),
    tag: tag === null ? null : checkText(tag, "tag"),
    beforeId: checkInteger(
      request.beforeId ?? Number.MAX_SAFE_INTEGER,
      "beforeId",
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    limit: checkInteger(request.limit ?? listDefault, "limit", 1, listMax),
    offset: checkInteger(request.offset ?? 0, "offset", 0, Number.MAX_SAFE_INTEGER),
  };
}

/** Whether a task can be of what a list is asked for. */
export function canMatch({ type, group, tag }: PreparedList): boolean {
  return [type, group].every((name) => name === null || isName(name)) &&
    (tag === null || isName(tag, TASK_LIMITS.tagMaxLength));
}
