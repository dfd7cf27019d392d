/**
 * Folding in a thread of its own: a Web Worker that has an SQLite of its own and reads the queue's files. It takes no lock and
 * changes nothing; the snapshot's bytes come back without being copied.
 */
import { deferred } from "../domain/deferred.ts";
import { messageOf, StorageError } from "../domain/errors.ts";
import { newQueueId } from "../domain/queue_id.ts";
import { foldFiles, type Folding } from "../ledger/fold.ts";
import type { Schema } from "../ledger/schema.ts";
import type { SnapshotIdentity } from "../storage/footer.ts";
import type { SnapshotImage } from "../storage/snapshot.ts";
import { DenoStorage } from "./deno_storage.ts";
import { loadSqlJsEngine } from "./sqljs_engine.ts";

/** An export of this many bytes holds up a thread for some 10 ms; a thread needs longer to begin. */
const FOLD_MIN_BYTES = 16 * 1024 * 1024;

/** What a thread is to fold. */
export interface FoldRequest {
  /** The queue's path. */
  readonly path: string;
  readonly upTo: SnapshotIdentity;
  readonly schema: Schema;
  readonly memoryMaxBytes?: number;
}

/** What it answers. */
type FoldAnswer = { readonly image: SnapshotImage } | { readonly problem: string };

/** Folds the files of a queue, once it is open, in a thread; `undefined` where this program may not start one. */
export function threadFolding(
  storage: DenoStorage,
  how: Pick<FoldRequest, "schema" | "memoryMaxBytes">,
): Folding | undefined {
  if (!mayReadItself()) return undefined;
  return {
    minBytes: FOLD_MIN_BYTES,
    fold: (upTo, signal) => foldInThread({ ...how, path: storage.location, upTo }, signal),
  };
}

/** Starts the thread, and ends it when it has answered. @throws StorageError; what aborted `signal`. */
export async function foldInThread(
  request: FoldRequest,
  signal: AbortSignal,
): Promise<SnapshotImage> {
  await new Promise<void>((resolve) => setTimeout(resolve)); // to start a thread holds this one up, as what came before did
  signal.throwIfAborted();
  const { promise, resolve, reject } = deferred<FoldAnswer>();
  const abandon = (): void => reject(signal.reason);
  signal.addEventListener("abort", abandon);
  const thread = new Worker(moduleFor(request), { type: "module", name: "holdfast: fold" });
  thread.onmessage = ({ data }) => resolve(data);
  thread.onerror = (event) => {
    event.preventDefault();
    resolve({ problem: event.message });
  };
  try {
    const answer = await promise;
    if ("image" in answer) return answer.image;
    throw new StorageError("fold", request.path, answer.problem);
  } finally {
    signal.removeEventListener("abort", abandon);
    thread.terminate();
  }
}

/** A thread loads this file anew, which needs a permission where it is an ordinary file. */
function mayReadItself(): boolean {
  const url = new URL("..", import.meta.url);
  if (url.protocol !== "file:") return true;
  return Deno.permissions.querySync({ name: "read", path: url }).state === "granted";
}

/** A module that imports this one, wherever it is. */
function moduleFor(request: FoldRequest): string {
  const code = `import { serveFold } from ${JSON.stringify(import.meta.url)};
    await serveFold(self, ${JSON.stringify(request)});`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

/** What the thread does. */
export async function serveFold(
  thread: Pick<MessagePort, "postMessage">,
  { path, upTo, ...how }: FoldRequest,
): Promise<void> {
  const answer = (answer: FoldAnswer, transferred: Transferable[] = []): void =>
    thread.postMessage(answer, transferred);
  try {
    const storage = new DenoStorage(path, { isReadOnly: true });
    const engine = await loadSqlJsEngine();
    const image = await foldFiles({ ...how, storage, engine, newQueueId }, upTo);
    answer({ image }, [image.bytes.buffer as ArrayBuffer]);
  } catch (error) {
    answer({ problem: messageOf(error) });
  }
}
