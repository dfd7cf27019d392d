/**
 * How much of the heap is alive.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Collects garbage now. */
export function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

/** The bytes of the heap that are in use after a collection of garbage. */
export function liveHeapBytes(): number {
  collectGarbage();
  return Deno.memoryUsage().heapUsed;
}
