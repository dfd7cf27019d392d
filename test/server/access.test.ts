/**
 * Tokens, scopes, hosts, origins, request ids and the server's log.
 */
import { configure, type LogRecord, reset } from "@logtape/logtape";
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { Hono } from "hono";
import { createApp, createToken, parseTokens, type Scope, tokenAccess } from "../../server/app.ts";
import { HAS_FILES } from "../support/engine.ts";
import { failingQueue, post, readError, withApp } from "./fixture.ts";

Deno.test("createToken() gives a token and a line that recognises it and nothing of it", async () => {
  const { token, line } = await createToken("ci.1", ["read", "enqueue", "read"]);
  assertMatch(token, /^hf_[\w-]{43}$/);
  assertMatch(line, /^ci\.1 read,enqueue sha256:[0-9a-f]{64}$/);
  assert(!line.includes(token.slice(3)));
  const [record] = await parseTokens(line);
  assertEquals([record!.name, record!.scopes], ["ci.1", ["read", "enqueue"]]);
  assert((await createToken("ci.1", ["read"])).token !== token);
});

Deno.test("createToken() refuses names and scopes that are none", async () => {
  for (const name of ["", "a b", "a;b", "ü", "x".repeat(101)]) {
    await assertRejects(() => createToken(name, ["read"]), TypeError, "is not a name");
  }
  await assertRejects(() => createToken("a", ["write" as Scope]), TypeError, "is not a scope");
  await assertRejects(() => createToken("a", []), TypeError, "is not a scope");
});

Deno.test("parseTokens() reads lines of any ending, and names the line that is wrong without its secret", async () => {
  const lines = await Promise.all(
    ["a", "b", "c"].map(async (name) => (await createToken(name, ["read"])).line),
  );
  const text = `\uFEFF# tokens\r\n\r\n${lines[0]}\r\n  ${lines[1]}  \n${lines[2]}`;
  assertEquals((await parseTokens(text)).map(({ name }) => name), ["a", "b", "c"]);
  const secret = "hf_very-secret-very-secret";
  const wrong: [string, RegExp][] = [
    [`${lines[0]}\nb read`, /token 2: "name scope,scope sha256:hex" is needed/],
    [`a read ${secret}`, /token 1: a hash is needed here/],
    ["a read sha256:12", /64 hexadecimal digits/],
    [`a read,fly sha256:${"0".repeat(64)}`, /"fly" is not a scope: allowed are read/],
    [`${lines[0]}\n${lines[0]}`, /a is there twice/],
  ];
  for (const [text, message] of wrong) {
    const error = await assertRejects(() => parseTokens(text), TypeError);
    assertMatch(error.message, message);
    assert(!error.message.includes(secret));
  }
  assertEquals((await parseTokens(`a read ${secret}`, { allowPlain: true })).length, 1);
});

Deno.test("a caller that is told later, by whatever has a then, is nobody before", async () => {
  const later = (principal: unknown): Promise<undefined> =>
    ({ then: (resolve: (value: unknown) => void) => resolve(principal) }) as never;
  for (const [principal, status] of [[undefined, 401], [{ name: "a", scopes: ["read"] }, 200]]) {
    await withApp(async ({ app }) => {
      assertEquals((await app.request("/api/runs")).status, status);
    }, { access: () => later(principal) });
  }
});

Deno.test("a token opens what its scope says, admin opens everything", async () => {
  const made = await Promise.all(
    (["read", "enqueue", "operate", "admin"] as const).map((scope) => createToken(scope, [scope])),
  );
  const tokens = await parseTokens(made.map(({ line }) => line).join("\n"));
  await withApp(async ({ app }) => {
    const requests: [string, string][] = [
      ["GET", "/api/runs"],
      ["POST", "/api/queue/enqueue"],
      ["POST", "/api/queue/tasks/1/cancel"],
      ["POST", "/api/queue/checkpoint"],
    ];
    const statuses: number[][] = [];
    for (const { token } of made) {
      const headers = { Authorization: `bearer ${token}`, "Content-Type": "application/json" };
      statuses.push(
        await Promise.all(requests.map(async ([method, path]) => {
          const body = path.endsWith("enqueue") ? '{"type":"t"}' : undefined;
          return (await app.request(path, { method, headers, body })).status;
        })),
      );
    }
    assertEquals(statuses, [
      [200, 403, 403, 403],
      [403, 201, 403, 403],
      [403, 403, 200, 403],
      [200, 201, 409, HAS_FILES ? 200 : 501],
    ]);
  }, { access: tokenAccess(tokens) });
});

