/**
 * Queues for tests: in memory, in a temporary folder, with a clock of the test's.
 */
import { join } from "node:path";
import { openEmbeddedQueue } from "../../src/compose/open_embedded.ts";
import type { QueueOptions } from "../../src/compose/queue_options.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import { MemoryStorage } from "../../src/storage/memory_storage.ts";
import { isThorough } from "./effort.ts";
import { FakeClock } from "./fake_clock.ts";
import { OrderMonitor } from "./order_monitor.ts";
import { seededRandom } from "./seeded_random.ts";

export { seededRandom } from "./seeded_random.ts";

/** Where the room behind the last record begins: a record ends with a bracket. */
export async function endOfRecords(journal: string): Promise<number> {
  return (await Deno.readFile(journal)).findLastIndex((byte) => byte !== 0) + 1;
}

/** Runs `test` with the path of a queue in a folder that is removed afterwards. */
export async function withTemporaryPath(test: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "holdfast test ü " });
  try {
    await test(join(folder, "queue.db"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * Runs `test` with a queue and its clock; closes it afterwards. Without a path
 * its storage is watched for what comes too early.
 */
export async function withQueue(
  options: QueueOptions,
  test: (queue: EmbeddedQueue, clock: FakeClock) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock();
  const monitor = options.path === undefined
    ? new OrderMonitor(options.storage ?? new MemoryStorage())
    : undefined;
  const place = monitor && { memory: false, storage: monitor };
  const queue = await openEmbeddedQueue({ clock, random: seededRandom(1), ...options, ...place });
  try {
    await test(queue, clock);
  } finally {
    await queue.close();
  }
  monitor?.check();
}

/** Runs `test` with a queue that `openEmbeddedQueue` keeps in memory by itself, watched by nothing. */
export async function withMemoryQueue(
  options: QueueOptions,
  test: (queue: EmbeddedQueue, clock: FakeClock) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock();
  const queue = await openEmbeddedQueue({
    memory: true,
    clock,
    random: seededRandom(1),
    ...options,
  });
  try {
    await test(queue, clock);
  } finally {
    await queue.close();
  }
}

const inFiles: typeof withQueue = (options, test) =>
  withTemporaryPath((path) => withQueue({ path, ...options }, test));

/** Where the embedded engine keeps a queue whose contract is tested. In the quick size memory has to do. */
export const EMBEDDED_PLACES: readonly (readonly [name: string, withPlace: typeof withQueue])[] = [
  ["queue in memory", withMemoryQueue] as const,
  ...(isThorough() ? [["queue in files", inFiles] as const] : []),
];

/** Options of a queue in memory whose background failures fail the test. */
export const IN_MEMORY: QueueOptions = { memory: true };
