/**
 * The pages of a snapshot, read piece by piece into the same memory: a large queue is nowhere there twice, and memory that is new costs
 * more than reading.
 */
import { CorruptionError } from "../domain/errors.ts";
import { crc32 } from "./crc32.ts";
import { type Footer, FOOTER_BYTES, TAIL_BYTES } from "./footer.ts";
import { readAt } from "./read_at.ts";
import type { StorageFile } from "./storage.ts";

/** How much is read at once; pages of every size SQLite knows end where it ends. */
export const PIECE_BYTES = 256 * 1024;

/** The snapshot of `path` is not what its footer vouches for, behind `offset` at the latest. */
export function checksumError(path: string, offset: number): CorruptionError {
  const reason =
    "the snapshot does not match its checksum: it is damaged, or another program changed it";
  return new CorruptionError(path, offset, reason);
}

/** Where a file's pages end that has this footer. */
export function pagesEnd({ identity }: Footer, fileBytes: number): number {
  return fileBytes - (identity === undefined ? TAIL_BYTES : FOOTER_BYTES);
}

/** A file's pages. What they gave is to be trusted once `check` has returned. */
export class SnapshotPages {
  /** How many bytes they are. */
  readonly length: number;
  readonly #file: StorageFile;
  readonly #path: string;
  readonly #crc: number;
  /** Where what the checksum covers ends. */
  readonly #coveredEnd: number;
  readonly #memory = new Uint8Array(PIECE_BYTES);
  #piece: Uint8Array = this.#memory.subarray(0, 0);
  #pieceIndex = -1;
  /** The checksum up to the end of each piece that was read. */
  readonly #crcs: number[] = [];

  /** @param path How errors call it. */
  constructor(file: StorageFile, path: string, footer: Footer) {
    const size = file.size();
    this.#file = file;
    this.#path = path;
    this.#crc = footer.crc;
    this.#coveredEnd = size - TAIL_BYTES;
    this.length = pagesEnd(footer, size);
  }

  /** Some of the bytes, good until the next call. @throws CorruptionError, StorageError */
  subarray(from: number, to: number): Uint8Array {
    const within = from % PIECE_BYTES;
    if (within + to - from <= PIECE_BYTES) return this.#part(from, to);
    const bytes = new Uint8Array(to - from);
    for (let at = from; at < to;) {
      const part = this.#part(at, Math.min(to, at - at % PIECE_BYTES + PIECE_BYTES));
      bytes.set(part, at - from);
      at += part.length;
    }
    return bytes;
  }

  /** Reads what nobody has asked for, and compares all with the checksum. @throws CorruptionError, StorageError */
  check(): void {
    const count = Math.ceil(this.#coveredEnd / PIECE_BYTES);
    if (this.#crcs.length < count) this.#read(count - 1);
    if ((this.#crcs.at(-1) ?? 0) !== this.#crc) throw checksumError(this.#path, this.#coveredEnd);
  }

  /** Bytes of one piece. */
  #part(from: number, to: number): Uint8Array {
    this.#read(Math.floor(from / PIECE_BYTES));
    return this.#piece.subarray(from % PIECE_BYTES, from % PIECE_BYTES + to - from);
  }

  /** Reads a piece, and before it those that have not been read. */
  #read(index: number): void {
    if (index === this.#pieceIndex) return;
    for (let next = Math.min(index, this.#crcs.length); next <= index; next++) this.#readNext(next);
  }

  /** A piece that is read once more must be what it was. */
  #readNext(index: number): void {
    this.#pieceIndex = -1; // a read that fails leaves nothing
    const offset = index * PIECE_BYTES;
    const length = Math.min(PIECE_BYTES, this.#coveredEnd - offset);
    this.#piece = readAt(this.#file, offset, length, this.#memory.subarray(0, length));
    const crc = crc32(this.#piece, this.#crcs[index - 1]);
    this.#crcs[index] ??= crc;
    if (this.#piece.length < length || crc !== this.#crcs[index]) {
      throw checksumError(this.#path, offset + this.#piece.length);
    }
    this.#pieceIndex = index;
  }
}
