/**
 * `deno task bench:dashboard`: what the dashboard's pages cost at a queue with many tasks.
 *
 * `--tasks=100000 --engine=files|postgres --rounds=20 --only=REGEXP --keep=FOLDER --profile`. One process fills a queue and
 * asks for each page, another serves it. Of each page: the first answer's server time; median and 95th percentile of the
 * rounds after it; and how long the event loop was held at most, by a timer that measures how late it is and how much CPU its
 * thread has used meanwhile, the lower of both (idle: while nothing was asked). Where the system does not tell that of a thread, all
 * threads of the process count.
 * `--keep` fills a folder once, or a schema of PostgreSQL with that name, and leaves it. `--profile` writes a `.cpuprofile`.
 * HOLDFAST_TEST_POSTGRES names a server.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { createDashboard } from "../dashboard/app.tsx";
import { openQueue, type TaskQueue } from "../src/mod.ts";
import { percentiles } from "./figures.ts";
import { cpuMs } from "./thread_cpu.ts";

const TYPES = ["email", "export", "invoice", "thumbnail", "webhook", "report", "sync", "import"];
const BATCH = 1000;

/** Every so many tasks are worked on: a share of these fails. */
const WORKED = 4;
const FAILS = 5;

interface Options {
  readonly tasks: number;
  readonly engine: "files" | "postgres";
  readonly rounds: number;
  readonly only: RegExp;
  readonly keep: string | undefined;
  readonly isProfiled: boolean;
}

function optionsOf(args: readonly string[]): Options {
  const given = new Map(
    args.map((arg) => {
      const [, name = "", value = ""] = /^--(\w+)=?(.*)$/.exec(arg) ?? [];
      return [name, value];
    }),
  );
  const engine = given.get("engine") ?? "files";
  if (engine !== "files" && engine !== "postgres") {
    throw new TypeError(`Cannot measure ${JSON.stringify(engine)}: files or postgres`);
  }
  return {
    engine,
    tasks: Number(given.get("tasks") ?? 100_000),
    rounds: Number(given.get("rounds") ?? 20),
    only: new RegExp(given.get("only") ?? ""),
    keep: given.get("keep"),
    isProfiled: given.has("profile"),
  };
}

/** The pages; what stands in the place of `first`, a task's id, is the same everywhere. */
const PAGES = [
  "/",
  "/tasks",
  "/tasks?before=1000",
  "/tasks?status=failed",
  "/tasks?status=queued",
  "/tasks?type=email",
  "/tasks?type=email&status=queued",
  "/tasks?group=tenant7",
  "/tasks?age=1min",
  "/tasks?q=user77@",
  "/tasks?q=nowhere-to-be-found",
  "/tasks/1",
  "/tasks/all?action=cancel",
  "/tasks/all?action=retry&status=failed",
  "/failures",
  "/workers",
  "/schedules",
  "/storage",
] as const;

/** One task of some variety. */
function taskOf(n: number): Parameters<TaskQueue["enqueue"]>[0] {
  return {
    type: TYPES[n % TYPES.length]!,
    payload: {
      to: `user${n}@example.com`,
      template: "welcome",
      attempt: n % 7,
      text: "x".repeat(120),
    },
    priority: [10, 100, 200][n % 3]!,
    ...(n % 5 === 0 ? { group: `tenant${n % 50}` } : {}),
    ...(n % 11 === 0 ? { runAfter: new Date(Date.now() + 30 * 86_400_000) } : {}),
    ...(n % 13 === 0 ? { idempotencyKey: `key-${n}` } : {}),
  };
}

async function fill(queue: TaskQueue, tasks: number): Promise<void> {
  for (let from = 0; from < tasks; from += BATCH) {
    const count = Math.min(BATCH, tasks - from);
    await queue.enqueueBatch(Array.from({ length: count }, (_, n) => taskOf(from + n)));
    const held = await queue.claim({ workerId: "bench", types: TYPES, limit: count / WORKED });
    await Promise.all(
      held.map((task) =>
        task.id % FAILS > 0 ? queue.complete(task, { ok: true }) : queue.fail(
          task,
          new Error(`Cannot reach mail${task.id % 40}.example.com: timed out after ${task.id} ms`),
          { maxAttempts: 1 },
        )
      ),
    );
  }
}

/** Serves the dashboard, tells how long each answer took, and how late a timer was at most since it was asked last. */
async function serve(url: string): Promise<void> {
  const queue = await openQueue(url);
  const dashboard = createDashboard({ queue });
  let heldMs = 0;
  let lastAtMs = performance.now();
  let lastCpuMs = cpuMs();
  setInterval(() => {
    const nowMs = performance.now();
    const nowCpuMs = cpuMs();
    heldMs = Math.max(heldMs, Math.min(nowMs - lastAtMs - 1, nowCpuMs - lastCpuMs));
    lastAtMs = performance.now();
    lastCpuMs = nowCpuMs;
  }, 1);
  const ended = Promise.withResolvers<void>();
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => console.log(`port ${port}`),
  }, async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/_end") ended.resolve();
    if (pathname === "/_end" || pathname === "/_held") {
      const answer = String(heldMs);
      heldMs = 0;
      return new Response(answer);
    }
    const beganMs = performance.now();
    const response = await dashboard.fetch(request);
    const body = await response.arrayBuffer();
    const headers = new Headers(response.headers);
    headers.set("Server-Timing", String(performance.now() - beganMs));
    return new Response(body, { status: response.status, headers });
  });
  await ended.promise;
  await server.shutdown();
  await queue.close();
  Deno.exit();
}

