/**
 * Handlers that write: standard output is for the answer, so what they print there goes to standard error instead.
 *
 * A program that a handler starts with inherited output still writes where the process does: that is the system's doing.
 */
import { Console } from "node:console";
import process from "node:process";

/** Does `work` while `console`, `process.stdout` and `Deno.stdout` write to standard error. */
export async function withOutputOnStandardError<T>(work: () => Promise<T>): Promise<T> {
  const { console: itsConsole } = globalThis;
  const { stdout } = process;
  const write = stdout.write;
  const itsStdout = Object.getOwnPropertyDescriptor(Deno, "stdout")!;
  globalThis.console = new Console(process.stderr);
  stdout.write = process.stderr.write.bind(process.stderr);
  Object.defineProperty(Deno, "stdout", { value: Deno.stderr, configurable: true });
  try {
    return await work();
  } finally {
    Object.defineProperty(Deno, "stdout", itsStdout);
    stdout.write = write;
    globalThis.console = itsConsole;
  }
}
