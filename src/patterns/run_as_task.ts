/**
 * A program as the work of a task: its lines go to the run's log while it runs, its exit code decides how the task ends.
 */
import { ExitCodeError, PermanentError } from "../domain/errors.ts";
import type { TaskContext } from "../worker/handler_registry.ts";
import { executeLines, type OutputStream } from "./execute_module.ts";
import { type Processes, type ProgramRequest, ProgramStartError } from "./processes.ts";

/** What a program leaves as its task's result. */
export interface ProgramResult {
  /** The program's exit code: the run shows it as its own. */
  readonly exit_code: number;
  /** The last lines of its standard output, at most 20 lines and 4,000 characters. */
  readonly stdout_tail: string;
}

/** How the program's end counts. */
export interface TaskEnding {
  /** The exit codes that complete the task. */
  readonly successExitCodes: readonly number[];
  /** Whether any other fails it at once, whatever attempts remain. */
  readonly isPermanent: boolean;
}

/** What counts unless something else is said. */
export const DEFAULT_ENDING: TaskEnding = Object.freeze({
  successExitCodes: Object.freeze([0]),
  isPermanent: false,
});

const LEVELS = Object.freeze({ stdout: "info", stderr: "warn" });

/** How many lines are kept of each stream, for the result and for the error message. */
const KEPT_LINES: Readonly<Record<OutputStream, number>> = Object.freeze({ stdout: 20, stderr: 5 });

/** How much of these lines is kept, in UTF-16 units. */
const KEPT_LENGTH: Readonly<Record<OutputStream, number>> = Object.freeze({
  stdout: 4000,
  stderr: 2000,
});

/**
 * Runs a program under a task: stdout is logged as `info`, stderr as `warn`.
 *
 * @throws ExitCodeError with the last lines of stderr for an exit code that is not a success; TypeError when something is
 * missing, before anything has started; what `context.signal` was aborted with.
 */
export async function runAsTask(
  processes: Processes,
  request: ProgramRequest,
  context: Pick<TaskContext, "signal" | "log">,
  { successExitCodes, isPermanent }: TaskEnding = DEFAULT_ENDING,
): Promise<ProgramResult> {
  const tails = { stdout: new Tail("stdout"), stderr: new Tail("stderr") };
  const exitCode = await executeStartable(processes, request, {
    signal: context.signal,
    onLine: (stream, text) => {
      context.log(LEVELS[stream], text);
      tails[stream].push(text);
    },
  });
  if (successExitCodes.includes(exitCode)) {
    return { exit_code: exitCode, stdout_tail: tails.stdout.text() };
  }
  const said = tails.stderr.text();
  const code = describeExitCode(exitCode);
  const message = said === "" ? `Exit code ${code}` : `Exit code ${code}: ${said}`;
  throw new ExitCodeError(exitCode, message, { isPermanent });
}

/** As `executeLines`, but a program that the system does not start fails the task at once: no attempt could change that. */
async function executeStartable(...given: Parameters<typeof executeLines>): Promise<number> {
  try {
    return await executeLines(...given);
  } catch (error) {
    if (!(error instanceof ProgramStartError)) throw error;
    throw new PermanentError(error.message, { cause: error });
  }
}

/** An exit code, and as Windows shows those that stand for an error of its own: `3221225786 (0xC000013A)`. */
function describeExitCode(exitCode: number): string {
  if (exitCode <= 0x7fff_ffff) return String(exitCode);
  return `${exitCode} (0x${exitCode.toString(16).toUpperCase()})`;
}

/** The last lines of a stream; blank ones do not count. */
class Tail {
  readonly #stream: OutputStream;
  readonly #lines: string[] = [];

  constructor(stream: OutputStream) {
    this.#stream = stream;
  }

  push(line: string): void {
    if (line.trim() === "") return;
    this.#lines.push(line.slice(-KEPT_LENGTH[this.#stream]));
    if (this.#lines.length > KEPT_LINES[this.#stream]) this.#lines.shift();
  }

  text(): string {
    return this.#lines.join("\n").slice(-KEPT_LENGTH[this.#stream]).toWellFormed();
  }
}
