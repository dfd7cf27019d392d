/**
 * Isolation over a scripted thread and a clock that stands still: escalation, and what a thread's messages do.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { PermanentError, RetryAfterError } from "../../src/domain/errors.ts";
import type { Task } from "../../src/domain/task.ts";
import type { Handler, TaskContext } from "../../src/worker/handler_registry.ts";
import { denoThreads } from "../../src/platform/deno_threads.ts";
import {
  type HandlerSource,
  type HandlerThread,
  isolatedHandler,
  type ThreadListener,
} from "../../src/worker/isolated_handler.ts";
import type { ToThread } from "../../src/worker/thread_messages.ts";
import { serveHandler, type ThreadEvent, type ThreadScope } from "../../src/worker/thread_side.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";

interface Scripted {
  readonly clock: FakeClock;
  readonly posted: ToThread[];
  readonly said: unknown[];
  readonly listener: ThreadListener;
  readonly result: Promise<unknown>;
  readonly abort: (reason: unknown) => void;
  isTerminated(): boolean;
}

/** An attempt that has begun in a thread that does only what the test makes it do. */
function begin(): Scripted {
  const clock = new FakeClock();
  const controller = new AbortController();
  const posted: ToThread[] = [];
  const said: unknown[] = [];
  let listener: ThreadListener | undefined;
  let isTerminated = false;
  const thread: HandlerThread = {
    post: (message) => void posted.push(message),
    end: () => {
      isTerminated = true;
      return Promise.resolve(null);
    },
  };
  const threads = {
    start: (_source: unknown, given: ThreadListener): HandlerThread => {
      listener = given;
      return thread;
    },
  };
  const handler = isolatedHandler({ module: "file:///m.ts", function: "f" }, { threads, clock });
  const context: TaskContext = {
    signal: controller.signal,
    parentResults: () => Promise.resolve([]),
    runId: "r",
    attempt: 2,
    isLastAttempt: false,
    deadline: null,
    enqueue: (task) => {
      said.push(task);
      return task.runId!;
    },
    snooze: () => {
      throw new Error("the thread throws itself");
    },
    log: (...args) => void said.push(args),
    progress: (...args) => void said.push(args),
  };
  const result = Promise.resolve(handler({ id: 1 } as Task, context));
  result.catch(() => {});
  return {
    clock,
    posted,
    said,
    listener: listener!,
    result,
    abort: (reason) => controller.abort(reason),
    isTerminated: () => isTerminated,
  };
}

Deno.test("an attempt posts the task, resolves with the thread's result and terminates the thread", async () => {
  const { posted, listener, result, isTerminated, clock } = begin();
  assertEquals(posted, [
    {
      kind: "run",
      task: { id: 1 } as Task,
      runId: "r",
      attempt: 2,
      isLastAttempt: false,
      deadline: null,
    },
  ]);
  listener.onMessage({ kind: "loaded", problem: null });
  listener.onMessage({ kind: "result", result: [1] });
  assertEquals(await result, [1]);
  assertEquals([isTerminated(), clock.pendingTimers], [true, 0]);
});

Deno.test("an interruption aborts first, and terminates after the grace time of 1 s", async () => {
  const { posted, result, isTerminated, abort, clock } = begin();
  abort(new DOMException("Cancelled by user", "AbortError"));
  assertEquals(posted.at(-1), { kind: "abort", name: "AbortError", message: "Cancelled by user" });
  clock.jump(999);
  await settle();
  assertEquals(isTerminated(), false);
  clock.jump(1);
  assertEquals(isTerminated(), true);
  await assertRejects(() => result, Error, "terminated: Cancelled by user; the handler went on");
});

