import type { ErrorCode } from "../../server/http/error_codes.ts";
import { assert, assertEquals } from "@std/assert";
import { EnqueuedSchema, TaskSchema } from "../../server/tasks/schemas.ts";
import { StatsSchema } from "../../server/operations/schemas.ts";
import { HAS_FILES } from "../support/engine.ts";
import { claimOne, post, read, readError, refusedFields, withApp } from "./fixture.ts";

const PATH = "/api/queue/enqueue";

/** The names of the Python system's API. */
const TASK_FIELDS = [
  "id",
  "run_id",
  "type",
  "priority",
  "payload",
  "compatibility",
  "status",
  "attempts",
  "max_attempts",
  "waits_for",
  "run_after_utc",
  "lease_until_utc",
  "reserved_at_utc",
  "processing_started_utc",
  "finished_at_utc",
  "created_at_utc",
  "updated_at_utc",
  "locked_by",
  "lease_token",
  "timeout_ms",
  "group",
  "expires_at",
  "retry_policy",
  "trace_parent",
  "unique_key",
  "ordering_key",
  "on_predecessor_failure",
  "tags",
  "ordering_place",
  "error_message",
  "idempotency_key",
  "result",
  "progress_percent",
  "progress_message",
];

Deno.test("POST /api/queue/enqueue answers 201 with the task that is in the queue", () =>
  withApp(async ({ app, queue }) => {
    const body = await read(
      await post(app, PATH, {
        type: "  anything  ",
        payload: [1, { deep: null }],
        priority: 1000,
        run_after: "2030-01-01T00:00:00.123456Z",
        idempotency_key: "k",
        max_attempts: 1,
        compatibility: { region: "eu" },
        run_id: "r1",
      }),
      201,
      EnqueuedSchema,
    );
    const task = await queue.get(body.id);
    assertEquals([body.created, body.status, body.attempts], [true, "queued", 0]);
    assertEquals([body.type, task?.type], ["anything", "anything"]);
    assertEquals([body.run_id, task?.runId], ["r1", "r1"]);
    assertEquals(task?.payload, [1, { deep: null }]);
    assertEquals([body.compatibility, task?.compatibility], [{ region: "eu" }, { region: "eu" }]);
    assertEquals(body.run_after_utc, "2030-01-01T00:00:00.123Z");
    assertEquals([body.priority, body.max_attempts, body.idempotency_key], [1000, 1, "k"]);
    assertEquals(body.created_at_utc, task?.createdAt.toISOString());
  }));

Deno.test("POST /api/queue/enqueue needs the type only", () =>
  withApp(async ({ app }) => {
    const body = await read(await post(app, PATH, { type: "t" }), 201, EnqueuedSchema);
    assertEquals([body.payload, body.compatibility], [{}, {}]);
    assertEquals([body.priority, body.max_attempts, body.idempotency_key], [100, 5, null]);
    assert(body.run_id.length > 0);
  }));

Deno.test("POST /api/queue/enqueue keeps a payload that is null", () =>
  withApp(async ({ app }) => {
    const body = await read(
      await post(app, PATH, { type: "t", payload: null }),
      201,
      EnqueuedSchema,
    );
    assertEquals(body.payload, null);
  }));

Deno.test("POST /api/queue/enqueue answers 200 with created false for a known key", () =>
  withApp(async ({ app, queue }) => {
    const wanted = { type: "t", payload: { a: 1, b: 2 }, idempotency_key: "k" };
    const first = await read(await post(app, PATH, wanted), 201, EnqueuedSchema);
    const again = await read(
      await post(app, PATH, { ...wanted, payload: { b: 2, a: 1 } }),
      200,
      EnqueuedSchema,
    );
    assertEquals(again, { ...first, created: false, outcome: "existing" });
    assertEquals(await queue.count(), 1);
  }));

Deno.test("POST /api/queue/enqueue takes an empty key for no key", () =>
  withApp(async ({ app, queue }) => {
    const wanted = { type: "t", idempotency_key: "" };
    await read(await post(app, PATH, wanted), 201, EnqueuedSchema);
    await read(await post(app, PATH, wanted), 201, EnqueuedSchema);
    assertEquals(await queue.count(), 2);
  }));

