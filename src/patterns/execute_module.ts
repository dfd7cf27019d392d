/**
 * Running a script to its end: what `executeModule` and `executeLongRunning` do, on any `Processes`.
 *
 * Both outputs are read at the same time and to their end, so that no program waits for a reader and nothing is lost. An
 * exit code is a result and never an error.
 */
import { quotePath } from "../domain/errors.ts";
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
  /** All of its standard output. */
  readonly stdout: string;
  /** All of its standard error. */
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
  /** Is given every line while the script runs; default nobody. A promise is awaited before the next line of the same stream. */
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

/** Runs a script and keeps all that it writes. Errors as in `startProgram`. */
export async function executeModule(
  processes: Processes,
  request: ProgramRequest,
  options: Pick<ScriptOptions, "signal" | "mode"> = {},
): Promise<ModuleResult> {
  if (checkMode(options.mode) === "dry-run") return await describeRun(processes, request);
  const texts = { stdout: "", stderr: "" };
  const exitCode = await follow(await startProgram(processes, request, options.signal), {
    signal: options.signal,
    read: async (output, stream) => {
      const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
      const parts: string[] = [];
      for await (const bytes of output) parts.push(decoder.decode(bytes, { stream: true }));
      parts.push(decoder.decode());
      texts[stream] = parts.join("");
    },
  });
  return { exitCode, ...texts };
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
        for (const line of lines.push(bytes)) await onLine(stream, line);
      }
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
  readonly read: (output: AsyncIterable<Uint8Array>, stream: OutputStream) => Promise<void>;
}

/** Reads both outputs to their end and resolves to the exit code. Whatever goes wrong, the program has ended by then. */
async function follow(program: RunningProgram, { signal, read }: Following): Promise<number> {
  // Whether it could be ended is asked again below.
  const end = (): void => void program.end().catch(() => {});
  signal?.addEventListener("abort", end, { once: true });
  if (signal?.aborted) end();
  const reading = [read(program.stdout, "stdout"), read(program.stderr, "stderr")];
  try {
    await Promise.all([program.exitCode, ...reading]);
    signal?.throwIfAborted();
    return await program.exitCode;
  } catch (error) {
    await program.end();
    await Promise.allSettled(reading);
    throw error;
  } finally {
    signal?.removeEventListener("abort", end);
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

function checkMode(mode: string = "async"): ExecutionMode {
  const known = EXECUTION_MODES.find((name) => name === mode);
  if (known !== undefined) return known;
  throw new TypeError(
    `Cannot execute in mode ${JSON.stringify(mode)}: allowed are ${EXECUTION_MODES.join(", ")}`,
  );
}
