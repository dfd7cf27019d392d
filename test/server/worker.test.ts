/**
 * The worker protocol: leases over HTTP, fenced like those of any other worker.
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { fileURLToPath } from "node:url";
import { MemoryLogStore, type TaskQueue } from "../../src/mod.ts";
import { createApp, createToken, parseTokens, tokenAccess } from "../../server/app.ts";
import { TaskSchema } from "../../server/tasks/schemas.ts";
import { ClaimSchema } from "../../server/workers/schemas.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { openTestQueue } from "../support/engine.ts";
import { until } from "../support/until.ts";
import { post, read, readError, refusedFields, withApp } from "./fixture.ts";
import { programTest } from "../support/thorough.ts";

const WORKER = { worker_id: "w1", types: ["t"] };

Deno.test("claim gives due tasks with their lease tokens, best first, and none when none is due", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueueBatch([{ type: "t" }, { type: "t", priority: 1 }, { type: "other" }]);
    const claim = (more: object = {}): Promise<Response> =>
      post(app, "/api/worker/claim", { ...WORKER, ...more });
    const { tasks } = await read(await claim({ limit: 5 }), 200, ClaimSchema);
    assertEquals(tasks.map(({ id, lease_token, status }) => [id, lease_token, status]), [
      [2, 1, "leased"],
      [1, 1, "leased"],
    ]);
    assertEquals((await read(await claim(), 200, ClaimSchema)).tasks, []);
    assertEquals((await queue.get(1))!.lockedBy, "w1");
  }));

Deno.test("claim heeds capabilities and strategy", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueueBatch([
      { type: "t", compatibility: { gpu: true } },
      { type: "t" },
      { type: "t" },
    ]);
    const claim = async (more: object): Promise<number[]> => {
      const response = await post(app, "/api/worker/claim", { ...WORKER, ...more });
      return (await read(response, 200, ClaimSchema)).tasks.map(({ id }) => id);
    };
    assertEquals(await claim({ strategy: "lifo" }), [3]);
    assertEquals(await claim({ strategy: "fifo", capabilities: { gpu: true } }), [1]);
  }));

Deno.test("a whole life over HTTP: renew, progress, log, complete", () => {
  const logs = new MemoryLogStore();
  return withApp(async ({ app, queue }) => {
    await queue.enqueue({ type: "t" });
    await post(app, "/api/worker/claim", WORKER);
    const lease = { task_id: 1, worker_id: "w1", lease_token: 1 };
    const before = (await queue.get(1))!.leaseUntil!.getTime();
    await read(
      await post(app, "/api/worker/renew", { ...lease, lease_duration_ms: 60_000 }),
      200,
      TaskSchema,
    );
    assert((await queue.get(1))!.leaseUntil!.getTime() > before + 40_000);
    const half = await post(app, "/api/worker/progress", {
      ...lease,
      percent: 50,
      message: "half",
    });
    const { progress_percent, progress_message } = await read(half, 200, TaskSchema);
    assertEquals([progress_percent, progress_message], [50, "half"]);
    const lines = [{ message: "a" }, { level: "warn", message: "b", details: { n: 1 } }];
    assertEquals((await post(app, "/api/worker/log", { ...lease, lines })).status, 204);
    const done = await post(app, "/api/worker/complete", { ...lease, result: { n: 1 } });
    const task = await read(done, 200, TaskSchema);
    assertEquals([task.status, task.result, task.lease_token], ["completed", { n: 1 }, 1]);
    const told = (await logs.read(1, 0)).lines;
    assertEquals(told.map(({ level, message, attempt }) => [level, message, attempt]), [
      ["info", "a", 1],
      ["warn", "b", 1],
    ]);
  }, { logs });
});

for (const action of ["renew", "progress", "log", "complete", "fail", "release"]) {
  Deno.test(`${action} with a lease that is not the current one is LEASE_LOST and changes nothing`, () =>
    withApp(async ({ app, queue }) => {
      await queue.enqueue({ type: "t" });
      const [first] = await queue.claim({ workerId: "w1", types: ["t"] });
      await queue.release(first!);
      await queue.claim({ workerId: "w2", types: ["t"] });
      const more = { percent: 1, error: "x", lines: [{ message: "x" }] };
      const needed: Record<string, object> = {
        progress: { percent: more.percent },
        fail: { error: more.error },
        log: { lines: more.lines },
      };
      const before = await queue.get(1);
      const stale = [
        { task_id: 1, worker_id: "w1", lease_token: 1 },
        { task_id: 1, worker_id: "w2", lease_token: 1 },
        { task_id: 1, worker_id: "w1", lease_token: 2 },
      ];
      for (const lease of stale) {
        const response = await post(app, `/api/worker/${action}`, { ...lease, ...needed[action] });
        await readError(response, 409, "LEASE_LOST");
      }
      const unknown = { task_id: 9, worker_id: "w1", lease_token: 1, ...needed[action] };
      await readError(await post(app, `/api/worker/${action}`, unknown), 404, "TASK_NOT_FOUND");
      assertEquals(await queue.get(1), before);
    }, { logs: new MemoryLogStore() }));
}

Deno.test("fail tries again, later, or never", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueueBatch([{ type: "t" }, { type: "t" }, { type: "t" }]);
    await queue.claim({ workerId: "w1", types: ["t"], limit: 3 });
    const fail = async (task_id: number, more: object): Promise<[string, number]> => {
      const lease = { task_id, worker_id: "w1", lease_token: 1, error: "no" };
      const task = await read(
        await post(app, "/api/worker/fail", { ...lease, ...more }),
        200,
        TaskSchema,
      );
      return [task.status, Date.parse(task.run_after_utc) - Date.parse(task.updated_at_utc)];
    };
    const [status, delayMs] = await fail(1, {});
    assert(status === "queued" && delayMs >= 900 && delayMs <= 1100, `${status} ${delayMs}`);
    assertEquals(await fail(2, { retry_after_ms: 5000 }), ["queued", 5000]);
    assertEquals((await fail(3, { permanent: true }))[0], "failed");
    assertEquals((await queue.get(3))!.errorMessage, "no");
    const both = {
      task_id: 1,
      worker_id: "w1",
      lease_token: 1,
      error: "x",
      permanent: true,
      retry_after_ms: 1,
    };
    assertEquals(await refusedFields(await post(app, "/api/worker/fail", both)), [
      "retry_after_ms",
    ]);
  }));

Deno.test("complete refuses a result that is too large or too deep, and the lease stays", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueue({ type: "t" });
    await queue.claim({ workerId: "w1", types: ["t"] });
    const lease = { task_id: 1, worker_id: "w1", lease_token: 1 };
    const large = { ...lease, result: "x".repeat(1024 * 1024) };
    await readError(await post(app, "/api/worker/complete", large), 413, "PAYLOAD_TOO_LARGE");
    const deep = `{"task_id":1,"worker_id":"w1","lease_token":1,"result":${"[".repeat(300)}${
      "]".repeat(300)
    }}`;
    await readError(await post(app, "/api/worker/complete", deep), 422, "VALIDATION_ERROR");
    assertEquals((await queue.get(1))!.status, "leased");
  }));

Deno.test("heartbeat makes a worker known; DELETE forgets it", () =>
  withApp(async ({ app, queue }) => {
    assertEquals((await post(app, "/api/worker/heartbeat", WORKER)).status, 204);
    const { workers } = await (await app.request("/api/queue/workers")).json();
    assertEquals([workers.length, workers[0].worker_id, workers[0].state], [1, "w1", "active"]);
    await queue.enqueue({ type: "t" });
    assertMatch((await queue.explain(1))!.summary, /next|Task 1/);
    assertEquals((await app.request("/api/queue/workers/w1", { method: "DELETE" })).status, 204);
    assertEquals(await queue.listWorkers(), []);
  }));

Deno.test("a waiting claim answers as soon as a task is enqueued", () =>
  withApp(async ({ app, queue }) => {
    const waiting = post(app, "/api/worker/claim", { ...WORKER, wait_ms: 60_000 });
    await settle();
    await queue.enqueue({ type: "other" });
    await queue.enqueue({ type: "t" });
    assertEquals((await read(await waiting, 200, ClaimSchema)).tasks[0]!.id, 2);
  }));

Deno.test("a waiting claim finds a task that becomes due, and answers with none in the end", async () => {
  const clock = new FakeClock();
  const queue = await openTestQueue({ clock });
  const app = createApp({ queue, clock });
  const runAfter = new Date(clock.nowMs() + 5000);
  await queue.enqueue({ type: "t", runAfter });
  const waiting = post(app, "/api/worker/claim", { ...WORKER, wait_ms: 60_000 });
  await settle();
  await clock.advance(7000);
  assertEquals((await read(await waiting, 200, ClaimSchema)).tasks[0]!.id, 1);
  const vain = post(app, "/api/worker/claim", { ...WORKER, wait_ms: 3000 });
  await settle();
  await clock.advance(3100);
  assertEquals((await read(await vain, 200, ClaimSchema)).tasks, []);
  await queue.close();
});

Deno.test("a waiting claim takes a scheduled task at the instant at which it becomes due", async () => {
  const clock = new FakeClock();
  const queue = await openTestQueue({ clock });
  const app = createApp({ queue, clock });
  await queue.enqueue({ type: "t", runAfter: new Date(clock.nowMs() + 1250) });
  const waiting = post(app, "/api/worker/claim", { ...WORKER, wait_ms: 60_000 });
  await settle();
  await clock.advance(1250);
  await until(async () => (await queue.get(1))?.status === "leased", "the claim", 5000);
  assertEquals((await read(await waiting, 200, ClaimSchema)).tasks[0]!.id, 1);
  assertEquals((await queue.get(1))!.processingStarted!.getTime(), clock.nowMs());
  await queue.close();
});

Deno.test("a claim that nobody waits for any more takes nothing, although a task is due", async () => {
  const clock = new FakeClock();
  const queue = await openTestQueue({ clock });
  const app = createApp({ queue });
  await queue.enqueue({ type: "t", runAfter: new Date(clock.nowMs() + 1000) });
  const gone = new AbortController();
  const request = new Request("http://localhost/api/worker/claim", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...WORKER, wait_ms: 60_000 }),
    signal: gone.signal,
  });
  const waiting = app.request(request);
  await settle();
  clock.jump(2000); // nothing tells the claim that it is due now
  gone.abort();
  await waiting;
  assertEquals((await queue.transitions(1)).map(({ kind }) => kind), ["enqueued"]);
  await queue.close();
});

Deno.test("over a real connection, what nobody waits for any more is not claimed", async () => {
  const queue = await openTestQueue();
  let claims = 0;
  const counted = new Proxy(queue, {
    get: (target, name: keyof TaskQueue) => {
      if (name === "claim") claims++;
      return target[name]?.bind(target);
    },
  });
  const app = createApp({ queue: counted });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
  const gone = new AbortController();
  const asked = fetch(`http://127.0.0.1:${server.addr.port}/api/worker/claim`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...WORKER, wait_ms: 60_000 }),
    signal: gone.signal,
  });
  await until(() => claims >= 2, "the claim to wait");
  gone.abort();
  await assertRejects(() => asked);
  await server.shutdown(); // resolves only when nothing waits any more
  await queue.enqueue({ type: "t" });
  assertEquals((await queue.get(1))!.status, "queued");
  await queue.close();
});

const python = await findPython();

programTest(
  "the Python worker works: completes, fails, presents its token, loses no task",
  async () => {
    const { token, line } = await createToken("python", ["operate"]);
    const queue = await openTestQueue();
    const app = createApp({ queue, access: tokenAccess(await parseTokens(line)) });
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
    try {
      await enqueueTexts(queue);
      const url = `http://127.0.0.1:${server.addr.port}`;
      const { code, stderr } = await new Deno.Command(python!, {
        args: [SCRIPT, url, "--until-empty"],
        env: { HOLDFAST_TOKEN: token },
      }).output();
      assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
      const tasks = await queue.list();
      assertEquals(tasks.map(({ id, status, result }) => [id, status, result]), [
        [12, "failed", null],
        ...Array.from({ length: 11 }, (_, n) => [11 - n, "completed", { words: 11 - n }]),
      ]);
      assertEquals(tasks[0]!.errorMessage, "KeyError: 'text'");
      assertMatch((await queue.listWorkers())[0]!.workerId, /^python-\d+$/);
    } finally {
      await server.shutdown();
      await queue.close();
    }
  },
  { ignore: python === undefined },
);

programTest(
  "the Python worker waits for a server that is away, and goes on when it is back",
  async () => {
    const queue = await openTestQueue();
    await queue.enqueue({ type: "count_words", payload: { text: "one two" } });
    const { port } = takenPort();
    const worker = new Deno.Command(python!, {
      args: [SCRIPT, `http://127.0.0.1:${port}`, "--until-empty"],
      stderr: "piped",
    }).spawn();
    const lines = worker.stderr.pipeThrough(new TextDecoderStream()).getReader();
    assertMatch((await lines.read()).value!, /^heartbeat: .*refused.*; trying again in 0\.5 s/);
    const app = createApp({ queue });
    const server = Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, app.fetch);
    for (let chunk = await lines.read(); !chunk.done; chunk = await lines.read());
    assertEquals((await worker.status).code, 0);
    assertEquals((await queue.get(1))!.result, { words: 2 });
    await server.shutdown();
    await queue.close();
  },
  { ignore: python === undefined },
);

programTest("the Python worker without a URL says how it is used", async () => {
  for (const args of [[], ["--until-empty"]]) {
    const { code, stderr } = await new Deno.Command(python!, { args: [SCRIPT, ...args] })
      .output();
    assertEquals(code, 1);
    assertMatch(new TextDecoder().decode(stderr), /^usage: python3 python_worker\.py http/);
  }
}, { ignore: python === undefined });

/** A port that was free a moment ago. */
function takenPort(): { readonly port: number } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return { port };
}

const SCRIPT = fileURLToPath(new URL("../../examples/python_worker.py", import.meta.url));

async function enqueueTexts(queue: TaskQueue): Promise<void> {
  for (let n = 1; n <= 11; n++) {
    await queue.enqueue({ type: "count_words", payload: { text: "wört ".repeat(n) } });
  }
  await queue.enqueue({ type: "count_words", payload: {}, maxAttempts: 1 });
}

/** The Python 3 of this machine. */
async function findPython(): Promise<string | undefined> {
  for (const name of ["python3", "python"]) {
    try {
      const { success, stdout } = await new Deno.Command(name, { args: ["--version"] }).output();
      if (success && new TextDecoder().decode(stdout).startsWith("Python 3")) return name;
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    }
  }
  return undefined;
}
