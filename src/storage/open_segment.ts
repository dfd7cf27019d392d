/**
 * The open segment: the one segment in which a journal stands, the position in it, and what is known of its records.
 *
 * All that belongs to one segment is here, so a journal that goes on to the next makes a new one, and nothing that was
 * known of the old segment is taken for true of the new.
 *
 * What is known of a record, by its sequence number:
 * - up to `sequence` it was visited or appended: its frame was whole;
 * - up to the *confirmed* sequence it was there under the commit lock: its writer, which may cut the record while it holds
 *   that lock, has kept it. An fsync by this process vouches for no later one;
 * - up to `durableSequence` it is *durable*: an fsync has succeeded after it was written, here or, as a later frame says,
 *   elsewhere. Nothing takes it back. Whatever is not durable may be gone after a failed fsync of its writer.
 *
 * A segment is *secured* when this process has made durable all that others had left in it (`secure`), which it does once,
 * before it first appends to it.
 */
import { CorruptionError, invariant, messageOf, StorageError } from "../domain/errors.ts";
import { decodeFrame, encodeFrame, type Frame, frameBytes, type FrameKind } from "./frame.ts";
import type { JournalVisitor } from "./journal_visitor.ts";
import { hasAll, isHeaderAt, type Landmark, landmark } from "./landmark.ts";
import { displaced } from "./place.ts";
import { readAt } from "./read_at.ts";
import { readWindow } from "./read_window.ts";
import { withRoom } from "./room.ts";
import {
  isWholeHeader,
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from "./segment.ts";
import { endsAsLeft, tailBytes } from "./segment_end.ts";
import type { Storage, StorageFile } from "./storage.ts";
import { provesDurable } from "./torn_tail.ts";

const NO_PAYLOAD = new Uint8Array(0);

/** A segment to stand in. */
export interface SegmentStart {
  readonly file: StorageFile;
  readonly firstSequence: number;
  /** The last record that is known to be durable; all before the segment's first are. */
  readonly durableSequence: number;
  /** Whether this process has just created it. */
  readonly isCreatedHere: boolean;
  /** Whether appends keep room behind themselves; see `room.ts`. */
  readonly keepsRoom: boolean;
}

/** A segment, at a position. */
export class OpenSegment {
  /** The first record's. */
  readonly firstSequence: number;
  readonly #file: StorageFile;
  #offset = SEGMENT_HEADER_BYTES;
  #sequence: number;
  #confirmedSequence: number;
  #durableSequence: number;
  /** Whether its header was there, whole, and is accepted: no record is visited before. */
  #hasHeader: boolean;
  #isSecured: boolean;
  #isSealed = false;
  /** Whether bytes were cut, and a power cut may still bring them back. */
  #isCutUnsynced = false;
  #isSyncing = false;
  #isClosed = false;
  readonly #keepsRoom: boolean;
  /** Up to where the file was seen to reach; it may be longer, or have been cut since. */
  #roomEnd = 0;
  /** The records of others that are not known to be durable. */
  #undurable: Landmark[] = [];
  /** The last record, whichever process wrote it. */
  #last: Landmark | undefined;
  /** The last record that this process wrote. */
  #lastOwn: Landmark | undefined;

  constructor(start: SegmentStart) {
    const { file, firstSequence, durableSequence, isCreatedHere } = start;
    this.#file = file;
    this.#keepsRoom = start.keepsRoom;
    this.firstSequence = firstSequence;
    this.#sequence = firstSequence - 1;
    this.#confirmedSequence = firstSequence - 1;
    this.#durableSequence = Math.max(durableSequence, firstSequence - 1);
    this.#hasHeader = isCreatedHere;
    this.#isSecured = isCreatedHere;
  }

  /** The file's path, for messages. */
  get path(): string {
    return this.#file.path;
  }

  /** Where the next record begins, in bytes from the file's beginning. */
  get offset(): number {
    return this.#offset;
  }

  /** The last record that was visited or appended. */
  get sequence(): number {
    return this.#sequence;
  }

  /** The last record known to be durable. */
  get durableSequence(): number {
    return this.#durableSequence;
  }

  /** Whether nothing is left for `sync` to do. */
  get isDurable(): boolean {
    return this.#durableSequence >= this.#sequence && !this.#isCutUnsynced;
  }

  /** Whether its header was there, whole, and is accepted. */
  get hasHeader(): boolean {
    return this.#hasHeader;
  }

  /** Whether it has been read to its seal, or sealed here: the next segment goes on. */
  get isSealed(): boolean {
    return this.#isSealed;
  }

  /** Whether it has records. */
  get hasRecords(): boolean {
    return this.#sequence >= this.firstSequence;
  }

  /** Whether its file is still the one at its path. */
  get isInPlace(): boolean {
    return this.#file.isInPlace();
  }

  /** Whether the last record that this process wrote stands in the file at its path. */
  get isWrittenInPlace(): boolean {
    const own = this.#lastOwn;
    if (!this.#keepsRoom || own === undefined) return this.isInPlace;
    return this.#file.hasAtPath?.(own.offset, own.header) ?? this.isInPlace;
  }

  /** Whether reading may be worth while; costs next to nothing when it is not. */
  get mayHaveMore(): boolean {
    return !this.#hasHeader || this.#isSealed || this.#last === undefined ||
      !endsAsLeft(this.#file, this.#last, this.#offset);
  }

  /** The header, or `undefined` as long as it is not whole. @throws CorruptionError, StorageError */
  readHeader(): SegmentHeader | undefined {
    return readSegmentHeader(this.#file, this.firstSequence);
  }

  /** Notes that the header is what it should be. */
  acceptHeader(): void {
    this.#hasHeader = true;
  }

  /**
   * Visits every whole record not visited yet that comes after `includedSequence`. Says whether what was read before is
   * still there; if not, nothing more has been visited.
   */
  read(visitor: JournalVisitor, includedSequence: number): boolean {
    const size = this.#file.size();
    let read: number;
    do {
      const bytes = readWindow(this.#file, this.#offset, Math.max(size, this.#offset));
      // Looked at afterwards: what follows a record that came in the place of another is not for this replica.
      if (!this.isLastThere()) return false;
      this.checkDurableThere();
      read = this.#visitFrames(bytes, visitor, includedSequence);
    } while (read > 0 && this.#offset < size && !this.#isSealed);
    return true;
  }

  /** Whether the last record is still there, unless it is durable. @throws StorageError when this process's own is not. */
  isLastThere(): boolean {
    if (this.#isThere(this.#last)) return true;
    if (this.#isThere(this.#lastOwn)) return false;
    const reason = `record ${
      this.#lastOwn!.sequence
    }, written here, is gone: an fsync elsewhere failed`;
    throw new StorageError("sync", this.path, reason);
  }

  /** Nothing takes a durable record back, unless another file's bytes were copied over this one's. */
  checkDurableThere(): void {
    const last = this.#last;
    if (last === undefined || last.sequence > this.#durableSequence) return;
    if (!isHeaderAt(this.#file, last)) throw displaced(this.path);
  }

  /** Whether each record of others is still there, unless it is durable. */
  areOthersThere(): boolean {
    const from = this.#undurable[0]?.offset ?? this.#offset;
    if (from === this.#offset) return true;
    return hasAll(readAt(this.#file, from, this.#offset - from), from, this.#undurable);
  }

  /**
   * Before the first append through this file: makes durable what others have left undurable, the creation of an empty
   * segment or records that no later one says are durable. It is written once more, because a failed fsync of theirs may
   * have made the system take it for written. Says whether it is still there; if not, nothing is changed.
   */
  secure(storage: Storage): boolean {
    if (this.#isSecured) return true;
    const from = this.hasRecords ? this.#undurable[0]?.offset ?? this.#offset : 0;
    if (from < this.#offset) {
      const bytes = readAt(this.#file, from, this.#offset - from);
      if (from === 0 && !isWholeHeader(bytes)) return false;
      if (!hasAll(bytes, from, this.#undurable)) return false;
      this.#file.write(from, bytes);
      this.#file.syncNow();
    }
    if (!this.hasRecords) storage.syncFolderNow();
    this.#isSecured = true;
    this.#noteDurable(this.#sequence);
    return true;
  }

  /**
   * Whether the last record still stands where it was left, nothing but room behind it, and nothing is to be done before an
   * append. It is so most of the time, and one look tells. The caller holds the commit lock.
   */
  isReadyForAppend(): boolean {
    return this.#isSecured && !this.#isCutUnsynced && !this.mayHaveMore;
  }

  /** Notes that all that was read is there under the commit lock. */
  confirm(): void {
    this.#confirmedSequence = this.#sequence;
  }

  /** How many bytes stand behind the last whole frame, 0 when they are room; fewer than 0 when the file has become shorter. */
  tailBytes(): number {
    return tailBytes(this.#file, this.#offset);
  }

  /** @throws CorruptionError when what stands behind the last whole frame is not a torn tail. */
  checkTail(tailBytes: number): void {
    const tail = readAt(this.#file, this.#offset, tailBytes);
    if (!provesDurable(tail, this.#sequence + 1)) return;
    throw this.corruption(`record ${this.#sequence + 1} is damaged, later ones are whole`);
  }

  /** Cuts what stands behind the last whole frame. Until that is durable, a power cut could put the old bytes behind new ones. */
  cut(): void {
    this.#file.truncate(this.#offset);
    this.#roomEnd = this.#offset;
    this.#isCutUnsynced = true;
  }

  /** Appends a record; returns its sequence number. @throws StorageError as `Journal.append` */
  append(kind: FrameKind, payload: Uint8Array): number {
    invariant(!this.#isSealed, "a record is appended to a sealed segment");
    const sequence = this.#sequence + 1;
    const bytes = encodeFrame({ kind, sequence, durableSequence: this.#durableSequence, payload });
    try {
      this.#file.write(this.#offset, this.#withRoom(bytes));
    } catch (error) {
      this.cut();
      throw error instanceof StorageError
        ? error
        : new StorageError("append to", this.path, "the write failed", { cause: error });
    }
    this.#last = this.#lastOwn = landmark(sequence, this.#offset, bytes);
    this.#offset += bytes.length;
    this.#sequence = sequence;
    this.#confirmedSequence = sequence;
    return sequence;
  }

  /** Appends the seal, and waits until it is durable. */
  seal(): void {
    this.append("seal", NO_PAYLOAD);
    this.syncNow();
    this.#isSealed = true;
  }

  /** Waits until what was appended, cut or confirmed so far is durable. @throws StorageError */
  async sync(mayBlock: boolean): Promise<void> {
    const sequence = Math.min(this.#sequence, this.#confirmedSequence);
    if (this.isDurable) return;
    this.#isSyncing = true;
    this.#isCutUnsynced = false;
    try {
      await this.#file.sync(mayBlock);
    } finally {
      this.#isSyncing = false;
      if (this.#isClosed) this.#file.close();
    }
    this.#noteDurable(sequence);
  }

  /** The same, holding up this thread. No `sync` may be under way. @throws StorageError */
  syncNow(): void {
    if (this.isDurable) return;
    invariant(!this.#isSyncing, "two fsyncs of a journal at once");
    this.#isCutUnsynced = false;
    this.#file.syncNow();
    this.#noteDurable(Math.min(this.#sequence, this.#confirmedSequence));
  }

  /** Makes a cut durable that is not yet, as `syncNow`. */
  syncCutNow(): void {
    if (this.#isCutUnsynced) this.syncNow();
  }

  /** Closes the file, once a `sync` that is under way has ended. */
  close(): void {
    if (!this.#isClosed && !this.#isSyncing) this.#file.close();
    this.#isClosed = true;
  }

  /** An error that says what is wrong at the position. */
  corruption(reason: string, options?: ErrorOptions): CorruptionError {
    return new CorruptionError(this.path, this.#offset, reason, options);
  }

  /** A frame, and room behind it when it would not fit into what there is. */
  #withRoom(frame: Uint8Array): Uint8Array {
    const end = this.#offset + frame.length;
    if (!this.#keepsRoom || end <= this.#roomEnd) return frame;
    this.#roomEnd = this.#file.size();
    if (end <= this.#roomEnd) return frame;
    const bytes = withRoom(frame);
    this.#roomEnd = this.#offset + bytes.length;
    return bytes;
  }

  #isThere(record: Landmark | undefined): boolean {
    return record === undefined || record.sequence <= this.#durableSequence ||
      isHeaderAt(this.#file, record);
  }

  #noteDurable(sequence: number): void {
    this.#durableSequence = Math.max(this.#durableSequence, sequence);
    const durable = this.#durableSequence;
    this.#undurable = this.#undurable.filter((record) => record.sequence > durable);
  }

  #visitFrames(bytes: Uint8Array, visitor: JournalVisitor, includedSequence: number): number {
    let at = 0;
    while (!this.#isSealed) {
      const frame = decodeFrame(bytes, at);
      if (frame === undefined) break;
      if (frame.sequence !== this.#sequence + 1) {
        throw this.corruption(
          `record ${frame.sequence} stands where ${this.#sequence + 1} belongs`,
        );
      }
      this.#visitFrame(frame, visitor, includedSequence);
      this.#last = landmark(frame.sequence, this.#offset, bytes.subarray(at));
      this.#undurable.push(this.#last);
      at += frameBytes(frame);
      this.#sequence = frame.sequence;
      this.#durableSequence = Math.max(this.#durableSequence, frame.durableSequence);
      this.#offset += frameBytes(frame);
    }
    this.#noteDurable(this.#durableSequence);
    return at;
  }

  #visitFrame(frame: Frame, visitor: JournalVisitor, includedSequence: number): void {
    if (frame.kind === "seal") {
      this.#isSealed = true;
    } else if (frame.sequence > includedSequence) {
      try {
        visitor.record(frame.payload, frame.sequence);
      } catch (error) {
        if (error instanceof StorageError) throw error; // the memory's fault, not the record's
        const reason = `record ${frame.sequence} cannot be applied: ${messageOf(error)}`;
        throw this.corruption(reason, { cause: error });
      }
    }
  }
}
