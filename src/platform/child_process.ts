/**
 * Child processes: started so that none of them holds up another, on each system in its way.
 *
 * On Windows each silent piped output of a `Deno.Command` keeps one of Deno's few blocking threads busy, and the file
 * operations wait for these threads; pipes of `node:child_process` do not. What it starts has no window and no part in the
 * console of this process, so a Ctrl+C there does not reach it.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { basename, dirname, sep } from "node:path";
import type { Readable, Writable } from "node:stream";

/** How a child is started. */
export interface ChildOptions {
  readonly args: readonly string[];
  /** Its working directory; default that of this process. */
  readonly cwd?: string;
  /** All of its environment; `null` for that of this process with `added`. */
  readonly environment: Readonly<Record<string, string>> | null;
  /** Variables that it gets as well; default none. */
  readonly added?: Readonly<Record<string, string>>;
  readonly stdin: "piped" | "null";
  readonly output: "piped" | "inherit" | "null";
  /** Whether it survives this process. On Linux and macOS every child does, as the leader of a group of its own. */
  readonly outlives: boolean;
}

/** A child that was started. */
export interface Child {
  /** Its process id; `undefined` when it could not be started, as `exitCode` tells. */
  readonly pid: number | undefined;
  /** Its standard input, when that is piped. */
  readonly stdin: WritableStream<Uint8Array>;
  /** What it writes, when that is piped. */
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  /** When it has ended; from 0 to 4,294,967,295 on Windows. Rejects when it could not be started. */
  readonly exitCode: Promise<number>;
}

/** How much of an output waits for a reader before the child has to, in bytes. */
const BUFFER_BYTES = 65_536;

/** Starts the program `file`. @throws Error when the system does not start it, unless `exitCode` rejects with that. */
export function startChild(file: string, options: ChildOptions): Child {
  return Deno.build.os === "windows" ? startByNode(file, options) : startByDeno(file, options);
}

function startByDeno(file: string, options: ChildOptions): Child {
  const { args, cwd, environment, added, stdin, output } = options;
  const child = new Deno.Command(file, {
    args: [...args],
    cwd,
    clearEnv: environment !== null,
    env: { ...environment, ...added },
    stdin,
    stdout: output,
    stderr: output,
    // A Ctrl+C on a terminal goes to the whole group.
    detached: true,
  }).spawn();
  return childOf(child.pid, child.status.then(({ code }) => code), {
    stdin: () => child.stdin,
    stdout: () => child.stdout,
    stderr: () => child.stderr,
  });
}

/** Starts a program as Windows needs it; it works everywhere. */
export function startByNode(file: string, options: ChildOptions): Child {
  const { args, cwd, environment, added, stdin, output, outlives } = options;
  const child = spawn(unmistakable(file), [...args], {
    cwd,
    // A variable that is there, but undefined, is not looked up in this process's environment.
    env: { NODE_V8_COVERAGE: undefined, ...(environment ?? Deno.env.toObject()), ...added },
    stdio: [STDIO[stdin], STDIO[output], STDIO[output]],
    detached: outlives,
    windowsHide: true,
  });
  const exitCode = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      // Nobody reads it any more: what waits to be written would wait for ever.
      child.stdin?.destroy();
      resolve(exitCodeOf(code, signal));
    });
  });
  return childOf(child.pid, exitCode, {
    stdin: () => writableOf(child.stdin!),
    stdout: () => readableOf(child.stdout!),
    stderr: () => readableOf(child.stderr!),
  });
}

/** How Node calls what its children read and write. */
const STDIO = Object.freeze({ piped: "pipe", null: "ignore", inherit: "inherit" } as const);

/** A child whose streams are made when they are asked for first. */
function childOf(
  pid: number | undefined,
  exitCode: Promise<number>,
  streams: { readonly [Name in "stdin" | "stdout" | "stderr"]: () => Child[Name] },
): Child {
  const made: { -readonly [Name in "stdin" | "stdout" | "stderr"]?: Child[Name] } = {};
  return {
    pid,
    exitCode,
    get stdin(): Child["stdin"] {
      return made.stdin ??= streams.stdin();
    },
    get stdout(): Child["stdout"] {
      return made.stdout ??= streams.stdout();
    },
    get stderr(): Child["stderr"] {
      return made.stderr ??= streams.stderr();
    },
  };
}

/**
 * Another spelling of the same path: a child that is Deno itself is taken for Node by `node:child_process`, and given other
 * arguments, such as all permissions.
 */
function unmistakable(file: string): string {
  return file === Deno.execPath() ? `${dirname(file)}${sep}.${sep}${basename(file)}` : file;
}

/** As Deno tells it: 128 and the signal's number for a signal; without the sign that Windows does not give it. */
function exitCodeOf(code: number | null, signal: NodeJS.Signals | null): number {
  if (code === null) return 128 + (signal === null ? 0 : constants.signals[signal]);
  return code >>> 0;
}

/** Ends when the output is closed in whatever way: a pipe that breaks is an end too. */
function readableOf(source: Readable): ReadableStream<Uint8Array> {
  let isOver = false;
  return new ReadableStream<Uint8Array>({
    start(controller): void {
      source.on("data", (bytes: Uint8Array) => {
        if (isOver) return;
        controller.enqueue(bytes);
        if ((controller.desiredSize ?? 0) <= 0) source.pause();
      });
      source.on("error", () => {});
      source.once("close", () => {
        if (!isOver) controller.close();
        isOver = true;
      });
    },
    pull: () => void source.resume(),
    cancel(): void {
      isOver = true;
      source.destroy();
    },
  }, { highWaterMark: BUFFER_BYTES, size: (bytes) => bytes!.length });
}

function writableOf(target: Writable): WritableStream<Uint8Array> {
  // Each write and the end report it themselves.
  target.on("error", () => {});
  const settled = (act: (done: (error?: Error | null) => void) => void): Promise<void> =>
    new Promise((resolve, reject) => {
      if (target.destroyed) return resolve();
      target.once("close", resolve);
      act((error) => {
        target.off("close", resolve);
        if (error) reject(error);
        else resolve();
      });
    });
  return new WritableStream({
    write: (bytes) => settled((done) => target.write(bytes, done)),
    close: () => settled((done) => target.end(done)),
    abort: () => void target.destroy(),
  });
}