Deno.test("POST /api/queue/enqueue refuses a known key for other content", () =>
  withApp(async ({ app, queue }) => {
    await post(app, PATH, { type: "t", payload: 1, idempotency_key: "k" });
    const response = await post(app, PATH, { type: "t", payload: 2, idempotency_key: "k" });
    await readError(response, 409, "IDEMPOTENCY_CONFLICT");
    assertEquals(await queue.count(), 1);
  }));

Deno.test("POST /api/queue/enqueue refuses a run id that is taken", () =>
  withApp(async ({ app }) => {
    await post(app, PATH, { type: "t", run_id: "r1" });
    await readError(await post(app, PATH, { type: "t", run_id: "r1" }), 409, "RUN_ID_CONFLICT");
  }));

Deno.test("POST /api/queue/enqueue checks the payload of a type that has a handler", () =>
  withApp(async ({ app, queue }) => {
    const refused = await post(app, PATH, { type: " email ", payload: { to: 1 } });
    assertEquals(await refusedFields(refused), ["payload.to"]);
    assertEquals(await refusedFields(await post(app, PATH, { type: "email" })), ["payload.to"]);
    assertEquals(await queue.count(), 0);
    await read(
      await post(app, PATH, { type: "email", payload: { to: "ann@example.com" } }),
      201,
      EnqueuedSchema,
    );
  }));

Deno.test("POST /api/queue/enqueue names each field that is wrong", () =>
  withApp(async ({ app, queue }) => {
    const refused = async (body: unknown): Promise<string[]> =>
      refusedFields(await post(app, PATH, body));

    assertEquals(await refused({}), ["type"]);
    assertEquals(await refused(null), ["body"]);
    assertEquals(await refused("[]"), ["body"]);
    for (const type of ["", "   ", "x".repeat(201), "a\u0000b", "\ud800", 7, null]) {
      assertEquals(await refused({ type }), ["type"], JSON.stringify(type));
    }
    for (const priority of [0, -1, 1001, 1.5, "5", null]) {
      assertEquals(await refused({ type: "t", priority }), ["priority"], String(priority));
    }
    for (const max_attempts of [0, 101, 2.5]) {
      assertEquals(await refused({ type: "t", max_attempts }), ["max_attempts"]);
    }
    for (const run_after of ["tomorrow", "2026-02-30T12:00:00Z", "2026-01-31T12:00:00", 1]) {
      assertEquals(await refused({ type: "t", run_after }), ["run_after"], String(run_after));
    }
    for (const run_id of ["", " ", "x".repeat(201)]) {
      assertEquals(await refused({ type: "t", run_id }), ["run_id"]);
    }
    for (const idempotency_key of ["  ", "k".repeat(256), "a\u0007", 5]) {
      assertEquals(await refused({ type: "t", idempotency_key }), ["idempotency_key"]);
    }
    for (const compatibility of [[], null, "eu"]) {
      assertEquals(await refused({ type: "t", compatibility }), ["compatibility"]);
    }
    assertEquals(await refused({ type: "t", lease_token: 1, id: 2 }), ["id", "lease_token"]);
    assertEquals(await queue.count(), 0);
  }));

Deno.test("POST /api/queue/enqueue refuses a payload that nests too deeply", () =>
  withApp(async ({ app }) => {
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    const response = await post(app, PATH, `{"type":"t","payload":${deep}}`);
    const error = await readError(response, 422, "VALIDATION_ERROR");
    assert(error.detail.includes("nested deeper"), error.detail);
  }));

Deno.test("POST /api/queue/enqueue refuses a payload of 300 KiB", () =>
  withApp(async ({ app, queue }) => {
    const response = await post(app, PATH, { type: "t", payload: "x".repeat(300 * 1024) });
    await readError(response, 413, "PAYLOAD_TOO_LARGE");
    assertEquals(await queue.count(), 0);
  }));

