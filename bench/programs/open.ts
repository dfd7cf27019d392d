/**
 * Opens the queue at PATH in a process of its own, and says how long that took and how much memory it takes.
 */
import { openQueue } from "../../src/mod.ts";
import { say } from "./talk.ts";

/** What it says. */
export interface Opened {
  readonly openMs: number;
  /** Resident memory before and after. */
  readonly residentBytes: readonly [before: number, after: number];
}

async function main(): Promise<void> {
  const [path, isWarm] = Deno.args;
  // With the engine loaded and compiled, what is left is what the tasks take.
  if (isWarm === "warm") await (await openQueue({ memory: true })).close();
  const before = Deno.memoryUsage().rss;
  const startedAt = performance.now();
  const queue = await openQueue({ path, mustExist: true });
  const openMs = performance.now() - startedAt;
  say({ openMs, residentBytes: [before, Deno.memoryUsage().rss] } satisfies Opened);
  await queue.close();
}

if (import.meta.main) await main();
