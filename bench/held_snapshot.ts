/**
 * `deno task bench:held`: what a claim costs on PostgreSQL while a snapshot is held open, so that no dead row can go.
 *
 * A steady stream is enqueued, claimed by tens and completed, with a backlog that stays; a tenth of the tasks is scheduled a
 * second ahead, a twentieth is released once. `--minutes=30 --rate=500 --order=priority --backlog=1000 --free`; `--free`
 * holds no snapshot. HOLDFAST_TEST_POSTGRES names a server, else one is started. Prints a line for each minute, and the
 * claims' p95 of the last minute over that of the first.
 */
import pg from "pg";
import { openQueue } from "../src/mod.ts";
import type { ClaimOrder } from "../src/domain/claim_order.ts";
import type { Task } from "../src/domain/task.ts";
import type { QueueOperator } from "../src/queue/operator.ts";
import type { TaskQueue } from "../src/queue/task_queue.ts";
import { removePostgres, startPostgres } from "../test/support/postgres_server.ts";

/** How many tasks one claim takes. */
const CLAIM = 10;
const TYPE = "stream";
const MINUTE_MS = 60_000;

interface Options {
  readonly minutes: number;
  readonly rate: number;
  readonly order: ClaimOrder;
  readonly backlog: number;
  readonly isHeld: boolean;
}

function optionsOf(args: readonly string[]): Options {
  const given = new Map(
    args.map((arg) => arg.replace(/^--/, "").split("=", 2) as [string, string]),
  );
  return {
    minutes: Number(given.get("minutes") ?? 30),
    rate: Number(given.get("rate") ?? 500),
    order: (given.get("order") ?? "priority") as ClaimOrder,
    backlog: Number(given.get("backlog") ?? 1000),
    isHeld: !given.has("free"),
  };
}

/** The steady stream; each turn enqueues, claims and completes as many as one claim takes. */
class Stream {
  readonly claimsMs: number[] = [];
  lateMs = 0;
  readonly #queue: TaskQueue;
  readonly #order: ClaimOrder;
  #turns = 0;
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(queue: TaskQueue, order: ClaimOrder) {
    this.#queue = queue;
    this.#order = order;
  }

  async run(rate: number, untilMs: number): Promise<void> {
    const everyMs = 1000 * CLAIM / rate;
    const startedAt = performance.now();
    while (performance.now() < untilMs) {
      const dueAt = startedAt + this.#turns++ * everyMs;
      const waitMs = dueAt - performance.now();
      this.lateMs = Math.max(0, -waitMs);
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      await this.#turn();
    }
    await Promise.all(this.#underWay);
  }

  async #turn(): Promise<void> {
    const added = Promise.all(Array.from({ length: CLAIM }, () => this.#enqueue()));
    const before = performance.now();
    const tasks = await this.#queue.claim({
      workerId: "stream",
      types: [TYPE],
      limit: CLAIM,
      strategy: this.#order,
    });
    this.claimsMs.push(performance.now() - before);
    const ended = Promise.all(tasks.map((task) => this.#end(task)));
    const all = Promise.all([added, ended]).finally(() => this.#underWay.delete(all));
    this.#underWay.add(all);
    if (this.#underWay.size > 4) await Promise.race(this.#underWay);
  }

  async #enqueue(): Promise<void> {
    const isLater = Math.random() < 0.1;
    await this.#queue.enqueue({
      type: TYPE,
      payload: { text: "x".repeat(100) },
      priority: [10, 100, 200][Math.floor(Math.random() * 3)],
      ...(isLater ? { runAfter: new Date(Date.now() + 1000) } : {}),
    });
  }

  async #end(task: Task): Promise<void> {
    const isReleased = task.leaseToken === 1 && Math.random() < 0.05;
    await (isReleased ? this.#queue.release(task) : this.#queue.complete(task));
  }
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN;
}

async function main(): Promise<void> {
  const options = optionsOf(Deno.args);
  const named = Deno.env.get("HOLDFAST_TEST_POSTGRES");
  const server = named ? undefined : await startPostgres(["fsync=on"]);
  const url = named ?? server!.url;
  const schema = `held_${Deno.pid}`;
  const queue = await openQueue(`${url}?schema=${schema}`) as TaskQueue & QueueOperator;
  const holder = new pg.Client({ connectionString: url });
  await holder.connect();
  try {
    console.log(JSON.stringify(options));
    await prefill(queue, options.backlog);
    if (options.isHeld) {
      await holder.query("begin isolation level repeatable read");
      await holder.query("select count(*) from pg_class");
    }
    await measure(queue, options, schema, url);
  } finally {
    await holder.end();
    await queue.close();
    const cleaner = new pg.Client({ connectionString: url });
    await cleaner.connect();
    await cleaner.query(`drop schema ${schema} cascade`);
    await cleaner.end();
    if (server !== undefined) await removePostgres(server);
  }
}

async function prefill(queue: TaskQueue, backlog: number): Promise<void> {
  for (let left = backlog; left > 0; left -= 1000) {
    await queue.enqueueBatch(
      Array.from({ length: Math.min(left, 1000) }, () => ({ type: TYPE, priority: 150 })),
    );
  }
}

async function measure(
  queue: TaskQueue,
  { minutes, rate, order }: Options,
  schema: string,
  url: string,
): Promise<void> {
  const looker = new pg.Client({ connectionString: url });
  await looker.connect();
  const stream = new Stream(queue, order);
  const startedAt = performance.now();
  const running = stream.run(rate, startedAt + minutes * MINUTE_MS);
  const p95s: number[] = [];
  for (let minute = 1; minute <= minutes; minute++) {
    const dueAt = startedAt + minute * MINUTE_MS;
    await new Promise((resolve) => setTimeout(resolve, dueAt - performance.now()));
    const times = stream.claimsMs.splice(0);
    p95s.push(quantile(times, 0.95));
    const { rows: [row] } = await looker.query(
      `select n_dead_tup::int as dead, (select count(*)::int from ${schema}.live) as live
       from pg_stat_user_tables where schemaname = $1 and relname = 'live'`,
      [schema],
    );
    const [load] = Deno.loadavg();
    console.log(
      `minute ${minute}: ${times.length} claims, p50 ${quantile(times, 0.5).toFixed(2)} ms, p95 ${
        p95s.at(-1)!.toFixed(2)
      } ms; dead rows ${row.dead}, live ${row.live}, late ${stream.lateMs.toFixed(0)} ms, load ${
        load!.toFixed(1)
      }`,
    );
  }
  await running;
  await looker.end();
  console.log(`p95 of the last minute over the first: ${(p95s.at(-1)! / p95s[0]!).toFixed(2)}`);
}

if (import.meta.main) await main();
