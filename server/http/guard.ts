/**
 * What every request must satisfy before its token is looked at: a size, a host, an origin; and its body a size and a
 * time to arrive in.
 *
 * A page of another origin can make a browser send requests here, with whatever the network position of the browser is
 * worth. So a request that changes anything is refused when its `Origin` is neither this host nor a listed one.
 */
import type { Context, MiddlewareHandler } from "hono";
import { decodeText, messageOf, roundedNumber } from "../../src/core.ts";
import { HttpError } from "./errors.ts";
import type { ResolvedAppOptions } from "./options.ts";

/** Refuses an endless URL or headers. @throws HttpError `HEADERS_TOO_LARGE`. */
export function limitHeaders({ headerMaxLength }: ResolvedAppOptions): MiddlewareHandler {
  return async (c, next) => {
    let length = c.req.url.length;
    for (const [name, value] of c.req.raw.headers) length += name.length + value.length + 4;
    if (length > headerMaxLength) {
      throw new HttpError(
        "HEADERS_TOO_LARGE",
        `Cannot accept a URL and headers of ${length} characters: at most ${headerMaxLength} are allowed`,
      );
    }
    await next();
  };
}

/** Refuses requests that came under another name. @throws HttpError `HOST_NOT_ALLOWED`. */
export function checkHost({ hosts }: ResolvedAppOptions): MiddlewareHandler {
  return async (c, next) => {
    const name = hostOf(c).replace(/:\d+$/, "");
    if (hosts.length > 0 && !hosts.includes(name)) {
      throw new HttpError(
        "HOST_NOT_ALLOWED",
        `Cannot answer for host ${JSON.stringify(name)}: allowed are ${hosts.join(", ")}`,
      );
    }
    await next();
  };
}

const SAFE_METHODS = ["GET", "HEAD", "OPTIONS"];

/** Lets listed origins read, answers their preflights, and keeps others from changing anything. @throws HttpError `ORIGIN_NOT_ALLOWED`. */
export function checkOrigin({ corsOrigins }: ResolvedAppOptions): MiddlewareHandler {
  return async (c, next) => {
    const origin = c.req.header("Origin");
    const isListed = origin !== undefined && corsOrigins.includes(origin);
    if (corsOrigins.length > 0) c.header("Vary", "Origin");
    if (isListed) allowReading(c, origin);
    if (isListed && c.req.header("Access-Control-Request-Method") !== undefined) {
      return preflightAnswer(c);
    }
    if (!SAFE_METHODS.includes(c.req.method) && !isListed && isForeign(c, origin)) {
      throw new HttpError(
        "ORIGIN_NOT_ALLOWED",
        `Cannot ${c.req.method} for a page of ${
          JSON.stringify(origin ?? "another site")
        }: it is not among the allowed origins`,
      );
    }
    await next();
  };
}

/**
 * Reads a body within its limits, so that what follows finds it whole.
 *
 * @throws HttpError `PAYLOAD_TOO_LARGE`, `REQUEST_TIMEOUT`, `UNSUPPORTED_MEDIA_TYPE` when it is compressed,
 * `MALFORMED_JSON` when it is not UTF-8; `QUEUE_UNAVAILABLE` when the server stops meanwhile.
 */
export function readBody(options: ResolvedAppOptions): MiddlewareHandler {
  return async (c, next) => {
    if (c.req.raw.body !== null) {
      if (Number(c.req.header("Content-Length")) > options.bodyMaxBytes) throw tooLarge(options);
      checkEncoding(c);
      const body = await readWithin(c.req.raw.body, options);
      checkText(body);
      c.req.raw = new Request(c.req.raw, { body });
    }
    await next();
  };
}

/** A compressed body would be taken for what it is not, or be larger than its length says. */
function checkEncoding(c: Context): void {
  const encoding = c.req.header("Content-Encoding")?.trim().toLowerCase() ?? "identity";
  if (encoding === "identity" || encoding === "") return;
  throw new HttpError(
    "UNSUPPORTED_MEDIA_TYPE",
    `Cannot read the body: its Content-Encoding is ${JSON.stringify(encoding)}, none is needed`,
  );
}

