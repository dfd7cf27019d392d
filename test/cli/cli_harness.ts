/**
 * The command line under test: in-process with captured streams, or as a real process.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "../../cli/main.ts";
import type { CliIo } from "../../cli/io.ts";

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));

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
  readonly terminal?: boolean;
  /** Interrupts the command when it aborts. */
  readonly interrupt?: AbortSignal;
  /** Told everything that is written to standard error. */
  readonly onErr?: (text: string) => void;
}

/** Runs a command in this process. */
export async function holdfast(
  args: readonly string[],
  surroundings: Surroundings = {},
): Promise<Outcome> {
  const written = { out: "", err: "" };
  const io: CliIo = {
    writeOut: (text) => void (written.out += text),
    writeErr: (text) => {
      written.err += text;
      surroundings.onErr?.(text);
    },
    readText: async (path) => surroundings.files?.[path] ?? await Deno.readTextFile(path),
    environment: (name) => surroundings.environment?.[name],
    outIsTerminal: surroundings.terminal ?? false,
    errIsTerminal: false,
    onInterrupt: (listener) => {
      surroundings.interrupt?.addEventListener("abort", listener);
      return () => surroundings.interrupt?.removeEventListener("abort", listener);
    },
    exitNow: (code) => {
      throw new Error(`exited with ${code}`);
    },
  };
  return { code: await main(args, io), ...written };
}

/** A queue's path in a new folder, and commands that use it. Disposing of it deletes the folder. */
export class Scratch implements AsyncDisposable {
  readonly folder: string;
  readonly db: string;

  constructor() {
    this.folder = Deno.makeTempDirSync({ prefix: "holdfast cli ü " });
    this.db = join(this.folder, "queue.db");
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
    await Deno.remove(this.folder, { recursive: true });
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
    args: [
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
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...streams,
  });
}
