/**
 * Processes in Deno: each program under a watcher of its own, so that none outlives this process.
 */
import { resolve } from "node:path";
import { messageOf } from "../domain/errors.ts";
import {
  checkProgramRequest,
  type Processes,
  type Program,
  type ProgramEnvironment,
  type ProgramRequest,
  ProgramStartError,
  type RunningProgram,
} from "../patterns/processes.ts";
import {
  checkFile,
  checkFolder,
  checkShellLess,
  findProgram,
  interpreterOf,
} from "./find_program.ts";
import { type Child, type ChildOptions, startChild } from "./child_process.ts";
import { endGroup, endTree } from "./process_tree.ts";
import {
  NO_UPDATE_CHECK,
  NOT_STARTED,
  spawnProgram,
  WATCHER_ARGUMENT,
  watchProcess,
  type WatchRequest,
} from "./process_watcher.ts";
import { chunksOf, ErrorOutput, within } from "./program_output.ts";

/** How long a watcher has to end its program before it is ended itself, in milliseconds. */
const WATCHER_GRACE_MS = 3000;

const system = Deno.build.os === "windows" ? "windows" : "others";

/** The variables without which programs do not work, besides those of a request. */
const BASE_VARIABLES: Readonly<Record<"windows" | "others", readonly string[]>> = {
  windows: [
    "PATH",
    "PATHEXT",
    "SystemRoot",
    "SystemDrive",
    "windir",
    "ComSpec",
    "TEMP",
    "TMP",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "ProgramData",
    "ProgramFiles",
    "ProgramFiles(x86)",
    "ProgramW6432",
    "USERNAME",
    "USERDOMAIN",
    "HOMEDRIVE",
    "HOMEPATH",
    "COMPUTERNAME",
    "OS",
    "NUMBER_OF_PROCESSORS",
    "PROCESSOR_ARCHITECTURE",
  ],
  others: ["PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ"],
};

/** What a watcher needs besides the base variables, where it gets no others: Deno's cache, and where its libraries are. */
const WATCHER_VARIABLES: readonly string[] = ["DENO_DIR", "XDG_CACHE_HOME", "LD_LIBRARY_PATH"];

/** Whether this program can be a watcher although it is compiled. */
let servesAsWatcher = false;

/**
 * Lets a program that was made by `deno compile` watch over the programs that it starts: call it first of all, with the
 * program's arguments. In the watcher's process it does the watching and never returns; in all others it returns at once.
 * Without it a compiled program's children are ended with it only when it ends in an orderly way. Run by Deno, it is not
 * needed.
 */
export async function serveProcessWatcher(args: readonly string[]): Promise<void> {
  servesAsWatcher = true;
  if (args[0] === WATCHER_ARGUMENT) await watchProcess();
}

/** How a watcher is started: the program, and what it is given. */
export interface WatcherCommand {
  readonly file: string;
  readonly args: readonly string[];
}

/** Programs on this machine, each under a watcher where there can be one. */
export const denoProcesses: Processes = processesUnder(watcherCommand);

/** Programs on this machine under the watchers that `watcher` starts; without one where it gives none. */
export function processesUnder(watcher: () => WatcherCommand | undefined): Processes {
  const start = (program: Program): RunningProgram => {
    const command = watcher();
    return command === undefined ? startAlone(program) : startWatched(program, command);
  };
  return Object.freeze({ find, start });
}

async function find(request: ProgramRequest): Promise<Program> {
  checkProgramRequest(request);
  const folder = resolve(request.folder ?? ".");
  const cwd = await checkFolder(resolve(folder, request.cwd ?? "."));
  const script = request.script === undefined
    ? undefined
    : await checkFile(resolve(folder, request.script), "the script");
  const { file, args } = await programOf(request.command, script, folder);
  return {
    file,
    args: [...args, ...(request.args ?? [])],
    cwd,
    environment: request.environment === undefined ? null : environmentOf(request.environment),
    stdin: request.stdin ?? null,
  };
}

async function programOf(
  command: readonly string[] | undefined,
  script: string | undefined,
  folder: string,
): Promise<Pick<Program, "file" | "args">> {
  if (command !== undefined) {
    const file = await findProgram(command, folder);
    return { file, args: script === undefined ? [] : [script] };
  }
  if (script === undefined) {
    throw new TypeError("Cannot run nothing: a command or a script is needed");
  }
  const interpreter = interpreterOf(script);
  if (interpreter === undefined) return { file: checkShellLess(script), args: [] };
  const file = await findProgram(interpreter.commands, folder, interpreter.advice);
  return { file, args: [...interpreter.args, script] };
}

function environmentOf({ allow = [], set = {} }: ProgramEnvironment): Record<string, string> {
  const environment = variables([...BASE_VARIABLES[system], ...allow]);
  for (const [name, value] of Object.entries(set)) environment.set(spellingOf(name), [name, value]);
  return Object.fromEntries(environment.values());
}