/** A server in a process of its own. */
class Served {
  readonly #child: Deno.ChildProcess;
  readonly #origin: string;

  private constructor(child: Deno.ChildProcess, origin: string) {
    this.#child = child;
    this.#origin = origin;
  }

  static async start(url: string, isProfiled: boolean): Promise<Served> {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--no-check", ...(isProfiled ? ["--cpu-prof"] : [])],
        ...[fileURLToPath(import.meta.url), `--serve=${url}`],
      ],
      stdout: "piped",
    }).spawn();
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      const port = /port (\d+)/.exec(text)?.[1];
      if (port !== undefined) return new Served(child, `http://127.0.0.1:${port}`);
    }
    throw new Error("Cannot measure the dashboard: its server has not started");
  }

  /** Server time of one answer, in milliseconds; of all until one is no longer to be asked for again. */
  async ask(page: string): Promise<number> {
    for (let tookMs = 0;;) {
      const response = await fetch(`${this.#origin}${page}`, { redirect: "manual" });
      await response.arrayBuffer();
      if (response.status !== 200) throw new Error(`${page} was answered ${response.status}`);
      tookMs += Number(response.headers.get("Server-Timing"));
      if (response.headers.get("Refresh") === null) return tookMs;
    }
  }

  /** How long the loop was held at most since it was asked last. */
  async heldMs(): Promise<number> {
    return Number(await (await fetch(`${this.#origin}/_held`)).text());
  }

  async end(): Promise<void> {
    await (await fetch(`${this.#origin}/_end`)).text();
    await this.#child.status;
  }
}

async function measure(served: Served, { rounds, only }: Options): Promise<void> {
  await served.heldMs();
  await new Promise((resume) => setTimeout(resume, 2000));
  console.log(`idle for 2 s: loop held ${(await served.heldMs()).toFixed(1)} ms`);
  for (const page of PAGES.filter((each) => only.test(each))) {
    const firstMs = await served.ask(page);
    const firstHeldMs = await served.heldMs();
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) times.push(await served.ask(page));
    const { p50, p95 } = percentiles(times);
    const heldMs = await served.heldMs();
    const text = (ms: number): string => ms.toFixed(1).padStart(7);
    console.log(
      `${page.padEnd(40)} first ${text(firstMs)} (held ${text(firstHeldMs)})  ` +
        `p50 ${text(p50)}  p95 ${text(p95)}  held ${text(heldMs)}`,
    );
  }
}

/** Where the queue is, and how to remove it. */
async function placeOf(
  { engine, keep }: Options,
): Promise<{ readonly url: string; remove(): Promise<void> }> {
  if (engine === "files") {
    const folder = keep ?? await Deno.makeTempDir({ prefix: "holdfast bench " });
    const remove = (): Promise<void> => Deno.remove(folder, { recursive: true });
    return { url: join(folder, "queue.db"), remove };
  }
  const server = Deno.env.get("HOLDFAST_TEST_POSTGRES");
  if (server === undefined) {
    throw new Error("Cannot reach PostgreSQL: HOLDFAST_TEST_POSTGRES names no server");
  }
  const schema = keep ?? `dashboard_${Deno.pid}`;
  const remove = async (): Promise<void> => {
    const client = new pg.Client({ connectionString: server });
    await client.connect();
    await client.query(`drop schema ${schema} cascade`);
    await client.end();
  };
  return { url: `${server}?schema=${schema}`, remove };
}

async function main(): Promise<void> {
  const options = optionsOf(Deno.args);
  const place = await placeOf(options);
  try {
    const queue = await openQueue({ path: place.url, durability: "relaxed" });
    const { total } = await queue.stats();
    const beganMs = performance.now();
    await fill(queue, options.tasks - total);
    await queue.close();
    const filledS = (performance.now() - beganMs) / 1000;
    console.log(
      `${options.tasks} tasks, ${options.engine}, filled in ${filledS.toFixed(0)} s; load ${
        Deno.loadavg()[0]!.toFixed(1)
      }`,
    );
    const served = await Served.start(place.url, options.isProfiled);
    await measure(served, options).finally(() => served.end());
    console.log(`load ${Deno.loadavg()[0]!.toFixed(1)}`);
  } finally {
    if (options.keep === undefined) await place.remove();
  }
}

const served = Deno.args.find((arg) => arg.startsWith("--serve="));
if (import.meta.main) {
  await (served === undefined ? main() : serve(served.slice("--serve=".length)));
}
