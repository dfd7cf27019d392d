/**
 * Exit codes: what an error stands for.
 */
import { assertEquals } from "@std/assert";
import { exitCodeOf } from "../../cli/exit.ts";
import { CorruptionError, QueueFullError, StorageError } from "../../src/domain/errors.ts";

Deno.test("exitCodeOf() is 4 for a full queue as for every other failure of the storage", () => {
  const errors = [
    new QueueFullError("q.db", { usedBytes: 2, markBytes: 1 }),
    new StorageError("append to", "q.db", "the disk is full"),
    new CorruptionError("q.db", 0, "it was cut"),
  ];
  assertEquals(errors.map(exitCodeOf), [4, 4, 4]);
});
