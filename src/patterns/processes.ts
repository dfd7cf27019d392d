/**
 * Processes: the port through which the patterns run programs.
 *
 * A program gets its arguments one by one and never a command line, so no shell reads any of them. What it was started
 * with ends with it: `end`, and the death of this process, end all of its tree.
 */

import { quotePath } from "../domain/errors.ts";

/** What to run. At least one of `command` and `script` is needed. */
export interface ProgramRequest {
  /** Programs of which the first that is found is run, each a name on the `PATH` or a path relative to `folder`. Default: by the script's ending. */
  readonly command?: readonly string[];
  /** A file that must be there, given to the program before the arguments; relative to `folder`. Default none. */
  readonly script?: string;
  /** Each reaches the program as it is; default none. */
  readonly args?: readonly string[];
  /** The working directory, relative to `folder`; default `folder`. */
  readonly cwd?: string;
  /** What relative paths start from; default this process's working directory. */
  readonly folder?: string;
  /** Which environment variables it sees; default all of this process. */
  readonly environment?: ProgramEnvironment;
  /** What it reads from its standard input; default nothing. */
  readonly stdin?: string;
}

/** The environment variables of a program. */
export interface ProgramEnvironment {
  /** Names of this process's variables that are handed on, besides those that no program can do without. Default none. */
  readonly allow?: readonly string[];
  /** Variables that are set, whatever this process has. Default none. */
  readonly set?: Readonly<Record<string, string>>;
}

/** A program that is there and can be started. */
export interface Program {
  /** The absolute path of the program's file. */
  readonly file: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** Its working directory, absolute. */
  readonly cwd: string;
  /** All of its environment; `null` for that of this process. */
  readonly environment: Readonly<Record<string, string>> | null;
  /** What it reads; `null` for nothing. */
  readonly stdin: string | null;
}

/** A program that was started. Both outputs must be read, or it may wait for ever for someone to do it. */
export interface RunningProgram {
  /** What it writes on its standard output. */
  readonly stdout: AsyncIterable<Uint8Array>;
  /** What it writes on its standard error. */
  readonly stderr: AsyncIterable<Uint8Array>;
  /** Its exit code, when it has ended; rejects with a `ProgramStartError` when it could not be started. */
  readonly exitCode: Promise<number>;
  /** Ends it with everything that it started; resolves when it is gone. Harmless when it has ended already. */
  end(): Promise<void>;
}

/**
 * Checks what no program can be given.
 *
 * @throws TypeError for a U+0000 in an argument, a path or a variable, and for a variable's name with `=`, without any
 * character, or with a value that is not a string.
 */
export function checkProgramRequest(request: ProgramRequest): void {
  const { command = [], script = "", args = [], cwd = "", folder = "" } = request;
  if (request.command?.length === 0) throw new TypeError("Cannot run no program: command is empty");
  const { allow = [], set = {} } = request.environment ?? {};
  for (const text of [...command, script, ...args, cwd, folder]) checkText(text, "an argument");
  for (const name of [...allow, ...Object.keys(set)]) {
    if (name === "" || /[=\0]/.test(name)) {
      throw new TypeError(
        `Cannot give a program the variable ${
          JSON.stringify(name)
        }: a name without = and U+0000 is needed`,
      );
    }
  }
  for (const [name, value] of Object.entries(set)) checkText(value, `the variable ${name}`);
}

function checkText(value: unknown, what: string): void {
  const found = typeof value !== "string"
    ? `is a ${typeof value}, not a string`
    : value.includes("\0")
    ? "contains U+0000, which ends it there"
    : undefined;
  if (found !== undefined) throw new TypeError(`Cannot give a program ${what}: it ${found}`);
}

/** A program that was found, but that the system does not start: it may not be executed, or its interpreter is missing. */
export class ProgramStartError extends TypeError {
  override readonly name = "ProgramStartError";

  /** `reason` is the system's. */
  constructor(file: string, reason: string) {
    super(`Cannot start ${quotePath(file)}: ${reason}`);
  }
}

/** Finds and starts programs. */
export interface Processes {
  /**
   * Finds what is to run, and starts nothing.
   *
   * @throws TypeError when the script, the program or the working directory is not there, or a shell would have to run it.
   */
  find(request: ProgramRequest): Promise<Program>;
  /** Starts a program that was found. @throws ProgramStartError unless its `exitCode` rejects with it. */
  start(program: Program): RunningProgram;
}
