import { assertEquals, assertStringIncludes } from "@std/assert";
import { z } from "zod";
import { HandlerRegistry } from "../../src/mod.ts";
import { ModuleListSchema, ModuleSchema } from "../../server/modules/schemas.ts";
import { RunSchema } from "../../server/runs/schemas.ts";
import { post, read, readError, refusedFields, withApp } from "./fixture.ts";

Deno.test("GET /api/modules lists the registered handlers in order", () =>
  withApp(async ({ app }) => {
    const { modules } = await read(await app.request("/api/modules"), 200, ModuleListSchema);
    assertEquals(modules.map(({ id }) => id), ["email", "cleanup"]);
    assertEquals(modules[1], {
      id: "cleanup",
      name: "cleanup",
      description: "",
      parameters_schema: null,
      parameters: null,
    });
  }));

Deno.test("GET /api/modules is empty without handlers", () =>
  withApp(async ({ app }) => {
    assertEquals(await read(await app.request("/api/modules"), 200, ModuleListSchema), {
      modules: [],
    });
  }, { handlers: undefined }));

Deno.test("GET /api/modules/{id} gives the JSON Schema of the input", () =>
  withApp(async ({ app }) => {
    const module = await read(await app.request("/api/modules/email"), 200, ModuleSchema);
    assertEquals(module.description, "Sends an email");
    assertEquals(module.parameters_schema?.required, ["to"]);
    assertEquals(module.parameters_schema?.additionalProperties, false);
  }));

Deno.test("GET /api/modules/{id} describes a schema that JSON Schema cannot express in full", () =>
  withApp(async ({ app }) => {
    const module = await read(await app.request("/api/modules/report"), 200, ModuleSchema);
    assertEquals(module.parameters_schema?.properties, { day: {}, page: { type: "string" } });
  }, {
    handlers: new HandlerRegistry().register("report", () => null, {
      payload: z.object({ day: z.coerce.date(), page: z.string().transform(Number) }),
    }),
  }));

Deno.test("GET /api/modules/{id} refuses an unknown module", () =>
  withApp(async ({ app }) => {
    const error = await readError(
      await app.request("/api/modules/nope"),
      404,
      "MODULE_NOT_FOUND",
    );
    assertEquals(error.detail, 'Cannot find module "nope"');
  }));

Deno.test("POST /api/modules/{id}/run answers 202 with the run that is in the queue", () =>
  withApp(async ({ app, queue }) => {
    const run = await read(
      await post(app, "/api/modules/email/run", {
        parameters: { to: "ann@example.com" },
        priority: 7,
        run_after: "2030-01-01T01:00:00+01:00",
        idempotency_key: "k",
        max_attempts: 3,
      }),
      202,
      RunSchema,
    );
    assertEquals([run.module_id, run.module_name], ["email", "email"]);
    assertEquals([run.status, run.priority, run.attempts], ["queued", 7, 0]);
    assertEquals([run.started_at, run.completed_at, run.duration_seconds], [null, null, null]);
    const task = await queue.getByRunId(run.run_id);
    assertEquals(task?.type, "email");
    assertEquals(task?.runAfter.toISOString(), "2030-01-01T00:00:00.000Z");
    assertEquals([task?.idempotencyKey, task?.maxAttempts], ["k", 3]);
    assertEquals(run.created_at, task?.createdAt.toISOString());
  }));

Deno.test("POST /api/modules/{id}/run stores the parameters as sent, not as the schema converts them", () =>
  withApp(async ({ app, queue }) => {
    const run = await read(
      await post(app, "/api/modules/email/run", { parameters: { to: "ann@example.com" } }),
      202,
      RunSchema,
    );
    assertEquals(run.parameters, { to: "ann@example.com" });
    assertEquals((await queue.getByRunId(run.run_id))?.payload, { to: "ann@example.com" });
  }));

Deno.test("POST /api/modules/{id}/run accepts any JSON value when the module has no schema", () =>
  withApp(async ({ app }) => {
    for (const parameters of [0, "", [], {}]) {
      const response = await post(app, "/api/modules/cleanup/run", { parameters });
      assertEquals((await read(response, 202, RunSchema)).parameters, parameters);
    }
  }));

Deno.test("POST /api/modules/{id}/run keeps parameters that are null", () =>
  withApp(async ({ app }) => {
    const response = await post(app, "/api/modules/cleanup/run", { parameters: null });
    assertEquals((await read(response, 202, RunSchema)).parameters, null);
  }));

Deno.test("POST /api/modules/{id}/run gives the existing run for the same idempotency key", () =>
  withApp(async ({ app, queue }) => {
    const body = { parameters: { to: "ann@example.com" }, idempotency_key: "k" };
    const first = await read(await post(app, "/api/modules/email/run", body), 202, RunSchema);
    const again = await read(await post(app, "/api/modules/email/run", body), 202, RunSchema);
    assertEquals(again, first);
    assertEquals(await queue.count(), 1);
  }));

Deno.test("POST /api/modules/{id}/run refuses the same idempotency key for other parameters", () =>
  withApp(async ({ app }) => {
    const path = "/api/modules/email/run";
    await post(app, path, { parameters: { to: "ann@example.com" }, idempotency_key: "k" });
    await readError(
      await post(app, path, { parameters: { to: "bob@example.com" }, idempotency_key: "k" }),
      409,
      "IDEMPOTENCY_CONFLICT",
    );
  }));

Deno.test("POST /api/modules/{id}/run refuses an unknown module, whatever the body", () =>
  withApp(async ({ app, queue }) => {
    const path = "/api/modules/nope/run";
    for (const body of [{ parameters: {} }, {}, "{not json"]) {
      await readError(await post(app, path, body), 404, "MODULE_NOT_FOUND");
    }
    assertEquals(await queue.count(), 0);
  }));

Deno.test("POST /api/modules/{id}/run names each field that is wrong", () =>
  withApp(async ({ app, queue }) => {
    const path = "/api/modules/email/run";
    const refused = async (body: unknown): Promise<string[]> =>
      refusedFields(await post(app, path, body));

    assertEquals(await refused({}), ["parameters"]);
    assertEquals(await refused([]), ["body"]);
    assertEquals(await refused({ parameters: "x" }), ["parameters"]);
    assertEquals(await refused({ parameters: { to: "x", copies: 0, extra: 1 } }), [
      "parameters.copies",
      "parameters.extra",
      "parameters.to",
    ]);
    assertEquals(
      await refused({
        parameters: {},
        priority: 0,
        max_attempts: 101,
        run_after: "2026-01-31T12:00:00",
        idempotency_key: "k".repeat(256),
        retries: 3,
        more: 1,
      }),
      ["idempotency_key", "max_attempts", "more", "priority", "retries", "run_after"],
    );
    assertEquals(await queue.count(), 0);
  }));

Deno.test("POST /api/modules/{id}/run says what is wrong in words", () =>
  withApp(async ({ app }) => {
    const response = await post(app, "/api/modules/email/run", { parameters: {}, prority: 1 });
    const error = await readError(response, 422, "VALIDATION_ERROR");
    assertEquals(error.errors, [{ field: "prority", message: "Unknown field" }]);
    assertStringIncludes(error.detail, "prority: Unknown field");
  }));

Deno.test("POST /api/modules/{id}/run refuses malformed JSON", () =>
  withApp(async ({ app }) => {
    for (const body of ["", "{", '{"parameters": NaN}']) {
      await readError(await post(app, "/api/modules/email/run", body), 400, "MALFORMED_JSON");
    }
  }));
