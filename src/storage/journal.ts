/**
 * The journal: an append-only sequence of records, kept in segments.
 *
 * Any process may read at any time; a record counts once its frame is whole. Only the holder of the commit lock may
 * append, cut, seal, or judge what stands behind the last whole frame (`prepareAppend`).
 *
 * Here is what spans segments: which one is open, which comes next, and whose they are. What is known of the records of
 * one (*confirmed*, *durable*), and when a segment is *secured*, stands in `open_segment.ts`.
 */
import { CorruptionError, invariant } from "../domain/errors.ts";
import type { JournalVisitor } from "./journal_visitor.ts";
import { OpenSegment } from "./open_segment.ts";
import { displaced } from "./place.ts";
import {
  createSegment,
  listSegments,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  segmentName,
} from "./segment.ts";
import { includedSequence } from "./snapshot.ts";
import type { FileName, Storage, StorageFile } from "./storage.ts";

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
  /** The last record of a sealed segment: what comes after that segment is left unread. Default: all is read. */
  readonly upTo?: number;
  /** Whether appends keep room behind themselves, which makes the fsync after them cheaper; default not. */
  readonly keepsRoom?: boolean;
}

/**
 * What reading came to: `current`, everything whole has been visited; `superseded`, the next segment has been folded into
 * a newer snapshot, so start again from that; `changed`, a record that was visited is no longer there, so start again.
 */
export type ReadOutcome = "current" | "superseded" | "changed";

/** What preparing an append came to. */
export type AppendPreparation =
  | {
    readonly isReady: true;
    /** The length of the torn tail that was cut; 0 without one. */
    readonly cutBytes: number;
  }
  /** A record that was visited is no longer there, so start again. */
  | { readonly isReady: false };

const CHANGED: AppendPreparation = Object.freeze({ isReady: false });

/** A queue's journal, at a position. */
export class Journal {
  readonly #storage: Storage;
  readonly #start: JournalStart;
  /** The first record of the segment to begin with. */
  readonly #startSegment: number;
  #identity: JournalIdentity;
  /** The segment of the position; `undefined` until the first is there. */
  #segment: OpenSegment | undefined;

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

  private constructor(storage: Storage, start: JournalStart, startSegment: number | undefined) {
    this.#storage = storage;
    this.#start = start;
    this.#identity = start.identity;
    this.#startSegment = startSegment ?? start.sequence + 1;
  }

  /** The last record that was read or appended. */
  get sequence(): number {
    return this.#segment?.sequence ?? this.#startSegment - 1;
  }

  /** The last record known to be durable. */
  get durableSequence(): number {
    return this.#segment?.durableSequence ?? this.#startSegment - 1;
  }

  /** Whether nothing is left for `sync` to do. */
  get isDurable(): boolean {
    return this.#segment?.isDurable ?? true;
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
    return this.#segment?.mayHaveMore ?? true;
  }

  /** Whether the current segment is still the file at its path. One that is sealed may be gone rightly. */
  get isInPlace(): boolean {
    return this.#segment?.isInPlace ?? true;
  }

  /** Whether the last record that this process wrote into the current segment stands at its path. */
  get isWrittenInPlace(): boolean {
    return this.#segment?.isWrittenInPlace ?? true;
  }

