/**
 * What a server refuses, and what is none: the errors are those of the queue itself, or name what is wrong with the way to it.
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createApp, createToken, parseTokens, tokenAccess } from "../../server/app.ts";
import { QueueError, QueueFullError, StorageError } from "../../src/domain/errors.ts";
import { openRemoteQueue } from "../../src/remote_queue/open_remote_queue.ts";
import type { RemoteQueue } from "../../src/remote_queue/remote_queue.ts";
import { ServerTime } from "../../src/remote_queue/server_time.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { withMemoryQueue } from "../support/queues.ts";
import { broken, withRemote } from "./remote_fixture.ts";

const URL_HERE = "http://127.0.0.1:1/tasks";

/** A remote queue whose server answers like this. */
async function answering(
  answer: () => Response | Promise<Response>,
  test: (queue: RemoteQueue) => Promise<void>,
): Promise<void> {
  const queue = openRemoteQueue({
    url: `${URL_HERE}/`,
    resendForMs: 0,
    fetch: () => Promise.resolve(answer()),
  });
  try {
    await test(queue);
  } finally {
    await queue.close();
  }
}

Deno.test("what is wrong with the server, the way to it or the token is a StorageError that says it", async () => {
  const json = (status: number, error_code: string, detail: string): () => Response => () =>
    Response.json({ detail, error_code, timestamp: "" }, { status });
  const cases: readonly [() => Response | Promise<Response>, string, string][] = [
    [() => Promise.reject(broken()), "ask", "there is no answer (connection reset)"],
    [() => new Response("hello"), "understand", "not as Holdfast does"],
    [() => new Response("<html>", { status: 404 }), "understand", "the server answers 404"],
    [() => Response.json({ tasks: 1 }), "understand", "where a number is needed"],
    [() => new Response("busy", { status: 502 }), "ask", "the server answers 502"],
    [json(503, "QUEUE_UNAVAILABLE", "try later"), "ask", "try later"],
    [json(401, "UNAUTHORIZED", "a known token is needed"), "log in to", "a known token"],
    [json(403, "FORBIDDEN", "scope read is needed"), "act on", "scope read"],
  ];
  for (const [answer, operation, reason] of cases) {
    await answering(answer, async (queue) => {
      const error = await assertRejects(() => queue.stats(), StorageError, reason);
      assertEquals([error.operation, error.path], [operation, URL_HERE]);
      assertEquals(error.isInDoubt, false);
    });
  }
});

Deno.test("what the queue refuses is refused with its own error", async () => {
  await withRemote({ payloadMaxBytes: 100, memoryMaxBytes: 1024 * 1024 }, async (world) => {
    const { remote, queue } = world;
    for (const each of [remote, queue]) {
      const large = { type: "t", payload: "x".repeat(200) };
      const error = await assertRejects(() => each.enqueue(large), RangeError);
      assertEquals(error.message, "Cannot accept payload of 202 bytes: at most 100 are allowed");
    }
    const stale = { taskId: 7, workerId: "w", leaseToken: 1 };
    const [there, here] = await Promise.all(
      [remote, queue].map((each) => assertRejects(() => each.renew(stale), QueueError)),
    );
    assertEquals([there!.code, there!.message], [here!.code, here!.message]);
  });
});

Deno.test("a server that keeps no logs is told no more of them, and says so once", () =>
  withMemoryQueue({}, async (queue) => {
    const app = createApp({ queue });
    const reported: unknown[] = [];
    const remote = openRemoteQueue({
      url: "http://127.0.0.1",
      fetch: async (request) => await app.fetch(request),
      onBackgroundError: (error) => reported.push(error),
    });
    for (let n = 0; n < 2; n++) {
      await remote.enqueue({ type: "t" });
      const [task] = await remote.claim({ workerId: "w", types: ["t"] });
      const at = new Date(0).toISOString();
      remote.logs.append(task!.id, { at, level: "info", message: "hello", attempt: 1 });
      assertEquals((await remote.complete(task!)).status, "completed");
    }
    assertEquals(reported.length, 1);
    await remote.close();
  }));

Deno.test("a full queue says how full it is", async () => {
  const full = { detail: "full", error_code: "QUEUE_FULL", used_bytes: 9, mark_bytes: 8 };
  await answering(() => Response.json(full, { status: 507 }), async (queue) => {
    const error = await assertRejects(() => queue.enqueue({ type: "t" }), QueueFullError);
    assertEquals([error.code, error.usedBytes, error.markBytes], ["queue_full", 9, 8]);
  });
});

Deno.test("openRemoteQueue() refuses what is no address, and a token that cannot be sent without repeating it", () => {
  for (const url of ["nowhere", "ftp://host", "http://user:secret@host", "http://host/?a=1"]) {
    const error = assertThrows(() => openRemoteQueue({ url }), TypeError);
    assertEquals(error.message.includes("secret"), false);
  }
  const error = assertThrows(
    () => openRemoteQueue({ url: "http://host", token: "sec ret" }),
    TypeError,
  );
  assertEquals(error.message.includes("sec ret"), false);
  assertThrows(() => openRemoteQueue({ url: "http://host", requestTimeoutMs: 1 }), RangeError);
});

Deno.test("a token opens what its scopes say, and no error repeats it", () =>
  withMemoryQueue({}, async (queue) => {
    const { token, line } = await createToken("reader", ["read"]);
    const app = createApp({ queue, access: tokenAccess(await parseTokens(line)) });
    const send = async (request: Request): Promise<Response> => await app.fetch(request);
    const remote = openRemoteQueue({ url: "http://127.0.0.1", token, fetch: send });
    assertEquals((await remote.stats()).total, 0);
    const error = await assertRejects(() => remote.enqueue({ type: "t" }), StorageError, "scope");
    assertEquals(error.message.includes(token), false);
    await remote.close();
  }));

Deno.test("the server's time is taken for what it is: minutes matter, the header's seconds do not", () => {
  const clock = new FakeClock(Date.UTC(2026, 0, 1));
  const time = new ServerTime(clock);
  const note = (offMs: number): void =>
    time.note(new Date(clock.nowMs() + offMs).toUTCString(), clock.nowMs());
  const aheadMs = (): number => time.nowMs() - clock.nowMs();
  note(1000);
  assertEquals(aheadMs(), 0);
  note(300_000);
  assertEquals(aheadMs(), 300_500);
  note(301_000);
  assertEquals(aheadMs(), 300_500);
  time.note(null, clock.nowMs());
  time.note("yesterday", clock.nowMs());
  assertEquals(aheadMs(), 300_500);
  note(0);
  assertEquals(aheadMs(), 0);
});