/**
 * Looks at the text of a body.
 *
 * @throws HttpError `MALFORMED_JSON` when it is not UTF-8, or has a number that would not be kept as it is.
 */
function checkText(bytes: ArrayBuffer): void {
  let text: string;
  try {
    text = decodeText(new Uint8Array(bytes));
  } catch (cause) {
    throw new HttpError("MALFORMED_JSON", `Cannot read the body: ${messageOf(cause)}`, { cause });
  }
  const rounded = roundedNumber(text);
  if (rounded === undefined) return;
  throw new HttpError(
    "MALFORMED_JSON",
    `Cannot keep the number ${rounded.source}, which would become ${rounded.value}: write it as a string`,
  );
}

async function readWithin(
  stream: ReadableStream<Uint8Array>,
  options: ResolvedAppOptions,
): Promise<ArrayBuffer> {
  const { clock, closing, bodyTimeoutMs } = options;
  const reader = stream.getReader();
  let tellLate = (): void => {};
  const late = new Promise<"late">((resolve) => tellLate = () => resolve("late"));
  const cancelTimer = clock.setTimer(tellLate, bodyTimeoutMs);
  closing.addEventListener("abort", tellLate);
  if (closing.aborted) tellLate();
  try {
    return await collect(reader, late, options);
  } catch (thrown) {
    // Nobody waits for the rest; a connection that is broken already has nothing to cancel.
    reader.cancel().catch(() => {});
    throw thrown;
  } finally {
    cancelTimer();
    closing.removeEventListener("abort", tellLate);
  }
}

async function collect(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  late: Promise<"late">,
  options: ResolvedAppOptions,
): Promise<ArrayBuffer> {
  const chunks: Uint8Array[] = [];
  for (let length = 0;;) {
    const part = await Promise.race([reader.read().catch(brokeOff), late]);
    if (part === "late") throw options.closing.aborted ? stopping() : tooSlow(options);
    if (part.done) return concatenate(chunks, length);
    length += part.value.length;
    if (length > options.bodyMaxBytes) throw tooLarge(options);
    chunks.push(part.value);
  }
}

function brokeOff(cause: unknown): never {
  throw new HttpError("MALFORMED_JSON", "Cannot read the body: it broke off", { cause });
}

function concatenate(chunks: readonly Uint8Array[], length: number): ArrayBuffer {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole.buffer;
}

function tooLarge({ bodyMaxBytes }: ResolvedAppOptions): HttpError {
  return new HttpError(
    "PAYLOAD_TOO_LARGE",
    `Cannot accept the body: at most ${bodyMaxBytes} bytes are allowed`,
  );
}

function tooSlow({ bodyTimeoutMs }: ResolvedAppOptions): HttpError {
  return new HttpError(
    "REQUEST_TIMEOUT",
    `Cannot wait for the body any longer: it has to arrive within ${bodyTimeoutMs} ms`,
    { headers: { Connection: "close" } },
  );
}

/** Nothing has been done with what came so far, so the client may send it again. */
function stopping(): HttpError {
  return new HttpError("QUEUE_UNAVAILABLE", "Cannot wait for the body: the server is stopping", {
    headers: { Connection: "close", "Retry-After": "5" },
  });
}

/** Whether a browser says that another site's page asks. A program that is not a browser sends no such header, and is let through. */
function isForeign(c: Context, origin: string | undefined): boolean {
  if (origin === undefined) return c.req.header("Sec-Fetch-Site") === "cross-site";
  return !URL.canParse(origin) || new URL(origin).host !== hostOf(c);
}

function hostOf(c: Context): string {
  return (c.req.header("Host") ?? new URL(c.req.url).host).toLowerCase();
}

function allowReading(c: Context, origin: string): void {
  c.header("Access-Control-Allow-Origin", origin);
  c.header("Access-Control-Expose-Headers", "X-Request-Id, Retry-After, Allow");
  c.header("Cross-Origin-Resource-Policy", "cross-origin");
}

function preflightAnswer(c: Context): Response {
  c.header("Access-Control-Allow-Methods", "GET, HEAD, POST, PATCH, DELETE");
  c.header(
    "Access-Control-Allow-Headers",
    "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Request-Id",
  );
  c.header("Access-Control-Max-Age", "600");
  return c.body(null, 204);
}
