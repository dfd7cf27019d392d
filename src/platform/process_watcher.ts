/**
 * The process watcher: a small process between this one and a program, that outlives this one by as much as it takes to
 * end the program's tree.
 *
 * Its standard input is the lifeline. One line on it says what to run; from then on, the holder of the other end is alive
 * for as long as it is open. It ends when that process closes it, and when that process dies in whatever way, because the
 * system closes it then. The program itself writes straight into the pipes that the watcher was given.
 */
import { messageOf } from "../domain/errors.ts";
import type { Program } from "../patterns/processes.ts";
import { type Child, startChild } from "./child_process.ts";
import { endGroup, endTree } from "./process_tree.ts";

/** The argument that makes a compiled program a watcher. */
export const WATCHER_ARGUMENT = "__holdfast_process_watcher";

/** The exit code of a watcher that could not start its program. */
export const NOT_STARTED = 125;

/** The variable that keeps a watcher from looking for a newer Deno; its program gets what this process has. */
export const NO_UPDATE_CHECK = "DENO_NO_UPDATE_CHECK";

/** What a watcher is asked for, as a line of JSON. */
export interface WatchRequest {
  readonly program: Program;
  /** Begins the message when the program could not be started. The program does not get to know it. */
  readonly mark: string;
  /** What `DENO_NO_UPDATE_CHECK` is for the program; nothing when it is not set. */
  readonly noUpdateCheck?: string;
}

/** Runs as a watcher until its program has ended, and ends the process with the program's exit code. */
export async function watchProcess(): Promise<never> {
  // A watcher is ended by closing its lifeline; a Ctrl+C is meant for the process that started it.
  for (const signal of ignoredSignals()) Deno.addSignalListener(signal, () => {});
  const lifeline = new Lifeline();
  const line = await lifeline.firstLine();
  // The parent died before it had sent its request.
  if (line === undefined) Deno.exit(NOT_STARTED);
  const { program, mark, noUpdateCheck } = JSON.parse(line) as WatchRequest;
  if (noUpdateCheck === undefined) Deno.env.delete(NO_UPDATE_CHECK);
  else Deno.env.set(NO_UPDATE_CHECK, noUpdateCheck);
  try {
    const child = spawnProgram(program, "inherit");
    const exit = child.exitCode;
    const isCut = await Promise.race([exit.then(() => false), lifeline.end().then(() => true)]);
    if (isCut) await endTree(child.pid);
    const code = await exit;
    endGroup(child.pid);
    // Deno takes a number of 32 bits with a sign, Windows gives it without.
    Deno.exit(code | 0);
  } catch (error) {
    Deno.stderr.writeSync(new TextEncoder().encode(mark + messageOf(error)));
    Deno.exit(NOT_STARTED);
  }
}

/** On Windows a watcher has no console, and so none of its signals. */
function ignoredSignals(): Deno.Signal[] {
  return Deno.build.os === "windows" ? [] : ["SIGINT", "SIGTERM", "SIGHUP"];
}

/** Starts a program with its input, as the leader of a group where there are groups. */
export function spawnProgram(program: Program, output: "inherit" | "piped"): Child {
  const { file, args, cwd, environment, stdin } = program;
  const child = startChild(file, {
    args,
    cwd,
    environment,
    stdin: stdin === null ? "null" : "piped",
    output,
    outlives: false,
  });
  if (stdin !== null && child.pid !== undefined) feed(child.stdin, stdin);
  return child;
}

/** Gives a program its input; never rejects, because one that does not want it may close its end. */
async function feed(input: WritableStream<Uint8Array>, text: string): Promise<void> {
  const writer = input.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
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
