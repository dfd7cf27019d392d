/**
 * The webhook handler: delivers the queue's reports of tasks that have ended, signed, to hosts that are listed.
 *
 * A URL comes from the caller of `enqueue`. So its host must be listed, and no address that the host has may be private unless the
 * address itself is listed; the connection goes to the address that was looked at, and no redirect is followed.
 */
import { toHex } from "../domain/hex.ts";
import { backoffDelayMs } from "../domain/backoff.ts";
import { type Clock, systemClock } from "../domain/clock.ts";
import { messageOf, PermanentError, RetryAfterError } from "../domain/errors.ts";
import { checkInteger } from "../domain/check.ts";
import { shownValue } from "../domain/shown_value.ts";
import type { Task } from "../domain/task.ts";
import { WEBHOOK_TYPE } from "../domain/webhook.ts";
import type { HandlerRegistry, TaskContext } from "./handler_registry.ts";
import { isPublicAddress } from "./public_address.ts";

/** Where deliveries may go, and how they are signed. */
export interface WebhookOptions {
  /** Signs each delivery; 16 characters or more, known to the receiver. */
  readonly secret: string;
  /**
   * Hosts that may be told, as they stand in URLs: `hooks.example.com`, with a port where it is not the scheme's own
   * (`hooks.example.com:8443`), or an address. One whose addresses are private, loopback or link-local is notified only if the
   * address is listed too, alone (then for every port) or with the port of the URL.
   */
  readonly allowedHosts: readonly string[];
  /** How long one delivery may take, 100 to 60,000 ms; default 10,000. */
  readonly timeoutMs?: number;
  /** Says when a delivery is signed; default the system's. */
  readonly clock?: Clock;
}

/** A request to deliver. */
export interface WebhookRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Whether the connection may go to this address; asked of every one that the host has. */
  readonly isAllowedAddress: (address: string) => boolean;
}

/** The answer. */
export interface WebhookResponse {
  readonly status: number;
  /** The header `Retry-After`, if there was one. */
  readonly retryAfter: string | null;
}

/** The host has an address that is not allowed. */
export class AddressRefusedError extends Error {
  override readonly name = "AddressRefusedError";
}

/** The port for sending. It follows no redirect. @throws AddressRefusedError */
export type SendWebhook = (request: WebhookRequest) => Promise<WebhookResponse>;

/** The payload of a delivery. */
interface Delivery {
  readonly url: string;
  readonly event: string;
  readonly task: unknown;
}

/** How deliveries that failed are tried again: after 5 s, then three times as long, at most 1 h. */
const RETRY = Object.freeze({ initialDelayMs: 5000, multiplier: 3, maxDelayMs: 3_600_000 });

/** How long one delivery may take, in milliseconds. */
export const WEBHOOK_TIMEOUT_MS = Object.freeze({ min: 100, max: 60_000, default: 10_000 });

/** How much longer than a delivery its attempt may take: a sender that never settles would keep its slot for ever. */
const FENCE_MS = 5000;

const SECRET_MIN_LENGTH = 16;
const RETRY_AFTER_MAX_SECONDS = 86_400;

const encoder = new TextEncoder();

/** Registers the handler of `holdfast.webhook`. @throws TypeError, RangeError */
export function registerWebhookHandler(
  handlers: HandlerRegistry,
  options: WebhookOptions,
  send: SendWebhook,
): void {
  const { secret, timeoutMs = WEBHOOK_TIMEOUT_MS.default, clock = systemClock } = options;
  if (typeof secret !== "string" || secret.length < SECRET_MIN_LENGTH) {
    throw new TypeError(
      `Cannot sign webhooks: a secret of at least ${SECRET_MIN_LENGTH} characters is needed`,
    );
  }
  checkInteger(timeoutMs, "webhook timeoutMs", WEBHOOK_TIMEOUT_MS.min, WEBHOOK_TIMEOUT_MS.max);
  const allowed = new Set(options.allowedHosts.map(checkHost));
  const deliver = async (task: Task, context: TaskContext): Promise<unknown> => {
    const { url, ...message } = task.payload as Delivery;
    const target = new URL(url);
    if (!allowed.has(target.host)) {
      throw new PermanentError(
        `Cannot tell ${JSON.stringify(target.host)}: it is not among the allowed hosts`,
      );
    }
    const body = JSON.stringify(message);
    const response = await attempt(
      target,
      () =>
        signed(secret, body, { deliveryId: context.runId, nowMs: clock.nowMs() }).then((headers) =>
          send({
            url: target,
            headers,
            body,
            timeoutMs,
            signal: context.signal,
            isAllowedAddress: (address) =>
              isPublicAddress(address) || allowed.has(hostOf(address)) ||
              allowed.has(hostOf(address, target.port)),
          })
        ),
    );
    return resultOf(target, response, task.attempts);
  };
  handlers.register(WEBHOOK_TYPE, deliver, {
    description: "Tells webhooks of tasks that ended",
    retryPolicy: RETRY,
    timeoutMs: timeoutMs + FENCE_MS,
  });
}

