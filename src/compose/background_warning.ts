/**
 * What fails in the background is a line on the standard error, unless a caller listens.
 */
import type { Clock } from "../domain/clock.ts";
import { messageOf } from "../domain/errors.ts";
import { withoutRepeats } from "../domain/without_repeats.ts";

/** Writes the message of each error, the same one once a minute. */
export function warningOnce(clock: Clock): (error: unknown) => void {
  const warn = withoutRepeats(warnOnStandardError, clock);
  return (error) => warn(messageOf(error));
}

/** One line on the standard error, or in a browser's console. */
export function warnOnStandardError(message: string): void {
  console.error(`holdfast: ${message}`);
}
