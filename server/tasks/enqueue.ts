/**
 * Enqueueing for a client: the payload is checked by the type's handler, if there is one, and every refusal says whose
 * fault it is.
 */
import {
  type EnqueueOptions,
  type EnqueueResult,
  type NewTask,
  pathOf,
  type SchemaIssue,
  type StandardSchema,
  type TaskBody,
  toNewTask,
} from "../../src/core.ts";
import type { z } from "@hono/zod-openapi";
import { enqueueErrorOf, HttpError, validationError } from "../http/errors.ts";
import type { ResolvedAppOptions } from "../http/options.ts";
import type { EnqueueBody, SchedulingBody } from "./schemas.ts";

/** As zod writes it: its own issues say more than the standard asks for. */
function withPath(issue: SchemaIssue): z.core.$ZodIssue {
  return { ...issue, path: [...pathOf(issue)] } as z.core.$ZodIssue;
}

/** @throws HttpError `VALIDATION_ERROR`. */
async function checkValue(
  schema: StandardSchema,
  value: unknown,
  path: readonly PropertyKey[],
): Promise<void> {
  const field = path.map(String).join(".");
  try {
    const { issues } = await schema["~standard"].validate(value);
    if (issues !== undefined) throw validationError({ issues: issues.map(withPath) }, path);
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

/** How a body wants its task to be stored, apart from what it is. */
export function howOf({ lease_to, cancelled }: z.infer<typeof EnqueueBody>): EnqueueOptions {
  const leaseTo = lease_to &&
    { workerId: lease_to.worker_id, leaseDurationMs: lease_to.lease_duration_ms };
  return { leaseTo, cancelled };
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
  options: ResolvedAppOptions,
): Promise<EnqueueResult[]> {
  await checkPayloads(wanted, options);
  return await asEnqueueing(() => options.queue.enqueueBatch(wanted.map(({ task }) => task)));
}

/** How one task is enqueued. */
export interface OneTaskOptions extends ResolvedAppOptions {
  /** What the request calls its payload. */
  readonly payloadField: "parameters" | "payload";
  /** Default as any other. */
  readonly how?: EnqueueOptions;
}

/** The same for one task. */
export async function enqueueOneChecked(
  task: NewTask,
  { payloadField, how, ...options }: OneTaskOptions,
): Promise<EnqueueResult> {
  await checkPayload({ task, payloadPath: [payloadField] }, options);
  return await asEnqueueing(() => options.queue.enqueue(task, how));
}

/** @throws HttpError `VALIDATION_ERROR`. */
export async function checkPayloads(
  wanted: readonly WantedTask[],
  options: Pick<ResolvedAppOptions, "handlers">,
): Promise<void> {
  for (const each of wanted) await checkPayload(each, options);
}

async function checkPayload(
  { task, payloadPath }: WantedTask,
  { handlers }: Pick<ResolvedAppOptions, "handlers">,
): Promise<void> {
  const schema = handlers.get(task.type)?.payload ?? null;
  if (schema !== null) await checkValue(schema, task.payload, payloadPath);
}

async function asEnqueueing<T>(enqueue: () => Promise<T>): Promise<T> {
  try {
    return await enqueue();
  } catch (thrown) {
    throw enqueueErrorOf(thrown);
  }
}
