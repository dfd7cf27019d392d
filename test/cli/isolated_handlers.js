/**
 * Handlers in plain JavaScript for threads in real processes.
 */

/** Waits until it is told to stop, and logs when and why. */
export function wait(_task, { signal, log }) {
  log("info", "waiting");
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => {
      log("info", `aborted: ${signal.reason.message}`, { atMs: Date.now() });
      reject(signal.reason);
    });
  });
}

/** Never gives its thread back. */
export function block(_task, { log }) {
  log("info", "waiting");
  for (;;);
}
