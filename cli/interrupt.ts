/**
 * Interrupts: the first one asks a command to stop with grace, the second one ends the process.
 */
import { EXIT } from "./exit.ts";
import type { CliIo } from "./io.ts";

/** How long running handlers may go on after the first interrupt, in milliseconds. */
export const GRACE_MS = 10_000;

/** Listens for interrupts until it is disposed of. */
export interface Interrupts {
  /** Aborts at the first interrupt. */
  readonly signal: AbortSignal;
  /** Stops listening; an interrupt ends the process again. */
  dispose(): void;
}

/** What to say at the first interrupt where handlers have the grace time. */
export const STOPPING_NOTE = `stopping: handlers have ${
  GRACE_MS / 1000
} s to finish; interrupt again to end at once`;

/** Starts to listen: the first interrupt is answered with `note`, the second one exits with 130. */
export function listenForInterrupts(io: CliIo, note?: string): Interrupts {
  const controller = new AbortController();
  const dispose = io.onInterrupt(() => {
    if (controller.signal.aborted) return io.exitNow(EXIT.interrupted);
    if (note !== undefined) io.writeErr(`${note}\n`);
    controller.abort();
  });
  return { signal: controller.signal, dispose };
}

/** Resolves when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
