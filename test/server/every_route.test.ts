/**
 * Every route × everything that the OpenAPI document says it answers, each provoked for real.
 *
 * The document is what is walked, so a route that is added without a scene here fails, and so does one that documents an
 * answer nobody can provoke.
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { Validator } from "@seriousme/openapi-schema-validator";
import { assert, assertEquals } from "@std/assert";
import {
  maintenanceOf,
  PermanentError,
  QueueFullError,
  SCHEDULED_FIELD_NAMES,
  StorageError,
  systemClock,
  TASK_FIELDS,
  type TaskQueue,
} from "../../src/mod.ts";
import { MemoryLogStore, openQueue, QueueError } from "../../src/mod.ts";
import {
  type AppOptions,
  createApp,
  createToken,
  parseTokens,
  type Scope,
  SCOPES,
  tokenAccess,
} from "../../server/app.ts";
import { ERROR_STATUSES } from "../../server/http/error_codes.ts";
import { EXAMPLE } from "../../server/http/fields.ts";
import { ErrorSchema } from "../../server/http/error_schema.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { HAS_FILES, openTestQueue } from "../support/engine.ts";
import { until } from "../support/until.ts";
import { exampleHandlers, failingQueue, withoutMaintenance } from "./fixture.ts";
import {
  checkBody,
  documentOf,
  exampleRequest,
  type OpenApiDocument,
  type Operation,
  type RequestChanges,
  textOf,
} from "./openapi_document.ts";

const RUN = { type: "email", payload: EXAMPLE.payload, runId: EXAMPLE.runId };

/** Makes of a fresh queue what a request needs to be answered in one way. */
type Preparation = (queue: TaskQueue) => Promise<unknown>;

const FULL = new QueueFullError("/top secret", { usedBytes: 9, markBytes: 8 });

const nothing: Preparation = () => Promise.resolve();
const queued: Preparation = (queue) => queue.enqueue(RUN);
const leased: Preparation = async (queue) => {
  await queued(queue);
  return queue.claim({ workerId: EXAMPLE.workerId, types: ["email"] });
};
const held = async (
  queue: TaskQueue,
): Promise<{ taskId: number; workerId: string; leaseToken: number }> => {
  await leased(queue);
  return { taskId: 1, workerId: EXAMPLE.workerId, leaseToken: 1 };
};
const completed: Preparation = async (queue) => queue.complete(await held(queue), { sent: true });
const failed: Preparation = async (queue) =>
  queue.fail(await held(queue), new PermanentError("no"));
const keyTaken: Preparation = (queue) =>
  queue.enqueue({ type: "email", payload: EXAMPLE.payload, idempotencyKey: "order-4711" });
const keyConflict: Preparation = (queue) =>
  queue.enqueue({ type: "cleanup", idempotencyKey: "order-4711" });

/** The schedule of the examples, or one that differs from it in its type. */
const scheduled = (type: string): Preparation => (queue) => {
  const time = { id: "nightly", cron: "30 2 * * *", timeZone: "Europe/Berlin" };
  const fields = SCHEDULED_FIELD_NAMES.map((name) => [name, TASK_FIELDS[name].example]);
  return queue.addSchedule({ ...Object.fromEntries(fields), ...time, type });
};

/** How each operation comes to each success, and to 409 if it has that. */
const SCENES: Readonly<
  Record<string, Readonly<Record<number, Preparation | [Preparation, RequestChanges]>>>
