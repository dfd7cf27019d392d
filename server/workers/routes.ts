/**
 * The worker protocol: claim, renew, progress, log, complete, fail, release and heartbeat, for programs in any language.
 */
import { createRoute, type OpenAPIHono, type z } from "@hono/zod-openapi";
import {
  type ClaimRequest,
  ExitCodeError,
  type Lease,
  PermanentError,
  QueueError,
  RetryAfterError,
  type Task,
  type TaskQueue,
  toRetryPolicy,
} from "../../src/core.ts";
import { requires } from "../http/access.ts";
import { enqueueErrorOf, HttpError } from "../http/errors.ts";
import { checkPayloads, taskOf } from "../tasks/enqueue.ts";
import { taskJson } from "../tasks/json.ts";
import type { AppServices } from "../http/services.ts";
import { bodyErrors, jsonBody, jsonResponse } from "../http/responses.ts";
import { TaskSchema } from "../tasks/schemas.ts";
import { waitUntil } from "../http/wait.ts";
import {
  ClaimBody,
  ClaimSchema,
  CompleteBody,
  FailBody,
  HeartbeatBody,
  type LeaseBody,
  LogBody,
  ProgressBody,
  ReleaseBody,
  RenewBody,
} from "./schemas.ts";

/** A task that is scheduled becomes due without anything changing; waiting claims look when it does, and at least this often. */
const CLAIM_POLL_MS = 1000;

/** Not more often than this, where clocks differ, in milliseconds. */
const CLAIM_POLL_MIN_MS = 10;

const claim = createRoute({
  ...requires("operate"),
  method: "post",
  path: "/api/worker/claim",
  operationId: "claimTasks",
  summary: "Take due tasks under a lease",
  description: "With wait_ms, answers as soon as there is one. Renew a lease before it ends.",
  request: { body: jsonBody(ClaimBody) },
  responses: { 200: jsonResponse(ClaimSchema, "The tasks, perhaps none"), ...bodyErrors(410) },
});

const leaseResponses = {
  200: jsonResponse(TaskSchema, "The task as it is now"),
  ...bodyErrors(404, 409),
};

const renew = createRoute({
  ...requires("operate"),
  method: "post",
  path: "/api/worker/renew",
  operationId: "renewLease",
  summary: "Extend a lease",
  request: { body: jsonBody(RenewBody) },
  responses: leaseResponses,
});

const progress = createRoute({
  ...requires("operate"),
  method: "post",
  path: "/api/worker/progress",
  operationId: "reportProgress",
  summary: "Report progress",
  request: { body: jsonBody(ProgressBody) },
  responses: leaseResponses,
});

const log = createRoute({
  ...requires("operate"),
  method: "post",
  path: "/api/worker/log",
  operationId: "appendLog",
  summary: "Add lines to the run's log",
  request: { body: jsonBody(LogBody) },
  responses: { 204: { description: "They are written" }, ...bodyErrors(404, 409) },
});

const complete = createRoute({
  ...requires("operate"),
  method: "post",
  path: "/api/worker/complete",
  operationId: "completeTask",
  summary: "Finish a task",
  description: "Answers when the result is on disk, and with it the tasks to enqueue.",
  request: { body: jsonBody(CompleteBody) },
  responses: { ...leaseResponses, ...bodyErrors(404, 409, 410, 507) },
});

const fail = createRoute({
  ...requires("operate"),
  method: "post",
  path: "/api/worker/fail",
  operationId: "failTask",
  summary: "End an attempt that failed",
  description: "The task is tried again after its backoff while attempts are left.",
  request: { body: jsonBody(FailBody) },
  responses: leaseResponses,
});

const release = createRoute({
  ...requires("operate"),
  method: "post",
  path: "/api/worker/release",
  operationId: "releaseTask",
  summary: "Give a task back",
  description: "Without using up an attempt, to be due at once or later.",
  request: { body: jsonBody(ReleaseBody) },
  responses: leaseResponses,
});

const heartbeat = createRoute({
  ...requires("operate"),
  method: "post",
  path: "/api/worker/heartbeat",
  operationId: "sendHeartbeat",
  summary: "Say that a worker lives",
  description: "At least once a minute, so that the worker counts as active.",
  request: { body: jsonBody(HeartbeatBody) },
  responses: { 204: { description: "It is noted" }, ...bodyErrors() },
});

