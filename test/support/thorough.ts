/**
 * Tests of sizes that take seconds of CPU: the largest payloads, the largest pages. The quick size leaves them out by name.
 */
import { isThorough } from "./effort.ts";

/** Registers a test that the quick size ignores. */
export function thoroughTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !isThorough(), fn });
}
