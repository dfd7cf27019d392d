/**
 * Folding in a thread of its own, which has an SQLite of its own and reads the queue's files. It takes no lock and changes nothing;
 * the snapshot's bytes come back without being copied, and the thread ends, so that none of its memory stays.
 */
import { messageOf, StorageError } from "../domain/errors.ts";
import { newQueueId } from "../domain/queue_id.ts";
import { foldFiles, type Folding } from "../ledger/fold.ts";
import type { Schema } from "../ledger/schema.ts";
import type { SnapshotIdentity } from "../storage/footer.ts";
import type { SnapshotImage } from "../storage/snapshot.ts";
import type { Storage } from "../storage/storage.ts";
import { DenoStorage } from "./deno_storage.ts";
import { moduleThatCalls, ParkedThread, type ThreadAnswer } from "./parked_thread.ts";
import { loadSqlJsEngine } from "./sqljs_engine.ts";

/** An export of this many bytes holds up a thread for some 10 ms. */
const FOLD_MIN_BYTES = 16 * 1024 * 1024;

/** What folding needs besides the files. */
export interface FoldOptions {
  readonly schema: Schema;
  readonly memoryMaxBytes?: number;
}

/** What a thread is to fold. */
interface FoldRequest extends FoldOptions {
  /** The queue's path. */
  readonly path: string;
  readonly upTo: SnapshotIdentity;
}

/** What it answers. */
type FoldAnswer = { readonly image: SnapshotImage } | { readonly problem: string };

/** Folds the files of a queue, once it is open, in a thread; `undefined` where this program may not start one. */
export function threadFolding(
  queue: Pick<Storage, "location">,
  how: FoldOptions,
): Folding | undefined {
  return mayReadItself() ? new ThreadFolding(queue, how) : undefined;
}

/** Folds the files of a queue, each time in a new thread; a parked one, which stays until `close`, starts them. */
export class ThreadFolding implements Folding {
  readonly minBytes = FOLD_MIN_BYTES;
  readonly #queue: Pick<Storage, "location">;
  readonly #how: FoldOptions;
  #parked: ParkedThread | undefined;

  constructor(queue: Pick<Storage, "location">, how: FoldOptions) {
    this.#queue = queue;
    this.#how = how;
  }

  prepare(): void {
    this.#ready();
  }

  async fold(upTo: SnapshotIdentity, signal: AbortSignal): Promise<SnapshotImage> {
    await new Promise<void>((resolve) => setTimeout(resolve)); // to park a thread holds this one up, as what came before did
    signal.throwIfAborted();
    const request: FoldRequest = { ...this.#how, path: this.#queue.location, upTo };
    const module = moduleThatCalls("serveFold", import.meta.url, request);
    const answer = await this.#ready().ask(module, signal) as FoldAnswer;
    if ("image" in answer) return answer.image;
    throw new StorageError("fold", request.path, answer.problem);
  }

  async close(): Promise<void> {
    await this.#parked?.end();
  }

  /** The parked thread; another one where it has ended. */
  #ready(): ParkedThread {
    if (this.#parked?.hasEnded !== false) this.#parked = new ParkedThread();
    return this.#parked;
  }
}

/** A thread loads this file anew, which needs a permission where it is an ordinary file. */
function mayReadItself(): boolean {
  const url = new URL("..", import.meta.url);
  if (url.protocol !== "file:") return true;
  return Deno.permissions.querySync({ name: "read", path: url }).state === "granted";
}

/** What the thread does. */
export async function serveFold(
  thread: Pick<MessagePort, "postMessage">,
  { path, upTo, ...how }: FoldRequest,
): Promise<void> {
  const answer = (answer: FoldAnswer, transferred: ArrayBuffer[] = []): void =>
    thread.postMessage([answer, transferred] satisfies ThreadAnswer, transferred);
  try {
    const storage = new DenoStorage(path, { isReadOnly: true });
    const engine = await loadSqlJsEngine();
    const image = await foldFiles({ ...how, storage, engine, newQueueId }, upTo);
    answer({ image }, [image.bytes.buffer as ArrayBuffer]);
  } catch (error) {
    answer({ problem: messageOf(error) });
  }
}