Deno.test("a handler that ends within the grace time is not terminated before", async () => {
  const { listener, result, abort, clock } = begin();
  abort("stop");
  clock.jump(500);
  listener.onMessage({ kind: "result", result: "in time" });
  assertEquals(await result, "in time");
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("a thread's log and progress reach the context; what cannot be read is ignored", async () => {
  const { listener, result, said } = begin();
  for (const strange of [null, 5, {}, { kind: "run" }, { kind: "progress", percent: "x" }]) {
    listener.onMessage(strange);
  }
  listener.onMessage({ kind: "log", level: "loud", message: "m", details: { a: 1 } });
  listener.onMessage({ kind: "progress", percent: 5, message: "p" });
  listener.onMessage({ kind: "result", result: null });
  await result;
  assertEquals(said, [["info", "m", { a: 1 }], [5, "p"]]);
});

Deno.test("errors keep their meaning across threads", async () => {
  const thrown = async (image: unknown): Promise<Error> => {
    const { listener, result } = begin();
    listener.onMessage({ kind: "thrown", thrown: image });
    return await assertRejects(() => result, Error);
  };
  const permanent = await thrown({ name: "PermanentError", message: "no", stack: "there" });
  assert(permanent instanceof PermanentError);
  assertEquals([permanent.message, permanent.stack], ["no", "there"]);
  const later = await thrown({ name: "RetryAfterError", message: "busy", delayMs: 7 });
  assert(later instanceof RetryAfterError);
  assertEquals(later.delayMs, 7);
  const lying = await thrown({ name: "RetryAfterError", message: "busy", delayMs: -7 });
  assertEquals([lying.name, lying.message], ["Error", "busy"]);
  assertEquals((await thrown({ name: "TypeError", message: "bad" })).name, "TypeError");
});

Deno.test("a thread that ends by itself fails the attempt with the reason", async () => {
  const { listener, result } = begin();
  listener.onEnd("it closed itself");
  await assertRejects(() => result, Error, "The handler's thread ended: it closed itself");
});

Deno.test("the thread's side tells errors that nobody catches, and which class they had", () => {
  const told: unknown[] = [];
  const listeners = new Map<string, (event: ThreadEvent) => void>();
  const scope: ThreadScope = {
    postMessage: (message) => void told.push(message),
    addEventListener: (type, listener) => void listeners.set(type, listener),
  };
  serveHandler(scope, { f: () => 1 }, { name: "f", checksPayload: false, hasPermissions: false });
  let prevented = 0;
  const preventDefault = (): void => void prevented++;
  listeners.get("error")!({ error: new RetryAfterError(5), preventDefault });
  listeners.get("unhandledrejection")!({ reason: "a text", preventDefault });
  assertEquals(prevented, 2);
  const [loaded, first, second] = told as { kind: string; thrown: Record<string, unknown> }[];
  assertEquals([loaded!.kind, first!.kind, second!.kind], ["loaded", "thrown", "thrown"]);
  assertEquals([first!.thrown.name, first!.thrown.delayMs], ["RetryAfterError", 5]);
  assertEquals(second!.thrown, { name: "Error", message: "a text" });
});

Deno.test("a thread that was asked whether it is there does not take that for its parents' results", async () => {
  const told: unknown[] = [];
  const listeners = new Map<string, (event: ThreadEvent) => void>();
  const scope: ThreadScope = {
    postMessage: (message) => void told.push(message),
    addEventListener: (type, listener) => void listeners.set(type, listener),
  };
  const hear = (data: unknown): void =>
    listeners.get("message")!({ data, preventDefault: (): void => {} });
  const f: Handler = async (_task, context) => (await context.parentResults()).length;
  serveHandler(scope, { f }, { name: "f", checksPayload: false, hasPermissions: false });
  hear({ kind: "run", task: { id: 1 }, runId: "r", attempt: 1, deadline: null });
  hear(new ArrayBuffer(1));
  hear({ kind: "parents", results: [{ id: 2 }] });
  await settle();
  assertEquals(told, [
    { kind: "loaded", problem: null, options: {} },
    { kind: "parents" },
    { kind: "result", result: 1 },
  ]);
});

Deno.test("isolatedHandler() refuses a module without an absolute URL, and an export without a name", () => {
  const tools = { threads: denoThreads, clock: new FakeClock() };
  const wrong = [{ module: "./m.ts" }, { module: "./m.ts", function: "f" }, { function: "f" }];
  for (const source of wrong) {
    assertThrows(() => isolatedHandler(source as HandlerSource, tools), TypeError, "absolute URL");
  }
  const nameless = { module: import.meta.url } as HandlerSource;
  assertThrows(() => isolatedHandler(nameless, tools), TypeError, "the name of an export");
});

Deno.test("an export that is missing fails its task at once", async () => {
  const { listener, result } = begin();
  listener.onMessage({ kind: "loaded", problem: "it exports no f" });
  await assertRejects(() => result, PermanentError, "it exports no f");
});
