/**
 * Serves the application with a worker in the same process:
 *
 * ```sh
 * deno run --allow-read --allow-write --allow-env --allow-net=127.0.0.1 examples/hono_embedding/main.ts
 * curl -H "X-Word: ann's word" -H 'content-type: application/json' \
 *   -d '{"parameters":{"name":"Ann"}}' http://127.0.0.1:8788/tasks/api/modules/greet/run
 * ```
 */
import { openLogStore, openQueue, Worker } from "../../src/mod.ts";
import { createHandlers, createHost } from "./app.ts";

const PATH = "data/embedding.db";

const queue = await openQueue(PATH);
const logs = openLogStore(PATH);
const worker = new Worker({ queue, logs, handlers: createHandlers() });
worker.start();
const server = Deno.serve({ hostname: "127.0.0.1", port: 8788 }, createHost(queue, logs).fetch);
Deno.addSignalListener("SIGINT", () => server.shutdown());
await server.finished;
await worker.stop({ graceMs: 5000 });
await queue.close();
