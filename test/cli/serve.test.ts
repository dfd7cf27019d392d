/**
 * `holdfast serve`: HTTP and a worker in one process.
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createToken } from "../../server/app.ts";
import { HANDLERS, type Json, type Outcome, Scratch, type Surroundings } from "./cli_harness.ts";

/** Serves while `work` lasts. */
async function whileServing(
  scratch: Scratch,
  args: readonly string[],
  work: (url: string) => Promise<void>,
  surroundings: Surroundings = {},
): Promise<Outcome> {
  const interrupt = new AbortController();
  const listening = Promise.withResolvers<string>();
  const served = scratch.run(["serve", "--port", "0", ...args], {
    ...surroundings,
    interrupt: interrupt.signal,
    onErr: (text) => {
      const url = /^listening on (\S+)$/m.exec(text)?.[1];
      if (url !== undefined) listening.resolve(url);
    },
  });
  try {
    await work(await listening.promise);
  } finally {
    interrupt.abort();
  }
  return await served;
}

Deno.test("serve answers requests, executes their tasks, and stops with 0", async () => {
  await using scratch = new Scratch();
  const { code, out, err } = await whileServing(scratch, ["--handlers", HANDLERS], async (url) => {
    assertMatch(url, /^http:\/\/127\.0\.0\.1:\d+$/);
    const response = await fetch(`${url}/api/modules/echo/run`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ parameters: { n: 1 } }),
    });
    assertEquals(response.status, 202);
    const { run_id: runId } = await response.json();
    assertEquals((await scratch.run(["logs", runId, "-f"])).code, 0);
    assertEquals((await scratch.json(["show", runId])).doc.result, { echoed: { n: 1 } });
  });
  assertEquals([code, out], [0, ""]);
  assertStringIncludes(err, "has stopped: 1 completed\n");
});

Deno.test("serve shows its dashboard to browsers at its root, and acts on what they send", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "echo"]);
  const { code } = await whileServing(scratch, ["--no-worker"], async (url) => {
    const html = { Accept: "text/html,*/*;q=0.8" };
    const overview = await fetch(url, { headers: html });
    assertStringIncludes(await overview.text(), "<title>Overview · Holdfast</title>");
    const moved = await fetch(`${url}/tasks/cancel`, {
      method: "POST",
      redirect: "manual",
      headers: { Origin: url },
      body: new URLSearchParams({ id: "1", back: "/tasks/1" }),
    });
    await moved.body?.cancel();
    assertEquals(moved.headers.get("Location"), "/tasks/1?did=cancelled&n=1");
    const other = await fetch(`${url}/api/nothing`, { headers: html });
    assertEquals((await other.json()).error_code, "NOT_FOUND");
    assertEquals((await (await fetch(url)).json()).name, "Holdfast");
  });
  assertEquals(code, 0);
  assertEquals((await scratch.json(["show", "1"])).doc.status, "cancelled");
});

Deno.test("serve --no-dashboard shows none", async () => {
  await using scratch = new Scratch();
  const { code } = await whileServing(scratch, ["--no-worker", "--no-dashboard"], async (url) => {
    const headers = { Accept: "text/html" };
    assertEquals((await (await fetch(url, { headers })).json()).name, "Holdfast");
    const other = await fetch(`${url}/tasks`, { headers });
    await other.body?.cancel();
    assertEquals(other.status, 404);
  });
  assertEquals(code, 0);
});

Deno.test("serve --no-worker executes nothing", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "echo"]);
  const args = ["--handlers", HANDLERS, "--no-worker", "--json"];
  const { code, out } = await whileServing(scratch, args, async (url) => {
    const response = await fetch(`${url}/api/modules`);
    assertEquals(response.status, 200);
    await response.body?.cancel();
  });
  assertEquals([code, JSON.parse(out).worker], [0, null]);
  assertEquals((await scratch.json(["show", "1"])).doc.status, "queued");
});

for (const host of ["0.0.0.0", "::", "192.168.0.1", "example.com", "127.0.0.1.example.com"]) {
  Deno.test(`serve refuses to listen on ${host} with 2`, async () => {
    await using scratch = new Scratch();
    const { code, err } = await scratch.run(["serve", "--host", host, "--port", "0"]);
    assertEquals(code, 2);
    assertStringIncludes(err, "only a loopback address is allowed");
  });
}

