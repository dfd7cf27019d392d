/**
 * Queues whose operations write less than others' do, so that many tasks need no large payloads.
 */
import { LedgerQueue } from "../../src/ledger_queue/ledger_queue.ts";
import { QUEUE_SCHEMA } from "../../src/ledger_queue/rows/schema.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import { MemoryStorage } from "../../src/storage/memory_storage.ts";
import { FakeClock } from "./fake_clock.ts";
import { openLedger } from "./ledgers.ts";
import { seededRandom } from "./queues.ts";

/** Runs `test` with a queue in memory whose operations write no more than `recordBudget` characters, about. */
export async function withBudget(
  recordBudget: number,
  test: (queue: EmbeddedQueue, clock: FakeClock) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock();
  const ledger = await openLedger(new MemoryStorage(), { schema: QUEUE_SCHEMA, clock });
  const queue = new LedgerQueue(ledger, {
    clock,
    random: seededRandom(1),
    payloadMaxBytes: 16 * 1024 * 1024,
    recordBudget,
    onBackgroundError: (error) => {
      throw error;
    },
  });
  try {
    await test(queue, clock);
  } finally {
    await queue.close();
  }
}
