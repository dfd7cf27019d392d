/**
 * Pages that survive inserts, batches, idempotency keys in the header, retries and results.
 */
import { assert, assertEquals } from "@std/assert";
import {
  EnqueuedBatchSchema,
  EnqueuedSchema,
  ParentListSchema,
  TaskPageSchema,
  TaskSchema,
  TransitionListSchema,
} from "../../server/tasks/schemas.ts";
import { RunBatchSchema } from "../../server/modules/schemas.ts";
import { RunPageSchema, RunResultSchema, RunSchema } from "../../server/runs/schemas.ts";
import { HandlerRegistry, PermanentError } from "../../src/mod.ts";
import { claimOne, post, read, readError, refusedFields, withApp } from "./fixture.ts";

const ENQUEUE = "/api/queue/enqueue";
const RUN = "/api/modules/email/run";
const ANN = { to: "ann@example.com" };

for (const path of ["/api/runs", "/api/queue/tasks"]) {
  Deno.test(`GET ${path} by cursor gives each task once although tasks are added and finished meanwhile`, () =>
    withApp(async ({ app, queue }) => {
      await queue.enqueueBatch(Array.from({ length: 25 }, () => ({ type: "t" })));
      const seen: unknown[] = [];
      let cursor: string | null = "";
      for (let n = 0; cursor !== null; n++) {
        assert(n < 10, "it never ends");
        const query: string = cursor === "" ? "" : `&cursor=${cursor}`;
        const page = await (await app.request(`${path}?limit=7${query}`)).json();
        seen.push(...(page.runs ?? page.tasks).map((one: { run_id: string }) => one.run_id));
        cursor = page.next_cursor;
        await queue.enqueue({ type: "t" });
        await queue.complete(await claimOne(queue, "t"));
      }
      assertEquals(seen.length, 25);
      assertEquals(new Set(seen).size, 25);
    }));
}

Deno.test("a page that is exactly full is the last one when nothing follows", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueueBatch(Array.from({ length: 4 }, () => ({ type: "t" })));
    await queue.enqueue({ type: "other" });
    const path = "/api/queue/tasks?type=t&status=queued&limit=2";
    const first = await read(await app.request(path), 200, TaskPageSchema);
    assertEquals([first.tasks.map(({ id }) => id), first.next_cursor], [[4, 3], "3"]);
    const last = await read(await app.request(`${path}&cursor=3`), 200, TaskPageSchema);
    assertEquals([last.tasks.map(({ id }) => id), last.next_cursor], [[2, 1], null]);
    for (const cursor of ["0", "x", "-1", "1.5", ""]) {
      assertEquals(await refusedFields(await app.request(`${path}&cursor=${cursor}`)), ["cursor"]);
    }
    const both = await app.request("/api/runs?cursor=3&offset=1");
    assertEquals(await refusedFields(both), ["cursor"]);
    const page = await read(await app.request("/api/runs?cursor=3"), 200, RunPageSchema);
    assertEquals([page.runs.length, page.total, page.next_cursor], [2, 5, null]);
  }));

Deno.test("the pages of schedules, transitions, parents and children give each of them once, and an end", () =>
  withApp(async ({ app, queue }) => {
    for (const id of ["a", "b/c", "d"]) {
      await queue.addSchedule({ id, type: "t", everyMs: 3_600_000 });
    }
    const [x] = await queue.enqueueBatch(["x", "y", "z"].map((runId) => ({ type: "t", runId })));
    const child = await queue.enqueue({ type: "u", runId: "child", dependsOn: ["z", "x", "y"] });
    for (const runId of ["c2", "c3"]) await queue.enqueue({ type: "u", runId, dependsOn: ["x"] });
    for (let n = 0; n < 2; n++) await queue.release(await claimOne(queue, "t"));
    const lists = {
      "/api/schedules": ["a", "b/c", "d"],
      [`/api/queue/tasks/${child.task.id}/parents`]: ["z", "x", "y"],
      [`/api/queue/tasks/${x!.task.id}/children`]: ["child", "c2", "c3"],
      [`/api/queue/tasks/${x!.task.id}/transitions`]: [
        "enqueued",
        "leased",
        "released",
        "leased",
        "released",
      ],
    };
    for (const [path, wanted] of Object.entries(lists)) {
      const seen: string[] = [];
      let cursor: string | null = "";
      for (let n = 0; cursor !== null; n++) {
        assert(n < 5, "it never ends");
        const query: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
        const page = await (await app.request(`${path}?limit=2${query}`)).json();
        const part = page.schedules ?? page.parents ?? page.children ?? page.transitions;
        seen.push(...part.map((one: Record<string, string>) => one.kind ?? one.run_id ?? one.id));
        cursor = page.next_cursor;
      }
      assertEquals(seen, wanted);
      const whole = await (await app.request(path)).json();
      assertEquals(whole.next_cursor, null);
      assertEquals(await refusedFields(await app.request(`${path}?limit=1001`)), ["limit"]);
    }
  }));

