import type { OpenAPIHono } from "@hono/zod-openapi";
import { assert, assertEquals } from "@std/assert";
import { type HealthReason, type QueueHealth, StorageError } from "../../src/mod.ts";
import { HealthSchema, UnhealthySchema } from "../../server/operations/schemas.ts";
import { overridden } from "../support/overridden_queue.ts";
import { HAS_FILES, openTestQueue } from "../support/engine.ts";
import { claimOne, failingQueue, NOW, read, readError, withApp } from "./fixture.ts";

Deno.test("GET /api/health answers 200 with the version and the counts", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueue({ type: "t" });
    const { at } = await queue.health();
    const body = await read(await app.request("/api/health"), 200, HealthSchema);
    assert(Date.parse(body.at) >= at.getTime());
    assertEquals({ ...body, at: "" }, {
      status: "healthy",
      at: "",
      version: "1.2.3",
      reasons: [],
      queue: {
        total: 1,
        by_status: { queued: 1, leased: 0, completed: 0, failed: 0, cancelled: 0 },
      },
    });
  }, { version: "1.2.3" }));

Deno.test("GET /api/health leaves out a version that was not given", () =>
  withApp(async ({ app }) => {
    const body = await read(await app.request("/api/health"), 200, HealthSchema);
    assertEquals("version" in body, false);
  }));

for (
  const error of [new StorageError("read", "/secret/path", "disk on fire"), new Error("secret")]
) {
  Deno.test(`GET /api/health answers 503 without internals when stats() rejects with ${error.name}`, () =>
    withApp(async ({ app, reported }) => {
      const response = await app.request("/api/health");
      assertEquals(response.headers.get("Retry-After"), "5");
      assertEquals(await read(response, 503, UnhealthySchema), {
        status: "unhealthy",
        version: "1.2.3",
        detail: "The queue is not available, try again later",
        error_code: "QUEUE_UNAVAILABLE",
        timestamp: NOW,
      });
      assertEquals(reported, [error]);
    }, { version: "1.2.3", queue: failingQueue(error) }));
}

Deno.test("GET /api/health answers 503 once the queue is closed", () =>
  withApp(async ({ app, queue }) => {
    await queue.close();
    const body = await read(await app.request("/api/health"), 503, UnhealthySchema);
    assertEquals(body.status, "unhealthy");
  }));

Deno.test("GET /api/health answers 200 and the reasons when the queue is degraded", () =>
  withJudgedQueue("degraded", async (app) => {
    const body = await read(await app.request("/api/health"), 200, HealthSchema);
    assertEquals([body.status, body.reasons], ["degraded", [reason("degraded")]]);
  }));

Deno.test("GET /api/health answers 503 and the reasons when the queue is unhealthy", () =>
  withJudgedQueue("unhealthy", async (app) => {
    const body = await read(await app.request("/api/health"), 503, UnhealthySchema);
    assertEquals(body, {
      status: "unhealthy",
      reasons: [reason("unhealthy")],
      detail: "A task waits",
      error_code: "QUEUE_UNHEALTHY",
      timestamp: NOW,
      at: "1970-01-01T00:00:00.000Z",
    });
  }));

Deno.test("GET /metrics answers in the text format of Prometheus", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueueBatch([{ type: "t" }, { type: 'quo"te\\' }]);
    await queue.heartbeat({ workerId: "w1", types: ["t"], capabilities: {}, concurrency: 1 });
    await queue.complete(await claimOne(queue, "t"));
    const response = await app.request("/metrics");
    assertEquals(
      [response.status, response.headers.get("Content-Type")],
      [200, "text/plain; version=0.0.4; charset=utf-8"],
    );
    assertEquals(response.headers.get("X-Content-Type-Options"), "nosniff");
    const lines = (await response.text()).split("\n");
    for (
      const line of [
        "# TYPE holdfast_tasks gauge",
        'holdfast_tasks{type="t",status="completed"} 1',
        'holdfast_tasks{type="quo\\"te\\\\",status="queued"} 1',
        "holdfast_tasks_due 1",
        'holdfast_workers{state="active"} 1',
        'holdfast_window_transitions{kind="completed"} 1',
        'holdfast_health{verdict="healthy"} 1',
        ...HAS_FILES ? ["# TYPE holdfast_commits_total counter"] : [],
      ]
    ) {
      assert(lines.includes(line), `${line} is missing`);
    }
    const sample = /^[a-z_]+(\{([a-z]+="([^"\\]|\\.)*",?)+\})? \d+(\.\d+)?(e-\d+)?$/;
    const strange = lines.filter((line) => !/^# (HELP|TYPE) /.test(line) && !sample.test(line));
    assertEquals(strange, [""]);
  }));

Deno.test("GET /metrics answers 503 without internals when the queue does not answer", () =>
  withApp(async ({ app }) => {
    await readError(await app.request("/metrics"), 503, "QUEUE_UNAVAILABLE");
  }, { queue: failingQueue(new StorageError("read", "/secret/path", "disk on fire")) }));

type Severity = Exclude<HealthReason["severity"], "notice">;

function reason(severity: Severity): HealthReason {
  return { code: "oldest_due_waits", severity, message: "A task waits" };
}

/** An app whose queue has this verdict. */
async function withJudgedQueue(
  verdict: Severity,
  test: (app: OpenAPIHono) => Promise<void>,
): Promise<void> {
  const queue = await openTestQueue();
  const reasons = [reason(verdict)];
  const health = (): Promise<QueueHealth> => Promise.resolve({ verdict, reasons, at: new Date(0) });
  try {
    await withApp(({ app }) => test(app), { queue: overridden(queue, { health }) });
  } finally {
    await queue.close();
  }
}

Deno.test("/metrics names the 200 types with the most tasks, and the rest as one", () =>
  withApp(async ({ app, queue }) => {
    const types = Array.from({ length: 300 }, (_, n) => ({ type: `t${n}` }));
    await queue.enqueueBatch([...types, ...types.slice(0, 200)]);
    const text = await (await app.request("/metrics")).text();
    const samples = text.match(/^holdfast_tasks\{type=.*status="queued"\} .*$/gm)!;
    assertEquals(samples.length, 201);
    assertEquals(samples.at(-1), 'holdfast_tasks{type="other",status="queued"} 100');
  }));
