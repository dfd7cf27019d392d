/**
 * `deno task bench:open-dashboards`: what open dashboards cost a busy worker in the process that serves them.
 *
 * `--open=200 --seconds=15 --rounds=4 --engine=files|postgres`. One process has a queue, a worker whose handler does nothing and enough
 * tasks for it; it serves the dashboard, too. Another one behaves as so many open tabs: each follows the stream and reads its page again
 * when the queue has changed, as the page's script does. Windows without and with tabs follow each other: tasks completed in each, also
 * for each second of CPU that the thread of both has used, which other programs disturb less; and how many pages were read. A tab that has just been opened reads its page soon, so a window begins some seconds later.
 * HOLDFAST_TEST_POSTGRES names a server.
 */
import { fileURLToPath } from "node:url";
import { createDashboard } from "../dashboard/app.tsx";
import { HandlerRegistry, openQueue, type TaskQueue, Worker } from "../src/mod.ts";
import { cpuMs } from "./thread_cpu.ts";

/** A tab reads its page at most so often. */
const READ_EVERY_MS = 5000;

const PAGES = ["/", "/tasks", "/tasks?status=completed", "/tasks/1", "/workers"] as const;

/** A window begins so long after the tabs were opened. */
const WARM_UP_MS = 20_000;

const BATCH = 1000;

/** Keeps so many tasks queued. */
const AHEAD = 3000;

function option(name: string, standard: string): string {
  const prefix = `--${name}=`;
  return Deno.args.find((arg) => arg.startsWith(prefix))?.slice(prefix.length) ?? standard;
}

/** Opens so many tabs until standard input ends. */
async function openTabs(origin: string, count: number): Promise<void> {
  const ended = new AbortController();
  const tabs = Array.from(
    { length: count },
    (_, n) => followPage(origin, PAGES[n % PAGES.length]!, ended.signal),
  );
  for await (const _ of Deno.stdin.readable);
  ended.abort();
  await Promise.allSettled(tabs);
  Deno.exit();
}

async function followPage(origin: string, page: string, signal: AbortSignal): Promise<void> {
  const response = await fetch(`${origin}/live`, { signal });
  let lastMs = -Infinity;
  let isStale = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const read = async (): Promise<void> => {
    timer = undefined;
    isStale = false;
    await (await fetch(origin + page, { signal })).text();
    lastMs = performance.now();
    if (isStale) plan();
  };
  const plan = (): void => {
    isStale = true;
    timer ??= setTimeout(
      () => read().catch(() => {}), // the tab is closed
      Math.max(300, READ_EVERY_MS - (performance.now() - lastMs)),
    );
  };
  for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
    if (text.includes("data:")) plan();
  }
}

/** Enqueues as fast as the worker works, until `signal` aborts. */
async function feed(queue: TaskQueue, done: () => number, signal: AbortSignal): Promise<void> {
  for (let stored = 0; !signal.aborted;) {
    if (stored - done() < AHEAD) {
      await queue.enqueueBatch(Array.from({ length: BATCH }, () => ({ type: "busy" })));
      stored += BATCH;
    } else await new Promise((resume) => setTimeout(resume, 2));
  }
}

/** Tasks completed in a window. */
interface Rates {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

/** What the dashboard has answered. */
interface Answers {
  pages: number;
}

function serve(queue: TaskQueue, answers: Answers): Deno.HttpServer<Deno.NetAddr> {
  const dashboard = createDashboard({ queue });
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    if (!request.url.endsWith("/live")) answers.pages++;
    return await dashboard.fetch(request);
  });
}

async function main(): Promise<void> {
  const [open, seconds, rounds] = [
    option("open", "200"),
    option("seconds", "15"),
    option("rounds", "4"),
  ]
    .map(Number) as [number, number, number];
  const folder = await Deno.makeTempDir({ prefix: "holdfast bench " });
  const path = option("engine", "files") === "files"
    ? `${folder}/queue.db`
    : `${Deno.env.get("HOLDFAST_TEST_POSTGRES")}?schema=tabs_${Deno.pid}`;
  const queue = await openQueue({ path, durability: "relaxed" });
  let done = 0;
  const handlers = new HandlerRegistry().register("busy", () => void done++);
  const worker = new Worker({ queue, handlers, concurrency: 16, quiet: true });
  const ended = new AbortController();
  const answers: Answers = { pages: 0 };
  const server = serve(queue, answers);
  const feeding = feed(queue, () => done, ended.signal);
  await worker.start();
  const rates = { without: [] as Rates[], with: [] as Rates[] };
  let pages = 0;
  for (let window = 0; window < 2 * rounds; window++) {
    const isOpen = window % 2 === 1;
    const tabs = isOpen ? startTabs(server.addr.port, open) : undefined;
    await new Promise((resume) => setTimeout(resume, WARM_UP_MS));
    const [fromDone, fromPages] = [done, answers.pages];
    const [beganMs, beganCpuMs] = [performance.now(), cpuMs()];
    await new Promise((resume) => setTimeout(resume, seconds * 1000));
    rates[isOpen ? "with" : "without"].push({
      perSecond: (done - fromDone) / (performance.now() - beganMs) * 1000,
      perCpuSecond: (done - fromDone) / (cpuMs() - beganCpuMs) * 1000,
    });
    if (isOpen) pages += answers.pages - fromPages;
    await tabs?.stdin.close();
    await tabs?.status;
  }
  report({ open, seconds: seconds * rounds, rates, pages });
  ended.abort();
  await feeding;
  await worker.stop();
  await server.shutdown();
  await queue.close();
  await Deno.remove(folder, { recursive: true });
}

function startTabs(port: number, count: number): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", fileURLToPath(import.meta.url)],
      ...[`--tabs=http://127.0.0.1:${port}`, `--open=${count}`],
    ],
    stdin: "piped",
  }).spawn();
}

function report(
  { open, seconds, rates, pages }: {
    readonly open: number;
    readonly seconds: number;
    readonly rates: Readonly<Record<"without" | "with", readonly Rates[]>>;
    readonly pages: number;
  },
): void {
  for (const [name, values] of Object.entries(rates)) {
    for (const unit of ["perSecond", "perCpuSecond"] as const) {
      const sorted = values.map((value) => value[unit]).sort((a, b) => a - b);
      const median = (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
      const each = values.map((value) => value[unit].toFixed(0)).join(", ");
      console.log(`${name.padEnd(8)}${open} tabs, tasks ${unit}: ${median.toFixed(0)} (${each})`);
    }
  }
  console.log(`${pages} pages in ${seconds} s; load ${Deno.loadavg()[0]!.toFixed(1)}`);
}

const origin = option("tabs", "");
await (origin === "" ? main() : openTabs(origin, Number(option("open", "200"))));
