/**
 * Event streams and waiting requests: nothing is missed, nothing comes twice, and whoever goes leaves nothing behind.
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { assert, assertEquals } from "@std/assert";
import {
  type LogLine,
  type LogStore,
  MemoryLogStore,
  openLogStore,
  type Task,
  type TaskQueue,
} from "../../src/mod.ts";
import { type AppOptions, createApp } from "../../server/app.ts";
import { LogPageSchema } from "../../server/logs/schemas.ts";
import { RunSchema } from "../../server/runs/schemas.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { withTemporaryPath } from "../support/queues.ts";
import { openTestQueue } from "../support/engine.ts";
import { until } from "../support/until.ts";
import { EventReader, type ReadEvent } from "./event_reader.ts";
import { claimOne, read } from "./fixture.ts";

/** An app whose time stands still, and what waits in it. */
interface World {
  readonly app: OpenAPIHono;
  readonly queue: TaskQueue;
  readonly logs: LogStore;
  readonly clock: FakeClock;
  /** Watchers on the queue now. */
  readonly watchers: () => number;
}

async function withWorld(
  test: (world: World) => Promise<void>,
  { logs = new MemoryLogStore(), ...options }: Partial<AppOptions> = {},
): Promise<void> {
  const opened = await openTestQueue();
  let watchers = 0;
  const queue = new Proxy(opened, {
    get: (target, name: keyof TaskQueue) => {
      if (name !== "watch") return target[name]?.bind(target);
      return (listener: Parameters<TaskQueue["watch"]>[0]) => {
        watchers++;
        const stop = target.watch(listener);
        return () => {
          watchers--;
          stop();
        };
      };
    },
  });
  const clock = new FakeClock();
  try {
    const app = createApp({ queue, logs, clock, onError: () => {}, ...options });
    await test({ app, queue, logs, clock, watchers: () => watchers });
    await settle();
    assertEquals([watchers, clock.pendingTimers], [0, 0], "watchers and timers are left behind");
  } finally {
    await opened.close();
  }
}

function line(n: number): LogLine {
  return { at: "2026-01-31T12:00:00.000Z", level: "info", message: `line ${n}`, attempt: 1 };
}

async function openStream(app: OpenAPIHono, path: string, lastId?: string): Promise<EventReader> {
  const headers: HeadersInit = lastId === undefined ? {} : { "Last-Event-ID": lastId };
  return new EventReader(await app.request(path, { headers }));
}

const STREAM = "/api/runs/r1/logs/stream";

async function leasedRun({ queue }: World): Promise<Task> {
  await queue.enqueue({ type: "t", runId: "r1" });
  return await claimOne(queue, "t");
}

function names(events: readonly ReadEvent[]): string[] {
  return events.map(({ event, data }) =>
    event === "log" ? data.message : `${event} ${data.status}`
  );
}

Deno.test("/logs/stream tells what was and what comes, and ends by itself", () =>
  withWorld(async (world) => {
    const { app, queue, logs, clock } = world;
    await queue.enqueue({ type: "t", runId: "r1" });
    const stream = await openStream(app, STREAM);
    const seen = [(await stream.next())!];
    const task = await claimOne(queue, "t");
    seen.push((await stream.next())!);
    logs.append(task.id, line(1));
    await clock.advance(400);
    seen.push((await stream.next())!);
    await queue.reportProgress(task, 50, "half-way");
    seen.push((await stream.next())!);
    logs.append(task.id, line(2));
    await queue.complete(task, { sent: true });
    seen.push(...await stream.rest());
    assertEquals(names(seen), [
      "status queued",
      "status running",
      "line 1",
      "status running",
      "line 2",
      "status completed",
      "complete completed",
    ]);
    assertEquals([seen[3]!.data.progress_percent, seen[3]!.data.progress_message], [
      50,
      "half-way",
    ]);
    assertEquals(RunSchema.strict().parse(seen.at(-1)!.data).result, { sent: true });
  }));

