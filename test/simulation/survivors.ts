/**
 * Survivors: what a power cut has left, read by the queue itself from a copy of the disk, before anybody goes on.
 */
import type { Task } from "../../src/domain/task.ts";
import { Ledger } from "../../src/ledger/ledger.ts";
import type { SqlEngine } from "../../src/ledger/sql_engine.ts";
import { LedgerQueue } from "../../src/ledger_queue/ledger_queue.ts";
import { QUEUE_SCHEMA } from "../../src/ledger_queue/rows/schema.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import { Chance } from "./chance.ts";
import type { SimulatedDisk } from "./disk.ts";

/** Every task that is there. The disk stays as it is. */
export async function readSurvivors(
  disk: SimulatedDisk,
  { engine, nowMs }: { readonly engine: SqlEngine; readonly nowMs: number },
): Promise<Task[]> {
  const copy = new MemoryDisk();
  for (const name of disk.list()) copy.writeBytes(name, disk.find(name)!.now.bytes());
  const clock = { nowMs: () => nowMs, setTimer: () => () => {} };
  const onBackgroundError = (error: Error): void => {
    throw error;
  };
  const ledger = await Ledger.open({
    storage: new MemoryStorage(copy),
    engine,
    schema: QUEUE_SCHEMA,
    newQueueId: () => "0".repeat(32),
    clock,
    onBackgroundError,
  });
  const queue = new LedgerQueue(ledger, {
    clock,
    random: new Chance(0).next,
    newRunId: () => "none",
    onBackgroundError,
  });
  try {
    return await queue.list({ limit: 1000 });
  } finally {
    await queue.close();
  }
}
