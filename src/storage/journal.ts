/**
 * The journal: an append-only sequence of records, kept in segments.
 *
 * Any process may read at any time; a record counts once its frame is whole. Only the holder of the commit lock may
 * append, cut, seal, or judge what stands behind the last whole frame (`settle`).
 */
import { CorruptionError, invariant, messageOf, StorageError } from "../domain/errors.ts";
import {
  decodeFrame,
  decodeHeader,
  encodeFrame,
  type Frame,
  FRAME_HEADER_BYTES,
  frameBytes,
  type FrameKind,
} from "./frame.ts";
import {
  createSegment,
  isWholeHeader,
  listSegments,
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  segmentName,
} from "./segment.ts";
import { displaced } from "./place.ts";
import { readAt } from "./read_at.ts";
import { includedSequence } from "./snapshot.ts";
import type { FileName, Storage, StorageFile } from "./storage.ts";
import { provesDurable } from "./torn_tail.ts";

/** How much of a segment is read at once. */
const WINDOW_BYTES = 1024 * 1024;

const NO_PAYLOAD = new Uint8Array(0);

/** What a queue's files have in common. */
export interface JournalIdentity {
  /** Sixteen random bytes in hexadecimal. */
  readonly queueId: string;
  /** The schema version that new segments get. */
  readonly schemaVersion: number;
}

/** Where a journal is to be read from. */
export interface JournalStart {
  /** The last record that the snapshot includes; 0 without one. */
  readonly sequence: number;
  /** Of the snapshot, or of the queue that a first segment would begin. */
  readonly identity: JournalIdentity;
  /** Whether there is a snapshot, whose queue the segments must belong to. */
  readonly hasSnapshot: boolean;
}

/** Is told what reading meets. */
export interface JournalVisitor {
  /** A segment begins: its records are rows of `schemaVersion`. */
  segment(header: SegmentHeader): void;
  /** A commit's payload; valid during the call only. */
  record(payload: Uint8Array, sequence: number): void;
}

/**
 * What reading came to: `current`, everything whole has been visited; `superseded`, the next segment has been folded into
 * a newer snapshot, so start again from that; `changed`, a record that was visited is no longer there, so start again.
 */
export type ReadOutcome = "current" | "superseded" | "changed";

/** A record in the current segment, by which it is known again. */
interface Landmark {
  readonly sequence: number;
  readonly offset: number;
  /** The bytes of its frame's header, which has the checksum of all of it. */
  readonly header: Uint8Array;
}

/** A queue's journal, at a position. */
export class Journal {
  readonly #storage: Storage;
  readonly #start: JournalStart;
  #identity: JournalIdentity;
  #file: StorageFile | undefined;
  #fileBeingSynced: StorageFile | undefined;
  #firstSequence: number;
  #offset = SEGMENT_HEADER_BYTES;
  #sequence: number;
  #durableSequence: number;
  #isSealed = false;
  #isAnnounced = false;
  /** Records of others that are not known to be durable: a refused append or a failed fsync takes them back. */
  #unproven: Landmark[] = [];
  /** The last record in the segment, whichever process wrote it. */
  #last: Landmark | undefined;
  /** The last record that this process wrote in the segment. */
  #lastOwn: Landmark | undefined;
  /** The last record that was there under the commit lock, with nothing left in doubt: no later one is vouched for. */
  #agreedSequence = 0;
  #isUndoubted = false;
  /** Whether bytes were cut, and a power cut may still bring them back. */
  #isCutUnsynced = false;

  /**
   * A journal positioned before the first record that `start` does not include, or `undefined` when that record has
   * been folded into a newer snapshot.
   */
  static open(storage: Storage, start: JournalStart): Journal | undefined {
    const segments = listSegments(storage);
    const first = segments.findLast((sequence) => sequence <= start.sequence + 1);
    if (first === undefined && segments.length > 0) return undefined;
    return new Journal(storage, start, first);
  }

  private constructor(storage: Storage, start: JournalStart, firstSequence: number | undefined) {
    this.#storage = storage;
    this.#start = start;
    this.#identity = start.identity;
    this.#firstSequence = firstSequence ?? start.sequence + 1;
    this.#sequence = this.#firstSequence - 1;
    this.#durableSequence = this.#sequence;
  }

  /** The last record that was read or appended. */
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

  /** What this queue's files have in common. */
  get identity(): JournalIdentity {
    return this.#identity;
  }

  /** Bytes of records in the current segment. */
  get segmentBytes(): number {
    return this.#offset - SEGMENT_HEADER_BYTES;
  }

