/**
 * How a command ends: its exit code, and the errors that stand for one.
 */
import { messageOf, QueueError, StorageError } from "../src/mod.ts";

/** What the exit codes mean. */
export const EXIT = Object.freeze({
  /** It was done. */
  done: 0,
  /** The task failed, or the answer is "no". */
  no: 1,
  /** The command was used wrongly; nothing was changed. */
  usage: 2,
  /** There is no such task, or nothing that could be checked. */
  notFound: 3,
  /** The queue cannot be opened, its storage fails, or its tasks were moved elsewhere; or only a new process helps. */
  storage: 4,
  /** The user pressed Ctrl-C. */
  interrupted: 130,
});

/** The command was used wrongly. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** There is no such task. */
export class NotFoundError extends Error {
  override readonly name = "NotFoundError";
}

/** The queue could not be opened. */
export class OpenError extends Error {
  override readonly name = "OpenError";
}

/** Only a new process helps. */
export class RestartNeededError extends Error {
  override readonly name = "RestartNeededError";
}

/** The queue's tasks are elsewhere, or on their way. */
const CLOSED: readonly QueueError["code"][] = ["queue_moving", "queue_moved"];

/** The exit code that `thrown` stands for. */
export function exitCodeOf(thrown: unknown): number {
  if (thrown instanceof UsageError) return EXIT.usage;
  if (thrown instanceof NotFoundError) return EXIT.notFound;
  if (thrown instanceof RestartNeededError) return EXIT.storage;
  if (thrown instanceof OpenError || thrown instanceof StorageError) return EXIT.storage;
  if (thrown instanceof QueueError && thrown.code === "task_not_found") return EXIT.notFound;
  if (thrown instanceof QueueError && thrown.code === "unknown_task_type") return EXIT.usage;
  if (thrown instanceof QueueError && CLOSED.includes(thrown.code)) return EXIT.storage;
  return EXIT.no;
}

/**
 * What `work` gives; use it around a call that checks what the user typed.
 *
 * @throws UsageError in place of the `TypeError` or `RangeError` by which the call refuses it.
 */
export async function checkedInput<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof TypeError || thrown instanceof RangeError) {
      throw new UsageError(messageOf(thrown), { cause: thrown });
    }
    throw thrown;
  }
}
