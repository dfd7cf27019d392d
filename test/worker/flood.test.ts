/**
 * Threads that talk without end: they are held back, the worker keeps its turns, and they end when they are told to.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  HandlerRegistry,
  isolated,
  MemoryLogStore,
  openQueue,
  Worker,
  type WorkerEvent,
} from "../../src/mod.ts";
import { denoThreads } from "../../src/platform/deno_threads.ts";
import { CREDITS_MAX, GateKeeper, guard } from "../../src/worker/thread_gate.ts";
import { until } from "../support/until.ts";

const MODULE = new URL("./isolated_fixture.ts", import.meta.url).href;

/** How long a thread may take to begin: `deno test` checks the types of what it loads, each time. */
const PATIENCE_MS = 120_000;

/** How long a handler may flood, from its thread's start on; on Windows that takes seconds. */
const FLOOD_MS = Deno.build.os === "windows" ? 10_000 : 1500;

Deno.test("guard() lets a thread be ahead by 1000 messages, and ends it at the next when it is told to", () => {
  const sent: unknown[] = [];
  let listener: (event: { readonly data?: unknown }) => void = () => {};
  const ended = new Error("the thread is over");
  const scope = {
    postMessage: (message: unknown): void => void sent.push(message),
    close: (): never => {
      throw ended;
    },
    addEventListener: (_type: "message", heard: typeof listener): void => void (listener = heard),
  };
  guard(scope);
  const keeper = new GateKeeper();
  listener({ data: keeper.greeting });
  for (let n = 0; n < CREDITS_MAX; n++) {
    scope.postMessage(n);
    assert(keeper.hear());
  }
  keeper.grant();
  for (let n = 0; n < CREDITS_MAX; n++) scope.postMessage(n);
  keeper.shut();
  let thrown: unknown;
  try {
    scope.postMessage("one more");
  } catch (error) {
    thrown = error;
  }
  assertEquals([thrown, sent.length], [ended, 2 * CREDITS_MAX]);
});

Deno.test("GateKeeper.hear() notices what goes past the gate", () => {
  const keeper = new GateKeeper();
  for (let n = 0; n < CREDITS_MAX; n++) assert(keeper.hear());
  assertEquals(keeper.hear(), false);
});

for (const what of ["log", "progress", "questions for parents", "strange messages"]) {
  Deno.test(`a thread that posts ${what} in a loop leaves the worker its turns, and ends when told to`, async () => {
    let heard = 0;
    let mostInATurn = 0;
    let atTurn = 0;
    const source = { module: MODULE, function: "flood" };
    const thread = denoThreads.start(source, {
      onMessage: () => {
        heard++;
        mostInATurn = Math.max(mostInATurn, heard - atTurn);
      },
      onEnd: (reason) => assertEquals(reason, "it goes on"),
    });
    const turns = setInterval(() => void (atTurn = heard), 0);
    try {
      const task = { payload: { what } } as never;
      thread.post({
        kind: "run",
        task,
        runId: "r",
        attempt: 1,
        isLastAttempt: false,
        deadline: null,
      });
      await until(() => heard > 5 * CREDITS_MAX, "five times what may be unread", PATIENCE_MS);
    } finally {
      clearInterval(turns);
      assertEquals(await thread.end(), null);
    }
    assert(mostInATurn <= 2 * CREDITS_MAX, `${mostInATurn} messages in one turn`);
  });
}

for (const what of ["log", "parents", "questions for parents"]) {
  Deno.test(`an isolated handler that floods (${what}) loses neither its neighbour's lease nor its thread`, async () => {
    const queue = await openQueue({ memory: true });
    const handlers = new HandlerRegistry()
      .register("flood", isolated({ module: MODULE, function: "flood" }), { timeoutMs: FLOOD_MS })
      .register(
        "neighbour",
        (_task, { signal }) =>
          new Promise((resolve) => signal.addEventListener("abort", () => resolve("interrupted"))),
      );
    const events: WorkerEvent[] = [];
    const onEvent = (event: WorkerEvent): void => void events.push(event);
    const logs = new MemoryLogStore();
    const worker = new Worker({
      queue,
      handlers,
      logs,
      onEvent,
      leaseDurationMs: 3000,
      quiet: true,
    });
    const ends = (id: number): boolean =>
      events.some(({ kind, task }) => task?.id === id && kind !== "started" && kind !== "error");
    try {
      const { task: neighbour } = await queue.enqueue({ type: "neighbour" });
      const flood = { type: "flood", payload: { what }, maxAttempts: 1 };
      const { task: { id } } = await queue.enqueue(flood);
      worker.start();
      await until(() => ends(id), "the flood's end", PATIENCE_MS);
      assertEquals((await queue.get(id))!.status, "failed");
      assertEquals(await queue.rescue(), []);
      assertEquals((await queue.get(neighbour.id))!.attempts, 1);
    } finally {
      await worker.stop({ graceMs: 0 });
      await queue.close();
    }
    assertEquals(events.filter(({ kind }) => kind === "error"), []);
  });
}

Deno.test("a thread that goes on although it was told to end is told, and whether the process must end", async () => {
  const loaded = Promise.withResolvers<void>();
  const source = { module: MODULE, function: "blockFor1500ms" };
  const thread = denoThreads.start(source, { onMessage: () => loaded.resolve(), onEnd: () => {} });
  await loaded.promise;
  thread.post({
    kind: "run",
    task: {} as never,
    runId: "r",
    attempt: 1,
    isLastAttempt: false,
    deadline: null,
  });
  const stuck = await thread.end(200);
  assert(stuck !== null);
  assertEquals(stuck.isFatal, navigator.hardwareConcurrency === 1);
  assertStringIncludes(stuck.problem, "it goes on, as one of 1");
});
