/**
 * The connection to a server: one request for each question, its answer or the error that it stands for.
 *
 * A request is sent again by itself only when that is harmless (`resend`), with growing pauses and for a bounded time. Whoever
 * asked is told before each further one that the earlier may have had its effect (`onDoubt`).
 */
import { sleep } from "../domain/clock.ts";
import { QueueError, StorageError } from "../domain/errors.ts";
import type { Random } from "../domain/random.ts";
import { type Decode, ForeignAnswer } from "./answer.ts";
import { errorOf, NoAnswerError, noAnswerOf } from "./refusal.ts";
import type { ResolvedRemoteOptions } from "./remote_options.ts";
import { ServerTime } from "./server_time.ts";

/** The pauses between attempts, in milliseconds: doubled from the first to the longest, each up to a half shorter by chance. */
const PAUSES_MS = Object.freeze({ first: 50, max: 2000 });

/** A question. */
export interface Question {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Behind `/api/`. */
  readonly path: string;
  /** Sent as JSON; default none. */
  readonly body?: unknown;
  /** Whether to send it again when there is no answer; default false. */
  readonly resend?: boolean;
  /** Called when a request may have had its effect although there is no answer. */
  readonly onDoubt?: () => void;
  /** Statuses other than success whose JSON is the answer. */
  readonly alsoAnswers?: readonly number[];
  /** Longer than usual for what the server waits with its answer, in milliseconds; default 0. */
  readonly waitMs?: number;
}

/** How long to wait before attempt `n` + 1, in milliseconds. */
export function pauseMs(n: number, random: Random): number {
  return Math.min(PAUSES_MS.max, PAUSES_MS.first * 2 ** n) * (1 - random() / 2);
}

/** A server, and the token to present. */
export class Connection {
  /** The address, for messages. */
  readonly url: string;
  /** The server's time. */
  readonly time: ServerTime;
  readonly #options: ResolvedRemoteOptions;
  readonly #closing = new AbortController();
  readonly #asked = new Set<Promise<unknown>>();

  constructor(options: ResolvedRemoteOptions) {
    this.#options = options;
    this.url = options.url;
    this.time = new ServerTime(options.clock);
  }

  /** Aborts when it is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** What `decode` makes of the answer. @throws QueueError, TypeError, RangeError as the queue does; StorageError. */
  async ask<T>(question: Question, decode: Decode<T>): Promise<T> {
    this.checkOpen();
    const answered = this.#askUntilAnswered(question);
    this.#asked.add(answered);
    try {
      return decode(await answered);
    } catch (thrown) {
      throw thrown instanceof ForeignAnswer ? this.#foreign(thrown) : thrown;
    } finally {
      this.#asked.delete(answered);
    }
  }

  /** What `read` makes of the lines of an answer that may be large. @throws as `ask`. */
  async readLines<T>(path: string, read: (lines: AsyncIterable<string>) => Promise<T>): Promise<T> {
    try {
      return await read(linesOf(await this.open(path, this.closing)));
    } catch (thrown) {
      if (thrown instanceof ForeignAnswer) throw this.#foreign(thrown);
      throw thrown instanceof TypeError ? noAnswerOf(this.url, thrown, 0) : thrown;
    }
  }

  /** Opens a stream. @throws as `ask`. */
  async open(path: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    this.checkOpen();
    const { requestTimeoutMs } = this.#options;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), requestTimeoutMs);
    const either = AbortSignal.any([signal, late.signal]);
    const response = await this.#send({ method: "GET", path }, either)
      .catch((thrown) => {
        throw noAnswerOf(this.url, thrown, requestTimeoutMs);
      })
      .finally(() => clearTimeout(timer));
    if (response.ok && response.body !== null) return response.body;
    throw this.#refusalOf(response, await response.text());
  }

  /** Resolves when everything asked so far has been answered, or refused. */
  async flush(): Promise<void> {
    this.checkOpen();
    await Promise.allSettled(this.#asked);
  }

  /** Waits for what was asked; what has no answer is not asked again. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#asked);
  }

  /** @throws QueueError `queue_closed`. */
  checkOpen(): void {
    if (this.#closing.signal.aborted) throw new QueueError("queue_closed", "The queue is closed");
  }

  async #askUntilAnswered(question: Question): Promise<unknown> {
    const { clock, random, resendForMs } = this.#options;
    const untilMs = clock.nowMs() + (question.resend ? resendForMs : 0);
    for (let n = 0;; n++) {
      try {
        return await this.#askOnce(question);
      } catch (thrown) {
        if (!(thrown instanceof NoAnswerError)) throw thrown;
        question.onDoubt?.();
        const waitMs = Math.max(thrown.retryAfterMs ?? 0, pauseMs(n, random));
        if (this.closing.aborted || clock.nowMs() + waitMs > untilMs) throw thrown;
        await sleep(clock, waitMs, this.closing);
      }
    }
  }

  async #askOnce(question: Question): Promise<unknown> {
    const timeoutMs = this.#options.requestTimeoutMs + (question.waitMs ?? 0);
    const sentAtMs = this.#options.clock.nowMs();
    let response: Response;
    let body: string;
    try {
      response = await this.#send(question, AbortSignal.timeout(timeoutMs));
      body = await response.text();
    } catch (thrown) {
      throw noAnswerOf(this.url, thrown, timeoutMs);
    }
    this.time.note(response.headers.get("Date"), sentAtMs);
    const { status } = response;
    if (response.ok && body === "") return null;
    const parsed = jsonOf(body);
    const isAnswer = response.ok || question.alsoAnswers?.includes(status);
    if (isAnswer && parsed !== undefined) return parsed;
    throw this.#refusalOf(response, body);
  }

  #foreign(cause: ForeignAnswer): StorageError {
    const reason = `the server does not answer as Holdfast does: ${cause.message}`;
    return new StorageError("understand", this.url, reason, { cause });
  }

  #refusalOf({ status, headers }: Response, body: string): Error {
    const retryAfterMs = Number(headers.get("Retry-After") ?? 0) * 1000 || 0;
    return errorOf({ url: this.url, status, body: jsonOf(body), retryAfterMs });
  }

  async #send({ method, path, body }: Question, signal: AbortSignal): Promise<Response> {
    const { url, headers, fetch } = this.#options;
    return await fetch(
      new Request(`${url}/api/${path}`, {
        method,
        headers: body === undefined ? headers : { ...headers, "Content-Type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
        redirect: "error",
        signal,
      }),
    );
  }
}

/** The JSON in a body; `undefined` when there is none. */
function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}

/** The lines of a body. */
export async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const part of body) {
    const lines = (rest + decoder.decode(part, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest !== "") yield rest;
}
