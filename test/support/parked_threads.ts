/**
 * Sees the threads that a process parks.
 */
import process from "node:process";
import type { Worker as NodeThread } from "node:worker_threads";

/** The threads that are parked while `act` runs. */
export async function threadsParkedIn(act: () => Promise<void> | void): Promise<NodeThread[]> {
  const threads: NodeThread[] = [];
  const note = (thread: NodeThread): void => void threads.push(thread);
  process.on("worker", note);
  try {
    await act();
    await new Promise<void>((resolve) => process.nextTick(resolve)); // they are told likewise
  } finally {
    process.off("worker", note);
  }
  return threads;
}