Deno.test("GET /api/queue/tasks/{id} shows a leased task with the token of its lease", () =>
  withApp(async ({ app, queue }) => {
    const { task } = await queue.enqueue({ type: "t", payload: { a: 1 }, runId: "r1" });
    const claimed = await claimOne(queue, "t");
    await queue.reportProgress(claimed, 40, "almost half");
    const response = await app.request(`/api/queue/tasks/${task.id}`);
    const shown: unknown = await response.clone().json();
    assertEquals(Object.keys(shown as object).sort(), TASK_FIELDS.toSorted());
    const body = await read(response, 200, TaskSchema);
    assertEquals([body.id, body.run_id, body.status], [task.id, "r1", "leased"]);
    assertEquals([body.locked_by, body.attempts], ["w1", 1]);
    assertEquals([body.progress_percent, body.progress_message], [40, "almost half"]);
    assertEquals(body.lease_until_utc, claimed.leaseUntil?.toISOString());
    assertEquals(body.finished_at_utc, null);
  }));

Deno.test("GET /api/queue/tasks/{id} refuses an unknown id", () =>
  withApp(async ({ app }) => {
    for (const id of ["1", "9007199254740991"]) {
      const response = await app.request(`/api/queue/tasks/${id}`);
      await readError(response, 404, "TASK_NOT_FOUND");
    }
  }));

Deno.test("GET /api/queue/tasks/{id} refuses what is not a task id", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueue({ type: "t", runId: "r1" });
    for (const id of ["r1", "-1", "1.0", "0x1", "9007199254740992"]) {
      assertEquals(await refusedFields(await app.request(`/api/queue/tasks/${id}`)), ["id"], id);
    }
    assertEquals((await app.request("/api/queue/tasks/0")).status, 404);
  }));

Deno.test("GET /api/queue/stats counts types that are named like properties of Object", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueue({ type: "constructor" });
    await queue.enqueue({ type: "__proto__" });
    const body: unknown = await (await app.request("/api/queue/stats")).json();
    const byType = new Map(Object.entries((body as { by_type: object }).by_type));
    assertEquals([...byType.keys()].sort(), ["__proto__", "constructor"]);
    assertEquals(byType.get("__proto__").queued, 1);
  }));

Deno.test("GET /api/queue/stats counts by by status and type", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueue({ type: "a" });
    const { task } = await queue.enqueue({ type: "b" });
    await queue.enqueue({ type: "b", runAfter: new Date(Date.now() + 3_600_000) });
    await queue.cancel(task.id);
    const stats = await read(await app.request("/api/queue/stats"), 200, StatsSchema);
    const none = { queued: 0, leased: 0, completed: 0, failed: 0, cancelled: 0 };
    assertEquals(stats.total, 3);
    assertEquals(stats.by_status, { ...none, queued: 2, cancelled: 1 });
    assertEquals(stats.by_type, {
      a: { ...none, queued: 1 },
      b: { ...none, queued: 1, cancelled: 1 },
    });
    assertEquals(stats.scheduled, 1);
    assert(stats.oldest_due_at !== null);
    assertEquals(stats.storage?.location, HAS_FILES ? "memory" : undefined);
  }));

Deno.test("POST /api/queue/enqueue takes parents, and refuses unknown ones and circles with 422", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueue({ type: "first", runId: "a" });
    const body = { type: "second", depends_on: ["a", 1], on_parent_failure: "run" };
    assertEquals((await read(await post(app, PATH, body), 201, EnqueuedSchema)).waits_for, 1);
    const refused = async (task: object, code: ErrorCode): Promise<string> =>
      (await readError(await post(app, PATH, { type: "t", ...task }), 422, code)).detail;
    assert((await refused({ depends_on: ["b"] }, "UNKNOWN_PARENT")).includes('"b"'));
    const circle = await refused({ run_id: "c", depends_on: ["c"] }, "DEPENDENCY_CYCLE");
    assert(circle.includes('"c"'));
    assertEquals(await queue.count(), 2);
  }));