for (const kind of ["memory", "files"] as const) {
  Deno.test(`a reader dropped at every event, who goes on, sees each line exactly once (${kind})`, () => {
    const test = (logs: LogStore): Promise<void> =>
      withWorld(async (world) => {
        const task = await leasedRun(world);
        const seen: ReadEvent[] = [];
        let lastId: string | undefined;
        for (let n = 1; n <= 40 || seen.at(-1)?.event !== "complete"; n++) {
          assert(n < 200, `it never ends: ${names(seen)}`);
          // Lines come in ones and in bursts, while the reader is there and while it is away.
          for (let i = 0; i < n % 4 && n <= 40; i++) world.logs.append(task.id, line(n * 10 + i));
          if (n === 40) await world.queue.complete(task);
          // Each time another server, as after a crash.
          const { queue, clock } = world;
          const app = createApp({ queue, clock, logs: world.logs });
          const stream = await openStream(app, STREAM, lastId);
          const next = stream.next();
          await settle();
          if (n % 4 === 0 && n < 40) world.logs.append(task.id, line(n * 10));
          await world.clock.advance(400);
          const event = (await next)!;
          await stream.drop();
          seen.push(event);
          lastId = event.id ?? lastId;
        }
        const written = (await world.logs.read(task.id, 0)).lines.map(({ message }) => message);
        assert(written.length >= 60, `${written.length} lines`);
        const logged = seen.filter(({ event }) => event === "log");
        assertEquals(logged.map(({ data }) => data.message), written);
        assertEquals(names(seen).filter((name) => !name.startsWith("line")), [
          "status running",
          "status completed",
          "complete completed",
        ]);
        const over = await world.app.request(STREAM, { headers: { "Last-Event-ID": lastId! } });
        assertEquals([over.status, await over.text()], [204, ""]);
      }, { logs });
    return kind === "memory"
      ? test(new MemoryLogStore())
      : withTemporaryPath((path) => test(openLogStore(path)));
  });
}

Deno.test("a cursor that leads into the middle of a line is refused", () =>
  withTemporaryPath((path) =>
    withWorld(async (world) => {
      const task = await leasedRun(world);
      world.logs.append(task.id, line(1));
      for (const cursor of ["5-0", "5-1", "x", "-1-0"]) {
        const headers = { "Last-Event-ID": cursor };
        await refusedBy422(await world.app.request(STREAM, { headers }));
        await refusedBy422(await world.app.request(`/api/runs/r1/logs?cursor=${cursor}`));
      }
    }, { logs: openLogStore(path) })
  ));

async function refusedBy422(response: Response): Promise<void> {
  assertEquals([response.status, (await response.json()).error_code], [422, "VALIDATION_ERROR"]);
}

Deno.test("a retried run goes on after its complete event", () =>
  withWorld(async (world) => {
    const task = await leasedRun(world);
    await world.queue.cancel(task.id);
    const first = await (await openStream(world.app, STREAM)).rest();
    assertEquals(names(first), ["status cancelled", "complete cancelled"]);
    await world.queue.retry(task.id);
    const stream = await openStream(world.app, STREAM, first.at(-1)!.id);
    assertEquals(names([(await stream.next())!]), ["status queued"]);
    await stream.drop();
  }));

Deno.test("a silent stream sends a comment now and then", () =>
  withWorld(async (world) => {
    await leasedRun(world);
    const stream = await openStream(world.app, STREAM);
    await stream.next();
    for (let n = 0; n < 3; n++) {
      const next = stream.next();
      await settle();
      await world.clock.advance(15_100);
      assertEquals((await next)!.event, "comment");
    }
    await stream.drop();
  }));

Deno.test("200 followers of one run share one watcher, and all end", () =>
  withWorld(async (world) => {
    const task = await leasedRun(world);
    world.logs.append(task.id, line(1));
    const streams = await Promise.all(
      Array.from({ length: 200 }, () => openStream(world.app, STREAM)),
    );
    const all = streams.map((stream) => stream.rest());
    await settle();
    assertEquals(world.watchers(), 1);
    world.logs.append(task.id, line(2));
    await world.queue.complete(task);
    for (const events of await Promise.all(all)) {
      assertEquals(names(events).filter((name) => name.startsWith("line")), ["line 1", "line 2"]);
      assertEquals(events.at(-1)!.event, "complete");
    }
  }));

Deno.test("a stream that is never read costs nothing", () =>
  withWorld(async (world) => {
    await leasedRun(world);
    const head = await world.app.request(STREAM, { method: "HEAD" });
    assertEquals([head.status, await head.text()], [200, ""]);
    assertEquals([world.watchers(), world.clock.pendingTimers], [0, 0]);
  }));

Deno.test("a reader that goes while an event comes is no error, whatever of the two is first", async () => {
  const told: unknown[] = [];
  await withWorld(async ({ app, queue }) => {
    for (let turns = 0; turns < 10; turns++) {
      const reader = (await app.request("/api/queue/changes")).body!.getReader();
      await reader.read();
      await reader.read();
      const next = reader.read();
      await settle();
      await queue.enqueue({ type: "t" });
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      await reader.cancel();
      await next;
      await settle();
    }
  }, { onError: (cause) => told.push(cause) });
  assertEquals(told, []);
});

