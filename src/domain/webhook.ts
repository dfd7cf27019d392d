/**
 * Webhooks: a URL that is notified when a task has ended, and the ends that it is notified of.
 */
import { checkOptions, optionNames } from "./options.ts";
import { FINAL_STATUSES, type FinalStatus } from "./final_status.ts";
import { shownValue } from "./shown_value.ts";

/** Every end that a webhook can report. */
export const WEBHOOK_EVENTS: typeof FINAL_STATUSES = FINAL_STATUSES;

/** Characters of a webhook's URL. */
export const WEBHOOK_URL_MAX_LENGTH = 2000;

/** A webhook's URL as it is stored: without its fragment. @throws TypeError, RangeError */
export function checkWebhookUrl(value: unknown): string {
  const url = typeof value === "string" ? URL.parse(value) : null;
  const isUsable = url !== null && /^https?:$/.test(url.protocol) && url.username === "" &&
    url.password === "";
  if (!isUsable) {
    throw new TypeError(
      `Cannot use ${
        shownValue(value)
      } as webhook url: an http or https URL without user name and password is needed`,
    );
  }
  url.hash = "";
  if (url.href.length > WEBHOOK_URL_MAX_LENGTH) {
    throw new RangeError(
      `Cannot use a webhook url of ${url.href.length} characters: at most ${WEBHOOK_URL_MAX_LENGTH} are allowed`,
    );
  }
  return url.href;
}

/** Where to report that a task has ended. */
export interface Webhook {
  /** An `http:` or `https:` URL of at most 2,000 characters, without user name and password. */
  readonly url: string;
  /** Which ends to report; default all three. */
  readonly events?: readonly FinalStatus[];
}

/** The type of the tasks that deliver webhooks; no other task may have it. */
export const WEBHOOK_TYPE = "holdfast.webhook";

/** A checked `Webhook`. */
export interface PreparedWebhook {
  readonly url: string;
  /** Statuses, separated by blanks. */
  readonly events: string;
}

const WEBHOOK_OPTIONS = optionNames<Webhook>({ url: true, events: true });

/** Checks a webhook, before any effect. @throws TypeError, RangeError */
export function prepareWebhook(webhook: Webhook): PreparedWebhook {
  checkOptions(webhook, WEBHOOK_OPTIONS, "a webhook");
  const { url, events = WEBHOOK_EVENTS } = webhook;
  const isList = Array.isArray(events) && events.length > 0 &&
    Array.from(events).every((event) => WEBHOOK_EVENTS.includes(event)); // a hole is no event
  if (!isList) {
    throw new TypeError(
      `Cannot use ${shownValue(events)} as webhook events: some of ${
        WEBHOOK_EVENTS.join(", ")
      } are needed`,
    );
  }
  return { url: checkWebhookUrl(url), events: [...new Set(events)].join(" ") };
}

/** The webhook that is stored as these strings. */
export function webhookOf(url: string, events: string): Webhook {
  return { url, events: events.split(" ") as FinalStatus[] };
}
