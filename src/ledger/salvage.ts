/**
 * Salvaging: whatever can still be read of a damaged ledger.
 *
 * A record holds whole rows, so one that follows a lost one can be applied all the same; a row that only lost records
 * knew is lost with them, and one that they changed is as it was before. The files are only read.
 */
import { CorruptionError, messageOf, StorageError } from "../domain/errors.ts";
import { decodeFrame, frameBytes } from "../storage/frame.ts";
import {
  listSegments,
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
  segmentName,
} from "../storage/segment.ts";
import { FOOTER_BYTES } from "../storage/footer.ts";
import { isRoom } from "../storage/room.ts";
import { readSnapshot } from "../storage/snapshot.ts";
import type { Storage, StorageFile } from "../storage/storage.ts";
import type { RecoverySource } from "./recovery.ts";
import { Replica } from "./replica.ts";
import type { Schema } from "./schema.ts";
import type { SqlDatabase, SqlEngine } from "./sql_engine.ts";
import { integrityProblems } from "./verify.ts";

/** A part of a file that could not be used. */
export interface LostPart {
  /** The file. */
  readonly path: string;
  /** Where the part begins, in bytes. */
  readonly offset: number;
  /** How long it is. */
  readonly bytes: number;
  /** Its problem. */
  readonly reason: string;
}

/** What was salvaged. */
export interface Salvaged {
  /** The rows. */
  readonly replica: Replica;
  /** The last record that was found. */
  readonly sequence: number;
  /** How many records were applied to the snapshot. */
  readonly records: number;
  /** What could not be used, in order. */
  readonly lost: readonly LostPart[];
}

/** Reads what can be read. @throws StorageError when a file cannot be read at all, or a newer version wrote it. */
export async function salvage(source: RecoverySource): Promise<Salvaged> {
  const lost: LostPart[] = [];
  const replica = await openSnapshot(source, lost);
  const segments = listSegments(source.storage);
  const said = replica.identity?.sequence ?? 0;
  // A snapshot ends where a segment begins. What a damaged one says otherwise is not believed: every record is applied.
  const isLikely = lost.length === 0 || segments.includes(said + 1);
  const salvager = new JournalSalvager(replica, { source, lost, sequence: isLikely ? said : 0 });
  try {
    for (const first of segments) salvager.readSegment(first);
    replica.migrate(source.schema.migrations.length);
  } catch (error) {
    replica.close();
    throw error;
  }
  return { replica, sequence: salvager.sequence, records: salvager.records, lost };
}

/** The snapshot's rows, also when its checksum is wrong but its pages are whole; else an empty replica. */
async function openSnapshot(source: RecoverySource, lost: LostPart[]): Promise<Replica> {
  const { storage, engine, schema } = source;
  const path = storage.location;
  try {
    return Replica.open({ engine, schema, path }, await readSnapshot(storage));
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    const bytes = await storage.readFile("snapshot") ?? new Uint8Array(0);
    const pages = openUnverified(source, bytes);
    if (pages instanceof Replica) {
      lost.push({ path, offset: error.offset, bytes: 0, reason: error.message });
      return pages;
    }
    const reason = `${error.message}; its rows cannot be read: ${pages}`;
    lost.push({ path, offset: error.offset, bytes: bytes.length, reason });
    return Replica.open({ engine, schema, path }, undefined);
  }
}

/** The rows that a snapshot holds whatever its checksum says, or why they are of no use. */
function openUnverified(source: RecoverySource, bytes: Uint8Array): Replica | string {
  const withoutFooter = bytes.subarray(0, Math.max(0, bytes.length - FOOTER_BYTES));
  const first = openPages(source, withoutFooter);
  if (first instanceof Replica) return first;
  const second = openPages(source, bytes);
  return second instanceof Replica ? second : first;
}

/** Damage can make anything fail, so whatever does says that the pages are of no use. */
function openPages(
  { storage, engine, schema }: RecoverySource,
  bytes: Uint8Array,
): Replica | string {
  let replica: Replica | undefined;
  try {
    const content = { bytes: withOwnDefinitions(engine, schema, bytes), isVerified: true };
    replica = Replica.open({ engine, schema, path: storage.location }, content);
    const [problem] = integrityProblems(replica);
    if (problem !== undefined) throw new CorruptionError(storage.location, 0, problem);
    replica.read("UPDATE holdfast_meta SET value = value"); // what a damaged header may forbid
    return replica;
  } catch (error) {
    replica?.close();
    return messageOf(error);
  }
}

/**
 * A wrong letter in a table's definition would make every record of the journal unfit, and so would a wrong version: both are put
 * right.
 */
