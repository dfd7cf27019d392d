/**
 * An HTTP server with the run endpoint: BACKEND PATH. Says its port; ends when its input does.
 */
import { Hono } from "hono";
import { createApp } from "../../server/app.ts";
import {
  BackgroundTaskManager,
  createRun,
  HandlerRegistry,
  openQueue,
  type QueueOptions,
  RunRegistry,
} from "../../src/mod.ts";
import { RESULT, TYPE } from "../contenders/contender.ts";
import { heard, say } from "./talk.ts";

/** What keeps the runs. */
export type Backend = "full" | "relaxed" | "memory" | "manager";

interface Served {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly close: () => Promise<void>;
}

async function main(): Promise<void> {
  const [backend, path] = Deno.args as [Backend, string];
  const { fetch, close } = backend === "manager" ? serveManager() : await serveQueue(backend, path);
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: ({ port }) => say(port) },
    fetch,
  );
  for await (const _ of heard());
  await server.shutdown();
  await close();
}

async function serveQueue(backend: Exclude<Backend, "manager">, path: string): Promise<Served> {
  const options: QueueOptions = backend === "memory"
    ? { memory: true }
    : { path, durability: backend };
  const queue = await openQueue(options);
  const handlers = new HandlerRegistry();
  handlers.register(TYPE, () => Promise.resolve(RESULT));
  const app = createApp({ queue, handlers });
  return { fetch: (request) => app.fetch(request), close: () => queue.close() };
}

/** What an application without Holdfast would do: a bare route that starts a run in memory. */
function serveManager(): Served {
  const manager = new BackgroundTaskManager(new RunRegistry());
  const app = new Hono();
  app.post("/api/modules/:id/run", async (c) => {
    const { parameters } = await c.req.json();
    const moduleId = c.req.param("id");
    const run = createRun({ runId: crypto.randomUUID(), moduleId, parameters });
    manager.startTask(run, () => Promise.resolve(RESULT));
    return c.json(run, 202);
  });
  return { fetch: (request) => app.fetch(request), close: () => manager.close() };
}

if (import.meta.main) await main();
