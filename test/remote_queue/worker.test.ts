/**
 * Workers over HTTP, with a real server on a socket of 127.0.0.1.
 */
import { assert, assertEquals } from "@std/assert";
import { createApp } from "../../server/app.ts";
import { openQueue } from "../../src/compose/open_queue.ts";
import { systemClock } from "../../src/domain/clock.ts";
import type { Task } from "../../src/domain/task.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import { openRemoteQueue } from "../../src/remote_queue/open_remote_queue.ts";
import type { RemoteQueue } from "../../src/remote_queue/remote_queue.ts";
import type { RemoteQueueOptions } from "../../src/remote_queue/remote_options.ts";
import { type Handler, HandlerRegistry } from "../../src/worker/handler_registry.ts";
import { MemoryLogStore } from "../../src/worker/memory_log_store.ts";
import { Worker } from "../../src/worker/worker.ts";
import type { WorkerEvent } from "../../src/worker/worker_log.ts";
import { until } from "../support/until.ts";

/** A machine with a queue, whose server can be stopped and started again on the same port. */
class Host {
  readonly queue: EmbeddedQueue;
  readonly logs = new MemoryLogStore();
  #port = 0;
  #server: Deno.HttpServer<Deno.NetAddr> | undefined;
  #closing = new AbortController();

  constructor(queue: EmbeddedQueue) {
    this.queue = queue;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  start(): void {
    this.#closing = new AbortController();
    const { queue, logs } = this;
    const app = createApp({ queue, logs, closing: this.#closing.signal, onError: () => {} });
    const place = { hostname: "127.0.0.1", port: this.#port, onListen: () => {} };
    this.#server = Deno.serve(place, app.fetch);
    this.#port = this.#server.addr.port;
  }

  async stop(): Promise<void> {
    this.#closing.abort();
    await this.#server?.shutdown();
    this.#server = undefined;
  }
}

interface Scene {
  readonly host: Host;
  readonly remote: RemoteQueue;
  readonly worker: Worker;
  readonly events: WorkerEvent[];
  /** The task once it is as it should be. */
  task(id: number, status: Task["status"]): Promise<Task>;
}

type SceneOptions = Partial<RemoteQueueOptions> & { readonly leaseDurationMs?: number };

/** A host, and a started worker elsewhere with one handler for type `t`. */
async function withScene(
  handler: Handler,
  { leaseDurationMs = 2000, ...options }: SceneOptions,
  test: (scene: Scene) => Promise<void>,
): Promise<void> {
  const queue = await openQueue({ memory: true });
  const host = new Host(queue);
  host.start();
  const remote = openRemoteQueue({ url: host.url, onBackgroundError: () => {}, ...options });
  const events: WorkerEvent[] = [];
  const worker = new Worker({
    queue: remote,
    logs: remote.logs,
    clock: remote.clock,
    handlers: new HandlerRegistry().register("t", handler),
    workerId: "far",
    leaseDurationMs,
    onEvent: (event) => void events.push(event),
  });
  const task = async (id: number, status: Task["status"]): Promise<Task> => {
    await until(async () => (await queue.get(id))?.status === status, `task ${id} to be ${status}`);
    return (await queue.get(id))!;
  };
  worker.start();
  try {
    await test({ host, remote, worker, events, task });
  } finally {
    await worker.stop({ graceMs: 0 });
    await remote.close();
    await host.stop();
    await queue.close();
  }
}

Deno.test("a worker without a database runs tasks of another machine, and tells progress, lines and results", () =>
  withScene(
    (task, context) => {
      context.log("info", "working", { payload: task.payload });
      context.progress(50, "half");
      return { got: task.payload };
    },
    {},
    async ({ host, task }) => {
      const { id } = (await host.queue.enqueue({ type: "t", payload: { n: 1 } })).task;
      const done = await task(id, "completed");
      assertEquals([done.result, done.lockedBy, done.attempts], [{ got: { n: 1 } }, "far", 1]);
      const { lines } = await host.logs.read(id, 0);
      assertEquals(lines.map(({ message, details }) => [message, details]), [
        ["working", { payload: { n: 1 } }],
      ]);
      const [listed] = await host.queue.listWorkers();
      assertEquals([listed!.workerId, listed!.types], ["far", ["t"]]);
    },
  ));

Deno.test("a worker far away notices within a second that its task was cancelled", async () => {
  const aborted = Promise.withResolvers<number>();
  const started = Promise.withResolvers<void>();
  const handler: Handler = (_task, { signal }) => {
    started.resolve();
    return new Promise((_resolve, reject) =>
      signal.addEventListener("abort", () => {
        aborted.resolve(performance.now());
        reject(signal.reason);
      })
    );
  };
  await withScene(handler, {}, async ({ host, events }) => {
    const { id } = (await host.queue.enqueue({ type: "t" })).task;
    await started.promise;
    const cancelledAt = performance.now();
    assertEquals(await host.queue.cancel(id), true);
    assert(await aborted.promise - cancelledAt < 1000);
    await until(() => events.some(({ kind }) => kind === "cancelled"), "the report");
    await until(async () => (await host.logs.read(id, 0)).lines.length === 1, "its last line");
    assertEquals((await host.logs.read(id, 0)).lines[0]!.message, "Cancelled by user");
  });
});

Deno.test("a server that is away for a while costs a worker nothing but time", async () => {
  const [started, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const handler: Handler = async () => {
    started.resolve();
    await goOn.promise;
    return "done";
  };
  await withScene(handler, { resendForMs: 200 }, async ({ host, task, events }) => {
    const first = (await host.queue.enqueue({ type: "t" })).task;
    await started.promise;
    await host.stop();
    goOn.resolve();
    await until(() => events.some(({ kind }) => kind === "error"), "the worker to notice");
    host.start();
    const done = await task(first.id, "completed");
    assertEquals([done.attempts, done.leaseToken], [1, 1]);
    const second = (await host.queue.enqueue({ type: "t" })).task;
    await task(second.id, "completed");
  });
});

Deno.test("a worker whose clock is five minutes wrong keeps its leases, and does not ask without pause", async () => {
  for (const wrongByMs of [300_000, -300_000]) {
    let asked = 0;
    const clock = { ...systemClock, nowMs: () => Date.now() + wrongByMs };
    const counting = (request: Request): Promise<Response> => {
      if (request.url.endsWith("/next-due")) asked++;
      return fetch(request);
    };
    const options = { clock, fetch: counting, leaseDurationMs: 20_000 };
    await withScene(() => "done", options, async (scene) => {
      const { host, remote, task } = scene;
      const runAfter = new Date(Date.now() + 700);
      const later = (await host.queue.enqueue({ type: "t", runAfter })).task;
      const now = (await host.queue.enqueue({ type: "t" })).task;
      assertEquals((await task(now.id, "completed")).attempts, 1);
      assert(Math.abs(remote.clock.nowMs() - Date.now()) < 5000);
      assertEquals((await task(later.id, "completed")).attempts, 1);
      assert(asked < 120, `it was asked ${asked} times`);
    });
  }
});