  /** @throws StorageError (`find`) when the current segment is no longer the file at its path. */
  checkPlace(): void {
    if (!this.isInPlace) throw displaced(this.#path);
  }

  /** Visits every whole record not visited yet. Needs no lock. */
  read(visitor: JournalVisitor): ReadOutcome {
    for (;;) {
      // A sealed segment that is read to its end may be gone, and the next one be there.
      if (this.#segment?.isSealed && !this.#segment.areOthersThere()) return "changed";
      const segment = this.#openSegment();
      if (segment === undefined) return this.#missingSegment();
      if (!this.#acceptHeader(segment, visitor)) return "current";
      if (!segment.read(visitor, this.#start.sequence)) return "changed";
      if (!segment.isSealed) return "current";
    }
  }

  /** Whether an append needs no preparation, as one look tells when nothing has changed. The caller holds the commit lock. */
  isReadyForAppend(): boolean {
    if (!this.#segment?.isReadyForAppend()) return false;
    this.#segment.confirm();
    return true;
  }

  /**
   * Makes the end ready for an append: cuts a torn tail, begins the segment that an interrupted rotation left out.
   * The caller holds the commit lock and has just read everything.
   *
   * @throws CorruptionError when what stands there is not a torn tail. Nothing is changed then.
   * @throws StorageError when a record that this process wrote is gone; `find` when the segment is not where it was.
   */
  prepareAppend(visitor: JournalVisitor): AppendPreparation {
    const segment = this.#segment;
    if (segment !== undefined && !segment.isLastThere()) return CHANGED;
    segment?.checkDurableThere();
    if (segment?.hasHeader && !segment.secure(this.#storage)) return CHANGED;
    segment?.confirm();
    if (segment?.hasHeader && !segment.isSealed) {
      const cutBytes = this.#cutTornTail(segment);
      segment.syncCutNow();
      return { isReady: true, cutBytes };
    }
    if (segment?.isSealed) segment.syncNow();
    this.#beginSegment(visitor);
    return { isReady: true, cutBytes: 0 };
  }

  /**
   * Looks, once after opening, for what no crash leaves: a last segment that others follow, an end before the
   * snapshot's. The caller holds the commit lock and has prepared an append.
   *
   * @throws CorruptionError
   */
  checkEnd(): void {
    this.#checkLastSegment(this.#firstSequence);
    if (this.sequence >= this.#start.sequence) return;
    const found =
      `the journal ends with record ${this.sequence}, the snapshot includes ${this.#start.sequence}`;
    throw this.#corruption(found);
  }

  /**
   * The same without the lock: what cannot be read any more is damage if nothing can be read in its place either.
   *
   * @throws CorruptionError, also when others have written since everything was read.
   */
  checkUnlocked(): void {
    this.checkEnd();
    const segment = this.#segment;
    if (!segment?.hasHeader || segment.isSealed) return;
    const tailBytes = segment.tailBytes();
    if (tailBytes > 0) segment.checkTail(tailBytes);
  }

  /**
   * Appends a commit; returns its sequence number. The caller holds the commit lock and has prepared the append.
   *
   * @throws StorageError when it could not be written; the journal is as it was before. When not even that could be
   * brought about, the error's operation is `truncate`.
   */
  append(payload: Uint8Array): number {
    return this.#current.append("commit", payload);
  }

  /**
   * Waits until everything appended or cut so far is durable, and what was read under the commit lock; `mayBlock` is the
   * file's. @throws StorageError
   */
  sync(mayBlock = false): Promise<void> {
    return this.#segment?.sync(mayBlock) ?? Promise.resolve();
  }

  /** The same under the commit lock, where nothing is waited for. No `sync` may be under way. @throws StorageError */
  syncNow(): void {
    this.#segment?.syncNow();
  }

  /**
   * Seals the current segment and begins the next, so that a snapshot at `sequence` makes all before it superfluous.
   * The caller holds the commit lock and has prepared an append.
   */
  rotate(visitor: JournalVisitor): void {
    this.#current.seal();
    this.prepareAppend(visitor);
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
    return this.#segment?.hasRecords ?? false;
  }

  /** Closes the current segment. */
  close(): void {
    this.#segment?.close();
  }

  get #current(): OpenSegment {
    invariant(this.#segment !== undefined, "a journal is appended to before a segment is open");
    return this.#segment;
  }

  /** The first record of the current segment. */
  get #firstSequence(): number {
    return this.#segment?.firstSequence ?? this.#startSegment;
  }

  /** The first record of the segment to be read or begun next: after a sealed one, else the current. */
  get #nextSegment(): number {
    return this.#segment?.isSealed ? this.#segment.sequence + 1 : this.#firstSequence;
  }

  get #offset(): number {
    return this.#segment?.offset ?? SEGMENT_HEADER_BYTES;
  }

  get #upTo(): number {
    return this.#start.upTo ?? Infinity;
  }

  get #path(): string {
    return this.#segment?.path ?? this.#storage.location;
  }

  /** The segment to read from: the current one, or the next when that is sealed; `undefined` when it is not there. */
  #openSegment(): OpenSegment | undefined {
    if (this.#segment !== undefined && !this.#segment.isSealed) return this.#segment;
    const firstSequence = this.#nextSegment;
    if (firstSequence > this.#upTo) return undefined;
    const file = this.#storage.openFile(segmentName(firstSequence));
    return file && this.#enter(firstSequence, file, { isCreatedHere: false });
  }

  #enter(
    firstSequence: number,
    file: StorageFile,
    { isCreatedHere }: { readonly isCreatedHere: boolean },
  ): OpenSegment {
    const { durableSequence } = this;
    this.#segment?.close();
    const keepsRoom = this.#start.keepsRoom ?? false;
    this.#segment = new OpenSegment({
      file,
      firstSequence,
      durableSequence,
      isCreatedHere,
      keepsRoom,
    });
    return this.#segment;
  }

  /** Either the segment has not been begun yet, or it is gone because a snapshot includes it. */
  #missingSegment(): ReadOutcome {
    const next = this.#nextSegment;
    if (next > this.#upTo) return "current";
    return listSegments(this.#storage).some((sequence) => sequence > next)
      ? "superseded"
      : "current";
  }

  /** Says whether the segment's header is there: if it was not before, the visitor is called. */
  #acceptHeader(segment: OpenSegment, visitor: JournalVisitor): boolean {
    if (segment.hasHeader) return true;
    const header = segment.readHeader();
    if (header === undefined) return false;
    this.#checkQueue(segment, header);
    visitor.segment(header);
    this.#identity = { queueId: header.queueId, schemaVersion: this.#identity.schemaVersion };
    segment.acceptHeader();
    return true;
  }

  #checkQueue({ path }: OpenSegment, header: SegmentHeader): void {
    const isFirst = !this.#start.hasSnapshot && this.sequence === 0;
    if (isFirst || header.queueId === this.#identity.queueId) return;
    throw new CorruptionError(
      path,
      16,
      `it belongs to queue ${header.queueId}, not to ${this.#identity.queueId}`,
    );
  }

  /** Begins the segment at the position, in the place of one whose creation was interrupted. */
  #beginSegment(visitor: JournalVisitor): void {
    const next = this.#nextSegment;
    this.#checkLastSegment(next);
    const header = { ...this.#identity, firstSequence: next };
    this.#enter(next, this.#createHere(header), { isCreatedHere: true });
    visitor.segment(header);
  }

  /** Creates a segment; takes it back when another folder has come in the place of the queue's meanwhile. */
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
    const isBehind = this.#segment === undefined && included > this.#start.sequence;
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

  /** Cuts what stands behind the last whole frame, if no crash of ours can have made it otherwise. */
  #cutTornTail(segment: OpenSegment): number {
    const tailBytes = segment.tailBytes();
    if (tailBytes === 0) return 0;
    if (tailBytes < 0) {
      const reason = `it is ${-tailBytes} bytes shorter than it was`;
      throw new CorruptionError(segment.path, segment.offset + tailBytes, reason);
    }
    this.#checkLastSegment(segment.firstSequence);
    segment.checkTail(tailBytes);
    segment.cut();
    return tailBytes;
  }

  #checkLastSegment(firstSequence: number): void {
    const later = listSegments(this.#storage).find((sequence) => sequence > firstSequence);
    if (later === undefined) return;
    throw this.#corruption(`the segment ends without a seal, but ${segmentName(later)} follows`);
  }

  #corruption(reason: string): CorruptionError {
    return new CorruptionError(this.#path, this.#offset, reason);
  }
}
