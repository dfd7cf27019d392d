/**
 * Sending a webhook: one POST, to an address that was looked at before anything is connected to it.
 */
import { lookup, type LookupAddress } from "node:dns";
import {
  type ClientRequest,
  type IncomingMessage,
  request as requestHttp,
  type RequestOptions,
} from "node:http";
import { request as requestHttps } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import {
  AddressRefusedError,
  type WebhookRequest,
  type WebhookResponse,
} from "../worker/webhook_handler.ts";

/**
 * Sends a webhook; what the answer says beside its status is not read.
 *
 * It always settles: `stop` rejects by itself, as a socket that was taken over by an upgrade, or is closed already, tells
 * no error when it is destroyed.
 *
 * @throws AddressRefusedError
 */
export function sendWebhook(request: WebhookRequest): Promise<WebhookResponse> {
  const { url, timeoutMs, signal, isAllowedAddress } = request;
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) !== 0 && !isAllowedAddress(host)) return Promise.reject(refusal(host));
  const { promise, resolve, reject } = Promise.withResolvers<WebhookResponse>();
  const call = newCall(request);
  const stop = (reason: string): void => {
    const error = new Error(reason);
    call.destroy(error);
    reject(error);
  };
  const answer = ({ statusCode, headers }: IncomingMessage, socket: { destroy(): void }): void => {
    resolve({ status: statusCode ?? 0, retryAfter: headers["retry-after"] ?? null });
    socket.destroy();
  };
  call.on("response", (response) => answer(response, response));
  call.on("upgrade", (response, socket) => answer(response, socket));
  call.on("error", reject);
  call.on("close", () => stop("the connection was closed without an answer"));
  const timer = setTimeout(() => stop(`no answer within ${timeoutMs} ms`), timeoutMs);
  const onAbort = (): void => stop("it was interrupted");
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  else call.end(request.body);
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  });
}

function newCall({ url, headers, body, isAllowedAddress }: WebhookRequest): ClientRequest {
  const send = url.protocol === "https:" ? requestHttps : requestHttp;
  const options: RequestOptions & { readonly lookup: LookupFunction } = {
    method: "POST",
    headers: { ...headers, "Content-Length": new TextEncoder().encode(body).length },
    lookup: guardedLookup(isAllowedAddress),
    agent: false,
  };
  try {
    return send(url, options);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotCapable)) throw thrown;
    throw new Error(
      "https with NODE_EXTRA_CA_CERTS needs the permission --allow-sys: give it, or unset NODE_EXTRA_CA_CERTS and set DENO_TLS_CA_STORE=system",
      { cause: thrown },
    );
  }
}

/** Told what a name stands for. Written down here, as an application's older types of Node know neither list nor `lookup`. */
type Found = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

/** Looks a name up once, and gives its addresses only if all of them are allowed. */
function guardedLookup(isAllowedAddress: (address: string) => boolean): LookupFunction {
  const look = (hostname: string, options: { all?: boolean }, callback: Found): void => {
    lookup(hostname, { all: true }, (error, addresses) => {
      if (error !== null) return callback(explained(error, hostname), "", 0);
      const refused = addresses.find(({ address }) => !isAllowedAddress(address));
      if (refused !== undefined) return callback(refusal(refused.address), "", 0);
      if (options.all) return callback(null, addresses);
      const [first] = addresses;
      callback(null, first!.address, first!.family);
    });
  };
  return look as unknown as LookupFunction;
}

/** Deno's word for a missing permission is that of a system call. */
function explained(error: NodeJS.ErrnoException, hostname: string): NodeJS.ErrnoException {
  if (error.code !== "EPERM") return error;
  return new Error(`Deno may not look up ${JSON.stringify(hostname)}: give it --allow-net`, {
    cause: error,
  });
}

function refusal(address: string): AddressRefusedError {
  return new AddressRefusedError(
    `the address ${address} is not public: list it among the allowed hosts if it is meant`,
  );
}
