import { assertEquals } from "@std/assert";
import type { LedgerQueue } from "../../src/ledger_queue/ledger_queue.ts";
import { bulkContract } from "../contract/bulk_contract.ts";
import { changesContract } from "../contract/changes_contract.ts";
import { searchContract } from "../contract/search_contract.ts";
import { EMBEDDED_PLACES, withMemoryQueue } from "../support/queues.ts";

bulkContract("queue in memory", withMemoryQueue);
searchContract("queue in memory", withMemoryQueue);
for (const [name, withPlace] of EMBEDDED_PLACES) changesContract(name, withPlace);

Deno.test("a task that is given another group comes at that group's turn", async () => {
  await withMemoryQueue({}, async (queue) => {
    const groups = ["a", "a", "a", "b", undefined];
    await queue.enqueueBatch(groups.map((group) => ({ type: "t", group })));
    await queue.update(3, { group: "c" });
    await queue.update(4, { group: "a", delayMs: 1000 });
    await queue.update(5, { group: "b" });
    const sound = async (): Promise<void> => {
      assertEquals(await (queue as LedgerQueue).integrityCheck(), { ok: true, problems: [] });
    };
    await sound();
    const order: number[] = [];
    for (let n = 0; n < 4; n++) {
      const [task] = await queue.claim({ workerId: "w", types: ["t"] });
      order.push(task!.id);
      await sound();
    }
    assertEquals(order.toSorted(), [1, 2, 3, 5]);
    assertEquals(order.indexOf(2), 3, "each other group has its turn before a second of a");
  });
});
