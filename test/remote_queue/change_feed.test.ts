/**
 * Watching a queue behind a server: every change comes, each of this process once, and what a broken stream missed is made up for.
 */
import { assert, assertEquals } from "@std/assert";
import type { TaskChanges } from "../../src/queue/task_queue.ts";
import { until } from "../support/until.ts";
import { broken, type Network, withRemote } from "./remote_fixture.ts";

/** What a watcher was told, in short. */
class Told {
  readonly all: string[] = [];
  readonly note = (changes: TaskChanges): void => {
    if (typeof changes === "string") this.all.push(changes);
    else for (const { taskId, status } of changes) this.all.push(`${taskId} ${status}`);
  };

  countOf(what: string): number {
    return this.all.filter((each) => each === what).length;
  }

  async until(what: string, count = 1): Promise<void> {
    await until(() => this.countOf(what) >= count, `${what} in ${this.all}`);
  }
}

Deno.test("watch() tells of changes by others, and of its own once, over a socket", () =>
  withRemote({ isSocket: true }, async ({ remote, queue }) => {
    const told = new Told();
    const stop = remote.watch(told.note);
    await told.until("reset");
    await queue.enqueue({ type: "t" });
    await told.until("1 queued");
    const [task] = await remote.claim({ workerId: "w", types: ["t"] });
    await remote.reportProgress(task!, 10);
    await queue.cancel(1);
    await told.until("1 cancelled");
    await remote.enqueue({ type: "t" });
    await queue.enqueue({ type: "t" });
    await told.until("3 queued");
    assertEquals(told.all, [
      "reset",
      "1 queued",
      "1 leased",
      "1 leased",
      "1 cancelled",
      "2 queued",
      "3 queued",
    ]);
    stop();
    const count = told.all.length;
    await remote.enqueue({ type: "t" });
    assertEquals(told.all.length, count);
  }));

Deno.test("a stream that breaks is opened again, and what was missed is told as a reset", async () => {
  let cut: (() => void) | undefined;
  let isDown = false;
  const network: Network = async (request, send) => {
    if (isDown) throw broken();
    const response = await send(request);
    if (!request.url.endsWith("/changes") || response.body === null) return response;
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const over = new AbortController();
    cut = () => over.abort(broken());
    response.body.pipeTo(writable, { signal: over.signal }).catch(() => {});
    return new Response(readable, response);
  };
  await withRemote({ network }, async ({ remote, queue }) => {
    const told = new Told();
    remote.watch(told.note);
    await told.until("reset");
    isDown = true;
    cut!();
    await queue.enqueue({ type: "t" });
    isDown = false;
    await told.until("reset", 2);
    await queue.enqueue({ type: "t" });
    await told.until("2 queued");
    assertEquals(told.countOf("1 queued"), 0);
  });
});

Deno.test("a server that gives no stream is asked again, and watchers look by themselves meanwhile", async () => {
  let refusals = 0;
  const network: Network = async (request, send) => {
    if (!request.url.endsWith("/changes") || refusals >= 2) return await send(request);
    refusals++;
    const error = { detail: "too many", error_code: "TOO_MANY_STREAMS", timestamp: "" };
    return Response.json(error, { status: 503, headers: { "Retry-After": "5" } });
  };
  await withRemote({ network, remote: { clock: hurried() } }, async ({ remote, queue }) => {
    const told = new Told();
    remote.watch(told.note);
    await told.until("reset", 3);
    assertEquals(refusals, 2);
    await queue.enqueue({ type: "t" });
    await told.until("1 queued");
    assert(told.countOf("1 queued") === 1);
  });
});

/** A clock on which every pause is short. */
function hurried(): { nowMs(): number; setTimer(fire: () => void): () => void } {
  return {
    nowMs: () => Date.now(),
    setTimer: (fire) => {
      const timer = setTimeout(fire, 1);
      return () => clearTimeout(timer);
    },
  };
}
