/**
 * Enqueueing for a client: the payload is checked by the type's handler, if there is one, and every refusal says whose
 * fault it is.
 */
import type {
  EnqueueResult,
  NewTask,
  ParentFailurePolicy,
  PayloadSchema,
  TaskReference,
  Webhook,
} from "../../src/mod.ts";
import type { z } from "@hono/zod-openapi";
import { enqueueErrorOf, HttpError, validationError } from "../http/errors.ts";
import type { ResolvedAppOptions } from "../http/options.ts";
import type { EnqueueBody } from "./schemas.ts";

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

/** When and how often a task runs, as a body says it. */
export interface SchedulingBody {
  readonly priority?: number;
  readonly run_after?: string;
  readonly idempotency_key?: string;
  readonly max_attempts?: number;
  readonly retry_policy?: RetryPolicyBody;
  readonly timeout_ms?: number;
  readonly depends_on?: readonly TaskReference[];
  readonly on_parent_failure?: ParentFailurePolicy;
  readonly webhook?: Webhook;
}

/** How failures are retried, as a body says it. */
interface RetryPolicyBody {
  readonly initial_delay_ms?: number;
  readonly multiplier?: number;
  readonly max_delay_ms?: number;
}

/** The scheduling fields of a body under the queue's names. */
export function schedulingOf(
  body: SchedulingBody,
): Partial<NewTask> {
  return {
    priority: body.priority,
    runAfter: body.run_after,
    idempotencyKey: body.idempotency_key,
    maxAttempts: body.max_attempts,
    retryPolicy: body.retry_policy && {
      initialDelayMs: body.retry_policy.initial_delay_ms,
      multiplier: body.retry_policy.multiplier,
      maxDelayMs: body.retry_policy.max_delay_ms,
    },
    timeoutMs: body.timeout_ms,
    dependsOn: body.depends_on,
    onParentFailure: body.on_parent_failure,
    webhook: body.webhook,
  };
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

/** The task that a body describes. */
export function newTaskOf(body: z.infer<typeof EnqueueBody>): NewTask {
  const { type, payload = {}, compatibility, run_id } = body;
  return {
    ...schedulingOf(body),
    type,
    payload,
    compatibility,
    runId: run_id,
  };
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
