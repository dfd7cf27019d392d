/**
 * The journal against a list of records: read in any steps and windows, cut anywhere, damaged anywhere.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { CorruptionError } from "../../src/domain/errors.ts";
import { decodeFrame, encodeFrame, type Frame, frameBytes } from "../../src/storage/frame.ts";
import { type AppendPreparation, Journal, type JournalStart } from "../../src/storage/journal.ts";
import type { JournalVisitor } from "../../src/storage/journal_visitor.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import {
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  segmentName,
} from "../../src/storage/segment.ts";
import type { FileName, StorageFile } from "../../src/storage/storage.ts";
import { seededRandom } from "../support/queues.ts";
import { numRuns } from "../support/effort.ts";

const PARAMETERS = { seed: 20_260_131, numRuns: numRuns(1000) };

const START: JournalStart = {
  sequence: 0,
  identity: { queueId: "00112233445566778899aabbccddeeff", schemaVersion: 1 },
  hasSnapshot: false,
};

/** Longer than the window in which the journal reads. */
const LONG_BYTES = 1024 * 1024 + 17;

/** A record as it was written: where, and how far the journal was durable then. */
interface WrittenRecord {
  readonly text: string;
  readonly segment: FileName;
  readonly from: number;
  readonly to: number;
  readonly durableBefore: number;
}

/** What a writer does. */
type Step = { readonly append: string } | "sync" | "rotate";

const payloads = fc.oneof(
  { weight: 20, arbitrary: fc.string({ unit: "binary-ascii", maxLength: 40 }) },
  { weight: 1, arbitrary: fc.constant("x".repeat(3000)) },
);

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: payloads.map((append) => ({ append })) },
  { weight: 2, arbitrary: fc.constant("sync" as const) },
  { weight: 1, arbitrary: fc.constant("rotate" as const) },
);

const frames: fc.Arbitrary<Frame> = fc.record({
  kind: fc.constantFrom("commit" as const, "seal" as const),
  sequence: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  durableSequence: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  payload: fc.uint8Array({ maxLength: 100 }),
});

Deno.test("decodeFrame() takes concatenated frames apart again, wherever they begin and end", () => {
  const before = fc.uint8Array({ maxLength: 20 });
  fc.assert(
    fc.property(fc.array(frames, { maxLength: 8 }), before, before, (written, head, tail) => {
      const bytes = new Uint8Array([
        ...head,
        ...written.flatMap((frame) => [...encodeFrame(frame)]),
        ...tail,
      ]);
      let offset = head.length;
      for (const frame of written) {
        const decoded = decodeFrame(bytes, offset);
        assert(decoded !== undefined);
        assertEquals({ ...decoded, payload: [...decoded.payload] }, {
          ...frame,
          payload: [...frame.payload],
        });
        assertEquals(
          decodeFrame(bytes.subarray(0, offset + frameBytes(frame) - 1), offset),
          undefined,
        );
        offset += frameBytes(frame);
      }
      assertEquals(decodeFrame(bytes, offset), undefined);
    }),
    PARAMETERS,
  );
});

Deno.test("a journal is read as it was written, in any steps and through reads of any length", async () => {
  const seen = { records: 0, segments: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(steps, fc.boolean()), { maxLength: 40, size: "max" }),
      fc.nat(),
      fc.boolean(),
      async (history, seed, keepsRoom) => {
        const disk = new MemoryDisk();
        const writer = Writer.open(disk, keepsRoom);
        const reader = new Reader(disk, seed);
        for (const [step, isFollowed] of history) {
          await writer.do(step);
          if (isFollowed) assertEquals(reader.read(), writer.texts());
        }
        assertEquals(reader.read(), writer.texts());
        assertEquals(new Reader(disk, seed + 1).read(), writer.texts());
        assertEquals(reader.segments, writer.segments);
        seen.records += writer.records.length;
        seen.segments += reader.segments;
      },
    ),
    PARAMETERS,
  );
  assert(seen.records > numRuns(1000) && seen.segments > PARAMETERS.numRuns, JSON.stringify(seen));
});

