/**
 * Isolation "worker": handlers in threads of their own, with real threads and real time.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  type HandlerOptions,
  HandlerRegistry,
  type HandlerSource,
  isolated,
  MemoryLogStore,
  openQueue,
  type Task,
  type TaskQueue,
  Worker,
  type WorkerEvent,
  type WorkerOptions,
} from "../../src/mod.ts";
import { denoThreads } from "../../src/platform/deno_threads.ts";
import { checkSource } from "../../src/worker/isolated_handler.ts";
import { until } from "../support/until.ts";

const MODULE = new URL("./isolated_fixture.ts", import.meta.url).href;

interface Bench {
  readonly queue: TaskQueue;
  readonly worker: Worker;
  readonly logs: MemoryLogStore;
  readonly events: WorkerEvent[];
  /** Enqueues a task and waits until its first attempt has begun. */
  begin(payload?: unknown): Promise<Task>;
  /** Enqueues a task and waits until its first attempt has ended. */
  run(payload?: unknown): Promise<Task>;
  messages(task: Task): Promise<string[]>;
}

interface BenchOptions extends HandlerOptions {
  readonly source?: Partial<HandlerSource>;
  readonly worker?: Partial<WorkerOptions>;
}

/** How long a thread may take to begin: `deno test` checks the types of what it loads, each time. */
const PATIENCE_MS = 120_000;

/** A started worker whose type `t` is the fixture's `name`, in threads. */
async function withIsolated(
  name: string,
  { source, worker: workerOptions, ...options }: BenchOptions,
  test: (bench: Bench) => Promise<void>,
): Promise<void> {
  const queue = await openQueue({ memory: true });
  const handler = isolated({ module: MODULE, function: name, ...source });
  const handlers = new HandlerRegistry().register("t", handler, options);
  const logs = new MemoryLogStore();
  const events: WorkerEvent[] = [];
  const onEvent = (event: WorkerEvent): void => void events.push(event);
  const worker = new Worker({ queue, handlers, logs, onEvent, quiet: true, ...workerOptions });
  worker.start();
  const has = (task: Task, isIt: (event: WorkerEvent) => boolean): boolean =>
    events.some((event) => event.task?.id === task.id && isIt(event));
  const begin = async (payload?: unknown): Promise<Task> => {
    const { task } = await queue.enqueue({ type: "t", payload });
    await until(() => has(task, ({ kind }) => kind === "started"), "the attempt's start");
    return task;
  };
  const run = async (payload?: unknown): Promise<Task> => {
    const task = await begin(payload);
    await until(
      () => has(task, ({ kind }) => kind !== "started"),
      "the attempt's end",
      PATIENCE_MS,
    );
    return (await queue.get(task.id))!;
  };
  const messages = async ({ id }: Task): Promise<string[]> =>
    (await logs.read(id, 0)).lines.map(({ level, message }) => `${level} ${message}`);
  try {
    await test({ queue, worker, logs, events, begin, run, messages });
  } finally {
    await worker.stop({ graceMs: 0 });
    await queue.close();
  }
}

Deno.test("an isolated handler can enqueue and snooze, and knows its last attempt", async () => {
  await withIsolated("goOn", { maxAttempts: 1 }, async ({ queue, begin }) => {
    const { id } = await begin();
    const task = await queue.wait(id, { timeoutMs: PATIENCE_MS });
    const result = task.result as { runIds: string[]; isLastAttempt: boolean; refusal: string };
    assertEquals([task.status, task.attempts, result.isLastAttempt], ["completed", 1, true]);
    const stored = await queue.list({ type: "next" });
    assertEquals(stored.map(({ runId }) => runId).toReversed(), result.runIds);
    assertStringIncludes(result.refusal, "priority");
  });
});

