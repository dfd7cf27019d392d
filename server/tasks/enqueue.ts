/**
 * Enqueueing for a client: the payload is checked by the type's handler, if there is one, and every refusal says whose
 * fault it is.
 */
import {
  type EnqueueResult,
  type NewTask,
  type PayloadSchema,
  type TaskBody,
  toNewTask,
} from "../../src/mod.ts";
import type { z } from "@hono/zod-openapi";
import { enqueueErrorOf, HttpError, validationError } from "../http/errors.ts";
import type { ResolvedAppOptions } from "../http/options.ts";
import type { SchedulingBody } from "./schemas.ts";

/** @throws HttpError `VALIDATION_ERROR`. */
async function checkValue(
  schema: PayloadSchema,
  value: unknown,
  path: readonly PropertyKey[],
): Promise<void> {
  const field = path.map(String).join(".");
  try {
    const checked = await schema.safeParseAsync(value);
    if (!checked.success) throw validationError(checked.error as z.ZodError, path);
  } catch (thrown) {
    // A recursive schema on a deeply nested value uses up the stack.
    if (!(thrown instanceof RangeError)) throw thrown;
    throw new HttpError("VALIDATION_ERROR", `Cannot accept ${field}: it is nested too deeply`, {
      problems: [{ field, message: "Nested too deeply" }],
    });
  }
}

/**
 * The idempotency key of a request, which may be in its header or in its body.
 *
 * @throws HttpError `VALIDATION_ERROR` when the two differ.
 */
export function keyOf(
  header: { readonly "idempotency-key"?: string },
  body: Pick<SchedulingBody, "idempotency_key">,
): string | undefined {
  const inHeader = header["idempotency-key"];
  const inBody = body.idempotency_key;
  if (inHeader === undefined || inBody === undefined || inHeader === inBody) {
    return inHeader ?? inBody;
  }
  throw new HttpError(
    "VALIDATION_ERROR",
    `Cannot use two idempotency keys: ${JSON.stringify(inHeader)} in the header Idempotency-Key, ${
      JSON.stringify(inBody)
    } in the body`,
    { problems: [{ field: "idempotency_key", message: "Differs from the header" }] },
  );
}

/** The task that a body describes; its payload is there, for the handler's check. */
export function taskOf(body: TaskBody): NewTask {
  return { payload: {}, ...toNewTask(body) };
}

/** A task to enqueue, and where its payload stands in the request. */
export interface WantedTask {
  readonly task: NewTask;
  /** Such as `["parameters"]`, or `["runs", 3, "parameters"]`. */
  readonly payloadPath: readonly PropertyKey[];
}

/**
 * Enqueues tasks, all or none, when their payloads are acceptable. Resolves when they are durable.
 *
 * What is stored is the payload as it was sent, not as the handler's schema converted it: it is checked again, and
 * converted then, before it runs.
 *
 * @throws HttpError `VALIDATION_ERROR`, `PAYLOAD_TOO_LARGE`; QueueError and StorageError as `TaskQueue.enqueue`.
 */
export async function enqueueChecked(
  wanted: readonly WantedTask[],
  { handlers, queue }: ResolvedAppOptions,
): Promise<EnqueueResult[]> {
  for (const { task, payloadPath } of wanted) {
    const schema = handlers.get(task.type)?.payload ?? null;
    if (schema !== null) await checkValue(schema, task.payload, payloadPath);
  }
  try {
    return await queue.enqueueBatch(wanted.map(({ task }) => task));
  } catch (thrown) {
    throw enqueueErrorOf(thrown);
  }
}

/** The same for one task, whose payload the request calls `payloadField`. */
export async function enqueueOneChecked(
  task: NewTask,
  payloadField: "parameters" | "payload",
  options: ResolvedAppOptions,
): Promise<EnqueueResult> {
  const [enqueued] = await enqueueChecked([{ task, payloadPath: [payloadField] }], options);
  return enqueued!;
}
