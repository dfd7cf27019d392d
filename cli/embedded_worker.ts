/**
 * A worker inside a command: its handlers, its log store, and its end.
 */
import {
  type HandlerRegistry,
  loadHandlers,
  type LogStore,
  openLogStore,
  type TaskQueue,
  Worker,
  type WorkerOptions,
} from "../src/mod.ts";
import { type Session, withQueue } from "./app.ts";
import { checkedInput } from "./exit.ts";

/** The handlers of the file that the user named. @throws UsageError when it cannot be loaded. */
export function loadHandlerFile(file: string): Promise<HandlerRegistry> {
  return checkedInput(() => loadHandlers(file));
}

/** The worker's options, and how long its handlers may go on after `work`, in milliseconds. */
export interface WorkerSettings extends WorkerOptions {
  readonly graceMs: number;
}

/** Runs a worker while `work` lasts, then stops it: handlers may finish for the grace time, what remains is released. */
export async function withWorker<T>(
  { graceMs, ...options }: WorkerSettings,
  work: (worker: Worker) => Promise<T>,
): Promise<T> {
  const worker = await checkedInput(() => new Worker(options));
  worker.start();
  try {
    return await work(worker);
  } finally {
    await worker.stop({ graceMs });
  }
}

/** Opens the session's queue and its logs, does `work`, and closes both. */
export function withQueueAndLogs<T>(
  session: Session,
  work: (queue: TaskQueue, logs: LogStore) => Promise<T>,
): Promise<T> {
  return withQueue(session, async (queue) => {
    const logs = openLogStore(session.dbPath);
    try {
      return await work(queue, logs);
    } finally {
      logs.close();
    }
  });
}