Deno.test("an isolated handler has the whole context, and its result is stored", async () => {
  await withIsolated("talk", { timeoutMs: 60_000 }, async ({ queue, run, logs }) => {
    const progress: (number | null)[] = [];
    queue.watch((changes) => {
      if (typeof changes === "string") return;
      for (const change of changes) progress.push(change.progress);
    });
    const done = await run({ n: 1 });
    const result = done.result as Record<string, unknown>;
    assertEquals([done.status, result.runId, result.attempt], ["completed", done.runId, 1]);
    assert(Date.parse(result.deadline as string) > Date.now());
    assertStringIncludes(result.refusal as string, "RangeError: Cannot report progress 101");
    const allowed = "allowed are debug, info, warn, error";
    assertStringIncludes(result.logRefusal as string, `"said" as log level: ${allowed}`);
    assert(progress.includes(50), `${progress}`);
    const { lines } = await logs.read(done.id, 0);
    assertEquals(lines.map(({ level, message }) => [level, message]), [
      ["info", "talking"],
      ["warn", "a function is not a JSON"],
    ]);
    assertEquals(lines[0]!.details, { payload: { n: 1 } });
    assertStringIncludes(String(lines[1]!.details), "not JSON");
  });
});

Deno.test("a handler that blocks its thread for 4 s under a lease of 1 s finishes in its first attempt", async () => {
  await withIsolated("block", { worker: { leaseDurationMs: 1000 } }, async ({ queue, begin }) => {
    const { id } = await begin({ ms: 4000 });
    const rescued: Task[] = [];
    while ((await queue.get(id))!.status === "leased") {
      rescued.push(...await queue.rescue());
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const done = (await queue.get(id))!;
    assertEquals(rescued, []);
    assertEquals([done.status, done.result, done.attempts], ["completed", "unblocked", 1]);
  });
});

Deno.test("isolated handlers block their threads beside each other", async () => {
  await withIsolated("block", { worker: { concurrency: 2 } }, async ({ run }) => {
    const bothAtOnce = await Promise.all([run({ ms: 300 }), run({ ms: 300 })]);
    const [first, second] = bothAtOnce.map((task) => ({
      startedAtMs: task.processingStarted!.getTime(),
      finishedAtMs: task.finishedAt!.getTime(),
    }));
    assert(first!.startedAtMs < second!.finishedAtMs && second!.startedAtMs < first!.finishedAtMs);
  });
});

Deno.test("cancel fires an isolated handler's signal with the reason", async () => {
  await withIsolated("waitForAbort", {}, async ({ queue, begin, messages, events }) => {
    const task = await begin();
    await until(
      async () => (await messages(task)).includes("info waiting"),
      "waiting",
      PATIENCE_MS,
    );
    await queue.cancel(task.id);
    await until(async () => (await messages(task)).includes("info AbortError: Cancelled by user"));
    await until(() => events.at(-1)!.kind === "cancelled");
    assertEquals((await queue.get(task.id))!.status, "cancelled");
  });
});

Deno.test("cancel of a handler that blocks its thread terminates it after the grace time", async () => {
  await withIsolated("blockForEver", {}, async ({ queue, worker, begin, messages, events }) => {
    const task = await begin();
    await until(
      async () => (await messages(task)).includes("info blocking"),
      "blocking",
      PATIENCE_MS,
    );
    const cancelledAtMs = performance.now();
    await queue.cancel(task.id);
    await until(() => events.at(-1)!.kind === "cancelled");
    const tookMs = performance.now() - cancelledAtMs;
    assert(tookMs >= 990, `${tookMs} ms`);
    assertEquals([worker.runningCount, (await queue.get(task.id))!.status], [0, "cancelled"]);
  });
});

Deno.test("a blocked isolated handler times out", async () => {
  await withIsolated("blockForEver", { timeoutMs: 500 }, async ({ run }) => {
    const failed = await run();
    assertEquals([failed.status, failed.errorMessage], ["queued", "Timed out in attempt 1 of 5"]);
  });
});

Deno.test("stop() terminates a blocked isolated handler and gives its task back without using up an attempt", async () => {
  await withIsolated("blockForEver", {}, async ({ queue, worker, begin, messages }) => {
    const task = await begin();
    await until(
      async () => (await messages(task)).includes("info blocking"),
      "blocking",
      PATIENCE_MS,
    );
    await worker.stop({ graceMs: 0 });
    const released = (await queue.get(task.id))!;
    assertEquals([released.status, released.attempts], ["queued", 0]);
  });
});

const FAILURES: Readonly<Record<string, readonly [status: string, message: string]>> = {
  "error": ["queued", "out of range"],
  "permanent": ["failed", "no use"],
  "later": ["queued", "busy"],
  "exit code": ["failed", "no paper"],
  "no error": ["queued", "just a text"],
  "exit": ["queued", "The handler's thread ended: it closed itself"],
  "close": ["queued", "The handler's thread ended: it closed itself"],
  "stray rejection": ["queued", "nobody awaits this"],
  "stray error": ["queued", "nobody catches this"],
  "no clone": ["failed", "The handler's result was refused: "],
  "no JSON": ["failed", "The handler's result was refused: "],
  "strange messages": ["queued", "Cannot report progress 1000"],
};

for (const [how, [status, message]] of Object.entries(FAILURES)) {
  Deno.test(`an isolated handler's "${how}" fails the attempt and nothing else`, async () => {
    const retryPolicy = { initialDelayMs: 60_000 };
    await withIsolated("fail", { retryPolicy }, async ({ run, events }) => {
      const failed = await run({ how });
      assertEquals([failed.status, failed.attempts], [status, 1]);
      assertStringIncludes(failed.errorMessage!, message);
      assertEquals(events.filter(({ kind }) => kind === "error"), []);
      if (how === "exit code") assertEquals(failed.result, { exit_code: 3 });
      if (how === "later") assert(failed.runAfter.getTime() > Date.now() + 50_000);
    });
  });
}

Deno.test("a payload is checked in the thread against its handler's schema when asked for", async () => {
  await withIsolated("strict", { source: { checksPayload: true } }, async ({ run }) => {
    assertEquals((await run({ n: 7 })).result, 7);
    const refused = await run({ n: "7" });
    assertEquals(refused.status, "failed");
    assertStringIncludes(refused.errorMessage!, "payload.n");
  });
});

const CAN_ALLOW = await areGranted(
  { name: "read" },
  { name: "write" },
  { name: "net", host: "127.0.0.1" },
  { name: "env" },
  { name: "run" },
);

for (
  const [what, permissions, allowed] of [
    ["inherit", "inherit", ["read", "write", "net", "env", "run"]],
    ["none", "none", []],
    ["read", { read: true }, ["read"]],
    ["the loopback address", { net: ["127.0.0.1"] }, ["net"]],
    ["one variable", { env: ["PATH"], read: false }, ["env"]],
  ] as const
) {
  const name = `an isolated handler with permission ${what} can do nothing more`;
  Deno.test({ name, ignore: !CAN_ALLOW }, async () => {
    await withIsolated("tryEverything", { source: { permissions } }, async ({ run }) => {
      assertEquals((await run()).result, allowed);
    });
  });
}

async function areGranted(...permissions: Deno.PermissionDescriptor[]): Promise<boolean> {
  const states = await Promise.all(permissions.map((one) => Deno.permissions.query(one)));
  return states.every(({ state }) => state === "granted");
}

for (
  const [what, source, message] of [
    ["an export that is missing", { function: "nobody" }, 'it exports no "nobody", only block'],
    [
      "an export that is not a handler",
      { function: "limit" },
      'export "limit" is neither a function',
    ],
    [
      "a module with a syntax error",
      { module: "data:text/javascript,export function (" },
      "SyntaxError",
    ],
    [
      "a module that throws",
      { module: "data:text/javascript,throw new Error('not today')" },
      "not today",
    ],
    [
      "a module that closes its thread",
      { module: "data:text/javascript,self.close(); await new Promise(() => {})" },
      "it closed itself",
    ],
  ] as const
) {
  Deno.test(`checkSource() refuses ${what}`, async () => {
    const whole = { module: MODULE, function: "talk", ...source };
    await assertRejects(() => checkSource(whole, denoThreads), Error, message);
  });
}

Deno.test("a module that cannot be loaded fails the attempt with the reason", async () => {
  const source = { module: "data:text/javascript,throw new Error('not today')" };
  await withIsolated(
    "talk",
    { source, retryPolicy: { initialDelayMs: 60_000 } },
    async ({ run }) => {
      const failed = await run();
      assertEquals(failed.status, "queued");
      assertStringIncludes(failed.errorMessage!, "The handler's thread ended: Uncaught");
      assertStringIncludes(failed.errorMessage!, "not today");
    },
  );
});

Deno.test("an isolated handler with permissions of its own cannot send signals to its process", async () => {
  const source = { permissions: "none" } as const;
  await withIsolated("signalItself", { source }, async ({ run }) => {
    assertEquals((await run()).result, ["NotCapable", "NotCapable", "NotCapable"]);
  });
});
