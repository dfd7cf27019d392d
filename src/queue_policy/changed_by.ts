/**
 * Who does something by hand, checked.
 */
import { checkName } from "../domain/check.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { type ChangedBy, FLOW_LIMITS } from "../queue/limits.ts";

/** Which task, and who asks for it. */
export interface AskedByHand {
  readonly id: number;
  /** `null` for unknown. */
  readonly by: string | null;
}

const CHANGED_BY = optionNames<ChangedBy>({ by: true });

/** Who does it; `null` for unknown. @throws TypeError */
export function checkBy({ by }: ChangedBy): string | null {
  return by === undefined ? null : checkName(by, "by", FLOW_LIMITS.byMaxLength);
}

/** The same where nothing else is said. @throws TypeError */
export function prepareBy(options: ChangedBy, doing: string): string | null {
  checkOptions(options, CHANGED_BY, doing);
  return checkBy(options);
}
