/**
 * Progress: a number from 0 to 100.
 */

/** `percent` as it is. @throws RangeError when it is no number from 0 to 100. */
export function checkPercent(percent: number): number {
  if (percent >= 0 && percent <= 100) return percent;
  throw new RangeError(`Cannot report progress ${percent}: a number from 0 to 100 is needed`);
}
