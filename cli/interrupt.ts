/**
 * Interrupts: the first one asks a command to stop with grace, a later one ends the process.
 *
 * One that comes within a second of the first counts as the same: a Ctrl-C or a SIGTERM to a whole group of processes arrives
 * once from the system, and once more from a parent that hands it on, such as `deno task` or `npx`.
 */
import { EXIT } from "./exit.ts";
import type { CliIo } from "./io.ts";

/** How long running handlers may go on after the first interrupt, in milliseconds. */
export const GRACE_MS = 10_000;

/** How long they may go on when the console is closed, in milliseconds: 5 s later Windows ends the process. */
const CLOSING_GRACE_MS = 3000;

/** How long after the first interrupt another one still counts as the same, in milliseconds. */
const SAME_INTERRUPT_MS = 1000;

/** Listens for interrupts until it is disposed of. */
export interface Interrupts {
  /** Aborts at the first interrupt. */
  readonly signal: AbortSignal;
  /** How long handlers may go on now, in milliseconds. */
  graceMs(): number;
  /** Stops listening; an interrupt ends the process again. */
  dispose(): void;
}

/** What to say at the first interrupt where handlers have the grace time. */
export const STOPPING_NOTE = `stopping: handlers have ${
  GRACE_MS / 1000
} s to finish; interrupt again to end at once`;

/**
 * Starts to listen: the first interrupt is answered with `note`, one that comes more than a second later exits with 130.
 *
 * @param nowMs A clock that is never set; default the system's.
 */
export function listenForInterrupts(
  io: CliIo,
  note?: string,
  nowMs: () => number = () => performance.now(),
): Interrupts {
  const controller = new AbortController();
  let graceMs = GRACE_MS;
  let firstAtMs = 0;
  const dispose = io.onInterrupt((isClosing) => {
    if (isClosing) graceMs = CLOSING_GRACE_MS;
    if (controller.signal.aborted) {
      if (nowMs() - firstAtMs > SAME_INTERRUPT_MS) io.exitNow(EXIT.interrupted);
      return;
    }
    firstAtMs = nowMs();
    if (note !== undefined) io.writeErr(`${note}\n`);
    controller.abort();
  });
  return { signal: controller.signal, dispose, graceMs: () => graceMs };
}

/** Resolves when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
