/**
 * The mutants: deliberate faults, each one precise change to a file of `src/` that a test must catch.
 */

/** One deliberate fault. */
export interface Mutant {
  /** What it does wrong, unique. */
  readonly name: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** The test files or folders that should notice it, tried first; then all of `SUITE`. */
  readonly tests: readonly string[];
}

/** The tests that prove what `src/storage`, `src/ledger` and `src/queue` promise. */
export const SUITE: readonly string[] = [
  "test/ledger",
  "test/storage",
  "test/queue",
  "test/faults",
];

const LEDGER = ["test/ledger"];
const QUEUE = ["test/queue/task_queue.test.ts"];
const DISK = ["test/faults/system_calls.test.ts"];

/** Every mutant. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: "acknowledge before the fsync",
    file: "src/ledger/ledger.ts",
    find: "      await this.#makeDurable();\n      for (const tell of outcomes) tell();\n",
    replace: "      for (const tell of outcomes) tell();\n      await this.#makeDurable();\n",
    tests: LEDGER,
  },
  {
    name: "acknowledge without any fsync",
    file: "src/ledger/ledger.ts",
    find: "    await this.#guard(() => this.#journal.sync());\n",
    replace: "",
    tests: LEDGER,
  },
  {
    name: "skip the torn-tail cut",
    file: "src/storage/journal.ts",
    find: "    file.truncate(this.#offset);\n    return tailBytes;\n",
    replace: "    return tailBytes;\n",
    tests: ["test/faults/malformed.test.ts"],
  },
  {
    name: "cut a tail that holds durable records",
    file: "src/storage/journal.ts",
    find: "    if (provesDurable(tail, this.#sequence + 1)) {\n",
    replace: "    if (false) {\n",
    tests: LEDGER,
  },
  {
    name: "compare the lease without its token",
    file: "src/queue/lease.ts",
    find: "  if (token !== lease.leaseToken) {\n",
    replace: "  if (false) {\n",
    tests: QUEUE,
  },
  {
    name: "rename the new snapshot before its fsync",
    file: "src/platform/durable_rename.ts",
    find: "    }\n  }\n  await file.sync();\n",
    replace: "    }\n  }\n",
    tests: DISK,
  },
  {
    name: "rename the new snapshot while it is being written",
    file: "src/storage/snapshot.ts",
    find: '    await storage.writeFile("snapshot.new", chunksWithFooter(bytes));\n',
    replace: '    storage.writeFile("snapshot.new", chunksWithFooter(bytes)).catch(() => {});\n',
    tests: LEDGER,
  },
  {
    name: "resume after a failed fsync",
    file: "src/ledger/ledger.ts",
    find: 'error instanceof CorruptionError || error.operation === "sync" ||',
    replace: "error instanceof CorruptionError ||",
    tests: LEDGER,
  },
  {
    name: "apply a record twice",
    file: "src/storage/journal.ts",
    find: "        visitor.record(frame.payload, frame.sequence);\n",
    replace: "        for (const _ of [1, 2]) visitor.record(frame.payload, frame.sequence);\n",
    tests: LEDGER,
  },
  {
    name: "ignore a record's checksum",
    file: "src/storage/frame.ts",
    find: "  if (crc32(payload) !== header.payloadCrc) return undefined;\n",
    replace: "",
    tests: ["test/storage/frame.test.ts"],
  },
  {
    name: "ignore the checksum of a record's header",
    file: "src/storage/frame.ts",
    find:
      "  if (view.getUint32(28) !== crc32(bytes.subarray(offset, offset + 28))) return undefined;\n",
    replace: "",
    tests: ["test/storage/frame.test.ts"],
  },
  {
    name: "ignore the checksum of a segment's header",
    file: "src/storage/segment.ts",
    find: "view.getUint32(60) === crc32(bytes.subarray(0, 60))",
    replace: "true",
    tests: LEDGER,
  },
  {
    name: "ignore the snapshot's checksum",
    file: "src/storage/snapshot.ts",
    find: "  if (footer.getUint32(8) !== crc32(content)) {\n",
    replace: "  if (false) {\n",
    tests: LEDGER,
  },
  {
    name: "forget the folder fsync on the disk",
    file: "src/platform/durable_rename.ts",
    find: "  await folder.sync();\n",
    replace: "",
    tests: DISK,
  },
  {
    name: "forget the folder fsync after renaming the snapshot",
    file: "src/storage/snapshot.ts",
    find: "  await storage.syncFolder();\n",
    replace: "",
    tests: DISK,
  },
  {
    name: "forget the folder fsync of a creation that another process left",
    file: "src/storage/journal.ts",
    find: "    if (!this.hasRecords) await this.#storage.syncFolder();\n",
    replace: "",
    tests: LEDGER,
  },
  {
    name: "forget the folder fsync after creating a segment",
    file: "src/storage/segment.ts",
    find: "    await storage.syncFolder();\n",
    replace: "",
    tests: LEDGER,
  },
  {
    name: "delete the journal before the snapshot is durable",
    file: "src/ledger/checkpointer.ts",
    find:
      "      const snapshotBytes = await writeSnapshot(this.#storage, bytes);\n      for (const segment of superseded) await this.#storage.remove(segmentName(segment));\n",
    replace:
      "      for (const segment of superseded) await this.#storage.remove(segmentName(segment));\n      const snapshotBytes = await writeSnapshot(this.#storage, bytes);\n",
    tests: LEDGER,
  },
  {
    name: "let rescue ignore the clock",
    file: "src/queue/rescue.ts",
    find: "lease_until_utc <= ? ORDER BY",
    replace: "(lease_until_utc <= ? OR TRUE) ORDER BY",
    tests: QUEUE,
  },
  {
    name: "let rescue ignore that attempts are used up",
    file: "src/queue/rescue.ts",
    find: "  if (attempts >= maxAttempts) {\n",
    replace: "  if (false) {\n",
    tests: QUEUE,
  },
  {
    name: "begin the next segment before the seal is durable",
    file: "src/storage/journal.ts",
    find:
      "undefined) await this.#settleDoubts(this.#file);\n    if (this.#isSealed) await this.sync();\n",
    replace: "undefined) this.#isUndoubted = true;\n",
    tests: LEDGER,
  },
  {
    name: "leave an interrupted creation of a segment unfinished",
    file: "src/storage/journal.ts",
    find: "      await this.#settleDoubts(this.#file);\n",
    replace: "",
    tests: LEDGER,
  },
  {
    name: "write before what was read is durable",
    file: "src/storage/journal.ts",
    find: "      await file.sync();\n    }\n    if (!this.hasRecords)",
    replace: "    }\n    if (!this.hasRecords)",
    tests: LEDGER,
  },
  {
    name: "leave the savepoint of a refused operation in place",
    file: "src/ledger/replica.ts",
    find: '      this.#database.all("ROLLBACK TO operation");\n',
    replace: "",
    tests: LEDGER,
  },
  {
    name: "keep in memory what could not be appended",
    file: "src/ledger/ledger.ts",
    find: "      else this.#replica.rollback();\n",
    replace: "      else this.#replica.commit();\n",
    tests: LEDGER,
  },
  {
    name: "leave a failed append in the journal",
    file: "src/storage/journal.ts",
    find: "      file.truncate(this.#offset);\n      throw error instanceof StorageError\n",
    replace: "      throw error instanceof StorageError\n",
    tests: LEDGER,
  },
  {
    name: "commit without the lock",
    file: "src/ledger/ledger.ts",
    find: '    const lock = storage.tryLock("commit") ?? await storage.lock("commit");\n',
    replace: "    const lock = { release: () => {} };\n",
    tests: LEDGER,
  },
  {
    name: "keep the lock after a refused commit",
    file: "src/ledger/ledger.ts",
    find: "      return lock;\n    } catch (error) {\n      lock.release();\n",
    replace: "      return lock;\n    } catch (error) {\n",
    tests: ["test/faults/fault_loops.test.ts"],
  },
  {
    name: "never notice that the snapshot was replaced",
    file: "src/storage/journal.ts",
    find: '      ? "superseded"\n      : "current";\n',
    replace: '      ? "current"\n      : "current";\n',
    tests: LEDGER,
  },
  {
    name: "tell watchers before the change is durable",
    file: "src/ledger/ledger.ts",
    find: "    this.#commitReplica();\n    this.#feed.note(changes);\n",
    replace: "    this.#commitReplica();\n    this.#feed.note(changes);\n    this.#feed.tell();\n",
    tests: LEDGER,
  },
  {
    name: "let claim ignore capabilities",
    file: "src/queue/claim.ts",
    find: "      .filter((compatibility) => isCapable(claim.capabilities, compatibility))\n",
    replace: "",
    tests: QUEUE,
  },
  {
    name: "let cancel change a final task",
    file: "src/queue/by_hand.ts",
    find: '  if (status !== "queued" && status !== "leased") return false;\n',
    replace: "",
    tests: QUEUE,
  },
];