/** Adds the routes under `/api/worker`. */
export function addWorkerRoutes(app: OpenAPIHono, services: AppServices): void {
  const { queue } = services.options;

  app.openapi(claim, async (c) => {
    const tasks = await claimTasks(c.req.valid("json"), services, c.req.raw);
    return c.json({ tasks: tasks.map(taskJson) }, 200);
  });

  app.openapi(renew, async (c) => {
    const body = c.req.valid("json");
    const options = { leaseDurationMs: body.lease_duration_ms };
    return c.json(taskJson(await queue.renew(leaseOf(body), options)), 200);
  });

  app.openapi(progress, async (c) => {
    const body = c.req.valid("json");
    const task = await queue.reportProgress(leaseOf(body), body.percent, body.message);
    return c.json(taskJson(task), 200);
  });

  app.openapi(complete, async (c) => {
    const body = c.req.valid("json");
    const wanted = (body.enqueue ?? []).map((each, index) => ({
      task: taskOf(each),
      payloadPath: ["enqueue", index, "payload"],
    }));
    await checkPayloads(wanted, services.options);
    const enqueue = wanted.map(({ task }) => task);
    const task = await asInput(() =>
      queue.complete(leaseOf(body), body.result ?? null, { enqueue })
    );
    return c.json(taskJson(task), 200);
  });

  app.openapi(fail, async (c) => {
    const body = c.req.valid("json");
    const { max_attempts: maxAttempts, retry_policy: policy } = body;
    const options = { maxAttempts, retryPolicy: policy && toRetryPolicy(policy) };
    return c.json(taskJson(await queue.fail(leaseOf(body), errorOf(body), options)), 200);
  });

  app.openapi(release, async (c) => {
    const body = c.req.valid("json");
    const task = await queue.release(leaseOf(body), { delayMs: body.delay_ms });
    return c.json(taskJson(task), 200);
  });

  addReportingRoutes(app, services);
}

function addReportingRoutes(app: OpenAPIHono, { options }: AppServices): void {
  const { queue, logs, clock } = options;

  app.openapi(log, async (c) => {
    const body = c.req.valid("json");
    const task = await requireLatest(queue, leaseOf(body));
    if (logs === undefined) {
      throw new HttpError("LOGS_NOT_KEPT", "Cannot keep lines: this server was given no log store");
    }
    const nowMs = clock.nowMs();
    for (const { level = "info", message, details, age_ms = 0 } of body.lines) {
      const at = new Date(nowMs - age_ms).toISOString();
      logs.append(task.id, { at, level, message, attempt: task.attempts, details });
    }
    return c.body(null, 204);
  });

  app.openapi(heartbeat, async (c) => {
    const { worker_id, capabilities = {}, concurrency = 1, type_limits, ...rest } = c.req.valid(
      "json",
    );
    const limits = { concurrency, typeLimits: type_limits };
    await asInput(() => queue.heartbeat({ ...rest, ...limits, workerId: worker_id, capabilities }));
    return c.body(null, 204);
  });
}

/** Claims tasks, waiting if asked to. What was claimed for a client that has gone meanwhile is given back. */
async function claimTasks(
  body: z.infer<typeof ClaimBody>,
  services: AppServices,
  request: Request,
): Promise<Task[]> {
  const { queue } = services.options;
  const claim = (): Promise<Task[]> => asInput(() => queue.claim(claimOf(body)));
  const { signal } = request;
  const look = (): Promise<Task[]> => signal.aborted ? Promise.resolve([]) : claim();
  const lookAgainMs = (): Promise<number> => untilNextDue(services.options);
  const waiting = { ...services, waitMs: body.wait_ms ?? 0, request, lookAgainMs };
  const tasks = await waitUntil(look, (claimed) => claimed.length > 0, waiting);
  if (!signal.aborted) return tasks;
  await Promise.all(tasks.map((task) => queue.release(task)));
  return [];
}

/** How long until the next task becomes due, or it is time to look anyway. */
async function untilNextDue(
  { queue, clock }: AppServices["options"],
): Promise<number> {
  const dueAt = await queue.nextDueAt();
  const dueMs = dueAt === null ? Infinity : dueAt.getTime() - clock.nowMs();
  return Math.min(CLAIM_POLL_MS, Math.max(CLAIM_POLL_MIN_MS, dueMs));
}

function claimOf(body: z.infer<typeof ClaimBody>): ClaimRequest {
  return {
    workerId: body.worker_id,
    types: body.types,
    limit: body.limit,
    leaseDurationMs: body.lease_duration_ms,
    strategy: body.strategy,
    capabilities: body.capabilities,
    taskId: body.task_id,
  };
}

function leaseOf(body: z.infer<typeof LeaseBody>): Lease {
  return { taskId: body.task_id, workerId: body.worker_id, leaseToken: body.lease_token };
}

function errorOf(
  { error, permanent, retry_after_ms, exit_code }: z.infer<typeof FailBody>,
): Error {
  if (exit_code !== undefined) {
    return new ExitCodeError(exit_code, error, { isPermanent: permanent });
  }
  if (permanent) return new PermanentError(error);
  return retry_after_ms === undefined
    ? new Error(error)
    : new RetryAfterError(retry_after_ms, error);
}

/**
 * The task that a lease is held of, or was until it ended while no later one was given: a worker may still say why it has
 * ended. @throws QueueError `task_not_found`, `lease_lost`.
 */
async function requireLatest(queue: TaskQueue, lease: Lease): Promise<Task> {
  const { taskId, workerId, leaseToken } = lease;
  const task = await queue.get(taskId);
  if (task === undefined) throw new QueueError("task_not_found", `Cannot find task ${taskId}`);
  if (task.leaseToken === leaseToken && task.lockedBy === workerId) return task;
  throw new QueueError(
    "lease_lost",
    `Cannot add to the log of task ${taskId}: this is not its latest lease`,
  );
}

/** The caller's mistakes told apart from ours. */
async function asInput<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (thrown) {
    throw enqueueErrorOf(thrown);
  }
}
