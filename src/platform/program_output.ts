/**
 * The outputs of a program that runs under a watcher: what it writes, without what its watcher says, and with an end even
 * when a daemon that it has left behind holds them open.
 */

/** How long an output may be silent after its program's end, in milliseconds. */
const SILENCE_MS = 1000;

/**
 * How much more is read after the program's end: this many milliseconds of waiting in all, and this many bytes, which is more
 * than a pipe holds. A daemon may hold the output open and talk for ever.
 */
const AFTER_END = Object.freeze({ waitMs: 2000, bytes: 4_194_304 });

/** The standard error of a program, without what its watcher says when it could not start it. */
export class ErrorOutput implements AsyncIterable<Uint8Array> {
  readonly #chunks: AsyncGenerator<Uint8Array>;
  readonly #mark: Uint8Array;
  /** The first bytes, read at once, whether or not the output is wanted. */
  readonly #head: Promise<Uint8Array>;

  constructor(chunks: AsyncGenerator<Uint8Array>, mark: string) {
    this.#chunks = chunks;
    this.#mark = new TextEncoder().encode(mark);
    this.#head = this.#readHead();
  }

  /** Why the watcher could not start the program; `null` when it has not said so. */
  async refusal(): Promise<string | null> {
    const head = await this.#head;
    if (!startsWith(head, this.#mark)) return null;
    return new TextDecoder().decode(head.subarray(this.#mark.length));
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const head = await this.#head;
    if (head.length > 0 && !startsWith(head, this.#mark)) yield head;
    yield* this.#chunks;
  }

  /** As little as shows that it does not begin with the mark; all of it, when it does. */
  async #readHead(): Promise<Uint8Array> {
    let head = new Uint8Array();
    for (;;) {
      const { value, done } = await this.#chunks.next();
      if (done) return head;
      head = joined(head, value);
      const known = Math.min(head.length, this.#mark.length);
      if (!startsWith(head, this.#mark.subarray(0, known))) return head;
    }
  }
}

/** The portions of an output, until it ends, or for as long as `AFTER_END` allows after `exit` has settled. */
export async function* chunksOf(
  output: ReadableStream<Uint8Array>,
  exit: Promise<unknown>,
): AsyncGenerator<Uint8Array> {
  const reader = output.getReader();
  const left = { waitMs: AFTER_END.waitMs, bytes: AFTER_END.bytes };
  let hasEnded = false;
  const end = (): undefined => void (hasEnded = true);
  const ended = exit.then(end, end);
  try {
    while (left.waitMs > 0 && left.bytes > 0) {
      const read = reader.read();
      const first = hasEnded ? undefined : await Promise.race([read, ended]);
      const part = first ?? await readRest(read, left);
      if (part === undefined || part.done) return;
      yield part.value;
    }
  } finally {
    await reader.cancel();
  }
}

type Part = ReadableStreamReadResult<Uint8Array>;

/** What was read after the program's end; nothing when that takes too long. Takes what it costs from `left`. */
async function readRest(
  read: Promise<Part>,
  left: { waitMs: number; bytes: number },
): Promise<Part | undefined> {
  const startedAtMs = performance.now();
  const part = await within(read, Math.min(SILENCE_MS, left.waitMs));
  left.waitMs -= performance.now() - startedAtMs;
  left.bytes -= part?.value?.length ?? 0;
  return part;
}

/** What a promise resolves to; nothing when that takes longer than `limitMs`. */
export async function within<T>(promise: Promise<T>, limitMs: number): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), limitMs);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function startsWith(bytes: Uint8Array, beginning: Uint8Array): boolean {
  return bytes.length >= beginning.length && beginning.every((byte, i) => bytes[i] === byte);
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}
