/**
 * The command line under test: in-process with captured streams, or as a real process.
 */
import { assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freshPlace } from "../support/engine.ts";
import { main } from "../../cli/main.ts";
import { type CliIo, systemIo } from "../../cli/io.ts";

/** The folder of this tree. */
export const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));

/** A handler file with a handler for each way that a task can go. */
export const HANDLERS = fileURLToPath(new URL("./fixture_handlers.ts", import.meta.url));

/** What a command did. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A JSON document, as tests look into it. */
// deno-lint-ignore no-explicit-any
export type Json = any;

/** What a command finds around it. */
export interface Surroundings {
  /** Files by path; `-` is standard input. Any other path is read from the disk. */
  readonly files?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  /** The folder in which a project is looked for; default the working folder. */
  readonly folder?: string;
  readonly terminal?: boolean;
  /** How many columns the terminal has; default 80. */
  readonly columns?: number;
  /** Aborts when nobody reads standard output any more. */
  readonly outClosed?: AbortSignal;
  /** Interrupts the command when it aborts. */
  readonly interrupt?: AbortSignal;
  /** Told everything that is written to standard output. */
  readonly onOut?: (text: string) => void;
  /** Told everything that is written to standard error. */
  readonly onErr?: (text: string) => void;
}

/** Surroundings whose streams are captured. */
export function capturedIo(
  surroundings: Surroundings = {},
): { readonly io: CliIo; readonly written: { out: string; err: string } } {
  const written = { out: "", err: "" };
  const io: CliIo = {
    writeOut: (text) => {
      written.out += text;
      surroundings.onOut?.(text);
    },
    writeErr: (text) => {
      written.err += text;
      surroundings.onErr?.(text);
    },
    readText: async (path) => surroundings.files?.[path] ?? await systemIo().readText(path),
    environment: (name) => surroundings.environment?.[name],
    folder: surroundings.folder ?? ".",
    outIsTerminal: surroundings.terminal ?? false,
    errIsTerminal: false,
    outClosed: surroundings.outClosed ?? new AbortController().signal,
    outColumns: () => surroundings.columns ?? 80,
    outRows: () => 24,
    onInterrupt: (listener) => {
      const interrupt = (): void => listener(false);
      if (surroundings.interrupt?.aborted) queueMicrotask(interrupt); // before the command listened
      surroundings.interrupt?.addEventListener("abort", interrupt);
      return () => surroundings.interrupt?.removeEventListener("abort", interrupt);
    },
    exitNow: (code) => {
      throw new Error(`exited with ${code}`);
    },
  };
  return { io, written };
}

/** Runs a command in this process. */
export async function holdfast(
  args: readonly string[],
  surroundings: Surroundings = {},
): Promise<Outcome> {
  const { io, written } = capturedIo(surroundings);
  return { code: await main(args, io), ...written };
}

/** A folder, where a queue may be made (a path in the folder, or an address), and commands that use it. Disposing of it deletes the folder. */
export class Scratch implements AsyncDisposable {
  readonly folder: string;
  readonly db: string;

  constructor() {
    this.folder = Deno.makeTempDirSync({ prefix: "holdfast cli ü " });
    this.db = freshPlace(this.folder);
  }

  /** A path in the folder. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /** Runs a command on this queue. */
  run(args: readonly string[], surroundings?: Surroundings): Promise<Outcome> {
    return holdfast(["--db", this.db, ...args], surroundings);
  }

  /** Runs a command on this queue with `--json` and gives its document too. */
  async json(
    args: readonly string[],
    surroundings?: Surroundings,
  ): Promise<Outcome & { doc: Json }> {
    const outcome = await this.run([...args, "--json"], surroundings);
    return { ...outcome, doc: JSON.parse(outcome.out) };
  }

  /** Makes the queue, with nothing in it. */
  async makeQueue(): Promise<void> {
    await this.run(["enqueue", "--batch", "-"], { files: { "-": "" } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await Deno.remove(this.folder, { recursive: true });
    } catch (error) {
      // A module cache in it has a link to the Deno that runs, which Windows does not remove.
      const isLinkToDeno = Deno.build.os === "windows" &&
        error instanceof Deno.errors.PermissionDenied &&
        (await Array.fromAsync(Deno.readDir(this.path("cache/node_compat_bin")))).length > 0;
      if (!isLinkToDeno) throw error;
    }
  }
}

/** How a real process's streams are connected. */
export type ProcessStreams = Partial<Pick<Deno.CommandOptions, "stdin" | "stdout" | "stderr">>;

/** A command in a process of its own. */
export function holdfastProcess(
  args: readonly string[],
  streams: ProcessStreams = {},
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: commandOf(args),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...streams,
  });
}

/** What to give to Deno for a command with these arguments. */
export function commandOf(args: readonly string[]): string[] {
  return [
    "run",
    "--no-prompt",
    `--config=${join(CHECKOUT, "deno.json")}`,
    "--allow-read",
    "--allow-write",
    "--allow-env",
    "--allow-run",
    "--allow-net=127.0.0.1",
    join(CHECKOUT, "cli", "main.ts"),
    ...args,
  ];
}

/** What a process writes, as it comes. */
export class Listener {
  /** Resolves when the process has closed the stream. */
  readonly ended: Promise<void>;
  #seen = "";
  #more = Promise.withResolvers<void>();

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.ended = this.#read(stream);
  }

  /** Resolves when the process has written `text`; fails when it ends without. */
  async until(text: string): Promise<void> {
    const end = this.ended.then(() => "ended");
    while (!this.#seen.includes(text)) {
      const event = await Promise.race([this.#more.promise, end]);
      if (event === "ended") assertStringIncludes(this.#seen, text);
    }
  }

  /** Everything so far. */
  get text(): string {
    return this.#seen;
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) {
      this.#seen += part;
      this.#more.resolve();
      this.#more = Promise.withResolvers();
    }
  }
}
