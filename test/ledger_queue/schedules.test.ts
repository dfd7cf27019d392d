/**
 * Schedules: the contract, the plans of their statements, and firing once in many processes that are killed.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { openQueue } from "../../src/compose/open_queue.ts";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import { LedgerQueue } from "../../src/ledger_queue/ledger_queue.ts";
import { SCHEDULE_SQL } from "../../src/ledger_queue/schedules/schedule_row.ts";
import { QUEUE_SCHEMA } from "../../src/ledger_queue/rows/schema.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import { schedulesContract } from "../contract/schedules_contract.ts";
import { openCountedQueue } from "../counts/counted_queue.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { EVERY_POINT, FaultyStorage } from "../support/faulty_storage.ts";
import { openLedger } from "../support/ledgers.ts";
import { EMBEDDED_PLACES, seededRandom } from "../support/queues.ts";

for (const [name, withPlace] of EMBEDDED_PLACES) schedulesContract(name, withPlace);

Deno.test("no statement about a schedule sorts, and only the list reads all", async () => {
  const database = (await loadSqlJsEngine()).open();
  database.run(QUEUE_SCHEMA.migrations.join(";"));
  const { all: _all, count: _count, ...statements } = SCHEDULE_SQL;
  for (const sql of Object.values(statements)) {
    for (const row of database.all(`EXPLAIN QUERY PLAN ${sql}`)) {
      const step = String(row[3]);
      assert(step.startsWith("SEARCH"), `${step} in the plan of ${sql}`);
      assert(!step.includes("TEMP B-TREE"), `${step} in the plan of ${sql}`);
    }
  }
  database.close();
});

Deno.test("large tasks that are due together fire, however many records they take", async () => {
  const clock = new FakeClock();
  const ledger = await openLedger(new MemoryStorage(), { schema: QUEUE_SCHEMA, clock });
  const recordBudget = 64 * 1024;
  const queue = new LedgerQueue(ledger, {
    clock,
    random: seededRandom(1),
    recordBudget,
    onBackgroundError: (error) => {
      throw error;
    },
  });
  const payload = "x".repeat(recordBudget * 0.75);
  const policy = { catchUp: "all", overlap: true } as const;
  await queue.addSchedule({ id: "s", type: "t", cron: "0 * * * *", payload, ...policy });
  clock.jump(10 * 3_600_000);
  const before = queue.storageStats().sequence;
  await queue.fireSchedules();
  const records = queue.storageStats().sequence - before;
  assert(records >= 5, `only ${records} records`);
  const hours = async (id: number): Promise<number> =>
    Number((await queue.get(id))!.runId.slice(13, 15));
  assertEquals(await queue.count(), 10);
  const all = Array.from({ length: 10 }, (_, n) => n + 1);
  assertEquals(await Promise.all(all.map(hours)), all);
  assertEquals((await queue.getSchedule("s"))!.nextAt, new Date("2026-01-01T11:00:00Z"));
  await queue.close();
});

Deno.test("a schedule whose time this process cannot read holds up no other, and is told of once", async () => {
  const clock = new FakeClock();
  const ledger = await openLedger(new MemoryStorage(), { schema: QUEUE_SCHEMA, clock });
  const told: string[] = [];
  const onBackgroundError = ({ message }: Error): void => void told.push(message);
  const queue = new LedgerQueue(ledger, { clock, random: seededRandom(1), onBackgroundError });
  for (const id of ["bad", "good"]) {
    await queue.addSchedule({ id, type: "t", cron: "* * * * *", overlap: true });
  }
  await ledger.write((tx) => {
    const [row] = tx.read(SCHEDULE_SQL.one, ["bad"]);
    tx.update("schedules", row!, { time_zone: "Europe/Newzone" });
  });
  for (let minute = 0; minute < 3; minute++) await clock.advance(60_000);
  const firings = async (): Promise<number[]> =>
    (await queue.listSchedules()).map((schedule) => schedule.firings);
  assertEquals(await firings(), [0, 3]);
  const reason = 'Cannot use "Europe/Newzone" as timeZone';
  assertEquals(told.map((message) => message.split(":").slice(0, 2).join(":")), [
    `Cannot fire schedule "bad": ${reason}`,
  ]);
  const reasons = async (): Promise<string[]> =>
    (await queue.health()).reasons.map(({ code, message }) => `${code}: ${message}`);
  assertEquals(
    (await reasons()).filter((reason) => reason.startsWith("schedule")),
    [`schedule_unplannable: ${told[0]}`],
  );
  await queue.pauseSchedule("bad", true);
  await assertRejects(() => queue.pauseSchedule("bad", false), TypeError, reason);
  await clock.advance(60_000);
  assertEquals([await firings(), told.length], [[0, 4], 1]);
  assertEquals((await reasons()).filter((reason) => reason.startsWith("schedule")), []);
  await queue.close();
});

/** How many SQL statements it takes to fire `count` schedules that are due together and have fired before. */
async function firingStatements(count: number): Promise<number> {
  const { queue, clock, counts } = await openCountedQueue();
  for (let n = 0; n < count; n++) {
    await queue.addSchedule({ id: `s${n}`, type: "t", cron: "0 * * * *", overlap: true });
  }
  const fireAll = async (): Promise<void> => {
    clock.jump(3_600_000);
    await queue.fireSchedules();
  };
  await fireAll();
  const before = counts.sqlStatements;
  await fireAll();
  const statements = counts.sqlStatements - before;
  assertEquals(await queue.count(), 2 * count);
  await queue.close();
  return statements;
}

