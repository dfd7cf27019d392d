/**
 * Running a script to its end: what `executeModule` and `executeLongRunning` do, on any `Processes`.
 *
 * Both outputs are read at the same time and to their end, so that no program waits for a reader and nothing is lost. An
 * exit code is a result and never an error.
 */
import { deferred } from "../domain/deferred.ts";
import { checkOneOf } from "../domain/check.ts";
import { quotePath } from "../domain/errors.ts";
import { sleep, systemClock } from "../domain/clock.ts";
import { OutputLines } from "./output_lines.ts";
import type { Processes, ProgramEnvironment, ProgramRequest, RunningProgram } from "./processes.ts";

/** Every mode, the default first. */
export const EXECUTION_MODES = ["async", "dry-run"] as const;

/** `async` runs the script; `dry-run` finds everything that it needs and says what would run. */
export type ExecutionMode = typeof EXECUTION_MODES[number];

/** How a script is run. */
export interface ScriptOptions {
  /** The working directory; default this process's. */
  readonly cwd?: string;
  /** The program that gets the script: a name on the `PATH`, a path, or several of which the first that is found is taken. Default: by the script's ending. */
  readonly command?: string | readonly string[];
  /** Which environment variables it sees; default all of this process. */
  readonly environment?: ProgramEnvironment;
  /** What it reads from its standard input; default nothing. */
  readonly stdin?: string;
  /** Ends the script with everything that it started; a periodic one is stopped. Default never. */
  readonly signal?: AbortSignal;
  /** Default `async`. */
  readonly mode?: ExecutionMode;
}

/** How a script ended. */
export interface ModuleResult {
  /** 0 by custom means success. */
  readonly exitCode: number;
  /** All of its standard output, at most 128 MiB. */
  readonly stdout: string;
  /** All of its standard error, at most 128 MiB. */
  readonly stderr: string;
}

/** Where a line comes from. */
export type OutputStream = "stdout" | "stderr";

/** A line of a script's output, without its line break. */
export interface OutputLine {
  /** The run that it belongs to. */
  readonly runId: string;
  /** Where the script wrote it. */
  readonly stream: OutputStream;
  /** What it wrote; a line of more than 1,048,576 characters comes in pieces. */
  readonly text: string;
}

/** How a long-running script is run. */
export interface LongRunningOptions extends ScriptOptions {
  /** Its arguments; default none. */
  readonly args?: readonly string[];
  /** Called with every line while the script runs. Default: none. A promise is awaited before the next line of the same stream. */
  readonly onLine?: (line: OutputLine) => void | Promise<void>;
}

/** How a long-running script ended. */
export interface LongRunningResult {
  /** The run's id. */
  readonly runId: string;
  /** 0 by custom means success. */
  readonly exitCode: number;
  /** How many lines it wrote on each stream. */
  readonly lines: Readonly<Record<OutputStream, number>>;
}

/** What happens to the lines of a program. */
export type LineListener = (stream: OutputStream, text: string) => void | Promise<void>;

/** How much of each output `executeModule` keeps, in bytes: 128 MiB. */
export const OUTPUT_MAX_BYTES = 134_217_728;

/** How long a listener may take for what was read when the script is ended, in milliseconds. */
const LISTENER_GRACE_MS = 2000;

/** How a script is run whose output is kept. */
export interface KeepingOptions extends Pick<ScriptOptions, "signal" | "mode"> {
  /** How much of each output is kept, in bytes; more is an error. Default `OUTPUT_MAX_BYTES`. */
  readonly outputMaxBytes?: number;
}

/** Runs a script and keeps all that it writes. Errors as in `startProgram`; RangeError when it writes too much, it is ended then. */
export async function executeModule(
  processes: Processes,
  request: ProgramRequest,
  { signal, mode, outputMaxBytes = OUTPUT_MAX_BYTES }: KeepingOptions = {},
): Promise<ModuleResult> {
  if (checkMode(mode) === "dry-run") return await describeRun(processes, request);
  const texts = { stdout: "", stderr: "" };
  const exitCode = await follow(await startProgram(processes, request, signal), {
    signal,
    read: async (output, stream) => {
      texts[stream] = await textOf(output, stream, outputMaxBytes);
    },
  });
  return { exitCode, ...texts };
}

async function textOf(
  output: AsyncIterable<Uint8Array>,
  stream: OutputStream,
  maxBytes: number,
): Promise<string> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const parts: string[] = [];
  let size = 0;
  for await (const bytes of output) {
    size += bytes.length;
    if (size > maxBytes) {
      throw new RangeError(
        `Cannot keep the ${stream} of a script: it is longer than ${maxBytes} bytes; executeLongRunning keeps none of it`,
      );
    }
    parts.push(decoder.decode(bytes, { stream: true }));
  }
  parts.push(decoder.decode());
  return parts.join("");
}