/** Those of these variables of this process that are set, by what their spellings have in common. */
function variables(names: readonly string[]): Map<string, readonly [string, string]> {
  const found = new Map<string, readonly [string, string]>();
  for (const name of names) {
    const value = Deno.env.get(name);
    if (value !== undefined) found.set(spellingOf(name), [name, value]);
  }
  return found;
}

/** What two names of the same variable have in common: on Windows their case does not count. */
function spellingOf(name: string): string {
  return system === "windows" ? name.toUpperCase() : name;
}

/** How a watcher is started; nothing when there is no way. */
function watcherCommand(): WatcherCommand | undefined {
  if (Deno.build.standalone && !servesAsWatcher) return undefined;
  const flags = ["--quiet", "--no-config", "--no-lock", "--no-prompt", "--allow-all"];
  const main = import.meta.resolve("./process_watcher_main.ts");
  const args = Deno.build.standalone ? [WATCHER_ARGUMENT] : ["run", ...flags, main];
  return { file: Deno.execPath(), args };
}

/**
 * The environment of a watcher. That of its program may hold less than this process's: then the watcher's does too, because
 * a program can read its parent's.
 */
function watcherEnvironment({ environment }: Program): Pick<ChildOptions, "environment" | "added"> {
  const added = { [NO_UPDATE_CHECK]: "1" };
  if (environment === null) return { environment, added };
  const granted = WATCHER_VARIABLES.filter(isReadable);
  const own = variables([...BASE_VARIABLES[system], ...granted]);
  return { environment: Object.fromEntries(own.values()), added };
}

function isReadable(variable: string): boolean {
  return Deno.permissions.querySync({ name: "env", variable }).state === "granted";
}

function startWatched(program: Program, command: WatcherCommand): RunningProgram {
  const mark = `holdfast ${crypto.randomUUID()} `;
  const noUpdateCheck = isReadable(NO_UPDATE_CHECK) ? Deno.env.get(NO_UPDATE_CHECK) : undefined;
  const request: WatchRequest = { program, mark, noUpdateCheck };
  const watcher = startChild(command.file, {
    args: command.args,
    ...watcherEnvironment(program),
    stdin: "piped",
    output: "piped",
    outlives: true,
  });
  const lifeline = new Lifeline(watcher.stdin, JSON.stringify(request));
  const stderr = new ErrorOutput(chunksOf(watcher.stderr, watcher.exitCode), mark);
  const exitCode = watcher.exitCode.then(async (code) => {
    await lifeline.cut();
    const reason = code === NOT_STARTED ? await stderr.refusal() : null;
    if (reason === null) return code;
    throw new ProgramStartError(program.file, reason);
  });
  return runningProgram({
    stdout: chunksOf(watcher.stdout, watcher.exitCode),
    stderr,
    exitCode,
    end: async (): Promise<void> => {
      await lifeline.cut();
      await endWithin(watcher, WATCHER_GRACE_MS);
    },
  });
}

/** Starts a program without a watcher: it is ended on request, but outlives this process's sudden death. */
function startAlone(program: Program): RunningProgram {
  const child = startProgram(program, "piped");
  return runningProgram({
    stdout: chunksOf(child.stdout, child.exitCode),
    stderr: chunksOf(child.stderr, child.exitCode),
    exitCode: child.exitCode.then((code) => {
      endGroup(child.pid);
      return code;
    }, (error) => {
      throw new ProgramStartError(program.file, messageOf(error));
    }),
    end: async (): Promise<void> => {
      await endTree(child.pid);
      await hasEnded(child);
    },
  });
}

function startProgram(program: Program, output: "piped"): Child {
  try {
    return spawnProgram(program, output);
  } catch (error) {
    throw new ProgramStartError(program.file, messageOf(error));
  }
}

/** The caller awaits the exit code later; until then a rejection must not count as unhandled. */
function runningProgram(program: RunningProgram): RunningProgram {
  program.exitCode.catch(() => {});
  return program;
}

/** Resolves when the watcher has ended; ends its tree when that takes longer than `withinMs`. */
async function endWithin(watcher: Child, withinMs: number): Promise<void> {
  const ended = hasEnded(watcher);
  if (await within(ended, withinMs)) return;
  await endTree(watcher.pid);
  await ended;
}

/** Resolves when a child is not there any more, or never was. */
function hasEnded(child: Child): Promise<true> {
  return child.exitCode.then(() => true, () => true);
}

/** What tells a watcher that this process lives. */
class Lifeline {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #cut: Promise<void> | undefined;

  /** Asks for `request`. A watcher that is gone already shows in its exit. */
  constructor(stdin: WritableStream<Uint8Array>, request: string) {
    this.#writer = stdin.getWriter();
    this.#writer.write(new TextEncoder().encode(`${request}\n`)).catch(() => {});
  }

  /** Closes it; the request is written first. */
  cut(): Promise<void> {
    return this.#cut ??= this.#writer.close().catch(() => {});
  }
}