Deno.test("Idempotency-Key in the header is the key, on enqueue and on run", () =>
  withApp(async ({ app, queue }) => {
    const send = async (path: string, key: string, body: object): Promise<Response> =>
      await app.request(path, {
        method: "POST",
        headers: { "Content-Type": "application/json", "Idempotency-Key": key },
        body: JSON.stringify(body),
      });
    const first = await read(await send(ENQUEUE, "k1", { type: "t" }), 201, EnqueuedSchema);
    const again = await read(await send(ENQUEUE, "k1", { type: "t" }), 200, EnqueuedSchema);
    assertEquals([again.id, again.created, again.idempotency_key], [first.id, false, "k1"]);
    const both = { type: "t", idempotency_key: "k1" };
    assertEquals((await read(await send(ENQUEUE, "k1", both), 200, EnqueuedSchema)).id, first.id);
    await readError(await send(ENQUEUE, "k1", { type: "u" }), 409, "IDEMPOTENCY_CONFLICT");
    const run = await read(await send(RUN, "k2", { parameters: ANN }), 202, RunSchema);
    assertEquals(
      (await read(await send(RUN, "k2", { parameters: ANN }), 202, RunSchema)).run_id,
      run.run_id,
    );
    for (const [path, body] of [[ENQUEUE, { type: "t" }], [RUN, { parameters: ANN }]] as const) {
      const differs = await send(path, "k1", { ...body, idempotency_key: "k2" });
      assertEquals(await refusedFields(differs), ["idempotency_key"]);
      assertEquals(await refusedFields(await send(path, "x".repeat(256), body)), [
        "idempotency-key",
      ]);
    }
    assertEquals(
      (await read(await send(ENQUEUE, "", { type: "t" }), 201, EnqueuedSchema)).idempotency_key,
      null,
    );
    assertEquals(await queue.count(), 3);
  }));

Deno.test("POST /api/runs/batch runs all of them or none", () =>
  withApp(async ({ app, queue }) => {
    const batch = (runs: unknown[]): Promise<Response> => post(app, "/api/runs/batch", { runs });
    const good = { module_id: "email", parameters: ANN, idempotency_key: "k" };
    const accepted = await batch([
      good,
      { module_id: "cleanup", parameters: null, priority: 1 },
      good,
    ]);
    const { runs, created } = await read(accepted, 202, RunBatchSchema);
    assertEquals(runs.map(({ module_id, status, created }) => [module_id, status, created]), [
      ["email", "queued", true],
      ["cleanup", "queued", true],
      ["email", "queued", false],
    ]);
    assertEquals([created, runs[0]!.run_id], [2, runs[2]!.run_id]);
    assertEquals((await claimOne(queue, "cleanup")).priority, 1);
    const wrong = await batch([good, { module_id: "email", parameters: { to: "nobody" } }]);
    assertEquals(await refusedFields(wrong), ["runs.1.parameters.to"]);
    await readError(
      await batch([good, { module_id: "nope", parameters: {} }]),
      404,
      "MODULE_NOT_FOUND",
    );
    const conflict = { module_id: "cleanup", parameters: 1, idempotency_key: "k" };
    await readError(
      await batch([{ ...good, idempotency_key: "new" }, conflict]),
      409,
      "IDEMPOTENCY_CONFLICT",
    );
    assertEquals(await refusedFields(await batch([])), ["runs"]);
    assertEquals(await refusedFields(await batch(Array(1001).fill(good))), ["runs"]);
    assertEquals(await queue.count(), 2);
  }));

for (const [path, list] of [[`${ENQUEUE}/batch`, "tasks"], ["/api/runs/batch", "runs"]] as const) {
  Deno.test(`POST ${path} with one key a thousand times answers little, however large the result is`, () =>
    withApp(async ({ app, queue }) => {
      await queue.enqueue({ type: "email", payload: ANN, idempotencyKey: "k" });
      await queue.complete(await claimOne(queue, "email"), "x".repeat(1_000_000));
      const one = list === "runs"
        ? { module_id: "email", parameters: ANN, idempotency_key: "k" }
        : { type: "email", payload: ANN, idempotency_key: "k" };
      const text = await (await post(app, path, { [list]: Array(1000).fill(one) })).text();
      assert(text.length < 200_000, `${text.length} characters`);
      const answer = JSON.parse(text);
      assertEquals([answer.created, answer[list].length], [0, 1000]);
      const { status, created, ...rest } = answer[list][999];
      assertEquals([status, created], ["completed", false]);
      assertEquals(["payload", "parameters", "result"].filter((name) => name in rest), []);
    }));
}