> = {
  listModules: { 200: nothing },
  getModule: { 200: nothing },
  runModule: { 202: nothing, 409: keyConflict },
  runBatch: { 202: nothing, 409: keyConflict },
  listRuns: { 200: queued },
  getRun: { 200: completed },
  getResult: { 200: completed, 409: queued },
  cancelRun: { 200: queued, 409: completed },
  deleteRun: { 200: leased, 409: failed },
  retryRun: { 200: failed, 409: queued },
  explainRun: { 200: queued },
  explainTask: { 200: queued },
  getLog: { 200: queued },
  getTaskLog: { 200: queued },
  downloadLog: { 200: queued },
  streamLog: { 200: completed, 204: [completed, { parameters: { "last-event-id": "0-0-end" } }] },
  enqueueTask: {
    201: nothing,
    200: [keyTaken, { fields: { run_id: undefined } }],
    409: keyConflict,
  },
  enqueueBatch: { 201: nothing, 409: keyConflict },
  listParents: {
    200: (queue) =>
      queue.enqueueBatch([{ type: "child", dependsOn: ["p"] }, { type: "t", runId: "p" }]),
  },
  listChildren: {
    200: (queue) =>
      queue.enqueueBatch([{ type: "t", runId: "p" }, { type: "child", dependsOn: ["p"] }]),
  },
  listTasks: { 200: queued },
  searchTasks: { 200: queued },
  countTasks: { 200: queued },
  getNextDue: { 200: queued },
  getHistory: { 200: leased },
  streamChanges: { 200: queued },
  getTask: { 200: queued },
  listTransitions: { 200: leased },
  cancelTask: { 200: leased, 409: completed },
  retryTask: { 200: failed, 409: leased },
  updateTask: { 200: queued, 409: leased },
  replaceTask: { 201: [queued, { fields: { run_id: undefined } }], 409: leased },
  removeTask: { 204: failed, 409: leased },
  bulk: { 200: queued },
  getStats: { 200: queued },
  listWorkers: {
    200: (queue) =>
      queue.heartbeat({ workerId: "w", types: ["email"], capabilities: {}, concurrency: 1 }),
  },
  retireWorker: { 204: nothing },
  exportRecords: { 200: failed },
  importRecords: { 200: nothing },
  rescueTasks: { 200: leased },
  fireSchedules: { 200: scheduled("email") },
  measureQueue: { 200: completed },
  pruneTasks: { 200: completed },
  checkpoint: { 200: queued },
  listLimits: { 200: (queue) => queue.setLimit({ type: "email" }, { concurrency: 1 }) },
  setLimit: { 200: nothing },
  removeLimit: { 200: (queue) => queue.setLimit({ type: "email" }, { concurrency: 1 }) },
  declareLimits: { 200: nothing },
  pauseQueue: { 200: nothing },
  resumeQueue: { 200: (queue) => queue.pause({ type: "email" }, { by: "ops" }) },
  listSchedules: { 200: scheduled("email") },
  addSchedule: { 201: nothing, 200: scheduled("email"), 409: scheduled("other") },
  getSchedule: { 200: scheduled("email") },
  listScheduleRuns: { 200: scheduled("email") },
  changeSchedule: { 200: scheduled("email") },
  removeSchedule: { 200: scheduled("email") },
  claimTasks: { 200: queued },
  renewLease: { 200: leased, 409: queued },
  reportProgress: { 200: leased, 409: queued },
  appendLog: { 204: leased, 409: queued },
  completeTask: { 200: leased, 409: completed },
  failTask: { 200: leased, 409: queued },
  releaseTask: { 200: leased, 409: queued },
  sendHeartbeat: { 204: nothing },
  streamEvents: { 200: queued },
  getHealth: { 200: nothing },
  getMetrics: { 200: queued },
  getOpenApi: { 200: nothing },
};

/** An application with a token for each scope. */
interface World {
  readonly app: OpenAPIHono;
  readonly queue: TaskQueue;
  readonly clock: FakeClock;
}

const made = await Promise.all(SCOPES.map((scope) => createToken(scope, [scope])));
const TOKENS = Object.fromEntries(SCOPES.map((scope, n) => [scope, made[n]!.token])) as Record<
  Scope,
  string
>;
const RECORDS = await parseTokens(made.map(({ line }) => line).join("\n"));

async function withWorld(
  test: (world: World) => Promise<void>,
  options: Partial<AppOptions> = {},
): Promise<void> {
  const queue = options.queue ?? await openTestQueue();
  const clock = new FakeClock();
  try {
    await test({ app: appOf({ queue, clock, ...options }), queue, clock });
  } finally {
    await queue.close();
  }
}

