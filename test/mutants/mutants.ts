/**
 * The mutants: deliberate faults, each one precise change to a file of `src/` that a test must catch.
 */
import type { Mutant } from "./mutant.ts";
import { MOVE_MUTANTS } from "./move_mutants.ts";
import { CHANGE_MUTANTS } from "./change_mutants.ts";
import { COUNTS_MUTANTS } from "./counts_mutants.ts";
import { FLOW_MUTANTS } from "./flow_mutants.ts";
import { RATE_MUTANTS } from "./rate_mutants.ts";
import { FOLD_MUTANTS } from "./fold_mutants.ts";
import { PLACE_MUTANTS } from "./place_mutants.ts";
import { POSTGRES_MUTANTS } from "./postgres_mutants.ts";
import { REMOTE_MUTANTS } from "./remote_mutants.ts";
import { SERVER_MUTANTS } from "./server_mutants.ts";
import { TAG_MUTANTS } from "./tag_mutants.ts";

/** The tests that prove what `src/storage`, `src/ledger` and `src/ledger_queue` promise; those of `src/worker` are named where they matter. */
export const SUITE: readonly string[] = [
  "test/ledger",
  "test/storage",
  "test/ledger_queue",
  "test/queue_policy",
  "test/faults",
];

const LEDGER = ["test/ledger"];
const QUEUE = ["test/ledger_queue/task_queue.test.ts"];
const CHILDREN = ["test/ledger_queue/dependencies.test.ts"];
const DISK = ["test/faults/system_calls.test.ts"];
const CUT = ["test/ledger/cut.test.ts"];
const TORN_TAIL = ["test/property/torn_tail.test.ts"];
const WEIGHTED = ["test/property/weighted_random.test.ts"];
const SEEDS = ["test/simulation/regressions.test.ts"];
const RELAXED = ["test/simulation/relaxed.test.ts"];
const WORKER = ["test/worker/worker.test.ts"];
const WITH_ENQUEUE = ["test/worker/claim_with_enqueue.test.ts"];
const PRUNING = ["test/ledger_queue/queue_operations.test.ts"];
const CLOCK = ["test/ledger_queue/clock_put_back.test.ts"];
const MEMORY = ["test/ledger_queue/memory_budget.test.ts"];
const RECORDS = ["test/ledger_queue/records.test.ts"];
const COMPLETING = ["test/ledger_queue/completion.test.ts", "test/faults/completion.test.ts"];
const SHRINKING = ["test/ledger/shrink.test.ts"];