Deno.test("a failed run is retried with fresh attempts, any other is not", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueue({ type: "t", runId: "r1" });
    const retry = (): Promise<Response> => post(app, "/api/runs/r1/retry", "");
    await readError(await retry(), 409, "RUN_NOT_RETRYABLE");
    await queue.fail(await claimOne(queue, "t"), new PermanentError("no"));
    const result = await read(await app.request("/api/runs/r1/results"), 200, RunResultSchema);
    assertEquals([result.status, result.error_message, result.result], ["failed", "no", null]);
    const { status, attempts } = await read(await retry(), 200, RunSchema);
    assertEquals([status, attempts], ["queued", 0]);
    await readError(await app.request("/api/runs/r1/results"), 409, "RUN_NOT_FINISHED");
    await queue.complete(await claimOne(queue, "t"), [1]);
    const done = await read(await app.request("/api/runs/r1/results"), 200, RunResultSchema);
    assertEquals([done.status, done.exit_code, done.result], ["completed", 0, [1]]);
    const refused = await readError(await retry(), 409, "RUN_NOT_RETRYABLE");
    assertEquals(
      refused.detail,
      'Cannot retry run "r1": it is completed, failed or cancelled is needed',
    );
    await readError(await post(app, "/api/queue/tasks/1/retry", ""), 409, "TASK_NOT_RETRYABLE");
    await readError(await post(app, "/api/queue/tasks/1/cancel", ""), 409, "TASK_FINISHED");
  }));

Deno.test("a task's life is told in order", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueue({ type: "t" });
    await queue.release(await claimOne(queue, "t"));
    const cancelled = await read(await post(app, "/api/queue/tasks/1/cancel", ""), 200, TaskSchema);
    assertEquals(cancelled.status, "cancelled");
    const response = await app.request("/api/queue/tasks/1/transitions");
    const { transitions } = await read(response, 200, TransitionListSchema);
    assertEquals(transitions.map(({ kind, worker, attempt }) => [kind, worker, attempt]), [
      ["enqueued", null, null],
      ["leased", "w1", 1],
      ["released", "w1", null],
      ["cancelled", null, null],
    ]);
  }));

Deno.test("tasks that depend on each other are enqueued in one batch, and their parents are told", () =>
  withApp(async ({ app, queue }) => {
    const batch = (tasks: unknown[]): Promise<Response> =>
      post(app, "/api/queue/enqueue/batch", { tasks });
    const accepted = await batch([
      { type: "report", depends_on: ["extract"], on_parent_failure: "run" },
      { type: "t", run_id: "extract", payload: { n: 1 } },
    ]);
    const { tasks, created } = await read(accepted, 201, EnqueuedBatchSchema);
    assertEquals([tasks.map(({ waits_for }) => waits_for), created], [[1, 0], 2]);
    await queue.complete(await claimOne(queue, "t"), { rows: 3 });
    const told = await app.request(`/api/queue/tasks/${tasks[0]!.id}/parents`);
    const { parents } = await read(told, 200, ParentListSchema);
    assertEquals(parents, [{
      task_id: tasks[1]!.id,
      run_id: "extract",
      type: "t",
      status: "completed",
      result: { rows: 3 },
      error_message: null,
    }]);
    assertEquals((await claimOne(queue, "report")).waitsFor, 0);
    const wrong: unknown[][] = [
      [{ type: "a", depends_on: ["nobody"] }],
      [{ type: "a", depends_on: [99] }],
      [{ type: "a", run_id: "x", depends_on: ["y"] }, {
        type: "b",
        run_id: "y",
        depends_on: ["x"],
      }],
    ];
    for (const [n, tasks] of wrong.entries()) {
      const code = n < 2 ? "UNKNOWN_PARENT" : "DEPENDENCY_CYCLE";
      await readError(await batch(tasks), 422, code);
    }
    const fields = await refusedFields(await batch([{ type: "email", payload: { to: "x" } }]));
    assertEquals(fields, ["tasks.0.payload.to"]);
    assertEquals(await queue.count(), 2);
  }));

Deno.test("a run bears its module's name", () =>
  withApp(async ({ app }) => {
    const { run_id } = await read(
      await post(app, "/api/modules/report/run", { parameters: 1 }),
      202,
      RunSchema,
    );
    for (const path of [`/api/runs/${run_id}`, `/api/runs/${run_id}?wait=0s`]) {
      assertEquals((await read(await app.request(path), 200, RunSchema)).module_name, "The Report");
    }
    const page = await read(await app.request("/api/runs"), 200, RunPageSchema);
    assertEquals(page.runs[0]!.module_name, "The Report");
  }, { handlers: new HandlerRegistry().register("report", () => null, { name: "The Report" }) }));