/** The examples' application, with a log of one line. */
function appOf(options: Partial<AppOptions> & Pick<AppOptions, "queue">): OpenAPIHono {
  const logs = new MemoryLogStore();
  const line = { at: EXAMPLE.instant, level: "info", message: "hello", attempt: 1 } as const;
  logs.append(1, { ...line, details: { n: 1 } });
  return createApp({
    logs,
    handlers: exampleHandlers(),
    access: tokenAccess(RECORDS),
    onError: () => {},
    ...options,
  });
}

/** The document is the same for each engine; a server that tests start is not there yet. */
const DOCUMENT = await (async (): Promise<OpenApiDocument> => {
  const queue = await openQueue({ memory: true });
  try {
    return await documentOf(appOf({ queue }), bearer("read"));
  } finally {
    await queue.close();
  }
})();

function bearer(scope: Scope): Record<string, string> {
  return { Authorization: `Bearer ${TOKENS[scope]}` };
}

function scopeOf(operation: Operation): Scope {
  return operation.security[0]!.bearer[0] as Scope;
}

/** Asks as the operation's examples say, with a token of just the right scope. */
function ask(
  app: OpenAPIHono,
  operation: Operation,
  changes: RequestChanges = {},
): Promise<Response> {
  const headers = { ...bearer(scopeOf(operation)), ...changes.headers };
  return Promise.resolve(app.fetch(exampleRequest(operation, DOCUMENT, { ...changes, headers })));
}

async function checkAnswer(
  operation: Operation,
  response: Response,
  status: number,
): Promise<void> {
  const text = await textOf(response);
  const what = `${operation.operationId} ${status}`;
  assertEquals(response.status, status, `${what}: ${text}`);
  assert(response.headers.get("X-Request-Id"), `${what} has no request id`);
  assertEquals(response.headers.get("X-Content-Type-Options"), "nosniff", what);
  const type = response.headers.get("Content-Type") ?? "";
  checkBody(operation, DOCUMENT, { status, type, text });
  if (status < 400) return;
  const error = ErrorSchema.parse(JSON.parse(text));
  assertEquals(ERROR_STATUSES[error.error_code], status, what);
  if (status === 503) assert(response.headers.get("Retry-After"), `${what} without Retry-After`);
  if (status === 401) assert(response.headers.get("WWW-Authenticate"), `${what} says not how`);
}

const tooLong = "x".repeat(201);

/** What makes a field unacceptable, by the name of the parameter. */
const BAD_PARAMETERS: Readonly<Record<string, string>> = {
  id: tooLong,
  limit: "0",
  tail: "0",
  format: "xml",
  wait: "1h",
  by: tooLong,
  "last-event-id": "x",
};

/** Bytes that no text has. */
const notUtf8 = (): ReadableStream => new Blob([new Uint8Array([0xff])]).stream();

/** How an error is provoked in a world that any operation leaves as it was. */
const REFUSALS: Readonly<Record<number, (operation: Operation, world: World) => Promise<void>>> = {
  400: async (operation, { app }) => {
    await checkAnswer(operation, await ask(app, operation, { body: notUtf8() }), 400);
    if (operation.requestBody === undefined) return;
    await checkAnswer(operation, await ask(app, operation, { body: "{" }), 400);
  },
  401: async (operation, { app }) => {
    for (const Authorization of ["", "Bearer nonsense", `Basic ${TOKENS.admin}`]) {
      const response = await ask(app, operation, { headers: { Authorization } });
      await checkAnswer(operation, response, 401);
    }
  },
  403: async (operation, { app }) => {
    for (const scope of SCOPES.filter((one) => one !== scopeOf(operation) && one !== "admin")) {
      await checkAnswer(operation, await ask(app, operation, { headers: bearer(scope) }), 403);
    }
  },
  404: async (operation, { app }) => {
    // The module exists among the examples, runs and tasks do not yet.
    const missing = operation.path.includes("/modules/")
      ? { parameters: { id: "nope" } }
      : operation.operationId === "runBatch"
      ? { fields: { runs: [{ module_id: "nope", parameters: {} }] } }
      : {};
    await checkAnswer(operation, await ask(app, operation, missing), 404);
  },
  408: async (operation, { app, clock }) => {
    const body = new ReadableStream();
    const before = clock.pendingTimers;
    const asked = ask(app, operation, { body });
    await until(() => clock.pendingTimers > before, "the body's time to run");
    await clock.advance(10_000);
    await checkAnswer(operation, await asked, 408);
    assertEquals(clock.pendingTimers, before);
  },
  415: async (operation, { app }) => {
    const compressed = { "Content-Type": "application/json", "Content-Encoding": "gzip" };
    const zipped = await ask(app, operation, { body: "{}", headers: compressed });
    await checkAnswer(operation, zipped, 415);
    if (operation.requestBody === undefined) return;
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/xml"]) {
      const response = await ask(app, operation, { headers: { "Content-Type": type } });
      await checkAnswer(operation, response, 415);
    }
  },
  431: async (operation, { app }) => {
    const headers = { "X-Long": "y".repeat(20_000) };
    await checkAnswer(operation, await ask(app, operation, { headers }), 431);
  },
};

