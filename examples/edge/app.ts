/**
 * An application in a fetch handler, with its queue inside: for a place that has no file system. Nothing here names a platform;
 * `durable_object.ts` and `docs/edge.md` start it in workerd, Node and a browser's tab.
 */
import { Hono } from "hono";
import { z } from "zod";
import { createApp } from "../../server/app.ts";
import {
  type EmbeddedQueue,
  HandlerRegistry,
  MemoryLogStore,
  openQueueWith,
  type SqlEngine,
  Worker,
} from "../../src/core.ts";
import type { KeyValueStorage } from "./key_value_storage.ts";

/** What differs from place to place. */
export interface EdgeParts {
  /** SQLite, as `loadSqlEngine` gives it. */
  readonly engine: SqlEngine;
  /** Where the tasks are kept; without it they are gone when this process is. */
  readonly storage?: KeyValueStorage;
}

/** The application while it is open. */
export interface Edge {
  readonly app: Hono;
  readonly queue: EmbeddedQueue;
  /** How many handlers run now. */
  runningCount(): number;
  /** Waits for the handlers that run, ten seconds at most, and closes the queue. */
  close(): Promise<void>;
}

/** The work of this application. */
export function createHandlers(): HandlerRegistry {
  const text = z.strictObject({ text: z.string() });
  return new HandlerRegistry()
    .register("count_words", ({ payload }, { log }) => {
      const words = payload.text.split(/\s+/).filter((word: string) => word !== "").length;
      log("info", `${words} words`);
      return { words };
    }, { description: "Counts the words of a text", payload: text })
    .register("tidy", () => ({ tidied: true }), { description: "What a schedule starts" });
}

/** Opens the queue with a worker, and makes the application: `GET /` is its own page, the queue's API is below `/tasks`. */
export async function openEdge({ engine, storage }: EdgeParts): Promise<Edge> {
  const queue = await openQueueWith({ engine, storage });
  const logs = new MemoryLogStore();
  const handlers = createHandlers();
  const worker = new Worker({ queue, logs, handlers });
  worker.start();
  const app = new Hono();
  app.use(async (_c, next) => {
    await next();
    await storage?.written(); // nothing is answered that the store does not have
  });
  app.get("/", (c) => c.text("The application's own page"));
  app.route("/tasks", createApp({ queue, handlers, logs }));
  const close = async (): Promise<void> => {
    await worker.stop({ graceMs: 10_000 });
    await queue.close();
  };
  return { app, queue, runningCount: () => worker.runningCount, close };
}
