/**
 * A queue behind a server, for tests: the app over a queue in memory, asked through a function or over a real socket, and a network
 * that can lose what a test says.
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { createApp } from "../../server/app.ts";
import type { QueueOptions } from "../../src/compose/queue_options.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import { openRemoteQueue } from "../../src/remote_queue/open_remote_queue.ts";
import type { RemoteQueue } from "../../src/remote_queue/remote_queue.ts";
import type { RemoteQueueOptions } from "../../src/remote_queue/remote_options.ts";
import { MemoryLogStore } from "../../src/worker/memory_log_store.ts";
import type { FakeClock } from "../support/fake_clock.ts";
import { withMemoryQueue } from "../support/queues.ts";

/** The largest body: a batch of the contract's has a quarter of a million parents. */
const BODY_MAX_BYTES = 32 * 1024 * 1024;

/** What a test is given. */
export interface RemoteWorld {
  readonly remote: RemoteQueue;
  /** The queue behind the server. */
  readonly queue: EmbeddedQueue;
  readonly clock: FakeClock;
  readonly logs: MemoryLogStore;
  readonly app: OpenAPIHono;
  /** What the remote queue was told of in the background. */
  readonly reported: unknown[];
}

/** Passes a request on by `send`, or not, and its answer, or another. */
export type Network = (
  request: Request,
  send: (request: Request) => Promise<Response>,
) => Promise<Response>;

/** What `fetch` throws when a connection breaks. */
export function broken(): TypeError {
  return new TypeError("error sending request", { cause: new Error("connection reset") });
}

/** How a world is made. */
export interface WorldOptions extends QueueOptions {
  /** Whether requests go over a socket on 127.0.0.1; default false. */
  readonly isSocket?: boolean;
  /** What lies between the two; default nothing. */
  readonly network?: Network;
  /** Options of the remote queue. */
  readonly remote?: Partial<RemoteQueueOptions>;
}

/** Runs `test` with a remote queue; closes everything afterwards. */
export async function withRemote(
  { isSocket = false, network, remote: remoteOptions, ...options }: WorldOptions,
  test: (world: RemoteWorld) => Promise<void>,
): Promise<void> {
  await withMemoryQueue(options, async (queue, clock) => {
    const logs = new MemoryLogStore();
    const closing = new AbortController();
    const app = createApp({
      queue,
      logs,
      bodyMaxBytes: BODY_MAX_BYTES,
      closing: closing.signal,
      onError: () => {},
    });
    const server = isSocket
      ? Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch)
      : undefined;
    const send = async (request: Request): Promise<Response> =>
      server === undefined ? await app.fetch(request) : await fetch(request);
    const reported: unknown[] = [];
    const remote = openRemoteQueue({
      url: `http://127.0.0.1:${server?.addr.port ?? 1}`,
      fetch: network === undefined ? send : (request) => network(request, send),
      onBackgroundError: (error) => reported.push(error),
      ...remoteOptions,
    });
    try {
      await test({ remote, queue, clock, logs, app, reported });
    } finally {
      await remote.close();
      closing.abort();
      await server?.shutdown();
    }
  });
}