Deno.test("over a real connection, a client that goes away leaves no watcher and no timer", () =>
  withWorld(async (world) => {
    const task = await leasedRun(world);
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      world.app.fetch,
    );
    const origin = `http://127.0.0.1:${server.addr.port}`;
    for (const path of [STREAM, "/api/events"]) {
      const clients = Array.from({ length: 5 }, () => new AbortController());
      const readers = await Promise.all(clients.map(async ({ signal }) => {
        const reader = new EventReader(await fetch(`${origin}${path}`, { signal }));
        const first = reader.next();
        await world.queue.reportProgress(task, Math.random() * 100);
        if (path === STREAM) await first;
        return { reader, first };
      }));
      await until(() => world.clock.pendingTimers >= 5, "the streams");
      assertEquals(world.watchers(), 1);
      for (const client of clients) client.abort();
      await Promise.allSettled(readers.map(({ first }) => first));
      // What is gone is noticed at the next write at the latest.
      await until(async () => {
        await world.clock.advance(15_100);
        return world.watchers() === 0 && world.clock.pendingTimers === 0;
      }, `${path} to be left`);
    }
    await server.shutdown();
  }));

Deno.test("200 followers over real connections all end, and see every line", () =>
  withWorld(async (world) => {
    const task = await leasedRun(world);
    const { app, clock, logs, queue } = world;
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
    const url = `http://127.0.0.1:${server.addr.port}${STREAM}`;
    const readers = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const reader = new EventReader(await fetch(url));
        assertEquals((await reader.next())!.event, "status");
        return reader;
      }),
    );
    for (let n = 0; n < 20; n++) {
      logs.append(task.id, line(n));
      await clock.advance(250);
    }
    await queue.complete(task);
    const expected = Array.from({ length: 20 }, (_, n) => `line ${n}`);
    for (const events of await Promise.all(readers.map((reader) => reader.rest()))) {
      assertEquals(names(events).slice(0, 20), expected);
      assertEquals(events.at(-1)!.event, "complete");
    }
    await server.shutdown();
  }));

Deno.test("/api/events tells every transition exactly once to a reader who was away", () =>
  withWorld(async ({ app, queue }) => {
    await queue.enqueue({ type: "t", runId: "before" });
    const first = await openStream(app, "/api/events");
    const begun = first.next();
    await settle();
    await queue.enqueue({ type: "t", runId: "r1" });
    const enqueued = (await begun)!;
    assertEquals([enqueued.data.run_id, enqueued.data.kind], ["r1", "enqueued"]);
    await first.drop();
    await queue.cancel(1);
    const task = await claimOne(queue, "t");
    await queue.complete(task);
    const seen: string[] = [];
    let lastId = enqueued.id!;
    for (let n = 0; n < 3; n++) {
      const stream = await openStream(app, "/api/events", lastId);
      const event = (await stream.next())!;
      await stream.drop();
      seen.push(`${event.data.run_id} ${event.data.kind}`);
      lastId = event.id!;
    }
    assertEquals(seen, ["before cancelled", "r1 leased", "r1 completed"]);
  }));

Deno.test("/api/events tells what comes in bursts once and in order within one connection", () =>
  withWorld(async ({ app, queue }) => {
    const stream = await openStream(app, "/api/events", "0");
    const told: number[] = [];
    for (const count of [1, 250, 3]) {
      await queue.enqueueBatch(Array.from({ length: count }, () => ({ type: "t" })));
      for (let n = 0; n < count; n++) told.push((await stream.next())!.data.task_id);
    }
    const silent = stream.next();
    await settle();
    await stream.drop();
    assertEquals(await silent, undefined);
    assertEquals(told, Array.from({ length: 254 }, (_, n) => n + 1));
  }));

Deno.test("streams beyond streamsMax are refused until one ends", () =>
  withWorld(async (world) => {
    await leasedRun(world);
    const streams = [
      await openStream(world.app, STREAM),
      await openStream(world.app, "/api/events"),
    ];
    await streams[0]!.next();
    const pending = streams[1]!.next();
    await settle();
    for (const path of [STREAM, "/api/events", "/api/runs/r1?wait=10s"]) {
      const refused = await world.app.request(path);
      assertEquals([refused.status, refused.headers.get("Retry-After")], [503, "5"], path);
      assertEquals((await refused.json()).error_code, "TOO_MANY_STREAMS");
    }
    await streams[0]!.drop();
    const again = await openStream(world.app, STREAM);
    await again.next();
    await again.drop();
    await streams[1]!.drop();
    await pending;
  }, { streamsMax: 2 }));

