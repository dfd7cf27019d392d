/**
 * `deno task screenshots`: pictures of the dashboard for the documentation, made anew by a real Chromium from a queue that is filled
 * here. Small ones, so that they can be committed.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createDashboard } from "../../dashboard/app.tsx";
import { HandlerRegistry, MemoryLogStore, openQueue, type TaskQueue } from "../../src/mod.ts";
import { startBrowser, whyNoBrowser } from "./browser.ts";

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "docs", "pictures");

const WIDE = { viewport: { width: 960, height: 640 }, colorScheme: "light" };
const PICTURES = [
  { name: "overview", path: "/", look: WIDE },
  { name: "task", path: "/tasks/3", look: { ...WIDE, colorScheme: "dark" } },
  { name: "failures", path: "/failures", look: WIDE },
  {
    name: "phone",
    path: "/tasks",
    look: { viewport: { width: 360, height: 640 }, colorScheme: "dark" },
  },
] as const;

async function fill(queue: TaskQueue, logs: MemoryLogStore): Promise<void> {
  const types = ["email", "report", "thumbnail"];
  await queue.enqueueBatch(Array.from({ length: 60 }, (_, n) => ({
    type: types[n % 3]!,
    payload: { to: `user${n}@example.com`, api_key: "secret" },
    maxAttempts: n === 2 ? 3 : 1,
  })));
  for (const task of await queue.claim({ workerId: "web-1", types, limit: 36 })) {
    if (task.id % 9 === 3) {
      await queue.fail(
        task,
        new Error(task.id % 2 ? `no answer from 10.0.0.${task.id}` : "disk full"),
      );
    } else await queue.complete(task, { ok: true });
  }
  await queue.claim({ workerId: "web-1", types, limit: 4, leaseDurationMs: 60_000 });
  logs.append(3, {
    at: new Date().toISOString(),
    level: "warn",
    message: "trying another host",
    attempt: 1,
  });
  await queue.heartbeat({
    workerId: "web-1",
    types,
    concurrency: 8,
    capabilities: { region: "eu" },
  });
  await queue.pause({ type: "report" }, { by: "ops", reason: "month's end" });
}

async function main(): Promise<number> {
  const why = whyNoBrowser();
  if (why !== undefined) {
    console.error(`Cannot make pictures: ${why}`);
    return 1;
  }
  const queue = await openQueue({ memory: true });
  const logs = new MemoryLogStore();
  await fill(queue, logs);
  const closing = new AbortController();
  const dashboard = createDashboard({
    queue,
    logs,
    handlers: new HandlerRegistry(),
    closing: closing.signal,
  });
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => dashboard.fetch(request),
  );
  await Deno.mkdir(FOLDER, { recursive: true });
  await using browser = startBrowser();
  for (const { name, path, look } of PICTURES) {
    await browser.do("open", look);
    await browser.do("goto", `http://127.0.0.1:${server.addr.port}${path}`);
    await browser.do("shot", join(FOLDER, `dashboard-${name}.png`));
  }
  closing.abort();
  await server.shutdown();
  await queue.close();
  return 0;
}

if (import.meta.main) Deno.exit(await main());
