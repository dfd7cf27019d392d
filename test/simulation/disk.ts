/**
 * A disk that keeps promises to the letter and no further.
 *
 * What was written but not synced survives a power cut in part: any of the writes, whole or torn, a later one also without
 * an earlier one. Creations, renames and removals survive in order, up to any of those since the folder was last synced.
 * Removed segments are kept aside, so that the whole journal can be read again at the end.
 */
import { StorageError } from "../../src/domain/errors.ts";
import type { FileName } from "../../src/storage/storage.ts";
import type { Chance } from "./chance.ts";
import { type Edit, FileContent } from "./file_content.ts";
import type { ProcessId } from "./scheduler.ts";

/** Counts something. */
type OnCount = (what: string) => void;

/** A file, whatever its name. */
export class Inode {
  /** What processes see. */
  readonly now = new FileContent();
  /** What is on the platter for certain. */
  durable = new FileContent();
  /** What is not, in order. */
  pending: Edit[] = [];
  /** How many fsyncs have failed: each open file is told once. */
  syncFailures = 0;
  /** Whether processes see what a failed fsync has forgotten. */
  #isStale = false;

  /** A process changes the file. */
  edit(edit: Edit): void {
    this.now.apply(edit);
    this.pending.push(edit);
  }

  /** Makes the edits durable that were made before the last of them, `until`. */
  sync(until: Edit | undefined): void {
    const count = until === undefined ? 0 : this.pending.indexOf(until) + 1;
    for (const edit of this.pending.splice(0, count)) this.durable.apply(edit);
  }

  /**
   * A failed fsync: some pages were written, the others are forgotten although processes still see them. Later fsyncs know
   * nothing of it, except the first of each file that is open now.
   */
  failSync(chance: Chance): void {
    this.syncFailures++;
    for (const edit of this.pending) if (chance.happens(0.5)) this.durable.apply(edit);
    this.pending = [];
    this.#isStale = true;
  }

  /** The system reads anew what a failed fsync has forgotten: it is gone, the length stays. Says whether there was any. */
  evict(): boolean {
    if (!this.#isStale) return false;
    this.#isStale = false;
    const { size } = this.now;
    this.now.become(this.durable);
    this.now.apply({ kind: "truncate", size });
    for (const edit of this.pending) this.now.apply(edit);
    return true;
  }

  /** A file of its own with the same bytes. */
  copy(): Inode {
    const copy = new Inode();
    copy.now.become(this.now);
    copy.durable.become(this.now);
    return copy;
  }

  /** What survives. */
  cutPower(chance: Chance, onCount: OnCount): void {
    for (const edit of survivors(this.pending, chance, onCount)) this.durable.apply(edit);
    this.now.become(this.durable);
    this.pending = [];
    this.#isStale = false;
  }
}

type FolderEdit =
  | { readonly kind: "create"; readonly name: FileName; readonly inode: Inode }
  | { readonly kind: "rename"; readonly from: FileName; readonly to: FileName }
  | { readonly kind: "remove"; readonly name: FileName };

/** Somebody who wants to know of every write. */
export interface DiskWatcher {
  readonly owner: ProcessId;
  readonly onWrite: () => void;
}

/** The files that the processes of a simulation share. */
export class SimulatedDisk {
  /** Who is to be told of writes, perhaps. */
  readonly watchers = new Set<DiskWatcher>();
  #folder = new Map<FileName, Inode>();
  #durableFolder = new Map<FileName, Inode>();
  #pending: FolderEdit[] = [];
  readonly #removed = new Map<FileName, Uint8Array>();

  find(name: FileName): Inode | undefined {
    return this.#folder.get(name);
  }

