/**
 * Waiting in tests: on a condition, never for a time.
 */

/** On Windows a process is started more slowly, the more so where Windows is emulated. */
const PATIENCE = Deno.build.os === "windows" ? 4 : 1;

/**
 * Looks again every few milliseconds until `condition` holds; fails after `withinMs`, by default a minute, and on Windows
 * after four times as long. What is right never waits for it, however busy the machine is.
 */
export async function until(
  condition: () => unknown,
  what = "the condition",
  withinMs = 60_000,
): Promise<void> {
  const patienceMs = withinMs * PATIENCE;
  const deadlineMs = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) {
      throw new Error(`Waited ${patienceMs / 1000} s in vain for ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