/** The headers of a delivery: when it was signed, and HMAC-SHA-256 over that, a dot and the body. */
async function signed(
  secret: string,
  body: string,
  { deliveryId, nowMs }: { readonly deliveryId: string; readonly nowMs: number },
): Promise<Record<string, string>> {
  const timestamp = String(Math.floor(nowMs / 1000));
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, [
    "sign",
  ]);
  const signature = await crypto.subtle.sign("HMAC", key, encoder.encode(`${timestamp}.${body}`));
  return {
    "Content-Type": "application/json",
    "User-Agent": "Holdfast",
    "X-Holdfast-Delivery": deliveryId,
    "X-Holdfast-Timestamp": timestamp,
    "X-Holdfast-Signature": `sha256=${toHex(new Uint8Array(signature))}`,
  };
}

/** What goes wrong on the way may go well later; an address that is refused stays refused. */
async function attempt(
  { host }: URL,
  send: () => Promise<WebhookResponse>,
): Promise<WebhookResponse> {
  try {
    return await send();
  } catch (error) {
    const message = `Cannot tell ${JSON.stringify(host)}: ${messageOf(error)}`;
    if (error instanceof AddressRefusedError) throw new PermanentError(message);
    throw new Error(message, { cause: error });
  }
}

/**
 * `Retry-After` counts where it is longer than the backoff: a receiver that says "at once" would use up all attempts within
 * a second.
 */
function resultOf(
  { host }: URL,
  { status, retryAfter }: WebhookResponse,
  attempts: number,
): { status: number } {
  if (status >= 200 && status < 300) return { status };
  const message = `${JSON.stringify(host)} answered ${status}`;
  if (status >= 300 && status < 400) {
    throw new PermanentError(`${message}: redirects are not followed`);
  }
  const isLater = status === 408 || status === 429 || status >= 500;
  if (!isLater) throw new PermanentError(message);
  const seconds = /^\d{1,6}$/.test(retryAfter ?? "") ? Number(retryAfter) : null;
  const askedMs = Math.min(seconds ?? 0, RETRY_AFTER_MAX_SECONDS) * 1000;
  const backoffMinMs = backoffDelayMs(RETRY, attempts, () => 0);
  if (askedMs <= backoffMinMs) throw new Error(message);
  throw new RetryAfterError(askedMs, message);
}

/** A host that can be allowed, as URLs show it. @throws TypeError */
export function checkHost(host: string): string {
  const text = typeof host === "string" && /:.*:/.test(host) && !host.startsWith("[")
    ? `[${host}]`
    : host;
  const url = typeof host === "string" && !/[/?#@\s]/.test(host)
    ? URL.parse(`http://${text}/`)
    : null;
  if (url === null) {
    throw new TypeError(
      `Cannot use ${
        shownValue(host)
      } as an allowed host: a host name such as hooks.example.com, perhaps with a port, or an address is needed`,
    );
  }
  return url.host;
}

/** An address, perhaps with a port, as URLs show it. */
function hostOf(address: string, port = ""): string {
  const name = address.includes(":") ? `[${address}]` : address;
  const { hostname } = URL.parse(`http://${name}/`) ?? { hostname: address };
  return port === "" ? hostname : `${hostname}:${port}`;
}
