/**
 * Rest between two steps of one request: a queue in this process answers at once, and nothing else would have its turn.
 */
import { raw } from "hono/html";
import type { HtmlEscapedString } from "hono/utils/html";
import type { JSX } from "hono/jsx/jsx-runtime";
import { sleep, systemClock } from "../src/core.ts";

/** So long, in milliseconds, parts of a page are rendered at once. */
const RENDER_MS = 4;

/** Lets other work go on. */
export async function rest(): Promise<void> {
  await sleep(systemClock, 0);
}

/** Renders parts of a page one by one, and rests in between. */
export async function rendered(parts: Iterable<JSX.Element>): Promise<HtmlEscapedString[]> {
  const texts: HtmlEscapedString[] = [];
  let sinceMs = performance.now();
  for (const part of parts) {
    texts.push(raw(await part.toString()));
    if (performance.now() - sinceMs < RENDER_MS) continue;
    await rest();
    sinceMs = performance.now();
  }
  return texts;
}
