/**
 * The grace time: how long what runs may go on when its worker or manager ends.
 */

import { checkOptions, optionNames } from "./options.ts";
import { shownValue } from "./shown_value.ts";

/** How to end. */
export interface GraceOptions {
  /** How long what runs may go on, in milliseconds, 0 or more; default 10,000. */
  readonly graceMs?: number;
}

const GRACE_OPTIONS = optionNames<GraceOptions>({ graceMs: true });

/** The grace time when nothing is said, in milliseconds. */
export const GRACE_DEFAULT_MS = 10_000;

/**
 * The grace time of `options` in milliseconds, or its default.
 *
 * @throws TypeError for an unknown option, or when it is not a number; RangeError when it is negative.
 */
export function resolveGraceMs(options: GraceOptions, where: string): number {
  checkOptions(options, GRACE_OPTIONS, where);
  const { graceMs } = options;
  const resolved: unknown = graceMs ?? GRACE_DEFAULT_MS;
  const problem = "as graceMs: a number of at least 0 is needed";
  if (typeof resolved !== "number") {
    throw new TypeError(`Cannot use ${shownValue(resolved)} ${problem}`);
  }
  if (resolved >= 0) return resolved;
  throw new RangeError(`Cannot use ${resolved} ${problem}`);
}
