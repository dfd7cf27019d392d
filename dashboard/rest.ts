/**
 * Rest between two steps of one request: a queue in this process answers at once, and nothing else would have its turn.
 */
import { sleep, systemClock } from "../src/core.ts";

/** Lets other work go on. */
export async function rest(): Promise<void> {
  await sleep(systemClock, 0);
}