/** Runs a program and gives its lines to `onLine` while it runs; resolves to its exit code. Errors as in `startProgram`. */
export async function executeLines(
  processes: Processes,
  request: ProgramRequest,
  { onLine, signal }: { readonly onLine: LineListener; readonly signal?: AbortSignal },
): Promise<number> {
  return await follow(await startProgram(processes, request, signal), {
    signal,
    read: async (output, stream) => {
      const lines = new OutputLines();
      for await (const bytes of output) {
        for (const line of lines.push(bytes)) {
          if (output.isEnded) return;
          await onLine(stream, line);
        }
      }
      if (output.isEnded) return;
      for (const line of lines.finish()) await onLine(stream, line);
    },
  });
}

/** Runs a long-running script. Errors as in `startProgram`, and what `onLine` throws: the script is ended then. */
export async function executeLongRunning(
  processes: Processes,
  runId: string,
  request: ProgramRequest,
  { onLine = (): void => {}, signal, mode }: LongRunningOptions = {},
): Promise<LongRunningResult> {
  const lines = { stdout: 0, stderr: 0 };
  const count: LineListener = (stream, text) => {
    lines[stream]++;
    return onLine({ runId, stream, text });
  };
  if (checkMode(mode) === "dry-run") {
    const { stdout } = await describeRun(processes, request);
    await count("stdout", stdout.trimEnd());
    return { runId, exitCode: 0, lines };
  }
  const exitCode = await executeLines(processes, request, { onLine: count, signal });
  return { runId, exitCode, lines };
}

/** The request that runs `script` as `options` say. */
export function requestOf(
  script: string,
  args: readonly string[],
  { cwd, command, environment, stdin }: ScriptOptions,
): ProgramRequest {
  if (typeof script !== "string" || script.trim() === "") {
    throw new TypeError("Cannot run a script without a path");
  }
  return {
    script,
    args,
    cwd,
    command: typeof command === "string" ? [command] : command,
    environment,
    stdin,
  };
}

/**
 * Starts a program.
 *
 * @throws TypeError when something is missing, before anything has started; what `signal` was aborted with.
 */
async function startProgram(
  processes: Processes,
  request: ProgramRequest,
  signal: AbortSignal | undefined,
): Promise<RunningProgram> {
  const program = await processes.find(request);
  signal?.throwIfAborted();
  return processes.start(program);
}

/** How a running program is followed. */
interface Following {
  readonly signal: AbortSignal | undefined;
  readonly read: (output: EndableOutput, stream: OutputStream) => Promise<void>;
}

/**
 * Reads both outputs to their end and resolves to the exit code. Whatever goes wrong, the program has ended by then, and what
 * was read is handed on no more.
 */
async function follow(program: RunningProgram, { signal, read }: Following): Promise<number> {
  const abort = deferred<never>();
  const onAbort = (): void => abort.reject(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) onAbort();
  const outputs = [new EndableOutput(program.stdout), new EndableOutput(program.stderr)] as const;
  const reading = [read(outputs[0], "stdout"), read(outputs[1], "stderr")];
  try {
    await Promise.race([Promise.all([program.exitCode, ...reading]), abort.promise]);
    return await program.exitCode;
  } catch (error) {
    await program.end();
    await settledWithin(reading, LISTENER_GRACE_MS);
    for (const output of outputs) output.end();
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

/** Resolves when all have settled, or after `limitMs`: a listener may never do so. */
async function settledWithin(promises: readonly Promise<void>[], limitMs: number): Promise<void> {
  const timely = new AbortController();
  const settled = Promise.allSettled(promises).then(() => timely.abort());
  await Promise.race([settled, sleep(systemClock, limitMs, timely.signal)]);
}

/** An output that is over for its reader as soon as it is ended, whatever is still to come. */
class EndableOutput implements AsyncIterableIterator<Uint8Array> {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #isEnded = false;

  constructor(output: AsyncIterable<Uint8Array>) {
    this.#chunks = output[Symbol.asyncIterator]();
  }

  /** Whether it has been ended: what was read is handed on no more. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  end(): void {
    this.#isEnded = true;
    // What it is about to read comes first, and nothing waits for that.
    this.return().catch(() => {});
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    return this.#isEnded ? { done: true, value: undefined } : await this.#chunks.next();
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    return await this.#chunks.return?.() ?? { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

async function describeRun(processes: Processes, request: ProgramRequest): Promise<ModuleResult> {
  const { file, args, cwd } = await processes.find(request);
  const command = JSON.stringify([file, ...args]);
  return {
    exitCode: 0,
    stdout: `Would run ${command} in ${quotePath(cwd)}\n`,
    stderr: "",
  };
}

/** The mode that is meant. @throws TypeError for one that does not exist. */
export function checkMode(mode: string = "async"): ExecutionMode {
  return checkOneOf(mode, EXECUTION_MODES, { doing: "execute in mode" });
}
