/**
 * What SQLite may have left beside a database file: a write-ahead log or a rollback journal whose content the file lacks.
 *
 * Reading the file alone would lose those rows without a word. Whether a log has been folded into its file is not written
 * anywhere that outlives the processes (it stands in shared memory), so its pages are compared with the file's.
 */

const WAL_HEADER_BYTES = 32;

const FRAME_HEADER_BYTES = 24;

const WAL_MAGIC = 0x377f0682;

const FORMAT_VERSION_OFFSETS = [18, 19];

const DATABASE_MAGIC = "SQLite format 3\0";

const DATABASE_HEADER_BYTES = 100;

const PAGE_SIZE_OFFSET = 16;

const CHANGE_COUNTER_OFFSET = 24;

const PAGE_COUNT_OFFSET = 28;

const VALID_FOR_OFFSET = 92;

/** Whether these are the first bytes of a SQLite database. */
export function isSqliteDatabase(bytes: Uint8Array): boolean {
  const head = String.fromCharCode(...bytes.subarray(0, DATABASE_MAGIC.length));
  return head === DATABASE_MAGIC && bytes.length >= DATABASE_HEADER_BYTES;
}

/** Whether the database is one that keeps a write-ahead log while it is open. */
export function isInWalMode(database: Uint8Array): boolean {
  return database[FORMAT_VERSION_OFFSETS[0]!] === 2;
}

/** How long the database is by its header; 0 where the header does not say, as SQLite's file format has it in section 1.3. */
export function bytesByHeader(database: Uint8Array): number {
  const view = viewOf(database);
  if (view.getUint32(CHANGE_COUNTER_OFFSET) !== view.getUint32(VALID_FOR_OFFSET)) return 0;
  const pageSize = view.getUint16(PAGE_SIZE_OFFSET);
  return view.getUint32(PAGE_COUNT_OFFSET) * (pageSize === 1 ? 65_536 : pageSize);
}

/** The same database, marked as one without a write-ahead log: SQLite in memory cannot have one. */
export function withoutWalMode(database: Uint8Array): Uint8Array {
  const copy = database.slice();
  for (const offset of FORMAT_VERSION_OFFSETS) if (copy[offset] === 2) copy[offset] = 1;
  return copy;
}

/**
 * How many pages the committed transactions of a write-ahead log would change in its database: 0 when it is empty, or was
 * folded into the file entirely. `undefined` when it is not a readable log.
 */
export function pendingWalPages(wal: Uint8Array, database: Uint8Array): number | undefined {
  if (wal.length === 0) return 0;
  const header = readWalHeader(wal);
  if (header === undefined) return undefined;
  const { pages, databasePages } = committedPages(wal, header);
  const { pageSize } = header;
  const isShort = database.length < databasePages * pageSize;
  const changed = [...pages].filter(([page, offset]) =>
    page <= databasePages && !isSamePage(wal, offset, database, (page - 1) * pageSize, pageSize)
  );
  return Math.max(changed.length, isShort ? 1 : 0);
}

/** Whether a rollback journal would be played back: one whose header was zeroed or cut is done with. */
export function isHotJournal(journal: Uint8Array): boolean {
  return journal.length > 0 && journal[0] !== 0;
}

interface WalHeader {
  readonly pageSize: number;
  readonly salts: readonly [number, number];
  readonly checksum: Checksum;
  readonly isLittleEndian: boolean;
}

type Checksum = readonly [number, number];

function readWalHeader(wal: Uint8Array): WalHeader | undefined {
  if (wal.length < WAL_HEADER_BYTES) return undefined;
  const view = viewOf(wal);
  const magic = view.getUint32(0);
  if ((magic & ~1) >>> 0 !== WAL_MAGIC) return undefined;
  const isLittleEndian = (magic & 1) === 0;
  const checksum = addChecksum([0, 0], wal.subarray(0, 24), isLittleEndian);
  if (checksum[0] !== view.getUint32(24) || checksum[1] !== view.getUint32(28)) return undefined;
  return {
    pageSize: view.getUint32(8),
    salts: [view.getUint32(16), view.getUint32(20)],
    checksum,
    isLittleEndian,
  };
}

/** Where the latest committed content of each page stands, and how many pages the database has then. */
function committedPages(
  wal: Uint8Array,
  header: WalHeader,
): { readonly pages: ReadonlyMap<number, number>; readonly databasePages: number } {
  const { pageSize, salts, isLittleEndian } = header;
  const view = viewOf(wal);
  const pages = new Map<number, number>();
  let uncommitted: [number, number][] = [];
  let databasePages = 0;
  let checksum = header.checksum;
  const frameBytes = FRAME_HEADER_BYTES + pageSize;
  for (let at = WAL_HEADER_BYTES; at + frameBytes <= wal.length; at += frameBytes) {
    if (view.getUint32(at + 8) !== salts[0] || view.getUint32(at + 12) !== salts[1]) break;
    const content = at + FRAME_HEADER_BYTES;
    checksum = addChecksum(checksum, wal.subarray(at, at + 8), isLittleEndian);
    checksum = addChecksum(checksum, wal.subarray(content, content + pageSize), isLittleEndian);
    if (checksum[0] !== view.getUint32(at + 16) || checksum[1] !== view.getUint32(at + 20)) break;
    uncommitted.push([view.getUint32(at), content]);
    const pagesAfterCommit = view.getUint32(at + 4);
    if (pagesAfterCommit === 0) continue;
    for (const [page, offset] of uncommitted) pages.set(page, offset);
    uncommitted = [];
    databasePages = pagesAfterCommit;
  }
  return { pages, databasePages };
}

/** The checksum of SQLite's file format, section 4.2. */
function addChecksum(from: Checksum, bytes: Uint8Array, isLittleEndian: boolean): Checksum {
  const view = viewOf(bytes);
  let [first, second] = from;
  for (let at = 0; at < bytes.length; at += 8) {
    first = (first + view.getUint32(at, isLittleEndian) + second) >>> 0;
    second = (second + view.getUint32(at + 4, isLittleEndian) + first) >>> 0;
  }
  return [first, second];
}

function isSamePage(
  wal: Uint8Array,
  walOffset: number,
  database: Uint8Array,
  databaseOffset: number,
  pageSize: number,
): boolean {
  if (databaseOffset + pageSize > database.length) return false;
  for (let i = 0; i < pageSize; i++) {
    if (wal[walOffset + i] !== database[databaseOffset + i]) return false;
  }
  return true;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A file and its neighbours, as they were at one moment. */
export interface DatabaseFiles {
  readonly bytes: Uint8Array;
  /** The write-ahead log; `undefined` when there is none. */
  readonly wal: Uint8Array | undefined;
  /** The rollback journal; `undefined` when there is none. */
  readonly journal: Uint8Array | undefined;
}
