import { OpenAPIHono } from "@hono/zod-openapi";
import { Hono } from "hono";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { HandlerRegistry, QueueError, type QueueErrorCode, StorageError } from "../../src/mod.ts";
import { type AppOptions, createApp } from "../../server/app.ts";
import { EnqueuedSchema } from "../../server/tasks/schemas.ts";
import { ErrorSchema } from "../../server/http/error_schema.ts";
import { HealthSchema } from "../../server/operations/schemas.ts";
import { RunSchema } from "../../server/runs/schemas.ts";
import { failingQueue, post, read, readError, refusedFields, withApp } from "./fixture.ts";

const ENQUEUE = "/api/queue/enqueue";

/** Every route, with what it allows. */
const ROUTES: ReadonlyArray<readonly [path: string, allow: string]> = [
  ["/api/modules", "GET, HEAD"],
  ["/api/modules/email", "GET, HEAD"],
  ["/api/modules/email/run", "POST"],
  ["/api/runs", "GET, HEAD"],
  ["/api/runs/r1", "GET, HEAD, DELETE"],
  ["/api/runs/r1/cancel", "POST"],
  ["/api/queue/enqueue", "POST"],
  ["/api/queue/tasks/1", "GET, HEAD, PATCH, DELETE"],
  ["/api/queue/stats", "GET, HEAD"],
  ["/api/health", "GET, HEAD"],
];

/** The routes with a body. */
const BODY_PATHS = ["/api/modules/email/run", ENQUEUE];

Deno.test("createApp() refuses options out of their range", () => {
  assertThrows(() => createApp({} as AppOptions), TypeError, "is not a TaskQueue");
  const queue = failingQueue(new Error("unused"));
  for (const bodyMaxBytes of [0, 1023, 64 * 1024 * 1024 + 1, 2048.5, NaN]) {
    assertThrows(() => createApp({ queue, bodyMaxBytes }), RangeError, "bodyMaxBytes");
  }
});

Deno.test("an unknown path is NOT_FOUND", () =>
  withApp(async ({ app }) => {
    for (const path of ["/", "/api", "/api/", "/api/nope", "/api/runs/", "/api/runs/a/b", "/x"]) {
      const error = await readError(await app.request(path), 404, "NOT_FOUND");
      assertEquals(error.detail, `Cannot find ${path}`);
      await readError(await post(app, path, {}), 404, "NOT_FOUND");
    }
  }));

for (const [path, allow] of ROUTES) {
  Deno.test(`${path} refuses other methods and allows ${allow}`, () =>
    withApp(async ({ app }) => {
      const others = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        .filter((method) => !allow.split(", ").includes(method));
      for (const method of others) {
        const response = await app.request(path, { method });
        assertEquals(response.headers.get("Allow"), allow, method);
        await readError(response, 405, "METHOD_NOT_ALLOWED");
      }
    }));
}

Deno.test("HEAD answers as GET without a body", () =>
  withApp(async ({ app }) => {
    const response = await app.request("/api/health", { method: "HEAD" });
    assertEquals([response.status, await response.text()], [200, ""]);
  }));