/** Every mutant. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: "claim beside an enqueue in a commit of its own",
    file: "src/ledger_queue/ledger_queue.ts",
    find: "if (!this.access.ledger.isGathering && !await this.#mayClaim(prepared)) return [];",
    replace: "if (!await this.#mayClaim(prepared)) return [];",
    tests: WITH_ENQUEUE,
  },
  {
    name: "wake no worker before its task is stored",
    file: "src/ledger_queue/ledger_queue.ts",
    find: "for (const listener of this.#storingListeners) listener(types);",
    replace: "",
    tests: WITH_ENQUEUE,
  },
  {
    name: "wake a worker for a task that cannot be claimed yet",
    file: "src/queue_policy/new_task.ts",
    find: " && dependsOn.length === 0 && (runAfterMs ?? 0) <= nowMs",
    replace: "",
    tests: WITH_ENQUEUE,
  },
  {
    name: "claim for tasks that no handler is for",
    file: "src/worker/worker.ts",
    find: "this.#freeSlots() > 0 && types.some((type) => this.#handlers.has(type))",
    replace: "this.#freeSlots() > 0 && types.length > 0",
    tests: WITH_ENQUEUE,
  },
  {
    name: "import: bring back a task that is gone",
    file: "src/queue_policy/import_plan.ts",
    find: "if (!this.#renumber && lookup.isUsed(id)) this.#gone.push(id);\n      else ",
    replace: "",
    tests: RECORDS,
  },
  {
    name: "import: leave tasks out as gone although none of the file was here",
    file: "src/queue_policy/import_plan.ts",
    find: "const isKnown = this.#present.length > 0;",
    replace: "const isKnown = true;",
    tests: RECORDS,
  },
  {
    name: "import: take what has gone on elsewhere for present",
    file: "src/queue_policy/import_plan.ts",
    find: "(isFinal(record.status) && !isFinal(found.status)) ||",
    replace: "",
    tests: RECORDS,
  },
  {
    name: "import: connect children by the ids of the file",
    file: "src/queue_policy/import_plan.ts",
    find: "added.get(taskId) ?? byRunId(runId)",
    replace: "(added.has(taskId) ? taskId : undefined) ?? byRunId(runId)",
    tests: RECORDS,
  },
  {
    name: "add to a queue whose memory is full",
    file: "src/ledger/replica.ts",
    find: "      if (upTo !== undefined && changes.length > 0) this.#memory.check(upTo);\n",
    replace: "",
    tests: MEMORY,
  },
  {
    name: "the runs of a schedule are also those of another whose id begins alike",
    file: "src/ledger_queue/schedules/schedule_runs.ts",
    find: " AND length(run_id) = length(?3) + ${INSTANT_LENGTH}",
    replace: " AND ?3 IS NOT NULL",
    tests: ["test/ledger_queue/schedules.test.ts"],
  },
  {
    name: "keep no reserve of memory for what makes room",
    file: "src/ledger_queue/ledger_access.ts",
    find: "    upTo?: MemoryMark,\n",
    replace: '    upTo: MemoryMark = "high_water",\n',
    tests: MEMORY,
  },
  {
    name: "refuse for memory what adds nothing",
    file: "src/ledger/replica.ts",
    find: "if (upTo !== undefined && changes.length > 0)",
    replace: "if (upTo !== undefined)",
    tests: MEMORY,
  },
  {
    name: "count free pages as used memory",
    file: "src/ledger/memory_budget.ts",
    find: 'number("page_count") - number("freelist_count")',
    replace: 'number("page_count")',
    tests: MEMORY,
  },
  {
    name: "measure the memory once",
    file: "src/ledger/memory_budget.ts",
    find: "    this.#written += characters;\n",
    replace: "    this.#written += 0 * characters;\n",
    tests: MEMORY,
  },
  {
    name: "take memory that has run out for a damaged file",
    file: "src/storage/open_segment.ts",
    find:
      "        if (error instanceof StorageError) throw error; // the memory's fault, not the record's\n",
    replace: "",
    tests: ["test/ledger/out_of_memory.test.ts"],
  },
  {
    name: "take any option of openQueueWith",
    file: "src/compose/compose_queue.ts",
    find: `  checkOptions(parts, PART_NAMES, "openQueueWith");\n`,
    replace: "",
    tests: ["test/compose/unknown_options.test.ts"],
  },
  {
    name: "delete pages from a key-value store before their file has lost its name",
    file: "examples/edge/key_value_storage.ts",
    find: `    this.#put([["names", names]]);
    const named = [...this.#files.values()];
    for (const file of this.#kept) if (!named.includes(file)) this.#discard(file);
`,
    replace: `    const named = [...this.#files.values()];
    for (const file of this.#kept) if (!named.includes(file)) this.#discard(file);
    this.#put([["names", names]]);
`,
    tests: ["test/core/key_value_storage.test.ts"],
  },
  {
    name: "export free pages",
    file: "src/ledger/sqljs_engine.ts",
    find: "free >= COMPACT_MIN_PAGES && free > pages - free",
    replace: "free > pages",
    tests: SHRINKING,
  },
  {
    name: "fold a journal by the size of the last snapshot only",
    file: "src/ledger/checkpoint_rules.ts",
    find: "      segmentBytes > this.#copy.replica.memory.memoryUsedBytes * share;\n",
    replace: "      segmentBytes > Infinity;\n",
    tests: SHRINKING,
  },
  {
    name: "let a journal outrun a checkpoint",
    file: "src/ledger/ledger.ts",
    find: "      await this.#checkpoints.letCatchUp();\n",
    replace: "",
    tests: SHRINKING,
  },
  {
    name: "import the last of all ids",
    file: "src/domain/task.ts",
    find: "  importedNumberMax: 2 ** 52,\n",
    replace: "  importedNumberMax: Number.MAX_SAFE_INTEGER,\n",
    tests: ["test/transfer/carry.test.ts"],
  },
  {
    name: "a page however large",
    file: "src/ledger_queue/rows/page.ts",
    find: "    if (left < 0 && page.length > 0) break;\n",
    replace: "",
    tests: ["test/ledger_queue/large_payloads.test.ts"],
  },
  {
    name: "what is given to a worker is stored without its lease",
    file: "src/ledger_queue/rows/insert_task.ts",
    find: "    ...(task.leaseTo ? leased(task.leaseTo, nowMs) : {}),\n",
    replace: "",
    tests: ["test/ledger_queue/first_lease.test.ts"],
  },
  {
    name: "acknowledge before the fsync",
    file: "src/ledger/ledger.ts",
    find:
      "      await this.#makeDurable();\n      this.#copy.checkWritten();\n      for (const tell of outcomes) tell();\n",
    replace:
      "      this.#copy.checkWritten();\n      for (const tell of outcomes) tell();\n      await this.#makeDurable();\n",
    tests: LEDGER,
  },
  {
    name: "acknowledge without any fsync",
    file: "src/ledger/journal_sync.ts",
    find: "    await health.guard(() => journal.sync(mayBlock));\n",
    replace: "",
    tests: LEDGER,
  },
  {
    name: "skip the torn-tail cut",
    file: "src/storage/journal.ts",
    find: "    segment.cut();\n    return tailBytes;\n",
    replace: "    return tailBytes;\n",
    tests: ["test/faults/malformed.test.ts"],
  },
  {
    name: "cut a tail that holds durable records",
    file: "src/storage/open_segment.ts",
    find: "    if (!provesDurable(tail, this.#sequence + 1)) return;\n",
    replace: "    if (!provesDurable(tail, this.#sequence + 1) || true) return;\n",
    tests: LEDGER,
  },
  {
    name: "compare the lease without its token",
    file: "src/queue_policy/attempt_end.ts",
    find: "  if (leaseToken !== lease.leaseToken) {\n",
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
    find: '    await storage.writeFile("snapshot.new", chunksWithFooter(image));\n',
    replace: '    storage.writeFile("snapshot.new", chunksWithFooter(image)).catch(() => {});\n',
    tests: LEDGER,
  },
  {
    name: "resume after a failed fsync",
    file: "src/ledger/ledger_health.ts",
    find: '      error.operation === "sync" || error.operation === "truncate"',
    replace: '      error.operation === "truncate"',
    tests: LEDGER,
  },
  {
    name: "apply a record twice",
    file: "src/storage/open_segment.ts",
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
    find: "  if (footer.crc !== crc32(bytes.subarray(0, end))) {\n",
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
    file: "src/storage/open_segment.ts",
    find: "    if (!this.hasRecords) storage.syncFolderNow();\n",
    replace: "",
    tests: LEDGER,
  },
  {
    name: "forget the folder fsync after creating a segment",
    file: "src/storage/segment.ts",
    find: "    storage.syncFolderNow();\n",
    replace: "",
    tests: LEDGER,
  },
  {
    name: "delete the journal before the snapshot is durable",
    file: "src/ledger/checkpointer.ts",
    find: "      const { image, superseded } = await this.#withImage(rotation);\n",
    replace:
      "      const { image, superseded } = await this.#withImage(rotation);\n      await this.#removeAll(superseded, image.queueId);\n",
    tests: LEDGER,
  },
  {
    name: "let rescue ignore the clock",
    file: "src/ledger_queue/tasks/rescue.ts",
    find: "lease_until_utc <= +? ORDER BY",
    replace: "(lease_until_utc <= +? OR TRUE) ORDER BY",
    tests: QUEUE,
  },
  {
    name:
      "end a lease of a clock that was put back before it has lasted as long as it was meant to",
    file: "src/ledger_queue/clock_watch.ts",
    find: "      waitedMs > untilMs - updatedAtMs\n",
    replace: "      waitedMs >= 0 || untilMs < updatedAtMs\n",
    tests: CLOCK,
  },
  {
    name: "end a lease of a clock that was put back though its holder renews it",
    file: "src/ledger_queue/clock_watch.ts",
    find:
      "  return before.token === now.token && before.untilMs === now.untilMs &&\n    before.updatedAtMs === now.updatedAtMs;\n",
    replace: "  return before.token === now.token;\n",
    tests: CLOCK,
  },
  {
    name:
      "look for retries of a clock that was put back among the first of the scheduled tasks only",
    file: "src/ledger_queue/clock_watch.ts",
    find: "const last = rows.length < SCAN_MAX ? undefined : rows.at(-1)!;",
    replace: "const last = rows.length < Infinity ? undefined : rows.at(-1)!;",
    tests: CLOCK,
  },
  {
    name: "never end a lease of a clock that was put back",
    file: "src/ledger_queue/clock_watch.ts",
    find: "before.waitedMs + waitedMs",
    replace: "before.waitedMs",
    tests: CLOCK,
  },
  {
    name: "let rescue ignore that attempts are used up",
    file: "src/ledger_queue/tasks/rescue.ts",
    find: "  if (attempts >= maxAttempts) {\n",
    replace: "  if (false) {\n",
    tests: QUEUE,
  },
  {
    name: "begin the next segment before the seal is durable",
    file: "src/storage/journal.ts",
    find: "    if (segment?.isSealed) segment.syncNow();\n",
    replace: "",
    tests: LEDGER,
  },
  {
    name: "take a seal that nobody vouches for as it is",
    file: "src/storage/journal.ts",
    find: "    if (segment?.hasHeader && !segment.secure(this.#storage)) return CHANGED;\n",
    replace:
      "    const isToSecure = segment?.hasHeader && !segment.isSealed;\n    if (isToSecure && !segment.secure(this.#storage)) return CHANGED;\n",
    tests: LEDGER,
  },
  {
    name: "leave an interrupted creation of a segment unfinished",
    file: "src/storage/journal.ts",
    find: "    if (segment?.hasHeader && !segment.secure(this.#storage)) return CHANGED;\n",
    replace:
      "    const isToSecure = segment?.hasHeader && segment.hasRecords;\n    if (isToSecure && !segment.secure(this.#storage)) return CHANGED;\n",
    tests: LEDGER,
  },
  {
    name: "write before what was read is durable",
    file: "src/storage/open_segment.ts",
    find: "      this.#file.syncNow();\n    }\n    if (!this.hasRecords)",
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
    file: "src/ledger/journaled_replica.ts",
    find: "      else this.replica.rollback();\n",
    replace: "      else this.replica.commit();\n",
    tests: LEDGER,
  },
  {
    name: "leave a failed append in the journal",
    file: "src/storage/open_segment.ts",
    find: "      this.cut();\n      throw error instanceof StorageError\n",
    replace: "      throw error instanceof StorageError\n",
    tests: LEDGER,
  },
  {
    name: "commit without the lock",
    file: "src/ledger/commit_lock.ts",
    find: '      return storage.tryLock("commit") ?? await this.#wait();\n',
    replace: "      return { release: () => {} };\n",
    tests: LEDGER,
  },
  {
    name: "keep the lock after a refused commit",
    file: "src/ledger/ledger.ts",
    find:
      "        if (this.#copy.prepareAppend()) return action();\n      } finally {\n        lock.release();\n",
    replace:
      "        if (this.#copy.prepareAppend()) {\n          const result = action();\n          lock.release();\n          return result;\n        }\n        lock.release();\n      } finally {\n",
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
    file: "src/ledger/journaled_replica.ts",
    find: "    this.#commitReplica();\n    this.#feed.note(changes);\n",
    replace: "    this.#commitReplica();\n    this.#feed.note(changes);\n    this.#feed.tell();\n",
    tests: LEDGER,
  },
  {
    name: "let claim ignore capabilities",
    file: "src/ledger_queue/tasks/claim.ts",
    find:
      "      .filter((compatibility) => isCapable(request.capabilities, JSON.parse(compatibility)))\n",
    replace: "",
    tests: QUEUE,
  },
  {
    name: "let cancel change a final task",
    file: "src/ledger_queue/tasks/cancel_retry.ts",
    find: '  if (status !== "queued" && status !== "leased") return false;\n',
    replace: "",
    tests: QUEUE,
  },
  {
    name: "tell a refusal before its undoing is durable",
    file: "src/ledger/ledger.ts",
    find: "      if (!this.#health.hasFailed) await this.#sync.sync();\n      return error;\n",
    replace: "      return error;\n",
    tests: CUT,
  },
  {
    name: "tell why an append failed although its undoing did too",
    file: "src/ledger/ledger.ts",
    find: "      return worse;\n",
    replace: "      return worse && error;\n",
    tests: CUT,
  },
  {
    name: "append behind a cut that is not durable",
    file: "src/storage/open_segment.ts",
    find: "    if (this.#isCutUnsynced) this.syncNow();\n",
    replace: "",
    tests: CUT,
  },
  {
    name: "take a journal for durable although its cut is not",
    file: "src/storage/open_segment.ts",
    find: " && !this.#isCutUnsynced;\n",
    replace: ";\n",
    tests: CUT,
  },
  {
    name: "overlook a frame that begins soon after another magic",
    file: "src/storage/torn_tail.ts",
    find: "at = findFrameStart(tail, at + 1)",
    replace: "at = findFrameStart(tail, at + 33)",
    tests: TORN_TAIL,
  },
  {
    name: "overlook a seal in a tail",
    file: "src/storage/frame.ts",
    find: "  if (magic !== MAGIC.commit && magic !== MAGIC.seal) return undefined;\n",
    replace: "  if (magic !== MAGIC.commit) return undefined;\n",
    tests: LEDGER,
  },
  {
    name: "say that a record is durable before it is",
    file: "src/storage/open_segment.ts",
    find: "durableSequence: this.#durableSequence, payload });",
    replace: "durableSequence: this.#sequence, payload });",
    tests: LEDGER,
  },
  {
    name: "never say which records are durable",
    file: "src/storage/open_segment.ts",
    find: "durableSequence: this.#durableSequence, payload });",
    replace: "durableSequence: 0, payload });",
    tests: LEDGER,
  },
  {
    name: "take records out of their order",
    file: "src/storage/open_segment.ts",
    find: "      if (frame.sequence !== this.#sequence + 1) {\n",
    replace: "      if (false) {\n",
    tests: LEDGER,
  },
  {
    name: "read on in another queue's segment",
    file: "src/storage/journal.ts",
    find: "    if (isFirst || header.queueId === this.#identity.queueId) return;\n",
    replace: '    if (isFirst || header.queueId !== "") return;\n',
    tests: LEDGER,
  },
  {
    name: "go on with a journal that ends before its snapshot",
    file: "src/storage/journal.ts",
    find: "    if (this.sequence >= this.#start.sequence) return;\n",
    replace: "    if (this.sequence >= 0) return;\n",
    tests: LEDGER,
  },
  {
    name: "read a segment that has another's name",
    file: "src/storage/segment.ts",
    find: "  if (header.firstSequence !== firstSequence) {\n",
    replace: "  if (false) {\n",
    tests: ["test/faults/malformed.test.ts"],
  },
  {
    name: "read a segment of an unknown format",
    file: "src/storage/segment.ts",
    find: "  if (formatVersion !== FORMAT_VERSION) {\n",
    replace: "  if (false) {\n",
    tests: ["test/faults/malformed.test.ts"],
  },
  {
    name: "leave half a snapshot on a full disk",
    file: "src/storage/snapshot.ts",
    find: '    const removal = storage.remove("snapshot.new", () => {\n',
    replace: '    const removal = storage.remove("journal-999", () => {\n',
    tests: ["test/storage"],
  },
  {
    name: "lose deletions when another process's record is applied",
    file: "src/ledger/replica.ts",
    find: "this.#applyEach(payload, (change) => this.#follow(change, moves));\n",
    replace:
      "this.#applyEach(payload, (change) => change.row !== null && this.#follow(change, moves));\n",
    tests: LEDGER,
  },
  {
    name: "apply a record that does not follow the ones before",
    file: "src/ledger/replica.ts",
    find: "    if (changed !== 1) throw",
    replace: "    if (changed > 1) throw",
    tests: LEDGER,
  },
  {
    name: "salvage only what changed of a row that is lost",
    file: "src/ledger/replica.ts",
    find: "(change) => this.#force(change)",
    replace: "(change) => this.#perform(change)",
    tests: LEDGER,
  },
  {
    name: "give out a number that another process has given out",
    file: "src/ledger/replica.ts",
    find: "      this.#noteNumber(change.table, change.row[table.key[0]!]!);\n",
    replace: "",
    tests: LEDGER,
  },
  {
    name: "leave a column that changed out of the image",
    file: "src/ledger/change.ts",
    find: "[table, written] : [table, written, changed];",
    replace: "[table, written] : [table, written, changed.slice(0, -1)];",
    tests: LEDGER,
  },
  {
    name: "let a record grow without end",
    file: "src/ledger/batch.ts",
    find: "    if (length >= FULL_LENGTH) break;\n",
    replace: "",
    tests: LEDGER,
  },
  {
    name: "commit without catching up",
    file: "src/ledger/journaled_replica.ts",
    find: '    if (this.follow() !== "current") return false;\n',
    replace: "",
    tests: LEDGER,
  },
  {
    name: "make two checkpoints at once",
    file: "src/ledger/checkpointer.ts",
    find: 'await this.#storage.lock("checkpoint"), () => true',
    replace: "{ release: () => {} }, () => true",
    tests: ["test/ledger/ledger.test.ts"],
  },
  {
    name: "never fsync what relaxed durability acknowledged",
    file: "src/ledger/ledger.ts",
    find: "      delayMs: LEDGER_DEFAULTS.relaxedSyncMs,\n",
    replace: "      delayMs: 2 ** 30,\n",
    tests: LEDGER,
  },
  {
    name: "answer flush() before its fsync",
    file: "src/ledger/ledger.ts",
    find: "    await this.write(() => {});\n    await this.#loop.run(() => this.#sync.sync());\n",
    replace: "    await this.write(() => {});\n",
    tests: LEDGER,
  },
  {
    name: "lease a task that another process has leased meanwhile",
    file: "src/ledger_queue/tasks/claim.ts",
    find:
      "WHERE id = ? AND status = 'queued' AND waits_for = 0 AND (is_ready = 1 OR run_after_utc <= ?)`",
    replace: "WHERE id = ? AND waits_for = 0 AND (is_ready = 1 OR run_after_utc <= ?)`",
    tests: QUEUE,
  },
  {
    name: "let a capability be there, whatever its value",
    file: "src/domain/capability.ts",
    find: "capabilities.get(name) === canonicalJson(value)",
    replace: "capabilities.has(name)",
    tests: QUEUE,
  },
  {
    name: "let weighted random forget how far its clocks have run",
    file: "src/ledger_queue/rows/lanes.ts",
    find: "  return clock + drawWaitingTime(",
    replace: "  return drawWaitingTime(",
    tests: WEIGHTED,
  },
  {
    name: "take another type under the same key for the same task",
    file: "src/queue_policy/enqueue_conflicts.ts",
    find: "  if (known.type === kept.type && isSameJson(known.payload, payload)) return;\n",
    replace: "  if (isSameJson(known.payload, payload)) return;\n",
    tests: QUEUE,
  },
  {
    name: "count the attempt of a released task",
    file: "src/ledger_queue/tasks/lease.ts",
    find: 'attempts: (cell(row, "attempts") as number) - 1, message',
    replace: 'attempts: cell(row, "attempts") as number, message',
    tests: QUEUE,
  },
  {
    name: "retry at once, whatever the delay",
    file: "src/domain/readiness.ts",
    find: "runAfterMs <= nowMs && waitsFor === 0",
    replace: "waitsFor === 0",
    tests: QUEUE,
  },
  {
    name: "claim a child whose parents are not final by its id",
    file: "src/ledger_queue/tasks/claim.ts",
    find: "status = 'queued' AND waits_for = 0 AND (is_ready = 1 OR run_after_utc <= ?)`",
    replace: "status = 'queued' AND (is_ready = 1 OR run_after_utc <= ?)`",
    tests: QUEUE,
  },
  {
    name: "start a child when the first of its parents has ended",
    file: "src/ledger_queue/tasks/propagate.ts",
    find: "    if (waitsFor > 0) {",
    replace: "    if (waitsFor > 1) {",
    tests: CHILDREN,
  },
  {
    name: "tell the children of a parent that is not final alone",
    file: "src/ledger_queue/insight/children.ts",
    find: "  return DEPENDENCY_STATES\n",
    replace: "  return DEPENDENCY_STATES.slice(0, 1)\n",
    tests: CHILDREN,
  },
  {
    name: "end a child and leave its own children waiting",
    file: "src/ledger_queue/tasks/propagate.ts",
    find: "      this.#parents.push(parentOfRow(ended));\n",
    replace: "",
    tests: CHILDREN,
  },
  {
    name: "retry by hand with the attempts used up",
    file: "src/ledger_queue/tasks/cancel_retry.ts",
    find: "{ delayMs: 0, attempts: 0, message: null, isByHand: true }",
    replace:
      '{ delayMs: 0, attempts: cell(row, "attempts") as number, message: null, isByHand: true }',
    tests: QUEUE,
  },
  {
    name: "leave a pruned task's transitions",
    file: "src/ledger_queue/tasks/remove.ts",
    find: "for (const key of keys) tx.remove(LOG_TABLE, key);",
    replace: "",
    tests: PRUNING,
  },
  {
    name: "renew no lease while its handler runs",
    file: "src/worker/lease_keeper.ts",
    find: "        if (this.#isDue(execution)) this.#renew(execution);\n",
    replace: "",
    tests: WORKER,
  },
  {
    name: "take a storage error for the handler's failure",
    file: "src/worker/execution.ts",
    find: "        if (!(error instanceof StorageError)) throw error;\n",
    replace: "        throw error;\n",
    tests: WORKER,
  },
  {
    name: "let a handler complete after its timeout",
    file: "src/worker/execution.ts",
    find: '    if (interruption !== "stopping") return { interruption };\n',
    replace: "",
    tests: WORKER,
  },
  {
    name: "claim more tasks than there are slots",
    file: "src/worker/worker.ts",
    find: "    return this.#settings.concurrency - this.#slotsTaken;\n",
    replace: "    return this.#settings.concurrency;\n",
    tests: WORKER,
  },
  {
    name: "forget what happened to a task while it was claimed",
    file: "src/worker/executions.ts",
    find: "    if (early !== undefined) execution.interruptUnlessLeased(early);\n",
    replace: "",
    tests: WORKER,
  },
  {
    name: "keep the tasks of a stopped worker leased",
    file: "src/worker/execution.ts",
    find: "return await this.#release(0);",
    replace: 'return { kind: "released" };',
    tests: WORKER,
  },
  {
    name: "never interrupt a handler whose lease another has",
    file: "src/worker/execution.ts",
    find: '    if (current.leaseToken > leaseToken) this.interrupt("lease_lost");\n    else if',
    replace: "    if",
    tests: WORKER,
  },
  {
    name: "look for a sealed segment that is gone, and begin the next anew",
    file: "src/storage/journal.ts",
    find: "      const segment = this.#openSegment();\n",
    replace: "      const segment = this.isInPlace ? this.#openSegment() : undefined;\n",
    tests: LEDGER,
  },
  {
    name: "hold up the thread at each fsync, however many wait",
    file: "src/ledger/fsync_mode.ts",
    find: "    const isCrowded = waiting >= CROWD;\n",
    replace: "    const isCrowded = waiting < 0;\n",
    tests: LEDGER,
  },
  {
    name: "read a segment's header in one read",
    file: "src/storage/segment.ts",
    find: "  const bytes = readAt(file, 0, SEGMENT_HEADER_BYTES);\n  const view",
    replace:
      "  const whole = new Uint8Array(SEGMENT_HEADER_BYTES);\n  const bytes = whole.subarray(0, file.read(0, whole));\n  const view",
    tests: SEEDS,
  },
  {
    name: "answer a second close() before the first",
    file: "src/ledger/ledger.ts",
    find: "    this.#closing ??= this.#close();\n    return this.#closing;\n",
    replace:
      "    if (this.#closing !== undefined) return Promise.resolve();\n    this.#closing = this.#close();\n    return this.#closing;\n",
    tests: SEEDS,
  },
  {
    name: "build on records that a failed fsync has forgotten",
    file: "src/storage/open_segment.ts",
    find: "      this.#file.write(from, bytes);\n",
    replace: "",
    tests: SEEDS,
  },
  {
    name: "build on a segment's header that a failed fsync has forgotten",
    file: "src/storage/open_segment.ts",
    find: "this.#undurable[0]?.offset ?? this.#offset : 0;",
    replace: "this.#undurable[0]?.offset ?? this.#offset : this.#offset;",
    tests: SEEDS,
  },
  ...MOVE_MUTANTS,
  ...CHANGE_MUTANTS,
  ...COUNTS_MUTANTS,
  ...FLOW_MUTANTS,
  ...RATE_MUTANTS,
  ...PLACE_MUTANTS,
  ...FOLD_MUTANTS,
  ...POSTGRES_MUTANTS,
  ...SERVER_MUTANTS,
  ...TAG_MUTANTS,
  ...REMOTE_MUTANTS,
  {
    name: "let one operation write as much as there is",
    file: "src/ledger_queue/rows/record_budget.ts",
    find: "    return this.#left <= 0;\n",
    replace: "    return false;\n",
    tests: ["test/ledger_queue/large_payloads.test.ts"],
  },
  {
    name: "believe for ever that a record that was read is there",
    file: "src/storage/open_segment.ts",
    find: "    if (this.#isThere(this.#last)) return true;\n",
    replace: "    if (this.#isThere(this.#last) || this.#lastOwn === undefined) return true;\n",
    tests: LEDGER,
  },
  {
    name: "start again in silence when a record that this process wrote is gone",
    file: "src/storage/open_segment.ts",
    find: "    if (this.#isThere(this.#lastOwn)) return false;\n",
    replace: "    if (this.#isThere(this.#last) === false) return false;\n",
    tests: LEDGER,
  },
  {
    name: "write once more what is no longer there",
    file: "src/storage/open_segment.ts",
    find: "      if (!hasAll(bytes, from, this.#undurable)) return false;\n",
    replace: "",
    tests: LEDGER,
  },
  {
    name: "vouch for records that were read without the lock",
    file: "src/storage/open_segment.ts",
    find: "    const sequence = Math.min(this.#sequence, this.#confirmedSequence);\n",
    replace: "    const sequence = this.#sequence;\n",
    tests: ["test/storage/journal.test.ts"],
  },
  {
    name: "export without the lock",
    file: "src/ledger/ledger.ts",
    find:
      "      await this.#underLock(() => this.#sync.syncNow());\n      this.#copy.checkWritten();\n",
    replace: "      this.#copy.follow();\n      await this.#sync.sync();\n",
    tests: LEDGER,
  },
  {
    name: "wait for the disk with the commit lock held",
    file: "src/ledger/ledger.ts",
    find: "        if (this.#copy.prepareAppend()) return action();\n",
    replace:
      "        if (this.#copy.prepareAppend()) {\n          await this.#sync.sync();\n          return action();\n        }\n",
    tests: LEDGER,
  },
  {
    name: "ask how long a segment is after reading its header",
    file: "src/storage/segment.ts",
    find: "    if (size <= SEGMENT_HEADER_BYTES) return undefined;\n",
    replace: "    if (file.size() <= SEGMENT_HEADER_BYTES) return undefined;\n",
    tests: ["test/storage/segment.test.ts"],
  },
  {
    name: "let what is acknowledged wait for whoever holds the lock",
    file: "src/ledger/deferred_sync.ts",
    find: "    if (isLoopWaiting()) {\n",
    replace: "    if (isLoopWaiting === undefined) {\n",
    tests: LEDGER,
  },
  {
    name: "believe what a damaged snapshot says of its place",
    file: "src/ledger/salvage.ts",
    find: "  const isLikely = lost.length === 0 || segments.includes(said + 1);\n",
    replace: "  const isLikely = true;\n",
    tests: ["test/compose/backups.test.ts"],
  },
  {
    name: "leave a new folder to the file system",
    file: "src/platform/deno_storage.ts",
    find: "      await makeFolder(this.#folder);\n",
    replace: "      await Deno.mkdir(this.#folder, { recursive: true });\n",
    tests: DISK,
  },
  {
    name: "relaxed: make a write durable ten times too late",
    file: "src/ledger/ledger_options.ts",
    find: "  relaxedSyncMs: 50,\n",
    replace: "  relaxedSyncMs: 500,\n",
    tests: RELAXED,
  },
  {
    name: "relaxed: never make a write durable by itself",
    file: "src/ledger/ledger.ts",
    find: "    this.#deferredSync.schedule();\n",
    replace: "",
    tests: RELAXED,
  },
  {
    name: "relaxed: answer a flush without an fsync",
    file: "src/ledger/ledger.ts",
    find: "    await this.write(() => {});\n    await this.#loop.run(() => this.#sync.sync());\n",
    replace: "    await this.write(() => {});\n",
    tests: RELAXED,
  },
  {
    name: "relaxed: close without an fsync",
    file: "src/ledger/ledger.ts",
    find: "    if (!this.#health.hasFailed) await this.#loop.run(() => this.#sync.sync());\n",
    replace: "",
    tests: RELAXED,
  },
  {
    name: "relaxed: say in a record that every one before it is durable",
    file: "src/storage/open_segment.ts",
    find: "durableSequence: this.#durableSequence, payload });",
    replace: "durableSequence: sequence - 1, payload });",
    tests: RELAXED,
  },
  {
    name: "relaxed: read on behind a record that a power cut has damaged",
    file: "src/storage/open_segment.ts",
    find: "      if (frame === undefined) break;\n",
    replace:
      "      if (frame === undefined) {\n        let next = at;\n        do next = bytes.indexOf(0x48, next + 1);\n        while (next > 0 && decodeFrame(bytes, next) === undefined);\n        if (next < 0) break;\n        this.#offset += next - at;\n        at = next;\n        this.#sequence = decodeFrame(bytes, next)!.sequence - 1;\n        continue;\n      }\n",
    tests: RELAXED,
  },
  {
    name: "complete: store what follows by a commit of its own",
    file: "src/ledger_queue/ledger_queue.ts",
    find: "    const { tasks } = completion;\n",
    replace:
      "    if (completion.tasks.length > 0) {\n      const done = await this.complete(lease, result);\n      await this.enqueueBatch(options.enqueue ?? []);\n      return done;\n    }\n    const { tasks } = completion;\n",
    tests: COMPLETING,
  },
  {
    name: "worker: a snooze is a failure",
    file: "src/worker/execution.ts",
    find: 'isNamed(error, "SnoozeError")',
    replace: 'isNamed(error, "no error")',
    tests: ["test/worker/handler_context.test.ts"],
  },
  {
    name: "worker: what a handler enqueues is not checked by its handler",
    file: "src/worker/execution.ts",
    find: "      await this.#following.check(this.#tools.handlers);\n",
    replace: "",
    tests: ["test/worker/handler_context.test.ts"],
  },
  {
    name: "release: for a while uses up an attempt",
    file: "src/ledger_queue/tasks/lease.ts",
    find: '(cell(row, "attempts") as number) - 1',
    replace: '(cell(row, "attempts") as number) - (delayMs > 0 ? 0 : 1)',
    tests: COMPLETING,
  },
];
