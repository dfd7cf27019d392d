/**
 * Memory: what many requests leave behind in a process of their own, after a garbage collection.
 */
import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { effort } from "../support/effort.ts";

const REQUESTS = effort("memoryRequests");
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

Deno.test(`${REQUESTS} requests, a quarter of them streams that are dropped, leave no growth of memory`, async (t) => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      "--v8-flags=--expose-gc",
      "--allow-read",
      "--allow-env",
      "test/server/memory_program.ts",
    ],
    cwd: ROOT,
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const { before, after } = JSON.parse(new TextDecoder().decode(stdout));
  const text = `heap ${before.toFixed(2)} MiB before, ${after.toFixed(2)} MiB after`;
  // 10,000 leaks of 400 bytes would be 4 MiB, and so would 2,000 of 2,000 bytes.
  await t.step(text, () => assert(after - before < 4, text));
});
