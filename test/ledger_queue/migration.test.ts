/**
 * Queues whose schema is of another version.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { openQueue, StorageError } from "../../src/mod.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import type { Schema } from "../../src/ledger/schema.ts";
import { LedgerQueue } from "../../src/ledger_queue/ledger_queue.ts";
import { QUEUE_SCHEMA, WORKER_TABLE } from "../../src/ledger_queue/rows/schema.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";

import { FakeClock } from "../support/fake_clock.ts";
import { openLedger } from "../support/ledgers.ts";
import { seededRandom } from "../support/queues.ts";

/** What a later version of Holdfast might add: a column at the end, a table with what is known. */
const NEWER: Schema = {
  tables: [...QUEUE_SCHEMA.tables, { name: "task_notes", key: ["task_id"] }],
  migrations: [
    ...QUEUE_SCHEMA.migrations,
    `ALTER TABLE task_queue ADD COLUMN note TEXT;
    CREATE TABLE task_notes (task_id INTEGER PRIMARY KEY, note TEXT NOT NULL);
    INSERT INTO task_notes (task_id, note) SELECT id, run_id FROM task_queue`,
  ],
};

for (const hasSnapshot of [false, true]) {
  Deno.test(`a queue of an older version ${hasSnapshot ? "with" : "without"} a snapshot goes on as the newest`, async () => {
    const disk = new MemoryDisk();
    const older = await openQueue({ storage: new MemoryStorage(disk) });
    await older.enqueue({ type: "t", runId: "r1" });
    if (hasSnapshot) await older.checkpoint();
    await older.enqueue({ type: "t", runId: "r2" });
    await older.close();
    for (const id of [1, 2]) {
      const ledger = await openLedger(new MemoryStorage(disk), { schema: NEWER });
      const queue = queueOn(ledger);
      const [task] = await queue.claim({ workerId: "w", types: ["t"] });
      await queue.complete(task!);
      const kinds = (await queue.transitions(id)).map(({ kind }) => kind);
      assertEquals(kinds, ["enqueued", "leased", "completed"]);
      assertEquals(await notesOf(ledger), [[1, "r1"], [2, "r2"]]);
      if (id === 1) await ledger.checkpoint();
      await queue.close();
    }
  });
}

Deno.test("a worker of before workers said their version is there, without one", async () => {
  const disk = new MemoryDisk();
  const first = { ...QUEUE_SCHEMA, migrations: QUEUE_SCHEMA.migrations.slice(0, 1) };
  const older = await openLedger(new MemoryStorage(disk), { schema: first });
  const nowMs = new FakeClock().nowMs();
  const said = { worker_id: "w", capabilities: "{}", types: '["t"]', concurrency: 1 };
  const at = { started_at_utc: nowMs, heartbeat_utc: nowMs };
  const rest = { strategy: "priority", type_limits: "{}" };
  await older.write((tx) => tx.insert(WORKER_TABLE, { ...said, ...at, ...rest }));
  await older.close();
  const queue = queueOn(await openLedger(new MemoryStorage(disk), { schema: QUEUE_SCHEMA }));
  const versions = async (): Promise<unknown> =>
    (await queue.listWorkers()).map((
      { workerId, version, runtime },
    ) => [workerId, version, runtime]);
  assertEquals(await versions(), [["w", null, null]]);
  await queue.heartbeat({
    workerId: "w",
    capabilities: {},
    types: [],
    concurrency: 1,
    version: "2",
  });
  assertEquals(await versions(), [["w", "2", null]]);
  await queue.close();
});

Deno.test("a queue of a newer version is refused, and left as it is", async () => {
  const disk = new MemoryDisk();
  const ledger = await openLedger(new MemoryStorage(disk), { schema: NEWER });
  await queueOn(ledger).enqueue({ type: "t", runId: "r1" });
  const [newer, known] = [NEWER.migrations.length, QUEUE_SCHEMA.migrations.length];
  const refused = async (sentence: string): Promise<void> => {
    const open = (): Promise<unknown> => openQueue({ storage: new MemoryStorage(disk) });
    await assertRejects(open, StorageError, sentence);
  };
  await refused(`moved it to schema version ${newer}, this one knows up to ${known}`);
  await ledger.checkpoint();
  await refused(`its schema version is ${newer}, this version of Holdfast knows up to ${known}`);
  assertEquals(await queueOn(ledger).count(), 1);
  await ledger.close();
});

function queueOn(ledger: Ledger): LedgerQueue {
  const options = { clock: new FakeClock(), random: seededRandom(1), onBackgroundError: () => {} };
  return new LedgerQueue(ledger, options);
}

async function notesOf(ledger: Ledger): Promise<unknown[]> {
  return await ledger.read((reader) => reader.read("SELECT * FROM task_notes ORDER BY task_id"));
}
