/**
 * Handlers that end in every way a handler can, for command lines made up by chance.
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
  context.log("info", "echoing\u001b[31m", { payload: task.payload });
  context.progress(50, "half\n");
  return task.payload;
}

/** Fails at once. */
export function broken(): never {
  throw new PermanentError("it is\n    at broken (file:///nowhere.ts:1:1)");
}

/** Fails, and is tried again. */
export function flaky(): never {
  throw new Error("not yet");
}

/** Gives what cannot be stored. */
export function odd(): unknown {
  return { n: NaN };
}

/** Throws nothing at all. */
export function mute(): never {
  throw undefined;
}

/** Wants a number. */
export const strict: HandlerModuleEntry = {
  type: "strict.number",
  payload: z.strictObject({ n: z.number() }),
  handler: (task) => task.payload.n,
};
