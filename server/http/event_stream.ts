/**
 * Server-sent events: what a generator yields, written as its reader takes it.
 *
 * Nothing begins before the first read, and a reader that stops ends it all: the generator's signal aborts, its
 * `finally` runs, no timer stays. A silent stream sends a comment now and then, so that a dead reader is noticed and
 * proxies keep the connection.
 */
import type { Context } from "hono";
import { sleep } from "../../src/core.ts";
import { HttpError } from "./errors.ts";
import type { ResolvedAppOptions } from "./options.ts";

/** One event. */
export interface ServerEvent {
  readonly event: string;
  /** Where a reader can go on after this event, if that has changed. */
  readonly id?: string;
  /** A JSON value. */
  readonly data: unknown;
}

/** Makes the events; returns soon after `signal` aborts. */
export type EventSource = (signal: AbortSignal) => AsyncGenerator<ServerEvent, void>;

/** The streams that are being read now. */
export class OpenStreams {
  readonly #open = new Set<object>();
  readonly #max: number;

  /** @param max How many there may be. */
  constructor(max: number) {
    this.#max = max;
  }

  /** How many there are. */
  get size(): number {
    return this.#open.size;
  }

  /** @throws HttpError `TOO_MANY_STREAMS` when there is no room for another. */
  checkRoom(): void {
    if (this.#open.size < this.#max) return;
    throw new HttpError(
      "TOO_MANY_STREAMS",
      `Cannot open another stream: ${this.#max} are open already, try again later`,
      { headers: { "Retry-After": "5" } },
    );
  }

  /** Notes that one is open; gives the way to note that it is not any more. */
  add(): () => void {
    const stream = {};
    this.#open.add(stream);
    return () => this.#open.delete(stream);
  }
}

/** What streams share. */
export interface StreamServices {
  readonly options: ResolvedAppOptions;
  readonly streams: OpenStreams;
}

/** The answer that streams `makeEvents`. @throws HttpError `TOO_MANY_STREAMS`. */
export function streamEvents(
  c: Context,
  makeEvents: EventSource,
  services: StreamServices,
): Response {
  services.streams.checkRoom();
  c.header("Content-Type", "text/event-stream; charset=utf-8");
  c.header("X-Accel-Buffering", "no");
  return c.body(new EventPump(makeEvents, services).readable, 200);
}

/** Milliseconds after which a client that lost the stream should ask again. */
const RETRY_MS = 1000;

const encoder = new TextEncoder();

/** Moves events from a generator to a stream, one per read. */
class EventPump {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #gone = new AbortController();
  readonly #ending: AbortSignal;
  readonly #options: ResolvedAppOptions;
  readonly #streams: OpenStreams;
  readonly #events: AsyncGenerator<ServerEvent, void>;
  #next: Promise<IteratorResult<ServerEvent, void>> | undefined;
  #hasArrived = false;
  #silence = new AbortController();
  #leave: (() => void) | undefined;

  constructor(makeEvents: EventSource, { options, streams }: StreamServices) {
    this.#options = options;
    this.#streams = streams;
    this.#ending = AbortSignal.any([this.#gone.signal, options.closing]);
    this.#events = makeEvents(this.#ending);
    this.readable = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull: (controller) => this.#pull(controller),
      cancel: () => this.#end(),
    }, { highWaterMark: 0 });
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): Promise<void> {
    if (this.#leave === undefined) {
      this.#leave = this.#streams.add();
      return controller.enqueue(encoder.encode(`retry: ${RETRY_MS}\n\n`));
    }
    try {
      const event = await this.#nextEvent();
      if (this.#gone.signal.aborted) return; // with the reader, the stream has ended
      if (event === "silence") return controller.enqueue(encoder.encode(": still here\n\n"));
      if (!event.done) return controller.enqueue(encoder.encode(textOf(event.value)));
    } catch (thrown) {
      // The reader asks again; the status of that answer says what the problem is.
      this.#options.onError(thrown);
      if (this.#gone.signal.aborted) return;
      controller.enqueue(encoder.encode(": something went wrong on our side\n\n"));
    }
    await this.#end();
    controller.close();
  }

  /** The next event, unless it takes longer than a heartbeat; then it is still awaited by the next call. */
  async #nextEvent(): Promise<IteratorResult<ServerEvent, void> | "silence"> {
    const next = this.#next ??= this.#ask();
    this.#silence = new AbortController();
    const { clock, heartbeatMs } = this.#options;
    if (!this.#hasArrived) await sleep(clock, heartbeatMs, this.#silence.signal);
    if (!this.#hasArrived) return "silence";
    this.#next = undefined;
    return await next;
  }

  /** The next event, which ends the silence: nobody has to wait for it again with each heartbeat. */
  #ask(): Promise<IteratorResult<ServerEvent, void>> {
    this.#hasArrived = false;
    const arrived = (): void => {
      this.#hasArrived = true;
      this.#silence.abort();
    };
    const next = this.#events.next();
    next.then(arrived, arrived);
    return next;
  }

  async #end(): Promise<void> {
    this.#gone.abort();
    this.#leave?.();
    await this.#events.return();
  }
}

function textOf({ event, id, data }: ServerEvent): string {
  const idLine = id === undefined ? "" : `id: ${id}\n`;
  return `event: ${event}\n${idLine}data: ${JSON.stringify(data)}\n\n`;
}
