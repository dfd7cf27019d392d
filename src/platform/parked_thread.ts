/**
 * A thread that waits until it is told to start another one.
 *
 * To start a thread holds up the one that does it until the new one's JavaScript is there, 15–40 ms. Where that may not be, a thread is
 * parked beforehand: it starts what is wanted, and takes no time of the thread that waits for the answer. What it starts ends with its
 * answer, and all its memory with it.
 *
 * While it waits it does not keep the process alive; Deno lets only threads of `node:worker_threads` be like that.
 */
import { parentPort, Worker as NodeThread } from "node:worker_threads";
import { type Deferred, deferred } from "../domain/deferred.ts";
import { messageOf } from "../domain/errors.ts";

/** The answer of a thread that a parked one has started, and what of it is given away rather than copied. */
export type ThreadAnswer = readonly [answer: unknown, transferred: ArrayBuffer[]];

/** What a parked thread tells: the answer, or why there is none. */
type ParkedAnswer = { readonly answer: unknown } | { readonly problem: string };

/** It only passes messages on; what they hold is not in its heap. Without these limits it would take a quarter more. */
const HEAP_LIMITS = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 64 };

/** A parked thread. It holds this one up once, while it is made. */
export class ParkedThread {
  readonly #thread = new NodeThread(new URL(moduleThatCalls("servePark", import.meta.url)), {
    resourceLimits: HEAP_LIMITS,
  });
  #asked: Deferred<ParkedAnswer> | undefined;
  #hasEnded = false;

  constructor() {
    this.#thread.on("message", (answer: ParkedAnswer) => this.#asked?.resolve(answer));
    this.#thread.on("error", (error) => this.#noteEnd(messageOf(error)));
    this.#thread.on("exit", () => this.#noteEnd("the thread has ended"));
    this.#thread.unref();
  }

  /** Whether it is of no use any more. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /**
   * What a thread whose module is at `url` answers, which is a `ThreadAnswer`; keeps the process alive meanwhile. One at a time.
   *
   * @throws Error when that thread fails or this one has ended; what aborted `signal`, which ends both.
   */
  async ask(url: string, signal: AbortSignal): Promise<unknown> {
    const asked = this.#asked = deferred<ParkedAnswer>();
    const abandon = (): void => {
      asked.reject(signal.reason);
      this.end();
    };
    signal.addEventListener("abort", abandon);
    this.#thread.ref();
    try {
      this.#thread.postMessage(url);
      const told = await asked.promise;
      if ("problem" in told) throw new Error(told.problem);
      return told.answer;
    } finally {
      this.#thread.unref();
      signal.removeEventListener("abort", abandon);
      this.#asked = undefined;
    }
  }

  /** Ends it, and what it has started. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    await this.#thread.terminate();
  }

  #noteEnd(problem: string): void {
    this.#hasEnded = true;
    this.#asked?.resolve({ problem });
  }
}

/** The address of a module that imports the one at `url`, wherever that is, and calls this function of it with `self` and `argument`. */
export function moduleThatCalls(name: string, url: string, argument?: unknown): string {
  const code = `import { ${name} } from ${JSON.stringify(url)};
    await ${name}(globalThis, ${JSON.stringify(argument)});`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

/** What a parked thread does. */
export function servePark(): void {
  parentPort!.on("message", (url: string) => {
    const thread = new Worker(url, { type: "module" });
    const tell = (told: ParkedAnswer, transferred: ArrayBuffer[] = []): void => {
      thread.terminate();
      parentPort!.postMessage(told, transferred);
    };
    thread.onmessage = ({ data: [answer, transferred] }: MessageEvent<ThreadAnswer>) => {
      tell({ answer }, transferred);
    };
    thread.onerror = (event) => {
      event.preventDefault();
      tell({ problem: event.message });
    };
  });
}
