/**
 * Queues that an older Holdfast has written.
 */
import { assertEquals } from "@std/assert";
import { openQueue } from "../../src/mod.ts";
import { QUEUE_SCHEMA, SCHEDULE_TABLE, TASK_TABLE } from "../../src/queue/schema.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import { openLedger } from "../support/ledgers.ts";

const VERSION_1 = {
  tables: QUEUE_SCHEMA.tables.slice(0, 2),
  migrations: QUEUE_SCHEMA.migrations.slice(0, 1),
};

const INSERT = `INSERT INTO task_queue (run_id, type, priority, payload, compatibility, status,
    attempts, max_attempts, run_after_utc, created_at_utc, updated_at_utc, lease_token, is_ready, draw_key)
  VALUES (?, 't', 100, '{}', '{}', 'queued', 0, 5, 0, 0, 0, 0, 1, 0) RETURNING *`;

const VERSION_5 = { ...QUEUE_SCHEMA, migrations: QUEUE_SCHEMA.migrations.slice(0, 5) };

const INSERT_SCHEDULE = `INSERT INTO schedules (schedule_id, type, payload, priority, compatibility,
    max_attempts, cron, time_zone, catch_up, catch_up_max, overlaps, is_paused, next_at_utc, firings, created_at_utc,
    updated_at_utc)
  VALUES ('s', 't', '{}', 100, '{}', 5, '@daily', 'UTC', 'once', 100, 0, 1, 5, 2, 3, 4) RETURNING *`;

Deno.test("a schedule of schema version 5 has no webhook, and all that it had", async () => {
  const disk = new MemoryDisk();
  const old = await openLedger(new MemoryStorage(disk), { schema: VERSION_5 });
  await old.write((tx) => tx.change(SCHEDULE_TABLE, INSERT_SCHEDULE));
  await old.close();
  const queue = await openQueue({ storage: new MemoryStorage(disk) });
  const { webhook, firings, createdAt, updatedAt } = (await queue.getSchedule("s"))!;
  assertEquals([webhook, firings, Number(createdAt), Number(updatedAt)], [null, 2, 3, 4]);
  await queue.pauseSchedule("s", false);
  assertEquals(await queue.integrityCheck(), { ok: true, problems: [] });
  await queue.close();
});

for (const hasSnapshot of [false, true]) {
  Deno.test(`a queue of schema version 1 ${hasSnapshot ? "with" : "without"} a snapshot goes on as the newest`, async () => {
    const disk = new MemoryDisk();
    const old = await openLedger(new MemoryStorage(disk), { schema: VERSION_1 });
    await old.write((tx) => tx.change(TASK_TABLE, INSERT, ["r1"]));
    if (hasSnapshot) await old.checkpoint();
    await old.write((tx) => tx.change(TASK_TABLE, INSERT, ["r2"]));
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
