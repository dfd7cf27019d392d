/**
 * Warming up: a process that has just started compiles as it goes, which would be most of what is measured.
 */
import { MemoryDisk, MemoryStorage, openQueue } from "../../src/mod.ts";
import { workOn } from "../contenders/holdfast.ts";

const TASKS = 2000;
const CONCURRENCY = 32;

/** Works on tasks in memory, and follows another's work, until both are compiled. */
export async function warmUp(): Promise<void> {
  const disk = new MemoryDisk();
  const ours = await openQueue({ storage: new MemoryStorage(disk) });
  const theirs = await openQueue({ storage: new MemoryStorage(disk) });
  const working = workOn(ours, CONCURRENCY);
  await working.live(TASKS);
  await working.stop();
  await theirs.stats();
  await theirs.close();
  await ours.close();
}
