/**
 * What every request must satisfy before its token is looked at: a size, a host, an origin; and its body a size and a
 * time to arrive in.
 *
 * A page of another origin can make a browser send requests here, with whatever the network position of the browser is
 * worth. So a request that changes anything is refused when its `Origin` is neither this host nor a listed one.
 */
import type { Context } from "hono";
import { decodeUtf8, messageOf, roundedNumber } from "../../src/core.ts";
import { HttpError } from "./errors.ts";
import type { Guard } from "./guards.ts";
import type { ResolvedAppOptions } from "./options.ts";

/** Refuses an endless URL or headers. @throws HttpError `HEADERS_TOO_LARGE`. */
export function limitHeaders({ headerMaxLength }: ResolvedAppOptions): Guard {
  return (c) => {
    let length = c.req.url.length;
    for (const [name, value] of c.req.raw.headers) length += name.length + value.length + 4;
    if (length > headerMaxLength) {
      throw new HttpError(
        "HEADERS_TOO_LARGE",
        `Cannot accept a URL and headers of ${length} characters: at most ${headerMaxLength} are allowed`,
      );
    }
  };
}

/** Refuses requests that came under another name. @throws HttpError `HOST_NOT_ALLOWED`. */
export function checkHost({ hosts }: ResolvedAppOptions): Guard {
  return (c) => {
    if (hosts.length === 0) return;
    const name = hostOf(c).replace(/:\d+$/, "");
    if (!hosts.includes(name)) {
      throw new HttpError(
        "HOST_NOT_ALLOWED",
        `Cannot answer for host ${JSON.stringify(name)}: allowed are ${hosts.join(", ")}`,
      );
    }
  };
}

const SAFE_METHODS = ["GET", "HEAD", "OPTIONS"];

/** Lets listed origins read, answers their preflights, and keeps others from changing anything. @throws HttpError `ORIGIN_NOT_ALLOWED`. */
export function checkOrigin({ corsOrigins }: ResolvedAppOptions): Guard {
  return (c) => {
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
  };
}

/**
 * Reads a body within its limits, so that what follows finds it whole.
 *
 * @throws HttpError `PAYLOAD_TOO_LARGE`, `REQUEST_TIMEOUT`, `UNSUPPORTED_MEDIA_TYPE` when it is compressed,
 * `MALFORMED_JSON` when it is not UTF-8; `QUEUE_UNAVAILABLE` when the server stops meanwhile.
 */
export function readBody(options: ResolvedAppOptions): Guard {
  return (c) => hasBody(c) ? takeBody(c, options) : undefined;
}

/** Whether a body may come. A look at it would make a stream of it, which costs as much as reading it. */
function hasBody(c: Context): boolean {
  return c.req.method !== "GET" && c.req.method !== "HEAD" &&
    (saysItsLength(c) || c.req.raw.body !== null);
}

/** Whether no more bytes can come than a header says. */
function saysItsLength(c: Context): boolean {
  return c.req.header("Content-Length") !== undefined &&
    c.req.header("Transfer-Encoding") === undefined;
}

async function takeBody(c: Context, options: ResolvedAppOptions): Promise<void> {
  if (Number(c.req.header("Content-Length")) > options.bodyMaxBytes) throw tooLarge(options);
  checkEncoding(c);
  keepText(c, checkedText(await readWithin(c, options)));
}

/** What `c.req.json()`, `text()` and the others read: Hono keeps promises there, although its type says strings. */
function keepText(c: Context, text: string): void {
  (c.req.bodyCache as { text?: unknown }).text = Promise.resolve(text);
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
 * The text of a body.
 *
 * @throws HttpError `MALFORMED_JSON` when it is not UTF-8, or has a number that would not be kept as it is.
 */
function checkedText(bytes: ArrayBuffer): string {
  let text: string;
  try {
    text = decodeUtf8(new Uint8Array(bytes));
  } catch (cause) {
    throw new HttpError("MALFORMED_JSON", `Cannot read the body: ${messageOf(cause)}`, { cause });
  }
  const rounded = roundedNumber(text);
  if (rounded === undefined) return text;
  throw new HttpError(
    "MALFORMED_JSON",
    `Cannot keep the number ${rounded.source}, which would become ${rounded.value}: write it as a string`,
  );
}

async function readWithin(c: Context, options: ResolvedAppOptions): Promise<ArrayBuffer> {
  const { clock, closing, bodyTimeoutMs } = options;
  let tellLate = (): void => {};
  const late = new Promise<"late">((resolve) => tellLate = () => resolve("late"));
  const cancelTimer = clock.setTimer(tellLate, bodyTimeoutMs);
  closing.addEventListener("abort", tellLate);
  if (closing.aborted) tellLate();
  try {
    const { raw } = c.req;
    return await (saysItsLength(c) ? readWhole(raw, late, options) : collect(raw, late, options));
  } finally {
    cancelTimer();
    closing.removeEventListener("abort", tellLate);
  }
}

/** A body whose length is known to be within the limit, read by the runtime at once. */
async function readWhole(
  request: Request,
  late: Promise<"late">,
  options: ResolvedAppOptions,
): Promise<ArrayBuffer> {
  const bytes = await inTime(request.arrayBuffer(), late, options);
  if (bytes.byteLength > options.bodyMaxBytes) throw tooLarge(options);
  return bytes;
}

/** A body of any length, read until it is too long. */
async function collect(
  request: Request,
  late: Promise<"late">,
  options: ResolvedAppOptions,
): Promise<ArrayBuffer> {
  const reader = request.body!.getReader();
  try {
    return await collectParts(() => inTime(reader.read(), late, options), options);
  } catch (thrown) {
    // Nobody waits for the rest; a connection that is broken already has nothing to cancel.
    reader.cancel().catch(() => {});
    throw thrown;
  }
}

async function inTime<T>(
  reading: Promise<T>,
  late: Promise<"late">,
  options: ResolvedAppOptions,
): Promise<T> {
  const read = await Promise.race([reading.catch(brokeOff), late]);
  if (read === "late") throw options.closing.aborted ? stopping() : tooSlow(options);
  return read;
}

async function collectParts(
  next: () => Promise<ReadableStreamReadResult<Uint8Array>>,
  options: ResolvedAppOptions,
): Promise<ArrayBuffer> {
  const chunks: Uint8Array[] = [];
  for (let length = 0;;) {
    const part = await next();
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
