/**
 * `holdfast serve`: HTTP and a worker in one process.
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { HANDLERS, type Outcome, Scratch } from "./cli_harness.ts";

/** Serves while `work` lasts. */
async function whileServing(
  scratch: Scratch,
  args: readonly string[],
  work: (url: string) => Promise<void>,
): Promise<Outcome> {
  const interrupt = new AbortController();
  const listening = Promise.withResolvers<string>();
  const served = scratch.run(["serve", "--port", "0", ...args], {
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

Deno.test("serve ends with 2 when the port is taken", async () => {
  await using scratch = new Scratch();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { code, err } = await scratch.run(["serve", "--port", String(taken.addr.port)]);
  assertEquals(code, 2);
  assertMatch(err, /^holdfast: Cannot listen on 127\.0\.0\.1:\d+: [^\n]+\n$/);
});
