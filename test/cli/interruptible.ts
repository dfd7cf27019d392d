/**
 * A command as a real process that can be interrupted on every system: by a signal, on Windows by a Ctrl-C in its console.
 */
import { fileURLToPath } from "node:url";
import { commandOf, holdfastProcess } from "./cli_harness.ts";

const CONSOLE_PROGRAM = fileURLToPath(new URL("./console_program.ts", import.meta.url));

/** A command that goes on until it is interrupted, or ends by itself. */
export interface Interruptible {
  readonly stdout: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly stderr: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly status: Promise<Deno.CommandStatus>;
  /** Interrupts it, by SIGINT where nothing else is said; what has ended already is left alone. */
  interrupt(signal?: "SIGINT" | "SIGTERM"): Promise<void>;
}

/** Starts a command. */
export function startInterruptible(args: readonly string[]): Interruptible {
  return Deno.build.os === "windows" ? startInConsole(args) : startForSignals(args);
}

function startForSignals(args: readonly string[]): Interruptible {
  const child = holdfastProcess(args).spawn();
  const { stdout, stderr, status } = child;
  let hasEnded = false;
  return {
    stdout,
    stderr,
    status: status.finally(() => hasEnded = true),
    interrupt: (signal = "SIGINT") => {
      if (!hasEnded) child.kill(signal);
      return Promise.resolve();
    },
  };
}

function startInConsole(args: readonly string[]): Interruptible {
  const { stdin, stdout, stderr, status } = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-config", "--allow-ffi", "--allow-run", CONSOLE_PROGRAM, ...commandOf(args)],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const presses = stdin.getWriter();
  let hasEnded = false;
  const ignoreClosed = (error: unknown): void => {
    if (!hasEnded && !(error instanceof Deno.errors.BrokenPipe)) throw error;
  };
  return {
    stdout,
    stderr,
    status: status.finally(async () => {
      hasEnded = true;
      await presses.close().catch(ignoreClosed);
    }),
    interrupt: () => presses.write(Uint8Array.of(0)).catch(ignoreClosed),
  };
}
