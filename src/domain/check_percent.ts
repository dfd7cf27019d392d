/**
 * Progress: a number from 0 to 100.
 */

/** `percent` as it is. @throws TypeError when it is no number; RangeError when it is not from 0 to 100. */
export function checkPercent(percent: unknown): number {
  const needed = "a number from 0 to 100 is needed";
  if (typeof percent !== "number") {
    const shown = JSON.stringify(percent) ?? typeof percent;
    throw new TypeError(`Cannot report progress ${shown}: ${needed}`);
  }
  if (percent >= 0 && percent <= 100) return percent;
  throw new RangeError(`Cannot report progress ${percent}: ${needed}`);
}
