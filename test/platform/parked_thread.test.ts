/**
 * A parked thread starts others and passes on what they answer.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { ParkedThread } from "../../src/platform/parked_thread.ts";
import { threadsParkedIn } from "../support/parked_threads.ts";

const never = new AbortController().signal;

function moduleOf(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

Deno.test("a parked thread gives the answers of the threads that it starts, one after the other", async () => {
  const parked = new ParkedThread();
  for (const length of [3, 5]) {
    const code = `const bytes = new Uint8Array(${length}).fill(7);
      postMessage([{ bytes }, [bytes.buffer]], [bytes.buffer]);`;
    const bytes = new Uint8Array(length).fill(7);
    assertEquals(await parked.ask(moduleOf(code), never), { bytes });
  }
  assertEquals(parked.hasEnded, false);
  await parked.end();
  assertEquals(parked.hasEnded, true);
});

Deno.test("a parked thread says why a thread failed, and starts the next one all the same", async () => {
  const parked = new ParkedThread();
  const fail = () => parked.ask(moduleOf("throw new Error('out of order');"), never);
  await assertRejects(fail, Error, "out of order");
  assertEquals(await parked.ask(moduleOf("postMessage([1, []]);"), never), 1);
  await parked.end();
});

Deno.test("a parked thread that ends meanwhile answers no more", async () => {
  const parked: ParkedThread[] = [];
  const [thread] = await threadsParkedIn(() => void parked.push(new ParkedThread()));
  const asked = parked[0]!.ask(moduleOf("setInterval(() => {}, 1000);"), never);
  await Promise.all([
    assertRejects(() => asked, Error, "the thread has ended"),
    thread!.terminate(),
  ]);
  assertEquals(parked[0]!.hasEnded, true);
});

Deno.test("a parked thread that is told to stop ends with what it has started", async () => {
  const parked = new ParkedThread();
  const stopped = new AbortController();
  const asked = parked.ask(moduleOf("setInterval(() => {}, 1000);"), stopped.signal);
  stopped.abort(new Error("enough"));
  await assertRejects(() => asked, Error, "enough");
  assertEquals(parked.hasEnded, true);
});
