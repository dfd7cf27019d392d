/**
 * Handlers that write: standard output is for the answer, so what they print there goes to standard error instead.
 */
import { Console } from "node:console";
import process from "node:process";

/** Does `work` while `console` and `process.stdout` write to standard error. */
export async function withOutputOnStandardError<T>(work: () => Promise<T>): Promise<T> {
  const { console: itsConsole } = globalThis;
  const { stdout } = process;
  const write = stdout.write;
  globalThis.console = new Console(process.stderr);
  stdout.write = process.stderr.write.bind(process.stderr);
  try {
    return await work();
  } finally {
    stdout.write = write;
    globalThis.console = itsConsole;
  }
}
