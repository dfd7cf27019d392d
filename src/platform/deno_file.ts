/**
 * An open file, on Deno: what a `StorageFile` needs, and how its fsync is waited for.
 */
import type { StorageFile } from "../storage/storage.ts";
import { attemptNow, storageError } from "./attempt.ts";
import { FilePlace } from "./file_place.ts";

/**
 * An fsync that may hold up this thread does, as long as one takes less than this on average: a hop to another thread and
 * back, which is part of what one there is seen to take, costs as much as an fsync on a fast disk. A slower disk gets the other
 * thread, so that handlers go on.
 */
const INLINE_SYNC_MS = 1;
const SYNC_SMOOTHING = 0.1;

/** How long an fsync takes here, a moving average. */
export interface DiskSpeed {
  syncMs: number;
}

/** A disk of which nothing is known yet. */
export function newDiskSpeed(): DiskSpeed {
  return { syncMs: INLINE_SYNC_MS };
}

/** What a file that is open has to do with the others. */
export interface DenoFileOptions {
  readonly disk: DiskSpeed;
  /** Is told when it is closed. */
  readonly onClose: (file: DenoFile) => void;
}

/** A file that is open. */
export class DenoFile implements StorageFile {
  readonly path: string;
  readonly #file: Deno.FsFile;
  readonly #place: FilePlace;
  readonly #disk: DiskSpeed;
  readonly #onClose: (file: DenoFile) => void;

  constructor(path: string, file: Deno.FsFile, { disk, onClose }: DenoFileOptions) {
    this.path = path;
    this.#file = file;
    this.#place = new FilePlace(path, file);
    this.#disk = disk;
    this.#onClose = onClose;
  }

  size(): number {
    return attemptNow("read", this.path, () => this.#file.seekSync(0, Deno.SeekMode.End));
  }

  read(offset: number, into: Uint8Array): number {
    return attemptNow("read", this.path, () => {
      this.#file.seekSync(offset, Deno.SeekMode.Start);
      return this.#file.readSync(into) ?? 0;
    });
  }

  write(offset: number, bytes: Uint8Array): void {
    attemptNow("append to", this.path, () => {
      this.#file.seekSync(offset, Deno.SeekMode.Start);
      for (let written = 0; written < bytes.length;) {
        written += this.#file.writeSync(bytes.subarray(written));
      }
    });
  }

  truncate(size: number): void {
    attemptNow("truncate", this.path, () => this.#file.truncateSync(size));
  }

  isInPlace(): boolean {
    return attemptNow("find", this.path, () => this.#place.isKept());
  }

  hasAtPath(offset: number, bytes: Uint8Array): boolean {
    return attemptNow("find", this.path, () => {
      try {
        using file = Deno.openSync(this.path);
        file.seekSync(offset, Deno.SeekMode.Start);
        return hasNext(file, bytes);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return false;
        return this.#place.isKept(); // it may not be opened once more, say for want of descriptors
      }
    });
  }

  async sync(mayBlock = false): Promise<void> {
    const startedAt = performance.now();
    try {
      if (mayBlock && this.#disk.syncMs < INLINE_SYNC_MS) this.#file.syncDataSync();
      else await this.#file.syncData();
    } catch (error) {
      throw storageError("sync", this.path, error);
    }
    if (!mayBlock) return;
    this.#disk.syncMs += (performance.now() - startedAt - this.#disk.syncMs) * SYNC_SMOOTHING;
  }

  syncNow(): void {
    attemptNow("sync", this.path, () => this.#file.syncDataSync());
  }

  close(): void {
    this.#file.close();
    this.#onClose(this);
  }
}

/** Whether `file` goes on with `bytes`. */
function hasNext(file: Deno.FsFile, bytes: Uint8Array): boolean {
  const found = new Uint8Array(bytes.length);
  for (let filled = 0; filled < found.length;) {
    const read = file.readSync(found.subarray(filled));
    if (read === null) return false;
    filled += read;
  }
  return bytes.every((byte, i) => byte === found[i]);
}
