/**
 * What a person wrote of a new task.
 */
import {
  checkInstant,
  checkInteger,
  messageOf,
  roundedNumber,
  TASK_LIMITS,
  type TaskUpdate,
} from "../src/core.ts";
import { HttpError } from "../server/http/errors.ts";

/** The value of a JSON text; none is an empty object. @throws HttpError `VALIDATION_ERROR`. */
export function payloadOf(text: string): unknown {
  if (text.trim() === "") return {};
  const rounded = roundedNumber(text);
  if (rounded !== undefined) {
    throw new HttpError(
      "VALIDATION_ERROR",
      `Cannot keep the number ${rounded.source}, which would become ${rounded.value}: write it as a string`,
    );
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = `Cannot read the payload: it is not JSON: ${messageOf(cause)}`;
    throw new HttpError("VALIDATION_ERROR", message, { cause });
  }
}

/** The priority in a field. @throws RangeError, TypeError. */
export function priorityOf(text: string): number {
  const { priorityMin, priorityMax } = TASK_LIMITS;
  return checkInteger(Number(text), "priority", priorityMin, priorityMax);
}

/** What a form says is to be different of a task; an empty field leaves it as it is. @throws TypeError, RangeError */
export function editOf(fields: Readonly<Record<string, string>>): TaskUpdate {
  const { priority, max_attempts: attempts, group, tags, run_after: runAfter } = fields;
  const at = runAfter?.trim();
  return {
    priority: priority ? priorityOf(priority) : undefined,
    maxAttempts: attempts ? Number(attempts) : undefined,
    group: group === undefined ? undefined : group.trim() || null,
    tags: tags === undefined ? undefined : tags.split("\n").filter((tag) => tag.trim() !== ""),
    runAfter: at ? new Date(checkInstant(at, "time")) : undefined,
  };
}