/** How each other error is provoked, whatever the operation. */
const ERRORS: Readonly<Record<number, (operation: Operation) => Promise<void>>> = {
  413: (operation) =>
    withWorld(async ({ app }) => {
      const body = `{"x":"${"x".repeat(2000)}"}`;
      await checkAnswer(operation, await ask(app, operation, { body }), 413);
    }, { bodyMaxBytes: 1024 }),
  422: (operation) =>
    withWorld(async ({ app, queue }) => {
      await queued(queue);
      if (operation.requestBody !== undefined) {
        for (const body of ["[]", "null", '{"unheard_of":1}']) {
          await checkAnswer(operation, await ask(app, operation, { body }), 422);
        }
      }
      for (const { name } of operation.parameters) {
        const bad = BAD_PARAMETERS[name];
        const isModule = operation.path.includes("/modules/{id}/");
        if (bad === undefined || isModule) continue;
        const changes = { parameters: { [name]: bad } };
        await checkAnswer(operation, await ask(app, operation, changes), 422);
      }
      const request = exampleRequest(operation, DOCUMENT, { headers: bearer(scopeOf(operation)) });
      const misspelt = new Request(
        `${request.url}${request.url.includes("?") ? "&" : "?"}x=1`,
        request,
      );
      await checkAnswer(operation, await app.fetch(misspelt), 422);
    }),
  410: (operation) =>
    checkBroken(operation, new QueueError("queue_moved", "Its tasks are elsewhere"), 410),
  500: (operation) => checkBroken(operation, new Error("top secret"), 500),
  501: async (operation) => {
    await withWorld(async ({ app }) => {
      await checkAnswer(operation, await ask(app, operation), 501);
    }, { queue: withoutMaintenance(await openTestQueue()) });
  },
  503: (operation) => checkBroken(operation, new StorageError("sync", "/top secret", "full"), 503),
  507: (operation) => checkBroken(operation, FULL, 507),
};

async function checkBroken(operation: Operation, error: Error, status: number): Promise<void> {
  const app = appOf({ queue: failingQueue(error) });
  const response = await ask(app, operation);
  assert(!(await response.clone().text()).includes("secret"), "the cause leaks");
  await checkAnswer(operation, response, status);
}

Deno.test("/openapi.json is valid OpenAPI 3.1", () =>
  withWorld(async ({ app }) => {
    const response = await app.request("/openapi.json", { headers: bearer("read") });
    const document = await response.json();
    assertEquals(document.openapi, "3.1.0");
    const result = await new Validator().validate(structuredClone(document));
    assert(result.valid, JSON.stringify(result.errors));
    const ids = DOCUMENT.operations.map(({ operationId }) => operationId);
    assertEquals(ids.length, new Set(ids).size);
    delete document.paths["/api/runs"].get.responses["200"].description;
    assertEquals((await new Validator().validate(document)).valid, false);
  }));

