/**
 * Checkpoints: fold the journal into a new snapshot, one at a time, in this process and among all.
 *
 * The snapshot is in place, durably, before a segment that it includes is removed. Meanwhile others go on; a process that writes faster
 * than the snapshot is written waits for it, so that the journal stays below the snapshot's size and a checkpoint's minimum.
 * Nothing is replaced or removed that is not this queue's: right before each step the code checks whose the file is, and
 * whether the folder is still the same.
 */
import { deferred } from "../domain/deferred.ts";
import { invariant } from "../domain/errors.ts";
import type { CheckpointReport } from "../domain/storage_stats.ts";
import type { SnapshotIdentity } from "../storage/footer.ts";
import { displaced } from "../storage/place.ts";
import { checkSegmentIsOf, segmentName } from "../storage/segment.ts";
import { includedSequence, type SnapshotImage, writeSnapshot } from "../storage/snapshot.ts";
import type { Lock, Storage } from "../storage/storage.ts";
import type { Folding } from "./fold.ts";

/** Where a new segment begins, and what a snapshot there makes superfluous. */
export interface Rotation {
  /** The last record before it: what is durable, and no more. */
  readonly upTo: SnapshotIdentity;
  /** The segments, by their first records, that a snapshot there includes. */
  readonly superseded: readonly number[];
  /** How large the database is, in bytes. */
  readonly usedBytes: number;
  /** The replica as it is there; `undefined` when it is to be folded from the files. */
  readonly image: SnapshotImage | undefined;
}

/**
 * Begins a new segment, unless `isWanted` says no once the replica has caught up, and exports the replica exactly there,
 * unless it is larger than `exportMaxBytes`.
 */
export type Rotate = (
  isWanted: () => boolean,
  exportMaxBytes: number,
) => Promise<Rotation | undefined>;

/** What checkpoints are made of. */
export interface CheckpointerTools {
  readonly storage: Storage;
  readonly rotate: Rotate;
  /** Folds files where the replica is large; default: it is exported whatever its size. */
  readonly folding?: Folding;
  /** Asserts that the journal is still the one at its path. @throws StorageError (`find`) */
  readonly checkJournal: () => void;
  /** Is told why a segment that is superfluous could not be removed, or files could not be folded. */
  readonly onProblem: (error: unknown) => void;
}

type RotationWithImage = Rotation & { readonly image: SnapshotImage };

function hasImage(rotation: Rotation): rotation is RotationWithImage {
  return rotation.image !== undefined;
}

/** Makes the checkpoints of one process. */
export class Checkpointer {
  readonly #storage: Storage;
  readonly #rotate: Rotate;
  readonly #checkJournal: () => void;
  readonly #onProblem: (error: unknown) => void;
  readonly #abandoned = new AbortController();
  #folding: Folding | undefined;
  #current: Promise<CheckpointReport | undefined> | undefined;
  #writing: { readonly bytes: number; readonly ended: Promise<void> } | undefined;

  constructor({ storage, rotate, folding, checkJournal, onProblem }: CheckpointerTools) {
    this.#storage = storage;
    this.#rotate = rotate;
    this.#folding = folding;
    this.#checkJournal = checkJournal;
    this.#onProblem = onProblem;
  }

  /** Whether a checkpoint is being made here. */
  get isBusy(): boolean {
    return this.#current !== undefined;
  }

  /** From now on nothing is folded any more, so that no checkpoint takes long; one that is being folded is exported. */
  hurry(): void {
    this.#folding = undefined;
    this.#abandoned.abort();
  }

  /** Resolves when the checkpoint that is being made has ended, one way or the other; another may have begun. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#current]);
  }

  /** Resolves when no snapshot is being written here that is smaller than a journal of `journalBytes`. */
  async catchUp(journalBytes: number): Promise<void> {
    if (this.#writing !== undefined && journalBytes > this.#writing.bytes) {
      await this.#writing.ended;
    }
  }

