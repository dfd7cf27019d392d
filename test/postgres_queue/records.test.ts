/**
 * Records on PostgreSQL.
 */
import { assertEquals } from "@std/assert";
import { record, recordsContract } from "../contract/records_contract.ts";
import { withMemoryQueue } from "../support/queues.ts";
import { postgresForTests, withPostgresQueue } from "../support/postgres_queues.ts";

const server = postgresForTests();
const withQueue = withPostgresQueue(server);

recordsContract("queue on PostgreSQL", withQueue, withMemoryQueue);

Deno.test("queue on PostgreSQL: an id that was given to no task is free for an import", () =>
  withQueue({}, async (queue, clock) => {
    await queue.importRecords([record(1)]);
    const first = await queue.enqueue({ type: "own", idempotencyKey: "k" });
    for (let i = 0; i < 4; i++) await queue.enqueue({ type: "own", idempotencyKey: "k" });
    const last = await queue.enqueue({ type: "own" });
    assertEquals([first.task.id, last.task.id > 4], [2, true]);
    await queue.cancel(last.task.id);
    await clock.advance(1000);
    await queue.prune({ keep: 0 });
    const records = [record(1), record(3), record(4), record(last.task.id)];
    const { stored, present, additions, gone } = await queue.importRecords(records);
    assertEquals([stored, present, additions, gone], [true, [1], [3, 4], [last.task.id]]);
  }));
