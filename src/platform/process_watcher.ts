/**
 * The process watcher: a small process between this one and a program, that outlives this one by as much as it takes to
 * end the program's tree.
 *
 * Its standard input is the lifeline. One line on it says what to run; from then on, whoever holds the other end is alive
 * for as long as it is open. It ends when that process closes it, and when that process dies in whatever way, because the
 * system closes it then. The program itself writes straight into the pipes that the watcher was given.
 */
import { messageOf } from "../domain/errors.ts";
import type { Program } from "../patterns/processes.ts";
import { endGroup, endTree } from "./process_tree.ts";

/** The argument that makes a compiled program a watcher. */
export const WATCHER_ARGUMENT = "__holdfast_process_watcher";

/** The exit code of a watcher that could not start its program. */
export const NOT_STARTED = 125;

/** What a watcher is asked for, as a line of JSON. */
export interface WatchRequest {
  readonly program: Program;
  /** Begins the message when the program could not be started. The program does not get to know it. */
  readonly mark: string;
}

/** Runs as a watcher until its program has ended, and ends the process with the program's exit code. */
export async function watchProcess(): Promise<never> {
  // Whoever wants to end a watcher closes its lifeline; a Ctrl+C is meant for the process that started it.
  for (const signal of ignoredSignals()) Deno.addSignalListener(signal, () => {});
  const lifeline = new Lifeline();
  const line = await lifeline.firstLine();
  // Whoever asked died before it had asked.
  if (line === undefined) Deno.exit(NOT_STARTED);
  Deno.env.delete("DENO_NO_UPDATE_CHECK");
  const { program, mark } = JSON.parse(line) as WatchRequest;
  const child = start(program, mark);
  const exit = child.status;
  feed(child, program.stdin);
  const isCut = await Promise.race([exit.then(() => false), lifeline.end().then(() => true)]);
  if (isCut) await endTree(child.pid);
  const { code } = await exit;
  endGroup(child.pid);
  Deno.exit(code);
}

function ignoredSignals(): Deno.Signal[] {
  return Deno.build.os === "windows" ? ["SIGINT", "SIGBREAK"] : ["SIGINT", "SIGTERM", "SIGHUP"];
}

function start(program: Program, mark: string): Deno.ChildProcess {
  try {
    return spawnProgram(program, "inherit");
  } catch (error) {
    Deno.stderr.writeSync(new TextEncoder().encode(mark + messageOf(error)));
    Deno.exit(NOT_STARTED);
  }
}

/** Starts a program, as the leader of a group where there are groups. */
export function spawnProgram(program: Program, output: "inherit" | "piped"): Deno.ChildProcess {
  const { file, args, cwd, environment, stdin } = program;
  return new Deno.Command(file, {
    args: [...args],
    cwd,
    clearEnv: environment !== null,
    env: environment === null ? {} : { ...environment },
    stdin: stdin === null ? "null" : "piped",
    stdout: output,
    stderr: output,
    // On Windows a detached program has no console, so that what it starts would open one each.
    detached: Deno.build.os !== "windows",
  }).spawn();
}

/** Gives a program its input; never rejects, because one that does not want it may close its end. */
export async function feed(child: Deno.ChildProcess, stdin: string | null): Promise<void> {
  if (stdin === null) return;
  const writer = child.stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(stdin));
    await writer.close();
  } catch {
    await writer.abort().catch(() => {});
  }
}

/** The standard input of a watcher. */
class Lifeline {
  readonly #reader = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).getReader();

  /** The first line; nothing when the input ends before. */
  async firstLine(): Promise<string | undefined> {
    let text = "";
    for (;;) {
      const { value, done } = await this.#reader.read();
      if (done) return undefined;
      text += value;
      const end = value.indexOf("\n");
      if (end !== -1) return text.slice(0, text.length - value.length + end);
    }
  }

  /** Resolves when the input ends. */
  async end(): Promise<void> {
    try {
      while (!(await this.#reader.read()).done);
    } catch {
      // A broken pipe is an end too.
    }
  }
}
