/**
 * Handlers that run in threads of their own, and what they do to them.
 */
import { z } from "zod";
import { ExitCodeError, PermanentError, RetryAfterError } from "../../src/domain/errors.ts";
import type { Task } from "../../src/domain/task.ts";
import type { HandlerModuleEntry } from "../../src/platform/load_handlers.ts";
import type { TaskContext } from "../../src/worker/handler_registry.ts";

/** Says everything that a handler can say. */
export async function talk(task: Task, context: TaskContext): Promise<unknown> {
  context.log("info", "talking", { payload: task.payload });
  context.log("warn", "a function is not a JSON", () => {});
  context.progress(50, "half");
  const refusal = refusalOf(() => context.progress(101));
  const logRefusal = refusalOf(() => context.log("said" as never, "x"));
  await Promise.resolve();
  const { runId, attempt, deadline } = context;
  return { runId, attempt, deadline: deadline?.toISOString() ?? null, refusal, logRefusal };
}

function refusalOf(act: () => void): string {
  try {
    act();
    return "none";
  } catch (error) {
    return String(error);
  }
}

/** Blocks its thread for `ms` milliseconds. */
export function block({ payload }: Task & { readonly payload: { ms: number } }): string {
  const untilMs = performance.now() + payload.ms;
  while (performance.now() < untilMs);
  return "unblocked";
}

/** Blocks its thread for ever. */
export function blockForEver(_task: Task, context: TaskContext): never {
  context.log("info", "blocking");
  for (;;);
}

/** Waits until it is told to stop, and says why. */
export function waitForAbort(_task: Task, { signal, log }: TaskContext): Promise<never> {
  log("info", "waiting");
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => {
      log("info", `${signal.reason.name}: ${signal.reason.message}`);
      reject(signal.reason);
    });
  });
}

/** Fails as the payload says. */
export function fail({ payload }: Task & { readonly payload: { how: string } }): unknown {
  switch (payload.how) {
    case "error":
      throw new RangeError("out of range");
    case "permanent":
      throw new PermanentError("no use");
    case "later":
      throw new RetryAfterError(60_000, "busy");
    case "exit code":
      throw new ExitCodeError(3, "no paper", { isPermanent: true });
    case "no error":
      throw "just a text";
    case "exit":
      Deno.exit(3);
    // falls through
    case "close":
      self.close();
      return new Promise(() => {});
    case "stray rejection":
      Promise.reject(new Error("nobody awaits this"));
      return new Promise(() => {});
    case "stray error":
      setTimeout(() => {
        throw new Error("nobody catches this");
      });
      return new Promise(() => {});
    case "no clone":
      return { callback: () => {} };
    case "no JSON":
      return new Map();
    case "strange messages": {
      const { postMessage } = self as unknown as { postMessage(message: unknown): void };
      postMessage("hello");
      postMessage({ kind: "unknown" });
      postMessage({ kind: "progress", percent: 1000 });
      return new Promise(() => {});
    }
  }
}

/** Wants a number. */
export const strict: HandlerModuleEntry = {
  payload: z.strictObject({ n: z.number() }),
  handler: (task) => task.payload.n,
};

/** Tries what permissions can deny. */
export async function tryEverything(): Promise<unknown> {
  const attempts = {
    read: () => Deno.readTextFile(new URL(import.meta.url)),
    write: () => Deno.remove(Deno.makeTempFileSync()),
    net: () => Deno.listen({ port: 0, hostname: "127.0.0.1" }).close(),
    env: () => Deno.env.get("PATH"),
    run: () => new Deno.Command(Deno.execPath(), { args: ["--version"] }).outputSync(),
  };
  const allowed: string[] = [];
  for (const [name, attempt] of Object.entries(attempts)) {
    try {
      await attempt();
      allowed.push(name);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotCapable)) throw error;
    }
  }
  return allowed;
}

/** Says the same thing without end, as the payload says, and catches what would stop it. */
export function flood(
  { payload: { what } }: Task & { readonly payload: { what: string } },
  { log, progress, parentResults }: TaskContext,
): never {
  const { postMessage } = self as unknown as { postMessage(message: unknown): void };
  const says: Record<string, () => void> = {
    log: () => log("info", "again"),
    progress: () => progress(1),
    parents: () => void parentResults().catch(() => {}),
    "questions for parents": () => postMessage({ kind: "parents" }),
    "strange messages": () => postMessage("x".repeat(100)),
  };
  for (;;) {
    try {
      says[what]!();
    } catch {
      // It goes on.
    }
  }
}

/** Sends a signal to its own process, in each way that there is; gives what refuses that. */
export async function signalItself(): Promise<string[]> {
  const { default: process, kill } = await import("node:process");
  const ways = [
    () => Deno.kill(Deno.pid, "SIGTERM"),
    () => process.kill(process.pid, "SIGTERM"),
    () => kill(process.pid, "SIGTERM"),
  ];
  return ways.map((way) => {
    try {
      way();
      return "sent";
    } catch (error) {
      return (error as Error).name;
    }
  });
}

/** Blocks its thread for as many milliseconds as its name says, before it can hear anything. */
export function blockFor1500ms(): void {
  const untilMs = performance.now() + 1500;
  while (performance.now() < untilMs);
}

/** Is no handler. */
export const limit = 5;

/** Enqueues two tasks, or is snoozed first, and says which run ids they have. */
export function goOn(task: Task, { enqueue, snooze, isLastAttempt }: TaskContext): unknown {
  const first = enqueue({ type: "next", payload: { n: 1 } });
  if (task.leaseToken === 1) snooze(1);
  const refusal = refusalOf(() => void enqueue({ type: "next", priority: 0 }));
  return { runIds: [first, enqueue({ type: "next", dependsOn: [first] })], isLastAttempt, refusal };
}
