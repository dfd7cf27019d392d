/**
 * What a person wrote of a new task.
 */
import { checkInteger, messageOf, roundedNumber, TASK_LIMITS } from "../src/core.ts";
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