Deno.test("a journal's records longer than its window are read whole, and cut whole when they are torn", async () => {
  const disk = new MemoryDisk();
  const writer = Writer.open(disk);
  const long = "y".repeat(LONG_BYTES);
  for (const append of ["a", long, "b", long, long]) await writer.do({ append });
  assertEquals(new Reader(disk, 5).read(), ["a", long, "b", long, long]);
  const last = writer.records.at(-1)!;
  disk.writeBytes(last.segment, disk.readBytes(last.segment)!.slice(0, last.to - 1));
  const reader = new Reader(disk, 6);
  assertEquals(reader.read(), ["a", long, "b", long]);
  assertEquals(reader.prepareAppend(), { isReady: true, cutBytes: last.to - 1 - last.from });
});

Deno.test("a journal whose last segment is cut anywhere keeps every whole record, and goes on after the cut", async () => {
  let torn = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(steps, { minLength: 1, maxLength: 25 }),
      fc.nat(),
      fc.uint8Array({ maxLength: 30 }),
      fc.boolean(),
      async (history, at, rubbish, keepsRoom) => {
        const { disk, writer } = await written(history, keepsRoom);
        const name = writer.segment;
        const whole = disk.readBytes(name)!;
        // as often in the room as in a record would say little of the records
        const cuttable = Math.min(whole.length, endOf(writer.records, name) + 100);
        const cut = SEGMENT_HEADER_BYTES + at % (cuttable - SEGMENT_HEADER_BYTES + 1);
        disk.writeBytes(name, new Uint8Array([...whole.subarray(0, cut), ...rubbish]));
        const kept = writer.records.filter(({ segment, to }) => segment !== name || to <= cut);
        const reader = new Reader(disk, at);
        assertEquals(reader.read(), kept.map(({ text }) => text));
        const tail = disk.readBytes(name)!.subarray(endOf(kept, name));
        const isTorn = tail.some((byte) => byte !== 0);
        const cutBytes = isTorn ? tail.length : 0;
        assertEquals(reader.prepareAppend(), { isReady: true, cutBytes });
        if (isTorn) torn++;
        assertEquals(disk.readBytes(name)!.length, endOf(kept, name) + tail.length - cutBytes);
        reader.journal.append(new TextEncoder().encode("after"));
        assertEquals(new Reader(disk, at + 1).read(), [...kept.map(({ text }) => text), "after"]);
      },
    ),
    PARAMETERS,
  );
  assert(torn > numRuns(200), `only ${torn} torn tails`);
});

Deno.test("a damaged record is corruption when a later one says that it was durable, and a torn tail when none does", async () => {
  const seen = { corrupt: 0, torn: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(steps, { minLength: 1, maxLength: 25 }),
      fc.nat(),
      fc.nat(),
      fc.nat({ max: 7 }),
      fc.boolean(),
      async (history, nth, byte, bit, keepsRoom) => {
        const { disk, writer } = await written(history, keepsRoom);
        fc.pre(writer.records.length > 0);
        const index = nth % writer.records.length;
        const damaged = writer.records[index]!;
        const bytes = disk.readBytes(damaged.segment)!;
        bytes[damaged.from + byte % (damaged.to - damaged.from)]! ^= 1 << bit;
        disk.writeBytes(damaged.segment, bytes);
        const before = writer.texts().slice(0, index);
        const wasDurable = writer.provesDurable(index);
        seen[wasDurable ? "corrupt" : "torn"]++;
        const reader = new Reader(disk, byte);
        assertEquals(reader.read(), before);
        if (!wasDurable) {
          const cutBytes = bytes.length - damaged.from;
          assertEquals(reader.prepareAppend(), { isReady: true, cutBytes });
          assertEquals(disk.readBytes(damaged.segment), bytes.slice(0, damaged.from));
          return;
        }
        const error = assertThrows(() => reader.prepareAppend(), CorruptionError);
        assertEquals([error.path, error.offset], [`memory/${damaged.segment}`, damaged.from]);
        assertEquals(disk.readBytes(damaged.segment), bytes, "nothing may be overwritten");
      },
    ),
    PARAMETERS,
  );
  assert(Math.min(seen.corrupt, seen.torn) > numRuns(50), JSON.stringify(seen));
});

