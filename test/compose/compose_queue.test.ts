/**
 * A queue of parts that are passed in, as `./core` has it.
 */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import initSqlJs from "sql.js/dist/sql-wasm.js";
import { join } from "node:path";
import { StorageError } from "../../src/domain/errors.ts";
import { loadSqlEngine, MemoryDisk, MemoryStorage, openQueueWith } from "../../src/core.ts";
import { sqlJsFolder } from "../core/bundles.ts";

Deno.test("openQueueWith() opens a queue on an engine of bytes, and what its storage keeps again", async () => {
  const wasm = await Deno.readFile(join(await sqlJsFolder(), "sql-wasm.wasm"));
  const engine = await loadSqlEngine(initSqlJs, wasm);
  const disk = new MemoryDisk();
  const queue = await openQueueWith({ engine, storage: new MemoryStorage(disk) });
  const { task } = await queue.enqueue({ type: "a" });
  const error = await assertRejects(() => queue.backup("there.db"), StorageError);
  assertStringIncludes(error.message, "there are no files here");
  await queue.close();
  disk.cutPower();
  const again = await openQueueWith({ engine, storage: new MemoryStorage(disk) });
  assertEquals((await again.get(task.id))?.type, "a");
  await again.close();
  const other = await openQueueWith({ engine });
  assertEquals(await other.count(), 0);
  await other.close();
});