Deno.test("firing twice as many schedules takes about twice the work", async () => {
  const [fifty, hundred] = [await firingStatements(50), await firingStatements(100)];
  assert(hundred < 2.2 * fifty, `${fifty} statements for 50, ${hundred} for 100`);
});

const PROCESSES = 3;
const SECONDS = 60;

/** Processes on one disk, whose storage calls are counted together; at a chosen call its process dies. */
class Cluster {
  readonly clock = new FakeClock();
  /** What it was doing when a process died, how often. */
  readonly deaths = new Map<string, number>();
  readonly #disk = new MemoryDisk();
  #queues: TaskQueue[] = [];
  #callsLeft = Infinity;

  async start(): Promise<void> {
    const inner = new MemoryStorage(this.#disk);
    const storage = new FaultyStorage(inner, EVERY_POINT);
    let isDead = false;
    storage.fault = (point) => {
      if (isDead || --this.#callsLeft > 0) return undefined;
      this.#callsLeft = Infinity;
      isDead = true;
      this.deaths.set(point, (this.deaths.get(point) ?? 0) + 1);
      inner.kill();
      queueMicrotask(() => this.#bury(queue));
      return { message: "killed", part: point === "write" ? 10 : undefined };
    };
    const queue = await openQueue({
      storage,
      clock: {
        nowMs: () => this.clock.nowMs(),
        setTimer: (fire, delayMs) =>
          this.clock.setTimer(() => {
            try {
              if (!isDead) fire();
            } catch (error) {
              if (!isDead) throw error;
            }
          }, delayMs),
      },
      onBackgroundError: (error) => {
        if (!isDead) reportError(error);
      },
    });
    this.#queues.push(queue);
  }

  get queue(): TaskQueue {
    return this.#queues[0]!;
  }

  /** Lets a second pass in which the process that makes the n-th storage call dies; then another takes its place. */
  async second(killAtCall: number): Promise<void> {
    await this.clock.advance(500);
    this.#callsLeft = killAtCall;
    await this.clock.advance(500);
    this.#callsLeft = Infinity;
    await settle();
    while (this.#queues.length < PROCESSES) await this.start();
  }

  async close(): Promise<void> {
    for (const queue of this.#queues) await queue.close();
  }

  #bury(queue: TaskQueue): void {
    this.#queues = this.#queues.filter((other) => other !== queue);
  }
}

/** Sixty seconds of an every-second schedule; gives the seconds for which a task was enqueued. */
async function sixtySeconds(
  cluster: Cluster,
  { overlap, killAt }: { readonly overlap: boolean; readonly killAt: (second: number) => number },
): Promise<number[]> {
  for (let n = 0; n < PROCESSES; n++) await cluster.start();
  const startMs = cluster.clock.nowMs();
  const catchUp = overlap ? "once" : "all";
  await cluster.queue.addSchedule({ id: "s", type: "t", cron: "* * * * * *", overlap, catchUp });
  for (let second = 1; second <= SECONDS; second++) {
    await cluster.second(killAt(second));
    const tasks = await cluster.queue.claim({ workerId: "w", types: ["t"], limit: 10 });
    for (const task of tasks) await cluster.queue.complete(task);
  }
  const tasks = await cluster.queue.list({ limit: 1000 });
  return tasks.map(({ runId }) => (Date.parse(runId.slice(2)) - startMs) / 1000).reverse();
}

const EACH_SECOND = Array.from({ length: SECONDS }, (_, i) => i + 1);

for (const overlap of [false, true]) {
  Deno.test(`three processes and one every-second schedule: 60 firings in 60 s, ${overlap ? "with" : "without"} overlap`, async () => {
    const cluster = new Cluster();
    try {
      assertEquals(
        await sixtySeconds(cluster, { overlap, killAt: () => Infinity }),
        EACH_SECOND,
      );
      assertEquals((await cluster.queue.getSchedule("s"))!.firings, SECONDS);
    } finally {
      await cluster.close();
    }
  });
}

Deno.test("60 firings in 60 s also when each second another storage call is its process's last", async () => {
  const deaths = new Map<string, number>();
  for (let round = 0; round < 2; round++) {
    const cluster = new Cluster();
    try {
      const killAt = (second: number): number => round * SECONDS + second;
      const fired = await sixtySeconds(cluster, { overlap: true, killAt });
      assertEquals(fired, EACH_SECOND, `round ${round}`);
    } finally {
      await cluster.close();
    }
    for (const [point, times] of cluster.deaths) {
      deaths.set(point, (deaths.get(point) ?? 0) + times);
    }
  }
  for (const point of ["tryLock", "write", "sync"]) {
    assert((deaths.get(point) ?? 0) > 0, `none died in ${point}: ${[...deaths]}`);
  }
});