  /** Makes a checkpoint; waits while another process makes one. None may be under way here. @throws StorageError */
  async make(): Promise<CheckpointReport> {
    invariant(!this.isBusy, "two checkpoints at once in one process");
    const report = await this.#alone(async () => {
      return await this.#make(await this.#storage.lock("checkpoint"), () => true);
    });
    invariant(report !== undefined, "a checkpoint that was asked for was not made");
    return report;
  }

  /** Makes a checkpoint unless one is being made, or has just become unnecessary. @throws StorageError */
  async makeIf(isWanted: () => boolean): Promise<CheckpointReport | undefined> {
    if (this.isBusy || !isWanted()) return undefined;
    return await this.#alone(async () => {
      const lock = this.#storage.tryLock("checkpoint");
      return lock && await this.#make(lock, isWanted);
    });
  }

  #alone(
    make: () => Promise<CheckpointReport | undefined>,
  ): Promise<CheckpointReport | undefined> {
    this.#current = make().finally(() => this.#current = undefined);
    return this.#current;
  }

  /** How many of these segments could be removed; one that another program holds, or another queue's, is left. */
  async #removeAll(segments: readonly number[], queueId: string): Promise<number> {
    let removed = 0;
    for (const segment of segments) {
      try {
        await this.#remove(segment, queueId);
        removed++;
      } catch (error) {
        this.#onProblem(error);
      }
    }
    return removed;
  }

  /** Replaces the snapshot, then removes the segments that it includes; releases `lock`. */
  async #make(lock: Lock, isWanted: () => boolean): Promise<CheckpointReport | undefined> {
    try {
      const rotation = await this.#rotate(isWanted, this.#folding?.minBytes ?? Infinity);
      if (rotation === undefined) return undefined;
      const { image, superseded } = await this.#withImage(rotation);
      const snapshotBytes = await writeSnapshot(this.#storage, image, {
        onWritten: this.#beginWriting(image.bytes.length),
        check: () => {
          this.#checkPlace();
          includedSequence(this.#storage, image.queueId); // throws when it is another queue's
        },
      });
      const removedSegments = await this.#removeAll(superseded, image.queueId);
      this.#prepareNext(snapshotBytes);
      return { sequence: image.sequence, snapshotBytes, removedSegments };
    } finally {
      lock.release();
    }
  }

  /** The journal grows to the snapshot's size before the next one, which may then be too large to be exported. */
  #prepareNext(snapshotBytes: number): void {
    if (2 * snapshotBytes >= (this.#folding?.minBytes ?? Infinity)) this.#folding!.prepare?.();
  }

  /** What was not exported is folded from the files. When that fails it is exported, now and from then on. */
  async #withImage(rotation: Rotation): Promise<RotationWithImage> {
    if (hasImage(rotation)) return rotation;
    const onEnded = this.#beginWriting(rotation.usedBytes);
    const { signal } = this.#abandoned;
    try {
      const image = await this.#folding!.fold(rotation.upTo, signal);
      return { ...rotation, image };
    } catch (error) {
      if (!signal.aborted) this.#onProblem(error);
      this.#folding = undefined;
      const exported = await this.#rotate(() => true, Infinity);
      invariant(exported !== undefined && hasImage(exported), "a replica was not exported");
      return exported;
    } finally {
      onEnded();
    }
  }

  /** Notes that a snapshot of about this size is being made; returns what to call when that has ended. */
  #beginWriting(bytes: number): () => void {
    const { promise: ended, resolve } = deferred<void>();
    this.#writing = { bytes, ended };
    return () => {
      this.#writing = undefined;
      resolve();
    };
  }

  async #remove(segment: number, queueId: string): Promise<void> {
    await this.#storage.remove(segmentName(segment), () => {
      this.#checkPlace();
      checkSegmentIsOf(this.#storage, segment, queueId);
    });
  }

  /** The folder is the one in which the lock was taken, and the queue in it is the one that was exported. */
  #checkPlace(): void {
    if (!this.#storage.isLockInPlace("checkpoint")) throw displaced(this.#storage.location);
    this.#checkJournal();
  }
}
