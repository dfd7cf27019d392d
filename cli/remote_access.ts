/**
 * A queue behind `holdfast serve`: what it refuses, and what keeps its answers away, in the words of a command line.
 */
import {
  messageOf,
  openRemoteQueue,
  type RemoteQueue,
  type RemoteQueueOptions,
  StorageError,
} from "../src/mod.ts";
import { OpenError, UsageError } from "./exit.ts";
import { Desk } from "./queue_access.ts";

/** A server is asked this often for new lines of a log, in milliseconds. */
const LOOK_INTERVAL_MS = 500;

/** What a user who waits at a terminal would rather be told than wait for, in milliseconds. */
const PATIENCE = Object.freeze({ requestTimeoutMs: 30_000, resendForMs: 500 });

/** Where a server is, and the token to present. */
export type RemoteOptions = Pick<RemoteQueueOptions, "url" | "token">;

/** How to reach it, where that differs from what one command needs. */
export type RemoteManner = Pick<
  RemoteQueueOptions,
  "requestTimeoutMs" | "resendForMs" | "onBackgroundError"
>;

/**
 * Does `work` with the queue behind a server, and closes it.
 *
 * @throws UsageError when the address, the token or what was asked is wrong; OpenError when there is no answer.
 */
export async function withRemoteQueue<T>(
  options: RemoteOptions,
  work: (queue: RemoteQueue) => Promise<T>,
  manner: RemoteManner = PATIENCE,
): Promise<T> {
  try {
    const queue = openRemoteQueue({ ...options, ...manner });
    try {
      return await work(queue);
    } finally {
      await queue.close();
    }
  } catch (thrown) {
    throw inWords(thrown);
  }
}

/** The desk of a queue behind a server. */
export function remoteDesk(queue: RemoteQueue): Desk {
  return new Desk(queue, {
    logs: queue.logs,
    storage: () => queue.storage(),
    checkpoint: () => queue.checkpoint(),
    lookIntervalMs: LOOK_INTERVAL_MS,
  });
}

/** Whether it may be better next time: there was no answer. */
export function isAway(thrown: unknown): boolean {
  return thrown instanceof StorageError && thrown.operation === "ask";
}

/** What was thrown, as the error that has the right exit code. */
function inWords(thrown: unknown): unknown {
  if (thrown instanceof TypeError || thrown instanceof RangeError) {
    return new UsageError(messageOf(thrown), { cause: thrown });
  }
  if (!(thrown instanceof StorageError)) return thrown;
  switch (thrown.operation) {
    case "log in to":
      return new UsageError(`${thrown.message}; give it by --token or HOLDFAST_TOKEN`);
    case "act on":
      return new UsageError(thrown.message);
    default:
      return new OpenError(thrown.message, { cause: thrown });
  }
}
