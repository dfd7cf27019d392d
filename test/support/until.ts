/**
 * Waiting in tests: on a condition, never for a time.
 */

/** Looks again every few milliseconds until `condition` holds; fails after five seconds. */
export async function until(condition: () => unknown, what = "the condition"): Promise<void> {
  const deadlineMs = performance.now() + 5000;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`Waited 5 s in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
