/**
 * Opening a queue that another machine holds.
 */
import { HttpQueue } from "./http_queue.ts";
import type { RemoteQueueOptions } from "./remote_options.ts";
import type { RemoteQueue } from "./remote_queue.ts";

/**
 * A queue behind `holdfast serve`. Nothing is asked before the first method is called; `close` it when it is no longer needed.
 *
 * ```ts ignore
 * const queue = openRemoteQueue({ url: "https://queue.example.com", token });
 * const worker = new Worker({ queue, handlers, logs: queue.logs, clock: queue.clock });
 * worker.start();
 * ```
 *
 * What the network, the server or the token is to blame for is a `StorageError`, after which a worker goes on by itself.
 *
 * @throws TypeError, RangeError for an option out of its range.
 */
export function openRemoteQueue(options: RemoteQueueOptions): RemoteQueue {
  return new HttpQueue(options);
}
