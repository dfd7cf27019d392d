/**
 * What the programs under test have in common: they report on standard output, one JSON document a line, and are told
 * what to do on standard input. The end of the input tells a program to end, so none outlives its test.
 */

/** What a program reports. Instants are wall-clock milliseconds, which all processes share. */
export type Report =
  | { readonly kind: "ready" }
  | Started
  | Ran
  | Ended
  | Aborted
  | Refused
  | Claimed
  | Finished
  | Acknowledged
  | Enqueued
  | { readonly kind: "did"; readonly runId: string }
  | { readonly kind: "wrote"; readonly runId: string; readonly begunAtMs: number }
  | { readonly kind: "storage_refused"; readonly message: string }
  | { readonly kind: "checkpoint_begun" }
  | { readonly kind: "checkpoint_done" }
  | { readonly kind: "snapshot_read" }
  | { readonly kind: "seen"; readonly tasks: number }
  | { readonly kind: "answered"; readonly answer: unknown };

/** A handler begins. */
export interface Started {
  readonly kind: "started";
  readonly taskId: number;
  readonly leaseToken: number;
  readonly attempt: number;
  readonly atMs: number;
}

/** A handler has run from `startedAtMs` to `endedAtMs`, under a lease until `leaseUntilMs` or, renewed, later. */
export interface Ran {
  readonly kind: "ran";
  readonly taskId: number;
  readonly leaseToken: number;
  readonly leaseUntilMs: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

/** The worker has told the queue how an attempt ended. */
export interface Ended {
  readonly kind: "ended";
  readonly taskId: number;
  readonly leaseToken: number;
  readonly end: string;
}

/** A handler's signal has fired. */
export interface Aborted {
  readonly kind: "aborted";
  readonly taskId: number;
  readonly atMs: number;
  readonly reason: string;
}

/** What became of a result that came too late: the refusal's code, or `null` when it was taken. */
export interface Refused {
  readonly kind: "refused";
  readonly taskId: number;
  readonly code: string | null;
}

/** An awaited enqueue has resolved. */
export interface Acknowledged {
  readonly kind: "acknowledged";
  readonly id: number;
  readonly runId: string;
  /** The idempotency key, where there was one: then the run id may be another's. */
  readonly key?: string;
}

/** An awaited claim has resolved: the task is leased from `fromMs` until `untilMs`, never renewed. */
export interface Claimed {
  readonly kind: "claimed";
  readonly taskId: number;
  readonly leaseToken: number;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** An awaited completion, or a cancel of a task that was not final, has resolved. */
export interface Finished {
  readonly kind: "completed" | "cancelled";
  readonly taskId: number;
  /** Of the lease that a completion ended. */
  readonly leaseToken?: number;
}

/** What enqueueing under idempotency keys came to. */
export interface Enqueued {
  readonly kind: "enqueued";
  readonly tasks: readonly {
    readonly key: string;
    readonly id: number;
    readonly created: boolean;
  }[];
}

const encoder = new TextEncoder();

/** Reports at once: when this returns, the line is in the pipe, and `kill -9` cannot take it back. */
export function report(line: Report): void {
  const bytes = encoder.encode(`${JSON.stringify(line)}\n`);
  for (let written = 0; written < bytes.length;) {
    written += Deno.stdout.writeSync(bytes.subarray(written));
  }
}

/** What the test says on standard input. */
export class Instructions {
  /** Resolves when the input ends. */
  readonly end: Promise<void>;
  readonly #heard = new Set<string>();
  #more = Promise.withResolvers<void>();

  constructor() {
    this.end = this.#listen();
  }

  /** Resolves when the test has said `word`. */
  async heard(word: string): Promise<void> {
    while (!this.#heard.has(word)) await this.#more.promise;
  }

  /** For a program that never ends by itself. */
  exitAtEnd(): void {
    this.end.then(() => Deno.exit(0));
  }

  async #listen(): Promise<void> {
    for await (const line of linesOfInput()) {
      this.#heard.add(line);
      this.#more.resolve();
      this.#more = Promise.withResolvers();
    }
  }
}

/** Each line of standard input, once its end has come. */
export async function* linesOfInput(): AsyncGenerator<string> {
  let rest = "";
  for await (const part of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + part).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