  /** Whether a look by `read` may be worth while; costs next to nothing when it is not. */
  get mayHaveMore(): boolean {
    return this.#file === undefined || !this.#isAnnounced || this.#isSealed ||
      this.#file.size() !== this.#offset || !this.#isLastThere(this.#file);
  }

  /** Whether the current segment is still the file at its path. One that is sealed may be gone rightly. */
  get isInPlace(): boolean {
    return this.#file?.isInPlace() ?? true;
  }

  /** @throws StorageError (`find`) when the current segment is no longer the file at its path. */
  checkPlace(): void {
    if (!this.isInPlace) throw displaced(this.#file!.path);
  }

  /** Visits every whole record not visited yet. Needs no lock. */
  read(visitor: JournalVisitor): ReadOutcome {
    for (;;) {
      // A sealed segment that is read to its end may be gone, and the next one be there.
      if (this.#isSealed && !this.#isUnprovenThere()) return "changed";
      const isOpen = this.#isSealed ? this.#advance() : this.#openSegment();
      if (!isOpen) return this.#missingSegment();
      this.#announceSegment(visitor);
      if (!this.#isAnnounced) return "current";
      if (!this.#readFrames(visitor)) return "changed";
      if (!this.#isSealed) return "current";
    }
  }

  /**
   * Makes the end ready for an append: cuts a torn tail, begins the segment that an interrupted rotation left out.
   * The caller holds the commit lock and has just read everything. Returns the number of bytes cut, or that a record that
   * was read is no longer there.
   *
   * @throws CorruptionError when what stands there is not a torn tail. Nothing is changed then.
   * @throws StorageError when a record that this process wrote is gone; `find` when the segment is not where it was.
   */
  settle(visitor: JournalVisitor): number | "changed" {
    const file = this.#file;
    if (file !== undefined && !this.#isLastThere(file)) return "changed";
    if (file !== undefined) this.#checkDurableThere(file);
    const isBegun = file !== undefined && this.#isAnnounced;
    if (isBegun && !this.#settleDoubts(file)) return "changed";
    this.#agreedSequence = this.#sequence;
    if (isBegun && !this.#isSealed) {
      const cutBytes = this.#cutTornTail(file);
      if (this.#isCutUnsynced) this.syncNow();
      return cutBytes;
    }
    if (this.#isSealed) this.syncNow();
    const next = this.#isSealed ? this.#sequence + 1 : this.#firstSequence;
    this.#checkLastSegment(next);
    const header = { ...this.#identity, firstSequence: next };
    this.#enter(next, this.#createHere(header));
    this.#isAnnounced = true;
    this.#isUndoubted = true;
    visitor.segment(header);
    return 0;
  }

  /**
   * Looks, once after opening, for what no crash leaves: a last segment that others follow, an end before the
   * snapshot's. The caller holds the commit lock and has settled.
   *
   * @throws CorruptionError
   */
  checkEnd(): void {
    this.#checkLastSegment(this.#firstSequence);
    if (this.#sequence >= this.#start.sequence) return;
    const path = this.#file?.path ?? this.#storage.location;
    const found =
      `the journal ends with record ${this.#sequence}, the snapshot includes ${this.#start.sequence}`;
    throw new CorruptionError(path, this.#offset, found);
  }

  /**
   * The same without the lock: what cannot be read any more is damage if nothing can be read in its place either.
   *
   * @throws CorruptionError, also when others have written since everything was read.
   */
  checkUnlocked(): void {
    this.checkEnd();
    const file = this.#file;
    if (file === undefined || !this.#isAnnounced || this.#isSealed) return;
    const tailBytes = file.size() - this.#offset;
    if (tailBytes > 0) this.#checkTail(file, tailBytes);
  }

  /**
   * Appends a commit; returns its sequence number. The caller holds the commit lock and has settled.
   *
   * @throws StorageError when it could not be written; the journal is as it was before. When not even that could be
   * brought about, the error's operation is `truncate`.
   */
  append(payload: Uint8Array): number {
    return this.#appendFrame("commit", payload);
  }

  /**
   * Waits until everything appended or cut so far is durable, and what was read under the commit lock; `mayBlock` is the
   * file's. @throws StorageError
   */
  async sync(mayBlock = false): Promise<void> {
    const file = this.#file;
    const sequence = Math.min(this.#sequence, this.#agreedSequence);
    if (file === undefined || this.isDurable) return;
    this.#fileBeingSynced = file;
    this.#isCutUnsynced = false;
    try {
      await file.sync(mayBlock);
    } finally {
      this.#fileBeingSynced = undefined;
      if (file !== this.#file) file.close();
    }
    this.#noteDurable(sequence);
  }

  /** The same under the commit lock, where nothing is waited for. No `sync` may be under way. @throws StorageError */
  syncNow(): void {
    const file = this.#file;
    if (file === undefined || this.isDurable) return;
    invariant(this.#fileBeingSynced === undefined, "two fsyncs of a journal at once");
    this.#isCutUnsynced = false;
    file.syncNow();
    this.#noteDurable(Math.min(this.#sequence, this.#agreedSequence));
  }

  /**
   * Seals the current segment and begins the next, so that a snapshot at `sequence` makes all before it superfluous.
   * The caller holds the commit lock and has settled.
   */
  rotate(visitor: JournalVisitor): void {
    this.#appendFrame("seal", NO_PAYLOAD);
    this.syncNow();
    this.#isSealed = true;
    this.settle(visitor);
  }

  /** The segments whose records all come before the current one's. */
  supersededSegments(): number[] {
    return listSegments(this.#storage).filter((sequence) => sequence < this.#firstSequence);
  }

  /** Whether records are missing between a snapshot at `sequence` and the segments that there are. */
  isCutOffFrom(sequence: number): boolean {
    if (sequence + 1 >= this.#firstSequence) return false;
    return !listSegments(this.#storage).some((first) => first <= sequence + 1);
  }

  /** Whether records were before the current segment. */
  get hasPredecessors(): boolean {
    return this.#firstSequence > 1;
  }

  /** Whether the current segment holds records. */
  get hasRecords(): boolean {
    return this.#sequence >= this.#firstSequence;
  }

  /** Closes the current segment. */
  close(): void {
    this.#closeFile();
  }

  /** A file that is being synced is closed by the code that syncs it. */
  #closeFile(): void {
    if (this.#file !== this.#fileBeingSynced) this.#file?.close();
    this.#file = undefined;
  }

  /** Begins a segment; takes it back when another folder has come in the place of the queue's meanwhile. */
  #createHere(header: SegmentHeader): StorageFile {
    this.checkPlace();
    this.#checkLockPlace();
    this.#checkSnapshot();
    const file = createSegment(this.#storage, header);
    try {
      this.checkPlace();
      this.#checkLockPlace();
      return file;
    } catch (error) {
      this.#takeBack(file, segmentName(header.firstSequence));
      throw error;
    }
  }

  /** Another may have come since this queue's was read: a segment beside it would be the other queue's damage. */
  #checkSnapshot(): void {
    const included = includedSequence(this.#storage, this.#identity.queueId) ?? 0;
    const isBehind = this.#file === undefined && included > this.#start.sequence;
    if (isBehind) throw displaced(this.#storage.location);
  }

  #takeBack(file: StorageFile, name: FileName): void {
    try {
      if (file.isInPlace()) this.#storage.removeNow(name);
    } finally {
      file.close();
    }
  }

  #checkLockPlace(): void {
    if (!this.#storage.isLockInPlace("commit")) throw displaced(this.#storage.location);
  }

  #openSegment(): boolean {
    this.#file ??= this.#storage.openFile(segmentName(this.#firstSequence));
    return this.#file !== undefined;
  }

  /** Either the segment has not been begun yet, or it is gone because a snapshot includes it. */
  #missingSegment(): ReadOutcome {
    const next = this.#isSealed ? this.#sequence + 1 : this.#firstSequence;
    return listSegments(this.#storage).some((sequence) => sequence > next)
      ? "superseded"
      : "current";
  }

  #announceSegment(visitor: JournalVisitor): void {
    if (this.#isAnnounced) return;
    const file = this.#file;
    invariant(file !== undefined, "a segment is announced before it is open");
    const header = readSegmentHeader(file, this.#firstSequence);
    if (header === undefined) return;
    this.#checkQueue(file, header);
    visitor.segment(header);
    this.#identity = { queueId: header.queueId, schemaVersion: this.#identity.schemaVersion };
    this.#isAnnounced = true;
  }

  #checkQueue(file: StorageFile, header: SegmentHeader): void {
    const isFirst = !this.#start.hasSnapshot && this.#sequence === 0;
    if (isFirst || header.queueId === this.#identity.queueId) return;
    throw new CorruptionError(
      file.path,
      16,
      `it belongs to queue ${header.queueId}, not to ${this.#identity.queueId}`,
    );
  }

  #advance(): boolean {
    const next = this.#sequence + 1;
    const file = this.#storage.openFile(segmentName(next));
    if (file === undefined) return false;
    this.#enter(next, file);
    return true;
  }

  #enter(firstSequence: number, file: StorageFile): void {
    this.#closeFile();
    this.#file = file;
    this.#firstSequence = firstSequence;
    this.#offset = SEGMENT_HEADER_BYTES;
    this.#durableSequence = Math.max(this.#durableSequence, firstSequence - 1);
    this.#isSealed = false;
    this.#isAnnounced = false;
    this.#isUndoubted = false;
    this.#isCutUnsynced = false;
    this.#unproven = [];
    this.#last = undefined;
    this.#lastOwn = undefined;
  }

  #noteDurable(sequence: number): void {
    this.#durableSequence = Math.max(this.#durableSequence, sequence);
    const durable = this.#durableSequence;
    this.#unproven = this.#unproven.filter((record) => record.sequence > durable);
  }

  /** Whether the last record is still there, unless it is durable. @throws StorageError when this process's own is not. */
  #isLastThere(file: StorageFile): boolean {
    const isThere = (record: Landmark | undefined): boolean =>
      record === undefined || record.sequence <= this.#durableSequence || isHeaderAt(file, record);
    if (isThere(this.#last)) return true;
    if (isThere(this.#lastOwn)) return false;
    const reason = `record ${
      this.#lastOwn!.sequence
    }, written here, is gone: an fsync elsewhere failed`;
    throw new StorageError("sync", file.path, reason);
  }

  /** Nothing takes a durable record back, unless another file's bytes were copied over this one's. */
  #checkDurableThere(file: StorageFile): void {
    const last = this.#last;
    if (last === undefined || last.sequence > this.#durableSequence) return;
    if (!isHeaderAt(file, last)) throw displaced(file.path);
  }

  /** Whether each record of others is still there, unless it is durable. */
  #isUnprovenThere(): boolean {
    const file = this.#file;
    const from = this.#unproven[0]?.offset ?? this.#offset;
    if (file === undefined || from === this.#offset) return true;
    return hasAll(readAt(file, from, this.#offset - from), from, this.#unproven);
  }

  /** Says whether what was read before is still there; if not, nothing more has been visited. */
  #readFrames(visitor: JournalVisitor): boolean {
    const file = this.#file;
    invariant(file !== undefined, "frames are read before a segment is open");
    const size = file.size();
    let read: number;
    do {
      const bytes = readWindow(file, this.#offset, Math.max(size, this.#offset));
      // Looked at afterwards: what follows a record that came in the place of another is not for this replica.
      if (!this.#isLastThere(file)) return false;
      this.#checkDurableThere(file);
      read = this.#visitFrames(file, bytes, visitor);
    } while (read > 0 && this.#offset < size && !this.#isSealed);
    return true;
  }

  #visitFrames(file: StorageFile, bytes: Uint8Array, visitor: JournalVisitor): number {
    let at = 0;
    while (!this.#isSealed) {
      const frame = decodeFrame(bytes, at);
      if (frame === undefined) break;
      if (frame.sequence !== this.#sequence + 1) {
        throw new CorruptionError(
          file.path,
          this.#offset,
          `record ${frame.sequence} stands where ${this.#sequence + 1} belongs`,
        );
      }
      this.#visitFrame(file, frame, visitor);
      this.#last = landmark(frame.sequence, this.#offset, bytes.subarray(at));
      this.#unproven.push(this.#last);
      at += frameBytes(frame);
      this.#sequence = frame.sequence;
      this.#durableSequence = Math.max(this.#durableSequence, frame.durableSequence);
      this.#offset += frameBytes(frame);
    }
    this.#noteDurable(this.#durableSequence);
    return at;
  }

  #visitFrame(file: StorageFile, frame: Frame, visitor: JournalVisitor): void {
    if (frame.kind === "seal") {
      this.#isSealed = true;
    } else if (frame.sequence > this.#start.sequence) {
      try {
        visitor.record(frame.payload, frame.sequence);
      } catch (error) {
        if (error instanceof StorageError) throw error; // the memory's fault, not the record's
        const reason = `record ${frame.sequence} cannot be applied: ${messageOf(error)}`;
        throw new CorruptionError(file.path, this.#offset, reason, { cause: error });
      }
    }
  }

  /**
   * Before the first append through this file: makes durable what others have left in doubt, the creation of an empty
   * segment or records that nobody says are durable. It is written once more, because a failed fsync of theirs may have
   * made the system take it for written. Says whether it is still there; if not, nothing is changed.
   */
  #settleDoubts(file: StorageFile): boolean {
    if (this.#isUndoubted) return true;
    const from = this.hasRecords ? this.#unproven[0]?.offset ?? this.#offset : 0;
    if (from < this.#offset) {
      const bytes = readAt(file, from, this.#offset - from);
      if (from === 0 && !isWholeHeader(bytes)) return false;
      if (!hasAll(bytes, from, this.#unproven)) return false;
      file.write(from, bytes);
      file.syncNow();
    }
    if (!this.hasRecords) this.#storage.syncFolderNow();
    this.#isUndoubted = true;
    this.#noteDurable(this.#sequence);
    return true;
  }

  /** Cuts what stands behind the last whole frame, if no crash of ours can have made it otherwise. */
  #cutTornTail(file: StorageFile): number {
    const tailBytes = file.size() - this.#offset;
    if (tailBytes === 0) return 0;
    if (tailBytes < 0) {
      throw new CorruptionError(
        file.path,
        file.size(),
        `it is ${-tailBytes} bytes shorter than it was`,
      );
    }
    this.#checkLastSegment(this.#firstSequence);
    this.#checkTail(file, tailBytes);
    this.#cut(file);
    return tailBytes;
  }

  #checkTail(file: StorageFile, tailBytes: number): void {
    const tail = readAt(file, this.#offset, tailBytes);
    if (!provesDurable(tail, this.#sequence + 1)) return;
    throw new CorruptionError(
      file.path,
      this.#offset,
      `record ${this.#sequence + 1} is damaged, later ones are whole`,
    );
  }

  /** Until the cut is durable, a power cut could put the old bytes behind new ones. */
  #cut(file: StorageFile): void {
    file.truncate(this.#offset);
    this.#isCutUnsynced = true;
  }

  #checkLastSegment(firstSequence: number): void {
    const later = listSegments(this.#storage).find((sequence) => sequence > firstSequence);
    if (later === undefined) return;
    const path = this.#file?.path ?? this.#storage.location;
    throw new CorruptionError(
      path,
      this.#offset,
      `the segment ends without a seal, but ${segmentName(later)} follows`,
    );
  }

  #appendFrame(kind: FrameKind, payload: Uint8Array): number {
    const file = this.#file;
    invariant(file !== undefined && !this.#isSealed, "a record is appended to no open segment");
    const sequence = this.#sequence + 1;
    const bytes = encodeFrame({ kind, sequence, durableSequence: this.#durableSequence, payload });
    try {
      file.write(this.#offset, bytes);
    } catch (error) {
      this.#cut(file);
      throw error instanceof StorageError
        ? error
        : new StorageError("append to", file.path, "the write failed", { cause: error });
    }
    this.#last = this.#lastOwn = landmark(sequence, this.#offset, bytes);
    this.#offset += bytes.length;
    this.#sequence = sequence;
    this.#agreedSequence = sequence;
    return sequence;
  }
}

function landmark(sequence: number, offset: number, frame: Uint8Array): Landmark {
  return { sequence, offset, header: frame.slice(0, FRAME_HEADER_BYTES) };
}

/** Whether a record's header stands where it stood. */
function isHeaderAt(file: StorageFile, { offset, header }: Landmark): boolean {
  return beginsWith(readAt(file, offset, FRAME_HEADER_BYTES), header);
}

/** Whether `bytes`, which stand at `from`, have all of these records where they stood. */
function hasAll(bytes: Uint8Array, from: number, records: readonly Landmark[]): boolean {
  return records.every(({ offset, header }) =>
    beginsWith(bytes.subarray(offset - from), header) &&
    decodeFrame(bytes, offset - from) !== undefined
  );
}

function beginsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return bytes.length >= start.length && start.every((byte, i) => byte === bytes[i]);
}

/** The bytes from `offset`, at least one whole frame of them if there is one. */
function readWindow(file: StorageFile, offset: number, size: number): Uint8Array {
  const window = readAt(file, offset, Math.min(WINDOW_BYTES, size - offset));
  const header = decodeHeader(window, 0);
  if (header === undefined) return window;
  const needed = FRAME_HEADER_BYTES + header.payloadBytes;
  return needed <= window.length ? window : readAt(file, offset, Math.min(needed, size - offset));
}
