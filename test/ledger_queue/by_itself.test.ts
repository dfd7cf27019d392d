/**
 * What a queue does by itself, and how it is set up to do so.
 */
import { configure, type LogRecord, reset } from "@logtape/logtape";
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { HandlerRegistry, type HealthThresholds, openQueue, Worker } from "../../src/mod.ts";
import { Duties } from "../../src/ledger_queue/duties.ts";
import { LedgerAccess } from "../../src/ledger_queue/ledger_access.ts";
import { LedgerQueue } from "../../src/ledger_queue/ledger_queue.ts";
import { QUEUE_SCHEMA } from "../../src/ledger_queue/rows/schema.ts";
import { MemoryStorage } from "../../src/storage/memory_storage.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FaultyStorage } from "../support/faulty_storage.ts";
import { openLedger } from "../support/ledgers.ts";
import { seededRandom, withQueue } from "../support/queues.ts";

const DAY_MS = 86_400_000;

/** Duties that can rescue nothing. */
class HelplessDuties extends Duties {
  override rescue(): Promise<never> {
    return Promise.reject(new Error("no rescue"));
  }
}

/** Runs `test` with a queue that has such duties. */
async function withHelplessQueue(
  onBackgroundError: (error: Error) => void,
  test: (queue: LedgerQueue, clock: FakeClock) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock();
  const ledger = await openLedger(new MemoryStorage(), { schema: QUEUE_SCHEMA, clock });
  const options = { clock, random: seededRandom(1), onBackgroundError };
  const queue = new LedgerQueue(ledger, { ...options, isReadOnly: true }); // so it has no duties of its own
  const duties = new HelplessDuties(new LedgerAccess(ledger, options), options);
  duties.begin([]);
  try {
    await test(queue, clock);
  } finally {
    duties.stop();
    await queue.close();
  }
}

Deno.test("retention deletes finished tasks by its rules, every minute, and nothing else", async () => {
  const retention = [
    { statuses: ["completed"], olderThanMs: DAY_MS },
    { statuses: ["failed"], keep: 1 },
  ] as const;
  await withQueue({ memory: true, retention }, async (queue, clock) => {
    await queue.enqueueBatch(Array.from({ length: 5 }, () => ({ type: "t", maxAttempts: 1 })));
    const tasks = await queue.claim({ workerId: "w", types: ["t"], limit: 4 });
    await queue.complete(tasks[0]!);
    for (const task of tasks.slice(1, 4)) await queue.fail(task, new Error("no"));
    clock.jump(60_000);
    await clock.advance(0);
    const ids = async (): Promise<number[]> => (await queue.list()).map(({ id }) => id);
    assertEquals(await ids(), [5, 4, 1]);
    for (let half = 0; half < 2; half++) clock.jump(DAY_MS / 2);
    await clock.advance(61_000);
    assertEquals(await ids(), [5, 4]);
  });
});

