/**
 * Sending a webhook: one POST, to an address that was looked at before anything is connected to it.
 */
import { lookup } from "node:dns";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import {
  AddressRefusedError,
  type WebhookRequest,
  type WebhookResponse,
} from "../worker/webhook_handler.ts";

/** Sends a webhook; what the answer says beside its status is not read. @throws AddressRefusedError */
export function sendWebhook(request: WebhookRequest): Promise<WebhookResponse> {
  const { url, headers, body, timeoutMs, signal, isAllowedAddress } = request;
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve, reject) => {
    if (isIP(host) !== 0 && !isAllowedAddress(host)) return reject(refusal(host));
    const send = url.protocol === "https:" ? requestHttps : requestHttp;
    const call = send(url, {
      method: "POST",
      headers: { ...headers, "Content-Length": new TextEncoder().encode(body).length },
      lookup: guardedLookup(isAllowedAddress),
      agent: false,
    });
    const stop = (reason: string): void => void call.destroy(new Error(reason));
    const timer = setTimeout(() => stop(`no answer within ${timeoutMs} ms`), timeoutMs);
    const onAbort = (): void => stop("it was interrupted");
    signal.addEventListener("abort", onAbort, { once: true });
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    };
    call.on("response", (response) => {
      end();
      const { "retry-after": retryAfter } = response.headers;
      resolve({ status: response.statusCode ?? 0, retryAfter: retryAfter ?? null });
      response.destroy();
    });
    call.on("error", (error) => {
      end();
      reject(error);
    });
    call.end(body);
  });
}

/** Looks a name up once, and gives its addresses only if all of them are allowed. */
function guardedLookup(isAllowedAddress: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { all: true }, (error, addresses) => {
      if (error !== null) return callback(explained(error, hostname), "", 0);
      const refused = addresses.find(({ address }) => !isAllowedAddress(address));
      if (refused !== undefined) return callback(refusal(refused.address), "", 0);
      if (options.all) return callback(null, addresses);
      const [first] = addresses;
      callback(null, first!.address, first!.family);
    });
  };
}

/** Deno's word for a missing permission is that of a system call. */
function explained(error: NodeJS.ErrnoException, hostname: string): NodeJS.ErrnoException {
  if (error.code !== "EPERM") return error;
  return new Error(`Deno may not look up ${JSON.stringify(hostname)}: give it --allow-net`, {
    cause: error,
  });
}

function refusal(address: string): AddressRefusedError {
  return new AddressRefusedError(`${address} is not a public address, and is not listed itself`);
}
