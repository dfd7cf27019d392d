/**
 * Reads server-sent events, one at a time, from an answer.
 */
import { assertEquals } from "@std/assert";

/** An event, or a comment. */
export interface ReadEvent {
  readonly event: string;
  readonly id: string | undefined;
  // deno-lint-ignore no-explicit-any
  readonly data: any;
}

/** Reads the events of one answer. */
export class EventReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #text = "";

  constructor(response: Response) {
    assertEquals(response.status, 200);
    assertEquals(response.headers.get("Content-Type"), "text/event-stream; charset=utf-8");
    this.#reader = response.body!.getReader();
  }

  /** The next event (a comment is an event `comment`), or `undefined` at the end. */
  async next(): Promise<ReadEvent | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        if (!block.startsWith("retry:")) return eventOf(block);
        continue;
      }
      const { done, value } = await this.#reader.read();
      if (done) return undefined;
      this.#text += this.#decoder.decode(value, { stream: true });
    }
  }

  /** All events until the end. */
  async rest(): Promise<ReadEvent[]> {
    const events: ReadEvent[] = [];
    for (let event = await this.next(); event !== undefined; event = await this.next()) {
      events.push(event);
    }
    return events;
  }

  /** Goes away. */
  async drop(): Promise<void> {
    await this.#reader.cancel();
  }
}

function eventOf(block: string): ReadEvent {
  if (block.startsWith(":")) return { event: "comment", id: undefined, data: block.slice(2) };
  const fields = Object.fromEntries(
    block.split("\n").map((
      line,
    ) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
  );
  return { event: fields.event!, id: fields.id, data: JSON.parse(fields.data!) };
}
