/**
 * Enqueueing for a client: the payload is checked by the type's handler, if there is one, and every refusal says whose
 * fault it is.
 */
import type { EnqueueResult, NewTask } from "../src/mod.ts";
import type { z } from "@hono/zod-openapi";
import { enqueueErrorOf, HttpError, validationError } from "./errors.ts";
import type { ResolvedAppOptions } from "./options.ts";

/** @throws HttpError `VALIDATION_ERROR`. */
async function checkValue(schema: z.ZodType, value: unknown, field: string): Promise<void> {
  try {
    const checked = await schema.safeParseAsync(value);
    if (!checked.success) throw validationError(checked.error, [field]);
  } catch (thrown) {
    // A recursive schema on a deeply nested value uses up the stack.
    if (!(thrown instanceof RangeError)) throw thrown;
    throw new HttpError("VALIDATION_ERROR", `Cannot accept ${field}: it is nested too deeply`, {
      problems: [{ field, message: "Nested too deeply" }],
    });
  }
}

/** When and how often a task runs, as a body says it. */
export interface SchedulingBody {
  readonly priority?: number;
  readonly run_after?: string;
  readonly idempotency_key?: string;
  readonly max_attempts?: number;
}

/** The scheduling fields of a body under the queue's names. */
export function schedulingOf(
  body: SchedulingBody,
): Pick<NewTask, "priority" | "runAfter" | "idempotencyKey" | "maxAttempts"> {
  return {
    priority: body.priority,
    runAfter: body.run_after,
    idempotencyKey: body.idempotency_key,
    maxAttempts: body.max_attempts,
  };
}

/**
 * Enqueues `task` when its payload, which the request calls `payloadField`, is acceptable. Resolves when it is durable.
 *
 * What is stored is the payload as it was sent, not as the handler's schema converted it: it is checked again, and
 * converted then, before it runs.
 *
 * @throws HttpError `VALIDATION_ERROR`, `PAYLOAD_TOO_LARGE`; QueueError and StorageError as `TaskQueue.enqueue`.
 */
export async function enqueueChecked(
  task: NewTask,
  payloadField: "parameters" | "payload",
  options: ResolvedAppOptions,
): Promise<EnqueueResult> {
  const schema = options.handlers.get(task.type)?.payload ?? null;
  if (schema !== null) await checkValue(schema, task.payload, payloadField);
  try {
    return await options.queue.enqueue(task);
  } catch (thrown) {
    throw enqueueErrorOf(thrown);
  }
}
