/**
 * The room of logs: those of all tasks together take no more than they may, and a task that says a lot leaves at most its cap.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { openQueue } from "../../src/mod.ts";
import { logALot } from "../contract/loud_worker.ts";
import { isThorough } from "../support/effort.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { until } from "../support/until.ts";
import { withTemporaryPath } from "../support/queues.ts";

const MIB = 1024 * 1024;

Deno.test("logs that take more than they may lose those of the first finished tasks, and no task", () =>
  withTemporaryPath(async (path) => {
    const clock = new FakeClock();
    const queue = await openQueue({ path, clock, logsMaxBytes: 64 * MIB });
    await queue.enqueueBatch(Array.from({ length: 4 }, () => ({ type: "t" })));
    const tasks = await queue.claim({ workerId: "w", types: ["t"], limit: 3 });
    for (const id of [2, 1]) {
      await clock.advance(1000);
      await queue.complete(tasks[id - 1]!);
    }
    await Deno.mkdir(`${path}.logs`);
    const fileOf = (id: number): string => join(`${path}.logs`, `${id}.ndjson`);
    for (const id of [1, 2, 3, 4, 9]) {
      using file = await Deno.create(fileOf(id));
      await file.truncate(id === 9 ? 10 : 30 * MIB);
    }
    await Deno.writeTextFile(join(`${path}.logs`, "strange.txt"), "stays");
    const left = async (): Promise<string[]> => {
      const names: string[] = [];
      for await (const { name } of Deno.readDir(`${path}.logs`)) names.push(name);
      return names.sort();
    };
    // 120 MiB and 10 bytes: that of a task that is gone goes, and of the finished ones both, the first finished first
    const open = ["3.ndjson", "4.ndjson", "strange.txt"];
    await until(async () => {
      await clock.advance(60_000);
      return (await left()).length === 3;
    }, "the logs are trimmed");
    assertEquals([await left(), await queue.count()], [open, 4]);
    // one that is small enough stays
    await queue.cancel(3);
    await clock.advance(60_000);
    assertEquals(await left(), open);
    await queue.close();
  }));

Deno.test("no room of logs that is out of its range is accepted", () =>
  withTemporaryPath(async (path) => {
    for (const logsMaxBytes of [1, NaN, Infinity, 64 * MIB - 1]) {
      await assertRejects(() => openQueue({ path, logsMaxBytes }), RangeError, `${logsMaxBytes}`);
    }
  }));

Deno.test({
  name: "a handler that logs 100 MB leaves at most the cap, in files",
  ignore: !isThorough(),
  fn: () =>
    withTemporaryPath((path) =>
      logALot(path, async () => (await Deno.stat(`${path}.logs/1.ndjson`)).size)
    ),
});