Deno.test("a token is recognised whole and under its scheme only", async () => {
  const { token, line } = await createToken("a", ["admin"]);
  await withApp(async ({ app }) => {
    const wrong = [
      undefined,
      "",
      token,
      `Basic ${token}`,
      `Bearer ${token}x`,
      `Bearer ${token.slice(0, -1)}`,
      `Bearer ${token.toUpperCase()}`,
      `Bearer ${line.split(":")[1]}`,
      `Bearer x ${token}`,
    ];
    for (const given of wrong) {
      const headers = new Headers(given === undefined ? {} : { Authorization: given });
      const response = await app.request("/api/health", { headers });
      assertMatch(response.headers.get("WWW-Authenticate")!, /^Bearer /);
      await readError(response, 401, "UNAUTHORIZED");
    }
    const headers = { Authorization: `Bearer ${token}` };
    assertEquals((await app.request("/api/health", { headers })).status, 200);
  }, { access: tokenAccess(await parseTokens(line)) });
});

Deno.test("a host's own authentication decides instead, by its own context", () =>
  withApp(async ({ app }) => {
    const host = new Hono<{ Variables: { user?: string } }>();
    host.use(async (c, next) => {
      c.set("user", c.req.header("X-User"));
      await next();
    });
    host.route("/tasks", app);
    const ask = async (user: string, method = "GET"): Promise<number> => {
      const path = method === "GET" ? "/tasks/api/runs" : "/tasks/api/queue/checkpoint";
      return (await host.request(path, { method, headers: { "X-User": user } })).status;
    };
    assertEquals(
      [await ask(""), await ask("ann"), await ask("ann", "POST"), await ask("root", "POST")],
      [401, 200, 403, HAS_FILES ? 200 : 501],
    );
  }, {
    access: (c) => {
      const user = c.get("user") as string | undefined;
      if (!user) return undefined;
      return { name: user, scopes: user === "root" ? ["admin"] : ["read"] };
    },
  }));

Deno.test("createApp() takes one queue, or a manager, and origins that are origins", () => {
  const queue = failingQueue(new Error("unused"));
  const manager = { queue, handlers: undefined as never };
  createApp({ manager });
  assertThrows(() => createApp({ queue, manager }), TypeError, "one of them");
  for (const origin of ["*", "example.com", "https://example.com/", "https://a.example/x"]) {
    assertThrows(() => createApp({ queue, corsOrigins: [origin] }), TypeError, "CORS origin");
  }
});

// --- hosts and origins

Deno.test("only listed hosts are answered", () =>
  withApp(async ({ app }) => {
    for (const host of ["localhost:8787", "LOCALHOST", "[::1]:1"]) {
      assertEquals(
        (await app.request("/api/health", { headers: { Host: host } })).status,
        200,
        host,
      );
    }
    for (const host of ["evil.example", "localhost.evil.example", "[::2]", "1localhost:8787"]) {
      const response = await app.request("/api/health", { headers: { Host: host } });
      await readError(response, 403, "HOST_NOT_ALLOWED");
    }
  }, { hosts: ["localhost", "[::1]"] }));

Deno.test("a browser's request for a page of another site changes nothing", () =>
  withApp(async ({ app, queue }) => {
    const { task } = await queue.enqueue({ type: "t", runId: "r1" });
    const foreign: Record<string, string>[] = [
      { Origin: "https://evil.example" },
      { Origin: "null" },
      { Origin: "http://localhost:1" },
      { "Sec-Fetch-Site": "cross-site" },
    ];
    for (const headers of foreign) {
      for (const [method, path] of [["POST", "/api/runs/r1/cancel"], ["DELETE", "/api/runs/r1"]]) {
        await readError(await app.request(path!, { method, headers }), 403, "ORIGIN_NOT_ALLOWED");
      }
      const looked = await app.request("/api/runs/r1", { headers });
      assertEquals([looked.status, looked.headers.get("Access-Control-Allow-Origin")], [200, null]);
    }
    assertEquals((await queue.get(task.id))!.status, "queued");
    const own = { Origin: "http://localhost", "Sec-Fetch-Site": "same-origin" };
    const done = await app.request("/api/runs/r1/cancel", { method: "POST", headers: own });
    assertEquals(done.status, 200);
  }));

