/**
 * How the end of a handler's thread reaches the worker whose attempt it was, by way of the attempt's context.
 *
 * A thread may outlive its attempt: what never rests cannot be ended from outside. The worker has to hear of that.
 */
import type { TaskContext } from "./handler_registry.ts";

/** A thread that goes on although it was told to end. */
export interface StuckThread {
  /** Its purpose, for people. */
  readonly problem: string;
  /** Whether only the end of the process helps. */
  readonly isFatal: boolean;
}

/** Called when the thread of an attempt is about to end; resolves to the problem when it does not. */
export type ThreadEndingListener = (ending: Promise<StuckThread | null>) => void;

const listeners = new WeakMap<TaskContext, ThreadEndingListener>();

/** `listener` is called with the thread that the handler with this context has had. */
export function onThreadEnding(context: TaskContext, listener: ThreadEndingListener): void {
  listeners.set(context, listener);
}

/** Calls the listeners. */
export function tellThreadEnding(
  context: TaskContext,
  ending: Promise<StuckThread | null>,
): void {
  listeners.get(context)?.(ending);
}
