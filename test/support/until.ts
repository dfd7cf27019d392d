/**
 * Waiting in tests: on a condition, never for a time.
 */

/** Looks again every few milliseconds until `condition` holds; fails after `withinMs`, by default five seconds. */
export async function until(
  condition: () => unknown,
  what = "the condition",
  withinMs = 5000,
): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) {
      throw new Error(`Waited ${withinMs / 1000} s in vain for ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
