/**
 * Memory that runs out, truly: who notices is in doubt, and says so as an error of its storage.
 */
import { assertEquals } from "@std/assert";

Deno.test("a ledger whose memory runs out is in doubt, and calls no file damaged", async () => {
  const program = new URL("./programs/out_of_memory.ts", import.meta.url);
  const thread = new Worker(program, { type: "module" });
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  thread.onmessage = ({ data }) => resolve(data);
  thread.onerror = ({ message }) => reject(new Error(message));
  try {
    assertEquals(await promise, {
      outcomes: [
        "TransactionLostError: use",
        "StorageError: use",
        "TransactionLostError: use",
        "StorageError: use",
      ],
      sequence: 32,
    });
  } finally {
    thread.terminate();
  }
});