Deno.test("closing ends every stream and every waiting request", () => {
  const closing = new AbortController();
  return withWorld(async (world) => {
    const task = await leasedRun(world);
    const streams = [
      await openStream(world.app, STREAM),
      await openStream(world.app, "/api/events"),
    ];
    const ends = streams.map((stream) => stream.rest());
    const waiting = world.app.request("/api/runs/r1?wait=60s");
    await settle();
    closing.abort();
    assertEquals(names((await Promise.all(ends)).flat()), ["status running"]);
    assertEquals((await read(await waiting, 200, RunSchema)).status, "running");
    await world.queue.complete(task);
  }, { closing: closing.signal });
});

Deno.test("GET /runs/{id}?wait= answers when the run is over, or as it is in the end", () =>
  withWorld(async (world) => {
    const { app, queue, clock } = world;
    const task = await leasedRun(world);
    const early = app.request("/api/runs/r1?wait=30s");
    await settle();
    await clock.advance(29_000);
    await queue.reportProgress(task, 10);
    await clock.advance(1000);
    assertEquals((await read(await early, 200, RunSchema)).status, "running");
    const late = app.request("/api/runs/r1?wait=30s");
    await settle();
    await queue.complete(task, 42);
    assertEquals((await read(await late, 200, RunSchema)).result, 42);
    assertEquals(
      (await read(await app.request("/api/runs/r1?wait=30s"), 200, RunSchema)).result,
      42,
    );
    for (const wait of ["61s", "1h", "30", "-1s", "1.5s"]) {
      await refusedBy422(await app.request(`/api/runs/r1?wait=${wait}`));
    }
  }));

Deno.test("GET /runs/{id}/logs gives the tail, from an instant, and goes on from a cursor", () =>
  withWorld(async (world) => {
    const task = await leasedRun(world);
    for (let n = 0; n < 5; n++) {
      world.logs.append(task.id, { ...line(n), at: `2026-01-31T12:00:0${n}.000Z` });
    }
    const get = async (query: string): Promise<{ messages: string[]; next: string }> => {
      const page = await read(
        await world.app.request(`/api/runs/r1/logs${query}`),
        200,
        LogPageSchema,
      );
      return { messages: page.lines.map(({ message }) => message), next: page.next_cursor };
    };
    assertEquals((await get("")).messages.length, 5);
    assertEquals((await get("?tail=2")).messages, ["line 3", "line 4"]);
    const since = encodeURIComponent("2026-01-31T13:00:03+01:00");
    assertEquals((await get(`?since=${since}`)).messages, ["line 3", "line 4"]);
    const { next } = await get("?tail=1");
    assertEquals((await get(`?cursor=${next}`)).messages, []);
    world.logs.append(task.id, line(5));
    assertEquals((await get(`?cursor=${next}`)).messages, ["line 5"]);
    const text = await (await world.app.request("/api/runs/r1/logs/download")).text();
    assertEquals(text.split("\n")[0], "2026-01-31T12:00:00.000Z info  [1] line 0");
    assertEquals(text.split("\n").length, 7);
  }));

Deno.test("the download of a log is a file whose name is harmless", () =>
  withWorld(async ({ app, queue, logs }) => {
    const { task } = await queue.enqueue({ type: "t", runId: '../a"b;\\c ü' });
    logs.append(task.id, { ...line(1), details: { n: 1 } });
    const path = `/api/runs/${encodeURIComponent(task.runId)}/logs/download?format=ndjson`;
    const response = await app.request(path);
    assertEquals(
      response.headers.get("Content-Disposition"),
      'attachment; filename=".._a_b__c__.ndjson"',
    );
    assertEquals(JSON.parse(await response.text()), { ...line(1), details: { n: 1 } });
  }));

Deno.test("without a log store the streams still tell the status, and the log is LOGS_NOT_KEPT", async () => {
  const queue = await openTestQueue();
  const app = createApp({ queue });
  const { task } = await queue.enqueue({ type: "t", runId: "r1" });
  await queue.cancel(task.id);
  const events = await (await openStream(app, STREAM)).rest();
  assertEquals(names(events), ["status cancelled", "complete cancelled"]);
  for (const path of ["/api/runs/r1/logs", "/api/runs/r1/logs/download"]) {
    const response = await app.request(path);
    assertEquals([response.status, (await response.json()).error_code], [404, "LOGS_NOT_KEPT"]);
  }
  await queue.close();
});
