/**
 * Asks an application many times, by every route that needs no state and by streams that are dropped, and prints the heap
 * before and after in MiB. Run it with `--v8-flags=--expose-gc`.
 */
import { MemoryLogStore, openQueue } from "../../src/mod.ts";
import { createApp, createToken, parseTokens, tokenAccess } from "../../server/app.ts";
import { effort } from "../support/effort.ts";

const REQUESTS = effort("memoryRequests");

const collectGarbage = (globalThis as unknown as { gc: () => void }).gc;
const { token, line } = await createToken("t", ["admin"]);
const queue = await openQueue({ memory: true });
const app = createApp({
  queue,
  logs: new MemoryLogStore(),
  access: tokenAccess(await parseTokens(line)),
});
await queue.enqueue({ type: "t", runId: "queued" });
await queue.enqueue({ type: "t", runId: "over" });
await queue.cancel(2);

const PATHS = [
  "/api/runs",
  "/api/runs/over/logs/stream",
  "/api/runs/queued/logs/stream",
  "/api/events",
  "/api/nope",
  "/api/runs/queued?wait=1ms",
  "/api/queue/tasks/1/transitions",
  "/openapi.json",
];

async function ask(n: number): Promise<void> {
  const path = PATHS[n % PATHS.length]!;
  const headers = { Authorization: `Bearer ${token}` };
  const response = await app.request(path, { headers });
  if (!path.includes("queued/logs") && path !== "/api/events") return void await response.text();
  const reader = response.body!.getReader();
  await reader.read();
  const pending = reader.read();
  await reader.cancel();
  await pending;
}

async function heapAfter(requests: number): Promise<number> {
  for (let n = 0; n < requests; n++) await ask(n);
  collectGarbage();
  return Deno.memoryUsage().heapUsed / 1024 / 1024;
}

const before = await heapAfter(REQUESTS / 10);
console.log(JSON.stringify({ before, after: await heapAfter(REQUESTS) }));
await queue.close();
