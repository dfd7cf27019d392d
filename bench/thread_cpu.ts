/**
 * How much CPU this thread has used, in milliseconds, by Linux; elsewhere all threads of the process together.
 */
import { cpuUsage } from "node:process";

const PATH = `/proc/self/task/${Deno.pid}/schedstat`;

function ofThread(): number {
  return Number(Deno.readTextFileSync(PATH).split(" ")[0]) / 1e6;
}

function ofProcess(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1000;
}

function isTold(): boolean {
  try {
    return ofThread() > 0;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}

let used: (() => number) | undefined;

/** The CPU that was used so far, in milliseconds. Needs all permissions. */
export function cpuMs(): number {
  used ??= isTold() ? ofThread : ofProcess;
  return used();
}