Deno.test("every route answers its own examples as documented", async (t) => {
  let checked = 0;
  for (const operation of DOCUMENT.operations) {
    const scenes = SCENES[operation.operationId];
    assert(scenes !== undefined, `${operation.operationId} has no scene`);
    const successes = Object.keys(operation.responses).map(Number).filter((status) => status < 400);
    for (const status of successes) {
      if (operation.operationId === "checkpoint" && !HAS_FILES) continue;
      const scene = scenes[status];
      assert(scene !== undefined, `${operation.operationId} ${status} has no scene`);
      const [prepare, changes] = Array.isArray(scene) ? scene : [scene, {}];
      await withWorld(async ({ app, queue }) => {
        await prepare(queue);
        await checkAnswer(operation, await ask(app, operation, changes), status);
      });
      checked++;
    }
  }
  assertEquals(Object.keys(SCENES).length, DOCUMENT.operations.length, "a scene without a route");
  await t.step(`${DOCUMENT.operations.length} routes, ${checked} successes`, () => {
    assert(checked >= DOCUMENT.operations.length);
  });
});

for (const operation of DOCUMENT.operations) {
  Deno.test(`${operation.method} ${operation.path} answers every error that it documents`, async (t) => {
    const errors = Object.keys(operation.responses).map(Number).filter((status) => status >= 400);
    for (const status of [401, 403, 422, 431]) assert(errors.includes(status), `without ${status}`);
    const ofBody = operation.requestBody === undefined ? [] : [422];
    const ofChange = operation.method === "GET" ? [] : [400, 408, 413, 415];
    for (const status of [...ofChange, ...ofBody]) {
      assert(errors.includes(status), `without ${status}`);
    }
    await withWorld(async (world) => {
      const before = maintenanceOf(world.queue)?.storageStats().sequence;
      for (const status of errors) await REFUSALS[status]?.(operation, world);
      assertEquals(maintenanceOf(world.queue)?.storageStats().sequence, before);
    });
    for (const status of errors.filter((one) => REFUSALS[one] === undefined)) {
      const conflict = status === 409 ? SCENES[operation.operationId]![409] : undefined;
      if (conflict !== undefined) await checkConflict(operation, conflict as Preparation);
      else await ERRORS[status]!(operation);
    }
    await t.step(`checked ${errors.join(", ")}`, () => assert(errors.length >= 3));
  });
}

function checkConflict(operation: Operation, prepare: Preparation): Promise<void> {
  return withWorld(async ({ app, queue }) => {
    await prepare(queue);
    await checkAnswer(operation, await ask(app, operation), 409);
  });
}

Deno.test("every path refuses every other method with 405 and Allow", async (t) => {
  const paths = Map.groupBy(DOCUMENT.operations, ({ path }) => path);
  let checked = 0;
  await withWorld(async ({ app }) => {
    for (const [path, operations] of paths) {
      // A run can be called "batch".
      const known = path === "/api/runs/batch" ? ["POST", "GET", "DELETE"] : [];
      const methods = new Set([...operations.map(({ method }) => method), ...known]);
      const allow = [...methods].flatMap((method) => method === "GET" ? ["GET", "HEAD"] : [method]);
      for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
        if (methods.has(method)) continue;
        const target = new URL(exampleRequest(operations[0]!, DOCUMENT).url).pathname;
        const response = await app.request(target, { method, headers: bearer("admin") });
        const { error_code } = ErrorSchema.parse(await response.json());
        assertEquals(
          [response.status, error_code],
          [405, "METHOD_NOT_ALLOWED"],
          `${method} ${path}`,
        );
        const answered = response.headers.get("Allow")!.split(", ");
        assertEquals(answered.toSorted(), allow.toSorted(), `${method} ${path}`);
        checked++;
      }
    }
  });
  await t.step(`${paths.size} paths, ${checked} refusals`, () => assert(checked > 100));
});

Deno.test("without a token nothing is told, not even what exists", () =>
  withWorld(async ({ app }) => {
    for (const path of ["/api/nope", "/api", "/api/runs/x/y", "/metrics", "/openapi.json"]) {
      assertEquals((await app.request(path)).status, 401, path);
    }
    assertEquals((await app.request("/api/runs", { method: "PUT" })).status, 401);
  }, { clock: new FakeClock(systemClock.nowMs()) }));