/** A journal, and the list of what was appended to it. */
class Writer {
  readonly records: WrittenRecord[] = [];
  /** How many segments were begun. */
  segments = 1;
  readonly #journal: Journal;
  #segment = segmentName(1);
  /** The sequence number of each record. */
  readonly #sequences: number[] = [];

  private constructor(journal: Journal) {
    this.#journal = journal;
  }

  static open(disk: MemoryDisk, keepsRoom = false): Writer {
    const journal = Journal.open(new MemoryStorage(disk), { ...START, keepsRoom });
    assert(journal !== undefined);
    journal.read(IGNORE);
    journal.prepareAppend(IGNORE);
    return new Writer(journal);
  }

  /** The segment that is being written. */
  get segment(): FileName {
    return this.#segment;
  }

  async do(step: Step): Promise<void> {
    if (step === "sync") return await this.#journal.sync();
    if (step === "rotate") return this.#rotate();
    const durableBefore = this.#journal.durableSequence;
    const from = SEGMENT_HEADER_BYTES + this.#journal.segmentBytes;
    this.#sequences.push(this.#journal.append(new TextEncoder().encode(step.append)));
    const to = SEGMENT_HEADER_BYTES + this.#journal.segmentBytes;
    const segment = this.#segment;
    this.records.push({ text: step.append, segment, from, to, durableBefore });
  }

  /** What was appended, in order. */
  texts(): string[] {
    return this.records.map(({ text }) => text);
  }

  /** Whether a record behind the one at `index`, or a segment behind its own, says that that one was durable. */
  provesDurable(index: number): boolean {
    const sequence = this.#sequences[index]!;
    return this.records[index]!.segment !== this.#segment ||
      this.records.slice(index + 1).some(({ durableBefore }) => durableBefore >= sequence);
  }

  #rotate(): void {
    this.#journal.rotate(IGNORE);
    this.#segment = segmentName(this.#journal.sequence + 1);
    this.segments++;
  }
}

const IGNORE: JournalVisitor = { segment: () => {}, record: () => {} };

/** Reads a journal through a storage that gives fewer bytes than it is asked for. */
class Reader implements JournalVisitor {
  readonly journal: Journal;
  segments = 0;
  readonly #texts: string[] = [];

  constructor(disk: MemoryDisk, seed: number) {
    const journal = Journal.open(new StingyStorage(disk, seed), START);
    assert(journal !== undefined);
    this.journal = journal;
  }

  /** Everything that was read so far. */
  read(): string[] {
    assertEquals(this.journal.read(this), "current");
    return [...this.#texts];
  }

  prepareAppend(): AppendPreparation {
    return this.journal.prepareAppend(this);
  }

  segment(_header: SegmentHeader): void {
    this.segments++;
  }

  record(payload: Uint8Array): void {
    this.#texts.push(new TextDecoder().decode(payload));
  }
}

/** Gives each read of a record a random part of what is there, at least one byte. Headers are read in one piece. */
class StingyStorage extends MemoryStorage {
  readonly #random: () => number;

  constructor(disk: MemoryDisk, seed: number) {
    super(disk);
    this.#random = seededRandom(seed);
  }

  override openFile(name: FileName): StorageFile | undefined {
    const file = super.openFile(name);
    if (file === undefined) return undefined;
    const read = file.read.bind(file);
    file.read = (offset, into) => {
      if (offset < SEGMENT_HEADER_BYTES || this.#random() < 0.5) return read(offset, into);
      return read(offset, into.subarray(0, 1 + Math.floor(this.#random() * into.length)));
    };
    return file;
  }
}

async function written(
  history: readonly Step[],
  keepsRoom: boolean,
): Promise<{ readonly disk: MemoryDisk; readonly writer: Writer }> {
  const disk = new MemoryDisk();
  const writer = Writer.open(disk, keepsRoom);
  for (const step of history) await writer.do(step);
  return { disk, writer };
}

/** Where the records of a segment end. */
function endOf(records: readonly WrittenRecord[], name: FileName): number {
  return records.findLast(({ segment }) => segment === name)?.to ?? SEGMENT_HEADER_BYTES;
}