Deno.test("serve beyond loopback with a tokens file answers whoever presents one, by scope", async () => {
  await using scratch = new Scratch();
  const { token, line } = await createToken("reader", ["read"]);
  const files = { "my tokens.txt": `# who may\r\n${line}\r\n` };
  const args = ["--host", "0.0.0.0", "--tokens", "my tokens.txt"];
  const { code } = await whileServing(scratch, args, async (url) => {
    const local = url.replace("0.0.0.0", "127.0.0.1");
    const ask = async (path: string, init: RequestInit = {}): Promise<number> => {
      const response = await fetch(`${local}${path}`, init);
      await response.body?.cancel();
      return response.status;
    };
    const headers = { Authorization: `Bearer ${token}` };
    assertEquals(await ask("/api/runs"), 401);
    assertEquals(await ask("/api/runs", { headers }), 200);
    assertEquals(await ask("/api/runs/r1/cancel", { method: "POST", headers }), 403);
  }, { files });
  assertEquals(code, 0);
});

Deno.test("serve takes tokens from the environment, as they are or hashed", async () => {
  await using scratch = new Scratch();
  const { line } = await createToken("hashed", ["read"]);
  const plain = "a-long-enough-secret-of-mine";
  const environment = { HOLDFAST_TOKENS: `plain read,enqueue ${plain};${line}` };
  const { code } = await whileServing(scratch, [], async (url) => {
    const refused = await fetch(`${url}/api/stats`, { headers: { Authorization: "Bearer x" } });
    const headers = { Authorization: `Bearer ${plain}` };
    const answered = await fetch(`${url}/api/queue/stats`, { headers });
    await Promise.all([refused.body?.cancel(), answered.body?.cancel()]);
    assertEquals([refused.status, answered.status], [401, 200]);
  }, { environment });
  assertEquals(code, 0);
});

Deno.test("serve refuses tokens that it cannot read, without repeating a secret", async () => {
  await using scratch = new Scratch();
  const [empty, plain] = ["empty.txt", "plain.txt"];
  const files = { [empty]: "# nobody\n", [plain]: "me read secret-secret-secret-secret\n" };
  const cases: [string[], Record<string, string>, string][] = [
    [["--tokens", empty], {}, "there are none in it"],
    [["--tokens", plain], {}, "a hash is needed here"],
    [["--tokens", `${empty}.missing`], {}, "Cannot use the tokens"],
    [
      [],
      { HOLDFAST_TOKENS: "me everything secret-secret-secret-secret" },
      '"everything" is not a scope',
    ],
    [[], { HOLDFAST_TOKENS: "me read secret" }, "can be guessed"],
    [[], { HOLDFAST_TOKENS: "me read secret-secret-secret-ä,!" }, "no request could present"],
    [[], { HOLDFAST_TOKENS_FILE: plain }, "a hash is needed here"],
    [["--cors-origin", "example.com"], {}, "CORS origin"],
  ];
  for (const [args, environment, message] of cases) {
    const { code, err } = await scratch.run(["serve", "--port", "0", ...args], {
      environment,
      files,
    });
    assertEquals(code, 2, err);
    assertStringIncludes(err, message);
    assertEquals(/secret-/.test(err), false, err);
  }
});

Deno.test("serve without tokens answers under loopback names only, so no page can rebind a name to it", async () => {
  await using scratch = new Scratch();
  await whileServing(scratch, [], async (url) => {
    const { port } = new URL(url);
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
    const request = "GET /api/runs HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    await connection.write(new TextEncoder().encode(request));
    const answer = await new Response(connection.readable).text();
    assertMatch(answer, /^HTTP\/1\.1 403 /);
    assertStringIncludes(answer, "HOST_NOT_ALLOWED");
    const named = await fetch(`http://localhost:${port}/api/runs`);
    await named.body?.cancel();
    assertEquals(named.status, 200);
  });
});

Deno.test("serve stops at once although somebody follows a run", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "echo", "--run-id", "r1"]);
  let following: Promise<string> | undefined;
  const { code } = await whileServing(scratch, [], async (url) => {
    const response = await fetch(`${url}/api/runs/r1/logs/stream`);
    following = response.text();
    assertEquals(response.status, 200);
  });
  assertEquals(code, 0);
  assertStringIncludes(await following!, "event: status");
});

Deno.test("serve ends with 2 when the port is taken", async () => {
  await using scratch = new Scratch();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { code, err } = await scratch.run(["serve", "--port", String(taken.addr.port)]);
  assertEquals(code, 2);
  assertMatch(err, /^holdfast: Cannot listen on 127\.0\.0\.1:\d+: [^\n]+\n$/);
});

Deno.test("serve says at its root where the rest is, and its version in health and OpenAPI", async () => {
  await using scratch = new Scratch();
  const { code } = await whileServing(scratch, [], async (url) => {
    const json = async (path: string): Promise<Json> => await (await fetch(`${url}${path}`)).json();
    const root = await json("/");
    assertEquals(root.name, "Holdfast");
    assertEquals((await json(root.health)).version, root.version);
    assertEquals((await json(root.openapi)).info.version, root.version);
  });
  assertEquals(code, 0);
});
