/**
 * Retention as people write it: `30d`, `failed:90d`, `keep:1000`, `completed:keep:1000`.
 *
 * A duration deletes what finished longer ago, `keep` all but the last so many of each status; a status in front says whose
 * tasks. A number without a word is refused: 30 for 30d would delete almost everything.
 */
import { FINAL_STATUSES, type FinalStatus } from "../domain/final_status.ts";
import type { PruneRequest } from "../queue/operator.ts";

/** What `worker` and `serve` apply when nothing else is said: thirty days, and no more than 100,000 of each status. */
export const RETENTION_DEFAULT: readonly string[] = Object.freeze(["30d", "keep:100000"]);

/** What a rule looks like. */
export const RETENTION_RULE = new RegExp(
  `^(?:(${FINAL_STATUSES.join("|")}):)?(?:(\\d{1,6})(s|m|h|d)|keep:(\\d{1,9}))$`,
);

/** What is said of a text that is no rule. */
export const RETENTION_ALLOWED =
  `a rule such as 30d, failed:90d, keep:1000 or completed:keep:1000 is needed (s, m, h, d; ${
    FINAL_STATUSES.join(", ")
  })`;

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** The rules that `openQueue` takes as `retention`. @throws TypeError with the text that is no rule, and what is allowed. */
export function parseRetention(rules: readonly string[]): PruneRequest[] {
  return rules.map(parseRule);
}

function parseRule(text: string): PruneRequest {
  const match = RETENTION_RULE.exec(text);
  if (match === null) {
    throw new TypeError(
      `Cannot use ${JSON.stringify(text)} as a rule of retention: ${RETENTION_ALLOWED}`,
    );
  }
  const [, status, amount, unit, keep] = match;
  const whose = status === undefined ? {} : { statuses: [status as FinalStatus] };
  if (keep !== undefined) return { ...whose, keep: Number(keep) };
  return { ...whose, olderThanMs: Number(amount) * UNIT_MS[unit!]! };
}
