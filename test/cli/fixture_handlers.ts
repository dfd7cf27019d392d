/**
 * Handlers for the tests of the command line.
 */
import { z } from "zod";
import {
  type HandlerModuleEntry,
  PermanentError,
  type Task,
  type TaskContext,
} from "../../src/mod.ts";

/** Gives its payload back, with a log line and progress. */
export function echo(task: Task, context: TaskContext): unknown {
  context.log("info", "echoing", { attempt: context.attempt });
  context.progress(50, "half");
  return { echoed: task.payload };
}

/** Fails at once. */
export function broken(): never {
  throw new PermanentError("it is\nbroken");
}

/** Wants a number. */
export const strict: HandlerModuleEntry = {
  type: "strict.number",
  description: "wants a number",
  payload: z.strictObject({ n: z.number() }),
  handler: (task) => task.payload.n,
};

/** Runs until it is told to stop. */
export function endless(_task: Task, context: TaskContext): Promise<never> {
  context.log("info", "handler started");
  return new Promise((_resolve, reject) => {
    const hold = setInterval(() => {}, 1000);
    context.signal.addEventListener("abort", () => {
      clearInterval(hold);
      reject(context.signal.reason);
    }, { once: true });
  });
}

/** Leaves a promise behind that rejects while nobody awaits it. */
export async function stray(): Promise<string> {
  Promise.reject(new Error("nobody awaits this"));
  await new Promise((resume) => setTimeout(resume, 10));
  return "finished all the same";
}