Deno.test("health() names what the queue fails to do by itself, until it succeeds", async () => {
  const storage = new FaultyStorage(new MemoryStorage());
  const retention = [{ olderThanMs: 0 }];
  await withQueue({ storage, retention, onBackgroundError: () => {} }, async (queue, clock) => {
    await queue.enqueue({ type: "t" });
    await queue.cancel(1);
    const reasons = async (): Promise<string[]> =>
      (await queue.health()).reasons.map(({ code, message }) => `${code}: ${message}`);
    storage.fault = (point) => point === "write" ? { message: "disk full" } : undefined;
    await clock.advance(61_000);
    const [reason, ...others] = await reasons();
    assertEquals(others, []);
    assertMatch(reason!, /^background_error: The queue's own retention has failed for .*disk full/);
    storage.fault = () => undefined;
    await clock.advance(60_000);
    assertEquals(await reasons(), []);
    assertEquals(await queue.list(), []);
  });
});

Deno.test("without retention nothing is deleted", () =>
  withQueue({ memory: true }, async (queue, clock) => {
    await queue.enqueue({ type: "t" });
    await queue.cancel(1);
    for (let month = 0; month < 2; month++) clock.jump(30 * DAY_MS);
    await clock.advance(61_000);
    assertEquals((await queue.list()).length, 1);
  }));

Deno.test("retention and health thresholds out of range are refused, with the value", async () => {
  const refused = (options: Partial<Parameters<typeof openQueue>[0] & object>, message: string) =>
    assertRejects(() => openQueue({ memory: true, ...options }), Error, message);
  await refused({ retention: [{}] }, "olderThanMs or keep is needed");
  await refused({ retention: [{ olderThanMs: -1 }] }, "olderThanMs");
  await refused({ health: { dueDegradedMs: -1 } }, "dueDegradedMs");
  await refused({ health: { failureDegraded: 1.5 } }, "Cannot use 1.5 as failureDegraded");
  await refused({ health: { failureWindowMs: 1 } }, "windowMs");
});

Deno.test("health() judges by the thresholds that the queue was opened with", async () => {
  const health: Partial<HealthThresholds> = { dueDegradedMs: 100, dueUnhealthyMs: 200 };
  await withQueue({ memory: true, health }, async (queue, clock) => {
    await queue.enqueue({ type: "t" });
    const verdicts = [];
    for (let look = 0; look < 3; look++) {
      clock.jump(99);
      verdicts.push((await queue.health()).verdict);
    }
    assertEquals(verdicts, ["healthy", "degraded", "unhealthy"]);
  });
});

Deno.test("a process that was stalled renews its leases before it rescues them", async () => {
  await withQueue({ memory: true }, async (queue, clock) => {
    const handlers = new HandlerRegistry().register(
      "t",
      () => new Promise((done) => finish = done),
    );
    let finish: (result: string) => void = () => {};
    const worker = new Worker({ queue, handlers, clock, workerId: "w", leaseDurationMs: 10_000 });
    worker.start();
    await queue.enqueue({ type: "t" });
    await clock.advance(20);
    clock.jump(30_000);
    await clock.advance(2000);
    finish("done");
    await clock.advance(20);
    const task = await queue.get(1);
    assertEquals([task!.status, task!.attempts, task!.result], ["completed", 1, "done"]);
    const stopping = worker.stop();
    await clock.advance(20);
    await stopping;
  });
});

Deno.test("a listener of background errors that throws ends no duty", async () => {
  const told: string[] = [];
  const listen = ({ message }: Error): never => {
    told.push(message);
    throw new Error("from the listener");
  };
  await withHelplessQueue(listen, async (_queue, clock) => {
    for (let second = 0; second < 3; second++) await clock.advance(1000);
    assertEquals(told, ["no rescue", "no rescue", "no rescue"]);
  });
});

Deno.test("schedules fire also while nothing can be rescued", async () => {
  const told = new Set<string>();
  await withHelplessQueue(({ message }) => told.add(message), async (queue, clock) => {
    await queue.addSchedule({ id: "s", type: "t", cron: "* * * * *", overlap: true });
    for (let minute = 0; minute < 3; minute++) await clock.advance(60_000);
    assertEquals([(await queue.getSchedule("s"))!.firings, [...told]], [3, ["no rescue"]]);
  });
});

Deno.test("the queue's log names what it does by itself", async () => {
  const records: LogRecord[] = [];
  await configure({
    reset: true,
    sinks: { records: (record) => void records.push(record) },
    loggers: [
      { category: ["holdfast", "queue"], lowestLevel: "debug", sinks: ["records"] },
      { category: ["logtape", "meta"], sinks: [] },
    ],
  });
  try {
    await withQueue({ memory: true }, async (queue, clock) => {
      await queue.enqueue({ type: "t" });
      await queue.claim({ workerId: "gone", types: ["t"] });
      clock.jump(10_001);
      await queue.rescue();
      await queue.checkpoint();
      await queue.cancel(1);
      await queue.prune({ keep: 0 });
    });
  } finally {
    await reset();
  }
  assertEquals(records.map(({ level, message }) => `${level} ${message.join("")}`), [
    "info Queue memory opened",
    "warning Task 1 was rescued from worker gone",
    "info Checkpoint of queue memory made",
    "info 1 finished tasks of queue memory deleted",
    "info Queue memory closed",
  ]);
});
