/**
 * Queues that an older Holdfast has written.
 */
import { assertEquals } from "@std/assert";
import { openQueue } from "../../src/mod.ts";
import type { WorkerRecord } from "../../src/queue/workers.ts";
import {
  QUEUE_SCHEMA,
  SCHEDULE_TABLE,
  TASK_TABLE,
  WORKER_TABLE,
} from "../../src/ledger_queue/rows/schema.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import { openLedger } from "../support/ledgers.ts";

const VERSION_1 = {
  tables: QUEUE_SCHEMA.tables.slice(0, 2),
  migrations: QUEUE_SCHEMA.migrations.slice(0, 1),
};

const TASK = {
  type: "t",
  priority: 100,
  payload: "{}",
  compatibility: "{}",
  status: "queued",
  attempts: 0,
  max_attempts: 5,
  run_after_utc: 0,
  created_at_utc: 0,
  updated_at_utc: 0,
  lease_token: 0,
  is_ready: 1,
  draw_key: 0,
};

const VERSION_5 = { ...QUEUE_SCHEMA, migrations: QUEUE_SCHEMA.migrations.slice(0, 5) };

const SCHEDULE = {
  schedule_id: "s",
  type: "t",
  payload: "{}",
  priority: 100,
  compatibility: "{}",
  max_attempts: 5,
  cron: "@daily",
  time_zone: "UTC",
  catch_up: "once",
  catch_up_max: 100,
  overlaps: 0,
  is_paused: 1,
  next_at_utc: 5,
  firings: 2,
  created_at_utc: 3,
  updated_at_utc: 4,
};

Deno.test("a schedule of schema version 5 has no webhook, and all that it had", async () => {
  const disk = new MemoryDisk();
  const old = await openLedger(new MemoryStorage(disk), { schema: VERSION_5 });
  await old.write((tx) => tx.insert(SCHEDULE_TABLE, SCHEDULE));
  await old.close();
  const queue = await openQueue({ storage: new MemoryStorage(disk) });
  const { webhook, firings, createdAt, updatedAt } = (await queue.getSchedule("s"))!;
  assertEquals([webhook, firings, Number(createdAt), Number(updatedAt)], [null, 2, 3, 4]);
  await queue.pauseSchedule("s", false);
  assertEquals(await queue.integrityCheck(), { ok: true, problems: [] });
  await queue.close();
});

Deno.test("a worker of schema version 6 chooses by priority, without limits of single types", async () => {
  const disk = new MemoryDisk();
  const schema = { ...QUEUE_SCHEMA, migrations: QUEUE_SCHEMA.migrations.slice(0, 6) };
  const old = await openLedger(new MemoryStorage(disk), { schema });
  const nowMs = Date.now();
  await old.write((tx) =>
    tx.insert(WORKER_TABLE, {
      worker_id: "w",
      capabilities: "{}",
      types: '["t"]',
      concurrency: 2,
      started_at_utc: nowMs,
      heartbeat_utc: nowMs,
    })
  );
  await old.close();
  const queue = await openQueue({ storage: new MemoryStorage(disk) });
  const [{ types, concurrency, strategy, typeLimits }] = await queue.listWorkers() as [
    WorkerRecord,
  ];
  assertEquals([types, concurrency, strategy, typeLimits], [["t"], 2, "priority", {}]);
  await queue.close();
});

for (const hasSnapshot of [false, true]) {
  Deno.test(`a queue of schema version 1 ${hasSnapshot ? "with" : "without"} a snapshot goes on as the newest`, async () => {
    const disk = new MemoryDisk();
    const old = await openLedger(new MemoryStorage(disk), { schema: VERSION_1 });
    await old.write((tx) => tx.insert(TASK_TABLE, { ...TASK, run_id: "r1" }));
    if (hasSnapshot) await old.checkpoint();
    await old.write((tx) => tx.insert(TASK_TABLE, { ...TASK, run_id: "r2" }));
    await old.close();
    for (const round of [1, 2]) {
      const queue = await openQueue({ storage: new MemoryStorage(disk) });
      const [task] = await queue.claim({ workerId: "w", types: ["t"] });
      await queue.complete(task!);
      assertEquals((await queue.transitions(round)).map(({ kind }) => kind), [
        "leased",
        "completed",
      ]);
      assertEquals(await queue.integrityCheck(), { ok: true, problems: [] });
      if (round === 1) await queue.checkpoint();
      await queue.close();
    }
  });
}
