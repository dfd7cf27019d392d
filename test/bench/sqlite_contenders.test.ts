/**
 * The contenders on node:sqlite do what is measured: each task is claimed once, and ends.
 */
import { assertEquals } from "@std/assert";
import { append } from "../../bench/contenders/append.ts";
import type { Contender } from "../../bench/contenders/contender.ts";
import { OUR_TABLES_NAME, ourTables } from "../../bench/contenders/our_tables.ts";
import { plainjob, whyNoPlainjob } from "../../bench/contenders/plainjob.ts";
import { plainTable, plainTableName } from "../../bench/contenders/plain_table.ts";
import { holdfast } from "../../bench/contenders/holdfast.ts";
import { Stopwatch } from "../../bench/measure.ts";
import { enqueueOrder } from "../../bench/orders.ts";
import { perform } from "../../bench/works.ts";
import type { NewTask } from "../../src/mod.ts";
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

Deno.test({
  name: "plainjob does whole orders, and tells how many tasks and how long",
  ignore: whyNoPlainjob() !== undefined,
  fn: async () => {
    await withTemporaryPath(async (path) => {
      const contender = await plainjob(path);
      try {
        const watch = new Stopwatch(contender);
        assertEquals(await perform(contender, watch, enqueueOrder(2, 3)), 6);
        assertEquals(watch.laps.length, 6);
        const order = { kind: "claim", filled: 0, limit: 4, tasks: 6 } as const;
        assertEquals(await perform(contender, watch, order), 6);
        assertEquals(watch.laps.length, 8);
      } finally {
        await contender.close();
      }
    });
  },
});

Deno.test("tasks are as the mix says, and a claim finds them", async () => {
  await withTemporaryPath(async (path) => {
    const taskOf = (n: number): NewTask => ({ type: `kind-${n}`, payload: { n } });
    const claims = { types: ["kind-0", "kind-1"] };
    const contender = await holdfast(path, "relaxed", { taskOf, claims });
    try {
      await contender.enqueueBatch(3);
      assertEquals(await contender.claimAndComplete!(9), 2);
    } finally {
      await contender.close();
    }
  });
});

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
