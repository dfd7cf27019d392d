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
  listSegments,
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  segmentName,
} from "./segment.ts";
import { readAt } from "./read_at.ts";
import type { Storage, StorageFile } from "./storage.ts";
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
 * a newer snapshot, so start again from that.
 */
export type ReadOutcome = "current" | "superseded";

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
  /** Records that have been read and not been said to be durable; kept until this process has made them so. */
  #unproven: { readonly sequence: number; readonly offset: number }[] = [];
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
      this.#file.size() !== this.#offset;
  }

  /** Visits every whole record not visited yet. Needs no lock. */
  read(visitor: JournalVisitor): ReadOutcome {
    for (;;) {
      // A sealed segment that is read to its end may be gone, and the next one be there.
      const isOpen = this.#isSealed ? this.#advance() : this.#openSegment();
      if (!isOpen) return this.#missingSegment();
      this.#announceSegment(visitor);
      if (!this.#isAnnounced) return "current";
      this.#readFrames(visitor);
      if (!this.#isSealed) return "current";
    }
  }

  /**
   * Makes the end ready for an append: cuts a torn tail, begins the segment that an interrupted rotation left out.
   * The caller holds the commit lock and has just read everything. Returns the number of bytes cut.
   *
   * @throws CorruptionError when what stands there is no torn tail. Nothing is changed then.
   */
  async settle(visitor: JournalVisitor): Promise<number> {
    if (this.#file !== undefined && this.#isAnnounced && !this.#isSealed) {
      await this.#settleDoubts(this.#file);
      const cutBytes = this.#cutTornTail(this.#file);
      if (this.#isCutUnsynced) await this.sync();
      return cutBytes;
    }
    if (this.#isSealed && this.#file !== undefined) await this.#settleDoubts(this.#file);
    if (this.#isSealed) await this.sync();
    const next = this.#isSealed ? this.#sequence + 1 : this.#firstSequence;
    this.#checkLastSegment(next);
    this.#checkEmpty(next);
    this.#closeFile();
    const header = { ...this.#identity, firstSequence: next };
    this.#enter(next, await createSegment(this.#storage, header));
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
   * Appends a commit; returns its sequence number. The caller holds the commit lock and has settled.
   *
   * @throws StorageError when it could not be written; the journal is as it was before. When not even that could be
   * brought about, the error's operation is `truncate`.
   */
  append(payload: Uint8Array): number {
    return this.#appendFrame("commit", payload);
  }

  /** Waits until everything appended, read or cut so far is durable; `mayBlock` is the file's. @throws StorageError */
  async sync(mayBlock = false): Promise<void> {
    const file = this.#file;
    const sequence = this.#sequence;
    if (file === undefined || this.isDurable) return;
    this.#fileBeingSynced = file;
    this.#isCutUnsynced = false;
    try {
      await file.sync(mayBlock);
    } finally {
      this.#fileBeingSynced = undefined;
      if (file !== this.#file) file.close();
    }
    this.#durableSequence = Math.max(this.#durableSequence, sequence);
  }

  /**
   * Seals the current segment and begins the next, so that a snapshot at `sequence` makes all before it superfluous.
   * The caller holds the commit lock and has settled.
   */
  async rotate(visitor: JournalVisitor): Promise<void> {
    this.#appendFrame("seal", NO_PAYLOAD);
    await this.sync();
    this.#isSealed = true;
    await this.settle(visitor);
  }

  /** The segments whose records all come before the current one's. */
  supersededSegments(): number[] {
    return listSegments(this.#storage).filter((sequence) => sequence < this.#firstSequence);
  }

  /** Whether the current segment holds records. */
  get hasRecords(): boolean {
    return this.#sequence >= this.#firstSequence;
  }

  /** Closes the current segment. */
  close(): void {
    this.#closeFile();
  }

  /** A file that is being synced is closed by who syncs it. */
  #closeFile(): void {
    if (this.#file !== this.#fileBeingSynced) this.#file?.close();
    this.#file = undefined;
  }

  /** A segment that has records is never begun anew. */
  #checkEmpty(sequence: number): void {
    const file = this.#storage.openFile(segmentName(sequence));
    if (file === undefined) return;
    try {
      const bytes = file.size();
      if (bytes <= SEGMENT_HEADER_BYTES) return;
      throw new CorruptionError(file.path, 0, `it has ${bytes} bytes that nobody has read`);
    } finally {
      file.close();
    }
  }

  #openSegment(): boolean {
    this.#file ??= this.#storage.openFile(segmentName(this.#firstSequence));
    return this.#file !== undefined;
  }

  /** Either nobody has begun the segment yet, or it is gone because a snapshot includes it. */
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
  }

  #readFrames(visitor: JournalVisitor): void {
    const file = this.#file;
    invariant(file !== undefined, "frames are read before a segment is open");
    const size = file.size();
    while (this.#offset < size && !this.#isSealed) {
      const bytes = readWindow(file, this.#offset, size);
      const read = this.#visitFrames(file, bytes, visitor);
      if (read === 0) return;
    }
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
      at += frameBytes(frame);
      this.#sequence = frame.sequence;
      this.#durableSequence = Math.max(this.#durableSequence, frame.durableSequence);
      if (!this.#isUndoubted) {
        this.#unproven.push({ sequence: frame.sequence, offset: this.#offset });
      }
      this.#offset += frameBytes(frame);
    }
    const durable = this.#durableSequence;
    this.#unproven = this.#unproven.filter(({ sequence }) => sequence > durable);
    return at;
  }

  #visitFrame(file: StorageFile, frame: Frame, visitor: JournalVisitor): void {
    if (frame.kind === "seal") {
      this.#isSealed = true;
    } else if (frame.sequence > this.#start.sequence) {
      try {
        visitor.record(frame.payload, frame.sequence);
      } catch (error) {
        const reason = `record ${frame.sequence} cannot be applied: ${messageOf(error)}`;
        throw new CorruptionError(file.path, this.#offset, reason, { cause: error });
      }
    }
  }

  /**
   * Before the first append through this file: makes durable what others have left in doubt, the creation of an empty
   * segment or records that nobody says are durable. It is written once more, because a failed fsync of theirs may have
   * made the system take it for written.
   */
  async #settleDoubts(file: StorageFile): Promise<void> {
    if (this.#isUndoubted) return;
    const from = this.hasRecords ? this.#unproven[0]?.offset ?? this.#offset : 0;
    if (from < this.#offset) {
      file.write(from, readAt(file, from, this.#offset - from));
      await file.sync();
    }
    if (!this.hasRecords) await this.#storage.syncFolder();
    this.#durableSequence = this.#sequence;
    this.#isUndoubted = true;
    this.#unproven = [];
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
    const tail = readAt(file, this.#offset, tailBytes);
    if (provesDurable(tail, this.#sequence + 1)) {
      throw new CorruptionError(
        file.path,
        this.#offset,
        `record ${this.#sequence + 1} is damaged, later ones are whole`,
      );
    }
    this.#cut(file);
    return tailBytes;
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
    this.#offset += bytes.length;
    this.#sequence = sequence;
    return sequence;
  }
}

/** The bytes from `offset`, at least one whole frame of them if there is one. */
function readWindow(file: StorageFile, offset: number, size: number): Uint8Array {
  const window = readAt(file, offset, Math.min(WINDOW_BYTES, size - offset));
  const header = decodeHeader(window, 0);
  if (header === undefined) return window;
  const needed = FRAME_HEADER_BYTES + header.payloadBytes;
  return needed <= window.length ? window : readAt(file, offset, Math.min(needed, size - offset));
}
