/**
 * Child processes of the bench: programs of `programs/` that say things in lines of JSON, and are told things in lines.
 */
import { fileURLToPath } from "node:url";

const CONFIG = fileURLToPath(new URL("../deno.json", import.meta.url));
/** The bench's own: what a lock file names is downloaded by every command that reads it, and peers are for the bench only. */
const LOCK = fileURLToPath(new URL("./deno.lock", import.meta.url));
const PERMISSIONS = [
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-sys",
  "--allow-run=node",
  "--allow-net=127.0.0.1",
];
const OPTIONS = [
  "--quiet",
  "--no-prompt",
  "--frozen",
  "--unstable-kv",
  "--config",
  CONFIG,
  "--lock",
  LOCK,
];

/** What it takes to run a program of `programs/`. */
export function commandOf(name: string, args: readonly string[]): string[] {
  const program = fileURLToPath(new URL(`./programs/${name}.ts`, import.meta.url));
  return [Deno.execPath(), "run", ...OPTIONS, ...PERMISSIONS, program, ...args];
}

/** Starts `programs/NAME.ts`. */
export function startProgram(name: string, ...args: readonly string[]): Child {
  return new Child(commandOf(name, args));
}

/** A running program; it ends when its input does. */
export class Child {
  readonly #process: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  #rest = "";

  /** Starts a program. */
  constructor([command, ...rest]: readonly string[]) {
    this.#process = new Deno.Command(command!, {
      args: rest,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#lines = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#input = this.#process.stdin.getWriter();
  }

  /** Its number. */
  get pid(): number {
    return this.#process.pid;
  }

  /** The next thing that it says. */
  async hear<T>(): Promise<T> {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) return this.#take<T>(end);
      const { value, done } = await this.#lines.read();
      if (done) throw new Error(`A bench program ended early, having said ${this.#rest}`);
      this.#rest += value;
    }
  }

  /** Tells it a line. */
  async tell(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Ends its input, waits until it has ended. @throws Error when it failed. */
  async end(): Promise<void> {
    await this.#input.close();
    while (!(await this.#lines.read()).done);
    const { code } = await this.#process.status;
    if (code !== 0) throw new Error(`A bench program ended with exit code ${code}`);
  }

  #take<T>(end: number): T {
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return JSON.parse(line) as T;
  }
}