  list(): FileName[] {
    return [...this.#folder.keys()];
  }

  /** Makes a file, or empties the one that is there. */
  create(name: FileName): Inode {
    const known = this.#folder.get(name);
    if (known !== undefined) {
      known.edit({ kind: "truncate", size: 0 });
      return known;
    }
    const inode = new Inode();
    this.#edit({ kind: "create", name, inode });
    return inode;
  }

  rename(from: FileName, to: FileName): void {
    if (!this.#folder.has(from)) throw new StorageError("rename", from, "it does not exist");
    this.#edit({ kind: "rename", from, to });
  }

  remove(name: FileName): void {
    const inode = this.#folder.get(name);
    if (inode === undefined) return;
    this.#removed.set(name, inode.now.bytes().slice());
    this.#edit({ kind: "remove", name });
  }

  /** How many creations, renames and removals there are to sync. */
  get pendingCount(): number {
    return this.#pending.length;
  }

  /** Makes the first `count` pending creations, renames and removals durable. */
  syncFolder(count: number): void {
    for (const edit of this.#pending.splice(0, count)) applyTo(this.#durableFolder, edit);
  }

  /** The power fails; `onCount` is told what it does to what was not synced. Kill all processes first. */
  cutPower(chance: Chance, onCount: OnCount): void {
    this.syncFolder(chance.below(this.#pending.length + 1));
    for (const { kind } of this.#pending) onCount(`unsynced ${kind} forgotten`);
    this.#pending = [];
    this.#folder = new Map(this.#durableFolder);
    for (const inode of new Set(this.#folder.values())) inode.cutPower(chance, onCount);
  }

  /** Another folder comes in the place of this one, with everything in it durable. Who has files of the old one open keeps them. */
  replaceFolder(files: ReadonlyMap<FileName, Inode>): void {
    this.#folder = new Map(files);
    this.#durableFolder = new Map(files);
    this.#pending = [];
  }

  /** A segment's bytes as processes see them, or as they were when it was removed. */
  segmentBytes(name: FileName): Uint8Array | undefined {
    return this.#folder.get(name)?.now.bytes() ?? this.#removed.get(name);
  }

  /** The segment that begins last. */
  newestSegment(): FileName | undefined {
    const firsts = this.list().map((name) => Number(/^journal-(\d+)$/.exec(name)?.[1] ?? 0));
    const newest = Math.max(0, ...firsts);
    return newest === 0 ? undefined : `journal-${newest}`;
  }

  /** The names of the segments that there are or were. */
  allSegments(): FileName[] {
    return [...new Set([...this.#removed.keys(), ...this.#folder.keys()])].filter((name) =>
      name.startsWith("journal-")
    );
  }

  #edit(edit: FolderEdit): void {
    applyTo(this.#folder, edit);
    this.#pending.push(edit);
  }
}

function applyTo(folder: Map<FileName, Inode>, edit: FolderEdit): void {
  switch (edit.kind) {
    case "create":
      folder.set(edit.name, edit.inode);
      return;
    case "remove":
      folder.delete(edit.name);
      return;
    case "rename": {
      const inode = folder.get(edit.from);
      if (inode === undefined) return;
      folder.delete(edit.from);
      folder.set(edit.to, inode);
    }
  }
}

/** Which edits a power cut leaves. A file's new length is kept when anything that came after it is. */
function survivors(pending: readonly Edit[], chance: Chance, onCount: OnCount): Edit[] {
  const share = chance.pick([0, 0.5, 0.5, 0.5, 1]);
  const isKept = pending.map(() => chance.happens(share));
  const last = isKept.lastIndexOf(true);
  if (isKept.includes(false) && isKept.indexOf(false) < last) onCount("unsynced writes reordered");
  return pending.flatMap((edit, i) => {
    const left = edit.kind === "write"
      ? isKept[i] ? torn(edit, chance) : []
      : isKept[i] || i < last
      ? [edit]
      : [];
    if (left.length === 0) onCount(`unsynced ${edit.kind} forgotten`);
    else onCount(`unsynced ${edit.kind} ${left[0] === edit ? "kept" : "torn"}`);
    return left;
  });
}

const SECTOR_BYTES = 512;

/** A write as it reached the platter: usually whole, else cut short or without some of its sectors. */
function torn(edit: Edit & { kind: "write" }, chance: Chance): Edit[] {
  const { offset, bytes } = edit;
  if (chance.happens(0.6)) return [edit];
  if (chance.happens(0.5)) {
    return [{ ...edit, bytes: bytes.subarray(0, chance.below(bytes.length + 1)) }];
  }
  const sectors: Edit[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + SECTOR_BYTES - ((offset + at) % SECTOR_BYTES));
    if (chance.happens(0.5)) {
      sectors.push({ kind: "write", offset: offset + at, bytes: bytes.subarray(at, end) });
    }
    at = end;
  }
  return sectors;
}
