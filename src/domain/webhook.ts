/**
 * What a webhook may be: the ends that it tells of, and the URLs that are told.
 */

/** Every end that a webhook can tell of. */
export const WEBHOOK_EVENTS = ["completed", "failed", "cancelled"] as const;

/** Characters of a webhook's URL. */
const WEBHOOK_URL_MAX_LENGTH = 2000;

/** A webhook's URL as it is stored: without its fragment. @throws TypeError, RangeError */
export function checkWebhookUrl(value: unknown): string {
  const url = typeof value === "string" ? URL.parse(value) : null;
  const isUsable = url !== null && /^https?:$/.test(url.protocol) && url.username === "" &&
    url.password === "";
  if (!isUsable) {
    throw new TypeError(
      `Cannot use ${
        JSON.stringify(value) ?? typeof value
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
