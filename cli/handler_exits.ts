/**
 * Handlers that would end the process: it is not theirs. An exit throws at its caller, and what is thrown without being
 * caught is reported, so that no other task is lost and the exit code stays the command's own.
 */
import process from "node:process";
import { messageOf } from "../src/mod.ts";

/** Does `work` while `Deno.exit()` and `process.exit()` throw. */
export async function withoutExits<T>(work: () => Promise<T>): Promise<T> {
  const exits = [[Deno, "exit"], [process, "exit"], [process, "reallyExit"]] as const;
  const restores = exits.map(([owner, name]) => {
    const its = Object.getOwnPropertyDescriptor(owner, name);
    Object.defineProperty(owner, name, { value: refuseExit, configurable: true });
    return (): void => {
      if (its === undefined) Reflect.deleteProperty(owner, name);
      else Object.defineProperty(owner, name, its);
    };
  });
  try {
    return await work();
  } finally {
    for (const restore of restores) restore();
  }
}

function refuseExit(code: unknown = 0): never {
  throw new Error(
    `Cannot exit with ${code}: the process is the worker's, a handler ends by returning or throwing`,
  );
}

/** Does `work`; `tell` is called with uncaught errors and unhandled rejections, which then end nothing. */
export async function survivingStrays<T>(
  tell: (message: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  const onRejection = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    tell(
      `a promise that nothing awaited (a handler's, most likely) rejected: ${
        messageOf(event.reason)
      }`,
    );
  };
  const onError = (event: ErrorEvent): void => {
    event.preventDefault();
    tell(
      `an error that nothing caught (a handler's, most likely): ${messageOf(event.error)}`,
    );
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  globalThis.addEventListener("error", onError);
  try {
    return await work();
  } finally {
    globalThis.removeEventListener("unhandledrejection", onRejection);
    globalThis.removeEventListener("error", onError);
  }
}
