/**
 * Reading server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
 */

/** An event as it came. */
export interface StreamEvent {
  /** Its name. */
  readonly event: string;
  /** The id to go on after, if any was sent so far. */
  readonly id: string | undefined;
  /** Its text. */
  readonly data: string;
}

/** The events of a body, until it ends. Comments are passed over; an event that is cut off at the end is dropped. */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<StreamEvent, void> {
  let id: string | undefined;
  let event = "";
  let data: string[] = [];
  for await (const line of readLines(body)) {
    if (line === "") {
      if (data.length > 0) yield { event: event || "message", id, data: data.join("\n") };
      event = "";
      data = [];
      continue;
    }
    const { name, value } = fieldOf(line);
    if (name === "event") event = value;
    if (name === "id") id = value;
    if (name === "data") data.push(value);
  }
}

function fieldOf(line: string): { readonly name: string; readonly value: string } {
  const colon = line.indexOf(":");
  if (colon < 0) return { name: line, value: "" };
  return { name: line.slice(0, colon), value: line.slice(colon + 1).replace(/^ /, "") };
}

async function* readLines(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const lines = text.split(/\r?\n/);
      text = lines.pop()!;
      yield* lines;
    }
  } finally {
    await reader.cancel();
  }
}
