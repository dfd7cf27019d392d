import type { OpenAPIHono } from "@hono/zod-openapi";
import { assert, assertEquals } from "@std/assert";
import type { TaskQueue } from "../../src/mod.ts";
import { ExplanationSchema, RunPageSchema, RunSchema } from "../../server/runs/schemas.ts";
import { claimOne, read, readError, refusedFields, withApp } from "./fixture.ts";

/** The run ids on the page that `query` asks for, and the total. */
async function listed(app: OpenAPIHono, query: string): Promise<[string[], number]> {
  const page = await read(await app.request(`/api/runs${query}`), 200, RunPageSchema);
  return [page.runs.map((run) => run.run_id), page.total];
}

/** a1 email queued, a2 email running, b1 cleanup running, b2 cleanup queued. */
async function fourRuns(queue: TaskQueue): Promise<void> {
  await queue.enqueue({ type: "email", runId: "a1", priority: 200 });
  await queue.enqueue({ type: "email", runId: "a2" });
  await queue.enqueue({ type: "cleanup", runId: "b1" });
  await queue.enqueue({ type: "cleanup", runId: "b2" });
  await claimOne(queue, "email");
  await claimOne(queue, "cleanup");
}

Deno.test("GET /api/runs lists all runs, newest first, 50 by default", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueueBatch(Array.from({ length: 60 }, (_, i) => ({ type: "t", runId: `r${i}` })));
    const page = await read(await app.request("/api/runs"), 200, RunPageSchema);
    assertEquals([page.total, page.limit, page.offset, page.runs.length], [60, 50, 0, 50]);
    assertEquals([page.runs[0]?.run_id, page.runs[49]?.run_id], ["r59", "r10"]);
  }));

Deno.test("GET /api/runs pages without gaps or repetitions", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueueBatch(Array.from({ length: 5 }, (_, i) => ({ type: "t", runId: `r${i}` })));
    assertEquals(await listed(app, "?limit=2"), [["r4", "r3"], 5]);
    assertEquals(await listed(app, "?limit=2&offset=2"), [["r2", "r1"], 5]);
    assertEquals(await listed(app, "?limit=2&offset=4"), [["r0"], 5]);
    assertEquals(await listed(app, "?offset=1000000000"), [[], 5]);
  }));

Deno.test("GET /api/runs combines its filters", () =>
  withApp(async ({ app, queue }) => {
    await fourRuns(queue);
    assertEquals(await listed(app, "?module_id=email"), [["a2", "a1"], 2]);
    assertEquals(await listed(app, "?status=running"), [["b1", "a2"], 2]);
    assertEquals(await listed(app, "?status=running&module_id=email"), [["a2"], 1]);
    assertEquals(await listed(app, "?status=queued&module_id=cleanup&limit=1"), [["b2"], 1]);
    assertEquals(await listed(app, "?status=failed&module_id=email"), [[], 0]);
    assertEquals(await listed(app, "?module_id=nope"), [[], 0]);
  }));

Deno.test("GET /api/runs refuses parameters out of their range", () =>
  withApp(async ({ app }) => {
    const refused = async (query: string): Promise<string[]> =>
      refusedFields(await app.request(`/api/runs?${query}`));

    for (const limit of ["0", "101", "-1", "1.5", "ten", "", "1e1", "%201", "1&limit=2"]) {
      assertEquals(await refused(`limit=${limit}`), ["limit"], limit);
    }
    for (const offset of ["-1", "x", "1000000001", "99999999999999999999"]) {
      assertEquals(await refused(`offset=${offset}`), ["offset"], offset);
    }
    assertEquals(await refused("status=leased"), ["status"]);
    assertEquals(await refused("module_id="), ["module_id"]);
    assertEquals(await refused("module_id=%00"), ["module_id"]);
    assertEquals(await refused("status=x&limit=0"), ["limit", "status"]);
  }));

Deno.test("GET /api/runs/{id} shows a finished run", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueue({
      type: "email",
      runId: "r1",
      payload: { to: "ann@example.com" },
      priority: 9,
    });
    await queue.complete(await claimOne(queue, "email"), { sent: true });
    const run = await read(await app.request("/api/runs/r1"), 200, RunSchema);
    assertEquals([run.run_id, run.module_id, run.status], ["r1", "email", "completed"]);
    assertEquals([run.exit_code, run.error_message, run.attempts], [0, null, 1]);
    assertEquals([run.parameters, run.result], [{ to: "ann@example.com" }, { sent: true }]);
    assertEquals(run.priority, 9);
    assert(run.started_at !== null && run.completed_at !== null);
    assertEquals(
      run.duration_seconds,
      (Date.parse(run.completed_at) - Date.parse(run.started_at)) / 1000,
    );
  }));

Deno.test("GET /api/runs/{id} shows a failed run with its message", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueue({ type: "email", runId: "r1", maxAttempts: 1 });
    await queue.fail(await claimOne(queue, "email"), new Error("no such mailbox"));
    const run = await read(await app.request("/api/runs/r1"), 200, RunSchema);
    assertEquals([run.status, run.exit_code, run.result], ["failed", null, null]);
    assert(run.error_message?.includes("no such mailbox"));
  }));

Deno.test("GET /api/runs/{id} writes every instant in UTC with milliseconds", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueue({ type: "email", runId: "r1" });
    await queue.complete(await claimOne(queue, "email"));
    const run = await read(await app.request("/api/runs/r1"), 200, RunSchema);
    for (const instant of [run.created_at, run.started_at, run.completed_at]) {
      assert(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(instant ?? ""), String(instant));
    }
  }));

