/**
 * Real processes under test: programs of `programs/` with what they report, folders that vanish, conditions to wait for.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type EmbeddedQueue, openEmbeddedQueue, type QueueOptions } from "../../src/mod.ts";
import type { Random } from "../../src/domain/random.ts";
import { type Child, startChild } from "../../src/platform/child_process.ts";
import type { Report } from "./programs/program.ts";

/** How long anything may take on a busy machine before a test gives up. */
export const PATIENCE_MS = 180_000;

/** What a process says when another one has the lock for long; on a busy machine that is no fault. */
const LONG_LOCK = /^holdfast: Cannot lock .* has held the commit lock for .*\n/gm;

const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));

/** A queue's path in a new folder, removed with all that is in it at the end. */
export class QueueFolder implements AsyncDisposable {
  readonly path: string;
  readonly #folder: string;

  constructor() {
    this.#folder = Deno.makeTempDirSync({ prefix: "holdfast process ü " });
    this.path = join(this.#folder, "queue.db");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** A queue that is closed at the end. */
export async function openQueueHere(
  options: QueueOptions,
): Promise<EmbeddedQueue & AsyncDisposable> {
  const queue = await openEmbeddedQueue(options);
  return Object.assign(queue, { [Symbol.asyncDispose]: () => queue.close() });
}

type ReportOf<Kind extends Report["kind"]> = Extract<Report, { readonly kind: Kind }>;

/** A running program of `programs/`. It is killed at the end unless it has ended before. */
export class Program implements AsyncDisposable {
  readonly #name: string;
  readonly #child: Child;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reports: Report[] = [];
  readonly #status: Promise<number>;
  #errors = "";
  #isOver = false;
  #more = Promise.withResolvers<void>();

  /** Starts `programs/NAME.ts`. */
  constructor(name: string, ...args: readonly string[]) {
    this.#name = name;
    const program = fileURLToPath(new URL(`./programs/${name}.ts`, import.meta.url));
    const isOnServer = args.some((arg) => arg.startsWith("postgres://"));
    const network = isOnServer ? ["--allow-net=127.0.0.1", "--allow-sys"] : [];
    const permissions = ["--allow-read", "--allow-write", "--allow-env", ...network];
    const options = ["--quiet", "--no-prompt", "--cached-only", "--frozen", "--config", CONFIG];
    // As the product starts programs: on Windows the pipes of a `Deno.Command` would hold up this process's file operations.
    this.#child = startChild(Deno.execPath(), {
      args: ["run", ...options, ...permissions, program, ...args],
      environment: null,
      stdin: "piped",
      output: "piped",
      outlives: false,
    });
    this.#input = this.#child.stdin.getWriter();
    this.#status = this.#follow();
  }

  /** Everything that it has reported so far. */
  get everyReport(): readonly Report[] {
    return this.#reports;
  }

  /** Everything of this kind that it has reported so far. */
  reports<Kind extends Report["kind"]>(kind: Kind): ReportOf<Kind>[] {
    return this.#reports.filter((line): line is ReportOf<Kind> => line.kind === kind);
  }

  /** The first report of this kind (and about this task), waited for. */
  report<Kind extends Report["kind"]>(kind: Kind, taskId?: number): Promise<ReportOf<Kind>> {
    const isAbout = (line: Report): boolean =>
      taskId === undefined || "taskId" in line && line.taskId === taskId;
    const what = taskId === undefined ? kind : `${kind} for task ${taskId}`;
    return this.until(() => this.reports(kind).find(isAbout), what);
  }

  /** Looks again whenever it has reported something; fails when it ends or time runs out before `find` finds. */
  async until<T>(find: () => T | undefined, what: string): Promise<T> {
    const giveUpAtMs = performance.now() + PATIENCE_MS;
    const timer = setTimeout(() => this.#wake(), PATIENCE_MS + 1);
    try {
      for (;;) {
        const found = find();
        if (found !== undefined) return found;
        if (this.#isOver) this.#fail(`ended before it reported ${what}`);
        if (performance.now() > giveUpAtMs) {
          this.#fail(`did not report ${what} within ${PATIENCE_MS} ms`);
        }
        await this.#more.promise;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Says `word` on its input. */
  async say(word: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${word}\n`));
  }

  /** Stops it where it is, lock held or not, until `resume`. Not on Windows. */
  suspend(): void {
    Deno.kill(this.#child.pid!, "SIGSTOP");
  }

  resume(): void {
    Deno.kill(this.#child.pid!, "SIGCONT");
  }

  /** Ends its input, and waits until it has ended by itself, successfully and without a complaint. */
  async stop(): Promise<void> {
    await this.#input.close();
    await this.until(() => this.#isOver || undefined, "its end");
    const code = await this.#status;
    if (code !== 0 || this.#errors !== "") this.#fail(`ended with ${code}`);
  }

  /** Ends it with `kill -9`. Afterwards every report that it has made is here. */
  async kill(): Promise<void> {
    const isKilled = await this.#kill();
    if (!isKilled || this.#errors !== "") this.#fail("was not well when it was killed");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kill();
  }

  /** `false` when it had ended before. */
  async #kill(): Promise<boolean> {
    const isKilled = this.#sendKill();
    await this.#status;
    await this.#input.close().catch(() => {});
    return isKilled;
  }

  #sendKill(): boolean {
    if (this.#isOver) return false;
    try {
      Deno.kill(this.#child.pid!, "SIGKILL");
      return true;
    } catch (error) {
      // It has just ended by itself.
      if (error instanceof Deno.errors.NotFound || error instanceof TypeError) return false;
      throw error;
    }
  }

  /** Resolves when the process has ended and everything that it has written was read. */
  async #follow(): Promise<number> {
    const [status] = await Promise.all([
      this.#child.exitCode,
      this.#readReports(),
      this.#readErrors(),
    ]);
    this.#isOver = true;
    this.#wake();
    return status;
  }

  /** A last line without its end was not reported. */
  async #readReports(): Promise<void> {
    let rest = "";
    for await (const part of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + part).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#reports.push(JSON.parse(line));
      this.#wake();
    }
  }

  async #readErrors(): Promise<void> {
    for await (const part of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.#errors = (this.#errors + part).replace(LONG_LOCK, "");
    }
  }

  #wake(): void {
    this.#more.resolve();
    this.#more = Promise.withResolvers();
  }

  #fail(what: string): never {
    throw new Error(`Program ${this.#name} ${what}; its errors: ${this.#errors || "none"}`);
  }
}

/** Looks every few milliseconds until `find` finds; fails when time runs out. */
export async function waitFor<T>(
  find: () => Promise<T | undefined>,
  what: string,
  withinMs: number = PATIENCE_MS,
): Promise<T> {
  const giveUpAtMs = performance.now() + withinMs;
  for (;;) {
    const found = await find();
    if (found !== undefined) return found;
    if (performance.now() > giveUpAtMs) throw new Error(`${what}: not within ${withinMs} ms`);
    await pause(20);
  }
}

/** Lets time pass. What a test proves must not depend on how much. */
export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

/** `median 12 ms, maximum 40 ms of 20`. */
export function describeTimes(timesMs: readonly number[]): string {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  return `median ${median} ms, maximum ${sorted.at(-1)} ms of ${sorted.length}`;
}

/** Mulberry32: the same seed gives the same numbers. */
export function seededRandom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
