import { assertEquals, assertRejects } from "@std/assert";
import { openLogStore, openQueue, StorageError } from "../../src/mod.ts";
import {
  line,
  logStoreContract,
  messagesOf,
  type UseLogs,
} from "../contract/log_store_contract.ts";
import { freshSchema, postgresForTests } from "../support/postgres_queues.ts";

const server = postgresForTests();

/** Runs `test` with the address of a queue that is there. */
async function withAddress(test: (address: string) => Promise<void>): Promise<void> {
  const address = `${server.url}?schema=${freshSchema()}`;
  const queue = await openQueue(address);
  await queue.close();
  await test(address);
}

const useLogs: UseLogs = (limits, test) =>
  withAddress(async (address) => {
    const logs = openLogStore(address, limits);
    try {
      await test(logs);
    } finally {
      await logs.close();
    }
  });

logStoreContract("PostgresLogStore", useLogs);

Deno.test({
  name: "PostgresLogStore: two stores that write one log leave no gap, and no line is lost",
  fn: () =>
    withAddress(async (address) => {
      const stores = [openLogStore(address), openLogStore(address)];
      for (let n = 0; n < 600; n++) stores[n % 2]!.append(1 + n % 3, line(`${n}`));
      await Promise.all(stores.map((logs) => logs.close()));
      const reader = openLogStore(address);
      const messages = await Promise.all([1, 2, 3].map((taskId) => messagesOf(reader, taskId)));
      await reader.close();
      const numbers = messages.flat().map(Number).sort((a, b) => a - b);
      assertEquals(numbers, Array.from({ length: 600 }, (_, n) => n));
    }),
});

Deno.test({
  name: "PostgresLogStore: read() refuses an offset within a line, and what is no text comes back",
  fn: () =>
    useLogs({}, async (logs) => {
      const odd = line('\u0000\ud800\\ "{}\u2028', { details: { at: ["\u0000", null] } });
      logs.append(1, odd);
      assertEquals((await logs.read(1, 0)).lines, [odd]);
      await assertRejects(() => logs.read(1, 1), RangeError, "no line begins there");
      logs.append(2, { ...odd, message: undefined as never });
      logs.append(2, odd);
      assertEquals((await logs.read(2, 0)).lines, [odd]);
    }),
});

Deno.test({
  name: "PostgresLogStore: the log of a pruned task goes with it",
  fn: () =>
    withAddress(async (address) => {
      const queue = await openQueue(address);
      const logs = openLogStore(address);
      const { task } = await queue.enqueue({ type: "mail" }, { cancelled: true });
      logs.append(task.id, line("gone"));
      assertEquals(await messagesOf(logs, task.id), ["gone"]);
      await queue.prune({ keep: 0 });
      assertEquals([await messagesOf(logs, task.id), await logs.end(task.id)], [[], 0]);
      await logs.close();
      await queue.close();
    }),
});

Deno.test("PostgresLogStore: a store that is closed makes no connection again, and says so", () =>
  withAddress(async (address) => {
    const logs = openLogStore(address);
    logs.append(1, line("one"));
    await logs.close();
    await assertRejects(() => logs.read(1, 0), StorageError, "closed");
    await assertRejects(() => logs.tail(1, { lines: 1 }), StorageError, "closed");
    await assertRejects(() => logs.end(1), StorageError, "closed");
    logs.append(1, line("two"));
    await logs.flush!(1);
    const reader = openLogStore(address);
    assertEquals(await messagesOf(reader), ["one"]);
    await reader.close();
  }));