for (const path of BODY_PATHS) {
  Deno.test(`POST ${path} refuses a body that is not JSON by its type`, () =>
    withApp(async ({ app, queue }) => {
      const types = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""];
      for (const type of types) {
        const headers = { "Content-Type": type };
        const response = await app.request(path, { method: "POST", headers, body: "{}" });
        await readError(response, 415, "UNSUPPORTED_MEDIA_TYPE");
      }
      assertEquals(await queue.count(), 0);
    }));

  Deno.test(`POST ${path} refuses malformed JSON`, () =>
    withApp(async ({ app }) => {
      for (const body of ["", "{", "{'type':1}", '{"type":"t"} x']) {
        await readError(await post(app, path, body), 400, "MALFORMED_JSON");
      }
    }));

  Deno.test(`POST ${path} refuses what it could not keep as it is`, () =>
    withApp(async ({ app, queue }) => {
      const bytes = new TextEncoder().encode('{"type":"t","payload":"?"}');
      bytes[bytes.indexOf(0x3f)] = 0xfc;
      const rounded = '{"type":"t","payload":{"id":12345678901234567890}}';
      for (
        const [body, reason] of [[bytes, "byte 23 is 0xfc"], [
          rounded,
          "12345678901234567890",
        ]] as const
      ) {
        const headers = { "Content-Type": "application/json" };
        const response = await app.request(path, { method: "POST", headers, body });
        assertStringIncludes((await readError(response, 400, "MALFORMED_JSON")).detail, reason);
      }
      assertEquals(await queue.count(), 0);
    }));

  Deno.test(`POST ${path} refuses a missing body`, () =>
    withApp(async ({ app }) => {
      const response = await app.request(path, { method: "POST" });
      await readError(response, 422, "VALIDATION_ERROR");
    }));

  Deno.test(`POST ${path} refuses an oversized body that says its length`, () =>
    withApp(async ({ app, queue }) => {
      const body = JSON.stringify({ type: "t", parameters: {}, payload: "x".repeat(2000) });
      const headers = {
        "Content-Type": "application/json",
        "Content-Length": String(body.length),
      };
      const response = await app.request(path, { method: "POST", headers, body });
      await readError(response, 413, "PAYLOAD_TOO_LARGE");
      assertEquals(await queue.count(), 0);
    }, { bodyMaxBytes: 1024 }));

  Deno.test(`POST ${path} refuses an oversized body that does not say its length`, () =>
    withApp(async ({ app, queue }) => {
      const chunk = new TextEncoder().encode(" ".repeat(600));
      const request = new Request(`http://localhost${path}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: ReadableStream.from([chunk, chunk]),
      });
      await readError(await app.request(request), 413, "PAYLOAD_TOO_LARGE");
      assertEquals(await queue.count(), 0);
    }, { bodyMaxBytes: 1024 }));
}

Deno.test("a body that is longer than its Content-Length says is refused for what it is", () =>
  withApp(async ({ app }) => {
    const body = JSON.stringify({ type: "email", payload: "x".repeat(2000) });
    const others: Record<string, string>[] = [{}, { "Transfer-Encoding": "chunked" }];
    for (const more of others) {
      const response = await app.request(ENQUEUE, {
        method: "POST",
        headers: { "Content-Type": "application/json", "Content-Length": "9", ...more },
        body,
      });
      await readError(response, 413, "PAYLOAD_TOO_LARGE");
    }
  }, { bodyMaxBytes: 1024 }));

Deno.test("a body in UTF-16 is not JSON, whether it says its length or not", () =>
  withApp(async ({ app }) => {
    const text = `\ufeff${JSON.stringify({ type: "email" })}`;
    const body = new Uint8Array(Uint16Array.from(text, (unit) => unit.charCodeAt(0)).buffer);
    const others: Record<string, string>[] = [{}, { "Content-Length": String(body.length) }];
    for (const more of others) {
      const response = await app.request(ENQUEUE, {
        method: "POST",
        headers: { "Content-Type": "application/json", ...more },
        body,
      });
      await readError(response, 400, "MALFORMED_JSON");
    }
  }));

Deno.test("a body of exactly bodyMaxBytes is read", () =>
  withApp(async ({ app }) => {
    const body = JSON.stringify({ type: "t" }).padEnd(1024);
    await read(await post(app, ENQUEUE, body), 201, EnqueuedSchema);
    await readError(await post(app, ENQUEUE, `${body} `), 413, "PAYLOAD_TOO_LARGE");
  }, { bodyMaxBytes: 1024 }));

Deno.test("the default body limit lets the largest payload through", () =>
  withApp(async ({ app }) => {
    const payload = "x".repeat(256 * 1024 - 2);
    await read(await post(app, ENQUEUE, { type: "t", payload }), 201, EnqueuedSchema);
    const tooLarge = await post(app, ENQUEUE, { type: "t", payload: "x".repeat(2 * 1024 * 1024) });
    await readError(tooLarge, 413, "PAYLOAD_TOO_LARGE");
  }));

Deno.test("JSON with a charset or a suffix is accepted", () =>
  withApp(async ({ app }) => {
    for (const type of ["application/json; charset=utf-8", "application/vnd.holdfast+json"]) {
      const headers = { "Content-Type": type };
      const body = '{"type":"t"}';
      const response = await app.request(ENQUEUE, { method: "POST", headers, body });
      await read(response, 201, EnqueuedSchema);
    }
  }));

/** One request to each route that asks the queue, except health. */
async function askEverything(app: OpenAPIHono): Promise<Response[]> {
  return [
    await post(app, "/api/modules/email/run", { parameters: { to: "ann@example.com" } }),
    await app.request("/api/runs"),
    await app.request("/api/runs/r1"),
    await app.request("/api/runs/r1/cancel", { method: "POST" }),
    await app.request("/api/runs/r1", { method: "DELETE" }),
    await post(app, ENQUEUE, { type: "t" }),
    await app.request("/api/queue/tasks/1"),
    await app.request("/api/queue/stats"),
  ];
}

const SECRET = new StorageError("append", "/secret/queue.db", "disk full");

for (const error of [SECRET, new QueueError("queue_closed", "closed")]) {
  Deno.test(`every route answers 503 with Retry-After for ${error.name}`, () =>
    withApp(async ({ app, reported }) => {
      const responses = await askEverything(app);
      for (const response of responses) {
        assertEquals(response.headers.get("Retry-After"), "5");
        const { detail } = await readError(response, 503, "QUEUE_UNAVAILABLE");
        assertEquals(detail, "The queue is not available, try again later");
      }
      assertEquals(reported, responses.map(() => error));
    }, { queue: failingQueue(error) }));
}

Deno.test("every route answers 503 once the queue is closed", () =>
  withApp(async ({ app, queue }) => {
    await queue.close();
    for (const response of await askEverything(app)) {
      await readError(response, 503, "QUEUE_UNAVAILABLE");
    }
  }));

Deno.test("every route answers 500 without internals for a bug, and reports it", () => {
  const bug = new Error("secret");
  return withApp(async ({ app, reported }) => {
    const responses = await askEverything(app);
    for (const response of responses) {
      const { detail } = await readError(response, 500, "INTERNAL_ERROR");
      assertEquals(detail, "Something went wrong on our side");
    }
    assertEquals(reported, responses.map(() => bug));
  }, { queue: failingQueue(bug) });
});

const REFUSALS: ReadonlyArray<readonly [QueueErrorCode, number, string]> = [
  ["task_not_found", 404, "TASK_NOT_FOUND"],
  ["unknown_task_type", 404, "MODULE_NOT_FOUND"],
  ["queue_moving", 503, "QUEUE_MOVING"],
  ["queue_moved", 410, "QUEUE_MOVED"],
  ["lease_lost", 409, "LEASE_LOST"],
  ["idempotency_conflict", 409, "IDEMPOTENCY_CONFLICT"],
  ["run_id_conflict", 409, "RUN_ID_CONFLICT"],
];

for (const [code, status, errorCode] of REFUSALS) {
  Deno.test(`a queue's ${code} is ${status} ${errorCode}`, () =>
    withApp(async ({ app, reported }) => {
      const body = await read(await app.request("/api/queue/stats"), status, ErrorSchema);
      assertEquals([body.error_code, body.detail], [errorCode, "because"]);
      assertEquals(reported, []);
    }, { queue: failingQueue(new QueueError(code, "because")) }));
}

Deno.test("a TypeError of enqueue is the caller's mistake, any other one is ours", () =>
  withApp(async ({ app }) => {
    const { detail } = await readError(
      await post(app, ENQUEUE, { type: "t" }),
      422,
      "VALIDATION_ERROR",
    );
    assertEquals(detail, "Cannot use x");
    await readError(await app.request("/api/queue/stats"), 500, "INTERNAL_ERROR");
  }, { queue: failingQueue(new TypeError("Cannot use x")) }));

Deno.test("every answer carries the security headers and no CORS header", () =>
  withApp(async ({ app }) => {
    const responses = [
      await app.request("/api/health", { headers: { Origin: "https://evil.example" } }),
      await app.request("/api/nope"),
      await app.request("/nope"),
      await app.request("/api/runs", { method: "PUT" }),
      await post(app, ENQUEUE, "{"),
      await post(app, ENQUEUE, { type: "t" }),
      await post(app, ENQUEUE, "x".repeat(2000)),
    ];
    assertEquals(responses.map(({ status }) => status), [200, 404, 404, 405, 400, 201, 413]);
    for (const { headers } of responses) {
      assertEquals(headers.get("X-Content-Type-Options"), "nosniff");
      assertEquals(headers.get("Cache-Control"), "no-store");
      assertEquals(headers.get("X-Frame-Options"), "DENY");
      assertEquals(headers.get("Referrer-Policy"), "no-referrer");
      assert(headers.get("Content-Type")?.startsWith("application/json"));
      assertEquals(headers.get("Access-Control-Allow-Origin"), null);
    }
  }, { bodyMaxBytes: 1024 }));

Deno.test("createApp() works mounted under a prefix", () =>
  withApp(async ({ app, queue, reported }) => {
    const host = new OpenAPIHono();
    host.route("/tasks", app);
    host.get("/tasks/page", (c) => c.text("the host's page"));
    host.get("/api/other", (c) => c.text("the host's API"));

    await read(await host.request("/tasks/api/health"), 200, HealthSchema);
    const accepted = await post(host, "/tasks/api/modules/email/run", {
      parameters: { to: "ann@example.com" },
    });
    const { run_id } = await read(accepted, 202, RunSchema);
    await read(await host.request(`/tasks/api/runs/${run_id}`), 200, RunSchema);

    await readError(await host.request("/tasks/api/nope"), 404, "NOT_FOUND");
    await readError(await host.request("/tasks/api/runs/nope"), 404, "RUN_NOT_FOUND");
    const put = await host.request("/tasks/api/runs", { method: "PUT" });
    assertEquals(put.headers.get("Allow"), "GET, HEAD");
    assertEquals(put.headers.get("X-Content-Type-Options"), "nosniff");
    await readError(put, 405, "METHOD_NOT_ALLOWED");
    await readError(await post(host, `/tasks${ENQUEUE}`, "{"), 400, "MALFORMED_JSON");
    await readError(await post(host, `/tasks${ENQUEUE}`, {}), 422, "VALIDATION_ERROR");
    const large = await post(host, `/tasks${ENQUEUE}`, " ".repeat(2000));
    await readError(large, 413, "PAYLOAD_TOO_LARGE");

    const page = await host.request("/tasks/page");
    assertEquals([await page.text(), page.headers.get("X-Frame-Options")], [
      "the host's page",
      null,
    ]);
    assertEquals(await (await host.request("/api/other")).text(), "the host's API");
    assertEquals((await host.request("/api/health")).status, 404);

    await queue.close();
    await readError(await host.request("/tasks/api/runs"), 503, "QUEUE_UNAVAILABLE");
    assertEquals(reported.length, 1);
  }, { bodyMaxBytes: 1024 }));

Deno.test("the app's own OpenAPI document names every route, mounted too", () =>
  withApp(({ app }) => {
    const host = new OpenAPIHono();
    host.route("/tasks", app);
    const document = host.getOpenAPI31Document({
      openapi: "3.1.0",
      info: { title: "Holdfast", version: "1" },
    });
    const own = app.getOpenAPI31Document({ openapi: "3.1.0", info: { title: "", version: "" } });
    const paths = Object.keys(own.paths ?? {});
    assert(paths.includes("/api/runs/{id}/logs/stream"));
    assertEquals(Object.keys(document.paths ?? {}), paths.map((path) => `/tasks${path}`));
    return Promise.resolve();
  }));

Deno.test("a query parameter that a route does not have is refused with those that it has, also when mounted", () =>
  withApp(async ({ app }) => {
    const response = await app.request("/api/queue/tasks?state=failed&limit=1");
    const { detail, errors } = await readError(response, 422, "VALIDATION_ERROR");
    assertStringIncludes(
      detail,
      '"state": allowed are type, group, tag, status, run_id, limit, offset, cursor',
    );
    assertEquals(errors?.map(({ field }) => field), ["state"]);
    assertEquals(await refusedFields(await app.request("/api/health?x")), ["x"]);
    assertEquals(await refusedFields(await app.request("/api/runs/r/logs?tails=1")), ["tails"]);
    const head = await app.request("/api/runs?x=1", { method: "HEAD" });
    assertEquals(head.status, 422);
    const host = new Hono().route("/tasks", app);
    assertEquals((await host.request("/tasks/api/runs?module=m")).status, 422);
    assertEquals((await host.request("/tasks/api/runs?module_id=m")).status, 200);
  }));

Deno.test("a body that is not UTF-8, or compressed, is refused and stores nothing", () =>
  withApp(async ({ app, queue }) => {
    const body = new Uint8Array([...new TextEncoder().encode('{"type":"'), 0xff, 0x22, 0x7d]);
    const headers = { "Content-Type": "application/json" };
    const send = async (body: BodyInit, more: Record<string, string> = {}): Promise<Response> =>
      await app.request("/api/queue/enqueue", {
        method: "POST",
        headers: { ...headers, ...more },
        body,
      });
    await readError(await send(body), 400, "MALFORMED_JSON");
    const packed = await send('{"type":"t"}', { "Content-Encoding": "gzip" });
    await readError(packed, 415, "UNSUPPORTED_MEDIA_TYPE");
    assertEquals((await queue.stats()).total, 0);
    assertEquals((await send('{"type":"t"}', { "Content-Encoding": "identity" })).status, 201);
  }));

Deno.test("a run id that no URL can name is refused", () =>
  withApp(async ({ app }) => {
    for (const run_id of [".", "..", " .. "]) {
      const response = await post(app, "/api/queue/enqueue", { type: "t", run_id });
      await readError(response, 422, "VALIDATION_ERROR");
    }
  }));

Deno.test("a module that a program registers may leave out what does not apply to a parameter", () =>
  withApp(async ({ app }) => {
    const { modules } = await (await app.request("/api/modules")).json();
    const [{ name, options, min_length, visible_when }] = modules[0].parameters;
    assertEquals([name, options, min_length, visible_when], ["n", null, null, null]);
  }, {
    handlers: new HandlerRegistry().register("m", () => null, {
      parameters: [{ name: "n", type: "number", label: "N" } as never],
    }),
  }));