function withOwnDefinitions(engine: SqlEngine, schema: Schema, bytes: Uint8Array): Uint8Array {
  const database = engine.open(bytes);
  const model = Replica.open({ engine, schema, path: "" }, undefined);
  try {
    database.run("PRAGMA writable_schema = ON");
    const said = Number(database.all("PRAGMA user_version")[0]?.[0]);
    const version = versionOf(database, { engine, schema }) ?? said;
    model.migrate(version);
    const definitions = model.read("SELECT type, name, sql FROM sqlite_schema WHERE sql NOT NULL");
    const place = "UPDATE sqlite_schema SET sql = ?3 WHERE type = ?1 AND name = ?2";
    const changes = definitions.map((definition) =>
      database.execute(`${place} AND sql <> ?3 AND length(sql) = length(?3)`, definition)
    );
    if (version !== said) database.run(`PRAGMA user_version = ${version}`);
    else if (changes.every((count) => count === 0)) return bytes;
    return database.export();
  } finally {
    database.close();
    model.close();
  }
}

/** The version whose tables and indexes a database has, whatever it says; `undefined` when it has those of none. */
function versionOf(
  database: SqlDatabase,
  { engine, schema }: { readonly engine: SqlEngine; readonly schema: Schema },
): number | undefined {
  const outline =
    "SELECT type, name, length(sql) FROM sqlite_schema WHERE sql NOT NULL ORDER BY 1, 2";
  const found = JSON.stringify(database.all(outline));
  const model = Replica.open({ engine, schema, path: "" }, undefined);
  try {
    for (let version = 1; version <= schema.migrations.length; version++) {
      model.migrate(version);
      if (JSON.stringify(model.read(outline)) === found) return version;
    }
    return undefined;
  } finally {
    model.close();
  }
}

class JournalSalvager {
  readonly #replica: Replica;
  readonly #storage: Storage;
  readonly #newestVersion: number;
  readonly #lost: LostPart[];
  /** The last record that was found. */
  sequence: number;
  /** How many records were applied. */
  records = 0;

  constructor(
    replica: Replica,
    { source, lost, sequence }: {
      readonly source: RecoverySource;
      readonly lost: LostPart[];
      readonly sequence: number;
    },
  ) {
    this.#replica = replica;
    this.#storage = source.storage;
    this.#newestVersion = source.schema.migrations.length;
    this.#lost = lost;
    this.sequence = sequence;
  }

  readSegment(firstSequence: number): void {
    const file = this.#storage.openFile(segmentName(firstSequence));
    if (file === undefined) return;
    try {
      this.#adoptVersion(file, firstSequence);
      this.#readFrames(file);
    } finally {
      file.close();
    }
  }

  /** A damaged header says nothing of its records' version: that of the rows so far is likely. */
  #adoptVersion(file: StorageFile, firstSequence: number): void {
    try {
      const version = readSegmentHeader(file, firstSequence)?.schemaVersion ??
        this.#replica.version;
      if (version > this.#newestVersion) {
        throw new StorageError(
          "read",
          file.path,
          `a newer Holdfast wrote schema version ${version}`,
        );
      }
      this.#replica.migrate(version);
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      this.#lose(file, { from: 0, to: SEGMENT_HEADER_BYTES }, messageOf(error));
    }
    if (this.#replica.version === 0) this.#replica.migrate(this.#newestVersion);
  }

  #readFrames(file: StorageFile): void {
    const bytes = wholeOf(file);
    let at = SEGMENT_HEADER_BYTES;
    let lostFrom: number | undefined;
    while (at < bytes.length) {
      const frame = decodeFrame(bytes, at);
      if (frame === undefined) {
        lostFrom ??= at;
        at++;
        continue;
      }
      if (lostFrom !== undefined) this.#lose(file, { from: lostFrom, to: at }, "no whole record");
      lostFrom = undefined;
      if (frame.kind === "commit" && frame.sequence > this.sequence) {
        this.#apply(file, { from: at, to: at + frameBytes(frame) }, frame.payload);
      }
      this.sequence = Math.max(this.sequence, frame.sequence);
      at += frameBytes(frame);
    }
    if (lostFrom === undefined || isRoom(bytes.subarray(lostFrom))) return;
    this.#lose(file, { from: lostFrom, to: bytes.length }, "no whole record");
  }

  #apply(
    file: StorageFile,
    place: { readonly from: number; readonly to: number },
    payload: Uint8Array,
  ): void {
    try {
      this.#replica.salvage(payload);
      this.records++;
    } catch (error) {
      this.#lose(file, place, `it cannot be applied: ${messageOf(error)}`);
    }
  }

  #lose(
    { path }: StorageFile,
    { from, to }: { readonly from: number; readonly to: number },
    reason: string,
  ): void {
    this.#lost.push({ path, offset: from, bytes: to - from, reason });
  }
}

function wholeOf(file: StorageFile): Uint8Array {
  const bytes = new Uint8Array(file.size());
  let filled = 0;
  while (filled < bytes.length) {
    const read = file.read(filled, bytes.subarray(filled));
    if (read === 0) break;
    filled += read;
  }
  return bytes.subarray(0, filled);
}
