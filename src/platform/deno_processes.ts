/**
 * Processes in Deno: each program under a watcher of its own, so that none outlives this process.
 */
import { resolve } from "node:path";
import { quotePath } from "../domain/errors.ts";
import type {
  Processes,
  Program,
  ProgramEnvironment,
  ProgramRequest,
  RunningProgram,
} from "../patterns/processes.ts";
import {
  checkFile,
  checkFolder,
  checkShellLess,
  findProgram,
  interpreterOf,
} from "./find_program.ts";
import { endGroup, endTree } from "./process_tree.ts";
import {
  feed,
  NOT_STARTED,
  spawnProgram,
  WATCHER_ARGUMENT,
  watchProcess,
  type WatchRequest,
} from "./process_watcher.ts";

/** How long a watcher has to end its program before it is ended itself, in milliseconds. */
const WATCHER_GRACE_MS = 3000;

/**
 * How long an output may be silent after its program's end, in milliseconds: a daemon that the program has left behind may
 * hold it open for ever.
 */
const SILENCE_MS = 1000;

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
    "NUMBER_OF_PROCESSORS",
    "PROCESSOR_ARCHITECTURE",
  ],
  others: ["PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ"],
};

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

/** Programs on this machine, each under a watcher where there can be one. */
export const denoProcesses: Processes = processesUnder(watcherCommand);

/** Programs on this machine under the watchers that `watcher` starts; without one where it gives none. */
export function processesUnder(watcher: () => Deno.Command | undefined): Processes {
  const start = (program: Program): RunningProgram => {
    const command = watcher();
    return command === undefined ? startAlone(program) : startWatched(program, command);
  };
  return Object.freeze({ find, start });
}

async function find(request: ProgramRequest): Promise<Program> {
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
  const environment = new Map<string, readonly [string, string]>();
  const put = (name: string, value: string): void =>
    void environment.set(spellingOf(name), [name, value]);
  const base = BASE_VARIABLES[Deno.build.os === "windows" ? "windows" : "others"];
  for (const name of [...base, ...allow]) {
    const value = Deno.env.get(name);
    if (value !== undefined) put(name, value);
  }
  for (const [name, value] of Object.entries(set)) put(name, value);
  return Object.fromEntries(environment.values());
}

/** What two names of the same variable have in common: on Windows their case does not count. */
function spellingOf(name: string): string {
  return Deno.build.os === "windows" ? name.toUpperCase() : name;
}

/** How a watcher is started; nothing when there is no way. */
function watcherCommand(): Deno.Command | undefined {
  if (Deno.build.standalone && !servesAsWatcher) return undefined;
  const flags = ["--quiet", "--no-config", "--no-lock", "--no-prompt", "--allow-all"];
  const main = import.meta.resolve("./process_watcher_main.ts");
  return new Deno.Command(Deno.execPath(), {
    args: Deno.build.standalone ? [WATCHER_ARGUMENT] : ["run", ...flags, main],
    env: { DENO_NO_UPDATE_CHECK: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    // A Ctrl+C on a terminal goes to the whole group.
    detached: Deno.build.os !== "windows",
  });
}

function startWatched(program: Program, command: Deno.Command): RunningProgram {
  const mark = `holdfast ${crypto.randomUUID()} `;
  const request: WatchRequest = { program, mark };
  const watcher = command.spawn();
  const lifeline = new Lifeline(watcher.stdin, JSON.stringify(request));
  const stderr = new ErrorOutput(chunksOf(watcher.stderr, watcher.status), mark);
  const exitCode = watcher.status.then(async ({ code }) => {
    await lifeline.cut();
    const reason = code === NOT_STARTED ? await stderr.refusal() : null;
    if (reason === null) return code;
    throw new Error(`Cannot start ${quotePath(program.file)}: ${reason}`);
  });
  return runningProgram({
    stdout: chunksOf(watcher.stdout, watcher.status),
    stderr,
    exitCode,
    end: async (): Promise<void> => {
      await lifeline.cut();
      await endWithin(watcher, WATCHER_GRACE_MS);
    },
  });
}

/** Starts a program that nobody watches: it is ended when it is asked for, but outlives this process's sudden death. */
function startAlone(program: Program): RunningProgram {
  const child = spawnProgram(program, "piped");
  feed(child, program.stdin);
  return runningProgram({
    stdout: chunksOf(child.stdout, child.status),
    stderr: chunksOf(child.stderr, child.status),
    exitCode: child.status.then(({ code }) => {
      endGroup(child.pid);
      return code;
    }),
    end: async (): Promise<void> => {
      await endTree(child.pid);
      await child.status;
    },
  });
}

/** Whoever runs a program awaits its exit code; until then a rejection is not unhandled. */
function runningProgram(program: RunningProgram): RunningProgram {
  program.exitCode.catch(() => {});
  return program;
}

/** Resolves when the watcher has ended; ends its tree when that takes longer than `withinMs`. */
async function endWithin(watcher: Deno.ChildProcess, withinMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<true>();
  const timer = setTimeout(() => resolve(true), withinMs);
  const isLate = await Promise.race([watcher.status.then(() => false), promise]);
  clearTimeout(timer);
  if (!isLate) return;
  await endTree(watcher.pid);
  await watcher.status;
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

/** The standard error of a program, without what its watcher says when it could not start it. */
class ErrorOutput implements AsyncIterable<Uint8Array> {
  readonly #chunks: AsyncGenerator<Uint8Array>;
  readonly #mark: Uint8Array;
  /** The first bytes, read at once, whether or not somebody wants the output. */
  readonly #head: Promise<Uint8Array>;

  constructor(chunks: AsyncGenerator<Uint8Array>, mark: string) {
    this.#chunks = chunks;
    this.#mark = new TextEncoder().encode(mark);
    this.#head = this.#readHead();
  }

  /** Why the watcher could not start the program; `null` when it has not said so. */
  async refusal(): Promise<string | null> {
    const head = await this.#head;
    if (!startsWith(head, this.#mark)) return null;
    return new TextDecoder().decode(head.subarray(this.#mark.length));
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const head = await this.#head;
    if (head.length > 0 && !startsWith(head, this.#mark)) yield head;
    yield* this.#chunks;
  }

  /** As little as shows that it does not begin with the mark; all of it, when it does. */
  async #readHead(): Promise<Uint8Array> {
    let head = new Uint8Array();
    for (;;) {
      const { value, done } = await this.#chunks.next();
      if (done) return head;
      head = joined(head, value);
      const known = Math.min(head.length, this.#mark.length);
      if (!startsWith(head, this.#mark.subarray(0, known))) return head;
    }
  }
}

function startsWith(bytes: Uint8Array, beginning: Uint8Array): boolean {
  return bytes.length >= beginning.length && beginning.every((byte, i) => bytes[i] === byte);
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}

/** The portions of an output, until it ends, or is silent for a while after its process has ended. */
async function* chunksOf(
  output: ReadableStream<Uint8Array>,
  exit: Promise<unknown>,
): AsyncGenerator<Uint8Array> {
  const reader = output.getReader();
  const isOver = exit.then(() => ({ isOver: true } as const));
  try {
    for (;;) {
      const read = reader.read();
      const first = await Promise.race([read, isOver]);
      const part = "isOver" in first ? await withinSilence(read) : first;
      if (part === undefined || part.done) return;
      yield part.value;
    }
  } finally {
    await reader.cancel();
  }
}

/** What was read; nothing when that takes too long. */
async function withinSilence<T>(read: Promise<T>): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), SILENCE_MS);
  try {
    return await Promise.race([read, promise]);
  } finally {
    clearTimeout(timer);
  }
}
