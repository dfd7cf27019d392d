/**
 * Webhooks that keep failing: the hosts that deliveries do not reach, from the deliveries that failed.
 *
 * A path may hold a secret, so only the host is named.
 */
import { clip } from "../domain/kept_text.ts";
import { groupBy } from "../domain/sequences.ts";

/** How often a delivery that is to be tried again must have failed. */
export const DELIVERY_FAILURES_MIN = 3;

/** How many of the deliveries that wait, and of those that failed for good, are looked at. */
export const DELIVERIES_MAX = 200;

/** Characters of a reason. */
const REASON_MAX_LENGTH = 300;

/** A delivery that failed. */
export interface FailedDelivery {
  /** Of the task that delivers, as JSON. */
  readonly payload: string;
  readonly errorMessage: string | null;
  readonly updatedAtMs: number;
}

/** A host that deliveries do not reach. */
export interface FailingWebhook {
  readonly host: string;
  /** How many failed. */
  readonly deliveries: number;
  /** Why the latest of them did. */
  readonly message: string;
}

/** The hosts of these deliveries, the most failures first, and then by name. */
export function failingWebhooks(deliveries: readonly FailedDelivery[]): FailingWebhook[] {
  const byHost = groupBy(deliveries, ({ payload }) => hostOf(payload));
  return [...byHost].map(([host, failed]): FailingWebhook => {
    const latest = failed.reduce((a, b) => b.updatedAtMs > a.updatedAtMs ? b : a);
    return { host, deliveries: failed.length, message: reasonOf(latest) };
  }).toSorted((a, b) => b.deliveries - a.deliveries || (a.host < b.host ? -1 : 1));
}

function reasonOf({ errorMessage }: FailedDelivery): string {
  return clip(errorMessage?.split("\n", 1)[0] || "no reason given", REASON_MAX_LENGTH);
}

function hostOf(payload: string): string {
  const { url } = JSON.parse(payload) as { readonly url?: unknown };
  return URL.parse(String(url))?.host ?? "";
}