Deno.test("GET /api/runs/{id} refuses an unknown run", () =>
  withApp(async ({ app }) => {
    const error = await readError(await app.request("/api/runs/nope"), 404, "RUN_NOT_FOUND");
    assertEquals(error.detail, 'Cannot find run "nope"');
  }));

Deno.test("/api/runs/{id} never takes a number for a task id", () =>
  withApp(async ({ app, queue }) => {
    const { task } = await queue.enqueue({ type: "email", runId: "r1" });
    await readError(await app.request(`/api/runs/${task.id}`), 404, "RUN_NOT_FOUND");
    const cancelled = await app.request(`/api/runs/${task.id}/cancel`, { method: "POST" });
    await readError(cancelled, 404, "RUN_NOT_FOUND");
    const deleted = await app.request(`/api/runs/${task.id}`, { method: "DELETE" });
    await readError(deleted, 404, "RUN_NOT_FOUND");
    assertEquals((await queue.get(task.id))?.status, "queued");
  }));

Deno.test("/api/runs/{id} finds a numeric run id although another task has that id", () =>
  withApp(async ({ app, queue }) => {
    const first = await queue.enqueue({ type: "email", runId: "r1" });
    await queue.enqueue({ type: "email", runId: String(first.task.id), priority: 3 });
    const run = await read(await app.request(`/api/runs/${first.task.id}`), 200, RunSchema);
    assertEquals(run.priority, 3);
  }));

Deno.test("/api/runs/{id} takes run ids that must be escaped in a URL", () =>
  withApp(async ({ app, queue }) => {
    for (const runId of ["a/b", "ä ?#%", "100%"]) {
      await queue.enqueue({ type: "email", runId });
      const response = await app.request(`/api/runs/${encodeURIComponent(runId)}`);
      assertEquals((await read(response, 200, RunSchema)).run_id, runId);
    }
  }));

Deno.test("/api/runs/{id} refuses an id that cannot be one", () =>
  withApp(async ({ app }) => {
    for (const id of ["%20", "%00", "x".repeat(201)]) {
      assertEquals(await refusedFields(await app.request(`/api/runs/${id}`)), ["id"], id);
    }
  }));

for (const [method, suffix] of [["POST", "/cancel"], ["DELETE", ""]] as const) {
  const route = `${method} /api/runs/{id}${suffix}`;

  Deno.test(`${route} cancels a queued run`, () =>
    withApp(async ({ app, queue }) => {
      const { task } = await queue.enqueue({ type: "email", runId: "r1" });
      const response = await app.request(`/api/runs/r1${suffix}`, { method });
      const run = await read(response, 200, RunSchema);
      assertEquals([run.run_id, run.status], ["r1", "cancelled"]);
      assertEquals(run.error_message, "Cancelled by user");
      assertEquals((await queue.get(task.id))?.status, "cancelled");
    }));

  Deno.test(`${route} cancels a running run`, () =>
    withApp(async ({ app, queue }) => {
      await queue.enqueue({ type: "email", runId: "r1" });
      await claimOne(queue, "email");
      const response = await app.request(`/api/runs/r1${suffix}`, { method });
      assertEquals((await read(response, 200, RunSchema)).status, "cancelled");
    }));

  Deno.test(`${route} refuses a finished run and leaves it unchanged`, () =>
    withApp(async ({ app, queue }) => {
      const { task } = await queue.enqueue({ type: "email", runId: "r1" });
      await queue.complete(await claimOne(queue, "email"), 1);
      const before = await queue.get(task.id);
      const response = await app.request(`/api/runs/r1${suffix}`, { method });
      const error = await readError(response, 409, "RUN_FINISHED");
      assertEquals(error.detail, 'Cannot cancel run "r1": it is completed already');
      assertEquals(await queue.get(task.id), before);
    }));

  Deno.test(`${route} refuses a run that is cancelled already`, () =>
    withApp(async ({ app, queue }) => {
      const { task } = await queue.enqueue({ type: "email", runId: "r1" });
      await queue.cancel(task.id);
      const response = await app.request(`/api/runs/r1${suffix}`, { method });
      await readError(response, 409, "RUN_FINISHED");
    }));

  Deno.test(`${route} refuses an unknown run`, () =>
    withApp(async ({ app }) => {
      const response = await app.request(`/api/runs/nope${suffix}`, { method });
      await readError(response, 404, "RUN_NOT_FOUND");
    }));
}

Deno.test("GET /api/runs/{id}/explain says why a run is where it is", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueue({ type: "email", runId: "r1" });
    const path = "/api/runs/r1/explain";
    const waiting = await read(await app.request(path), 200, ExplanationSchema);
    assertEquals([waiting.run_id, waiting.task_id, waiting.status, waiting.reason], [
      "r1",
      1,
      "queued",
      "no_worker",
    ]);
    await claimOne(queue, "email");
    const running = await read(await app.request(path), 200, ExplanationSchema);
    assertEquals([running.status, running.reason, running.data.worker_id], [
      "running",
      "leased",
      "w1",
    ]);
  }));

Deno.test("GET /api/runs/{id}/explain refuses an unknown run, also one named like a task id", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueue({ type: "email" });
    await readError(await app.request("/api/runs/1/explain"), 404, "RUN_NOT_FOUND");
  }));
