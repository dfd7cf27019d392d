/**
 * The contenders on node:sqlite do what is measured: each task is claimed once, and ends.
 */
import { assertEquals } from "@std/assert";
import { append } from "../../bench/contenders/append.ts";
import type { Contender } from "../../bench/contenders/contender.ts";
import { OUR_TABLES_NAME, ourTables } from "../../bench/contenders/our_tables.ts";
import { plainTable, plainTableName } from "../../bench/contenders/plain_table.ts";
import { withTemporaryPath } from "../support/queues.ts";

const CONTENDERS: Readonly<Record<string, (path: string) => Contender>> = {
  [plainTableName("FULL")]: (path) => plainTable(path, "FULL"),
  [OUR_TABLES_NAME]: ourTables,
};

for (const [name, enter] of Object.entries(CONTENDERS)) {
  Deno.test(`${name}: what is enqueued is claimed once, and runs once`, async () => {
    await withTemporaryPath(async (path) => {
      const contender = enter(path);
      try {
        await contender.enqueue(1);
        await contender.enqueueBatch(4);
        assertEquals(await contender.claimAndComplete!(2), 2);
        assertEquals(await contender.claimAndComplete!(9), 3);
        assertEquals(await contender.claimAndComplete!(9), 0);
        const working = await contender.work!(2);
        await working.live(3);
        await working.stop();
        assertEquals(await contender.claimAndComplete!(9), 0);
      } finally {
        await contender.close();
      }
    });
  });
}

Deno.test("the floor appends the bytes of each task, with an fsync for each call", async () => {
  await withTemporaryPath(async (path) => {
    const contender = append(path);
    await contender.enqueue(1);
    const { size } = Deno.statSync(path);
    await contender.enqueueBatch(9);
    assertEquals([Deno.statSync(path).size, await contender.syncs()], [10 * size, 2]);
    await contender.close();
  });
});