Deno.test("a listed origin may ask first, read and write; others may not", () =>
  withApp(async ({ app }) => {
    const preflight = (origin: string): Response | Promise<Response> =>
      app.request("/api/queue/enqueue", {
        method: "OPTIONS",
        headers: { Origin: origin, "Access-Control-Request-Method": "POST" },
      });
    const listed = "https://app.example.com";
    const answer = await preflight(listed);
    assertEquals([answer.status, answer.headers.get("Access-Control-Allow-Origin")], [204, listed]);
    assertMatch(
      answer.headers.get("Access-Control-Allow-Headers")!,
      /Authorization.*Last-Event-ID/,
    );
    const refused = await preflight("https://evil.example");
    assertEquals([refused.status, refused.headers.get("Access-Control-Allow-Origin")], [405, null]);
    const response = await app.request("/api/queue/enqueue", {
      method: "POST",
      headers: {
        Origin: listed,
        "Content-Type": "application/json",
        "Sec-Fetch-Site": "cross-site",
      },
      body: '{"type":"t"}',
    });
    assertEquals([response.status, response.headers.get("Access-Control-Allow-Origin")], [
      201,
      listed,
    ]);
    assertEquals(response.headers.get("Vary"), "Origin");
  }, { corsOrigins: ["https://app.example.com"] }));

// --- limits

Deno.test("a URL and headers that are too long are refused", () =>
  withApp(async ({ app }) => {
    const paths = [`/api/runs?module_id=${"x".repeat(17_000)}`, `/api/${"a/".repeat(9000)}`];
    for (const path of paths) await readError(await app.request(path), 431, "HEADERS_TOO_LARGE");
    const headers = { "X-A": "a".repeat(9000), "X-B": "b".repeat(9000) };
    await readError(await app.request("/api/runs", { headers }), 431, "HEADERS_TOO_LARGE");
  }));

Deno.test("a body that breaks off is the client's fault", () =>
  withApp(async ({ app, reported }) => {
    const body = new ReadableStream({
      pull: (controller) => controller.error(new Error("connection reset")),
    });
    const headers = { "Content-Type": "application/json" };
    const response = await app.request("/api/queue/enqueue", { method: "POST", headers, body });
    await readError(response, 400, "MALFORMED_JSON");
    assertEquals(reported, []);
  }));

// --- request ids and the log

Deno.test("every answer has a request id: the caller's if it is sane", () =>
  withApp(async ({ app }) => {
    const idOf = async (given: string): Promise<string> =>
      (await app.request("/api/health", { headers: { "X-Request-Id": given } })).headers
        .get("X-Request-Id")!;
    assertEquals(await idOf("trace-1.2~3_A"), "trace-1.2~3_A");
    for (const bad of ["", "a b", "x".repeat(129), "<script>", "a,b"]) {
      assertMatch(await idOf(bad), /^[0-9a-f-]{36}$/);
    }
    for (const path of ["/nope", "/api/nope"]) {
      const headers = { "X-Request-Id": "r-1" };
      const response = await app.request(path, { headers });
      assertEquals([response.status, response.headers.get("X-Request-Id")], [404, "r-1"]);
    }
  }));

Deno.test("every request is one record of the log, without any secret", async () => {
  const records: LogRecord[] = [];
  await configure({
    reset: true,
    sinks: { memory: (record) => records.push(record) },
    loggers: [
      { category: ["holdfast", "server"], lowestLevel: "debug", sinks: ["memory"] },
      { category: ["logtape", "meta"], sinks: [] },
    ],
  });
  try {
    const { token, line } = await createToken("ci", ["read"]);
    await withApp(async ({ app }) => {
      const headers = { Authorization: `Bearer ${token}`, "X-Request-Id": "r-1" };
      await app.request("/api/runs?module_id=secret", { headers });
      await app.request("/api/runs", { headers: { "X-Request-Id": "r-2" } });
      await post(app, "/api/queue/enqueue", { type: "secret" });
    }, { access: tokenAccess(await parseTokens(line)) });
    assertEquals(
      records.map(({ properties: { method, path, status, requestId, caller } }) => [
        method,
        path,
        status,
        requestId,
        caller,
      ]).slice(0, 2),
      [["GET", "/api/runs", 200, "r-1", "ci"], ["GET", "/api/runs", 401, "r-2", undefined]],
    );
    assertEquals(records.map(({ level }) => level), ["info", "info", "info"]);
    assertEquals(typeof records[0]!.properties.durationMs, "number");
    const text = JSON.stringify(records);
    assert(!text.includes("secret") && !text.includes(token), text);
    records.length = 0;
    await withApp(async ({ app }) => {
      await app.request("/api/queue/stats");
    }, { queue: failingQueue(new Error("the disk is gone")) });
    assertEquals(records.map(({ level }) => level), ["error"]);
  } finally {
    await reset();
  }
});
