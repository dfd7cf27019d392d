/**
 * Deliberate faults in what notices that files were moved, deleted or replaced, each of which a test must catch.
 */
import type { Mutant } from "./mutant.ts";

const MOVED = ["test/faults/moved_files.test.ts"];
const MEANWHILE = ["test/faults/replaced_meanwhile.test.ts"];

/** Every mutant of what is looked at before, under and after the locks. */
export const PLACE_MUTANTS: readonly Mutant[] = [
  {
    name: "place: acknowledge what is in a file that is gone",
    file: "src/ledger/ledger.ts",
    find: "      this.#copy.checkWritten();\n      for (const tell of outcomes) tell();\n",
    replace: "      for (const tell of outcomes) tell();\n",
    tests: MOVED,
  },
  {
    name: "place: doubt a write whose segment a checkpoint has removed meanwhile",
    file: "src/ledger/journaled_replica.ts",
    find: '    if (this.followInPlace() === "current") return;\n',
    replace: "    this.checkPlace();\n",
    tests: ["test/ledger/ledger.test.ts"],
  },
  {
    name: "place: take a lock whose file was replaced",
    file: "src/platform/lock_files.ts",
    find: "      if (place.isKept()) return {",
    replace: '      if (place.path !== "") return {',
    tests: ["test/faults/lock_files.test.ts"],
  },
  {
    name: "place: make a lock file in whatever folder is there",
    file: "src/platform/lock_files.ts",
    find: "      if (!this.#options.isQueueInPlace()) throw displaced(place.path);\n",
    replace: "",
    tests: MEANWHILE,
  },
  {
    name: "place: replace whatever stands in the snapshot's place",
    file: "src/ledger/checkpointer.ts",
    find:
      "          includedSequence(this.#storage, image.queueId); // throws when it is another queue's\n",
    replace: "",
    tests: MEANWHILE,
  },
  {
    name: "place: put a snapshot into a folder that has just come",
    file: "src/ledger/checkpointer.ts",
    find: "          this.#checkPlace();\n          includedSequence",
    replace: "          includedSequence",
    tests: MEANWHILE,
  },
  {
    name: "place: put a snapshot beside another queue's journal",
    file: "src/ledger/checkpointer.ts",
    find: "    this.#checkJournal();\n",
    replace: "",
    tests: MEANWHILE,
  },
  {
    name: "place: remove whatever stands in a segment's place",
    file: "src/ledger/checkpointer.ts",
    find: "      checkSegmentIsOf(this.#storage, segment, queueId);\n",
    replace: "",
    tests: MEANWHILE,
  },
  {
    name: "place: leave a segment in a folder that has just come",
    file: "src/storage/journal.ts",
    find:
      "    try {\n      this.checkPlace();\n      this.#checkLockPlace();\n      return file;\n",
    replace: "    try {\n      return file;\n",
    tests: MEANWHILE,
  },
  {
    name: "place: begin a segment beside another queue's snapshot",
    file: "src/storage/journal.ts",
    find: "    this.#checkSnapshot();\n",
    replace: "",
    tests: MEANWHILE,
  },
  {
    name: "place: begin a segment over another queue's",
    file: "src/storage/segment.ts",
    find: "  checkOwner(file, queueId);\n}\n",
    replace: "}\n",
    tests: ["test/storage/segment.test.ts"],
  },
  {
    name: "place: show for ever what nobody changes any more",
    file: "src/ledger/ledger.ts",
    find: "      if (this.#copy.followInPlace() !== ",
    replace: "      if (this.#copy.follow() !== ",
    tests: MOVED,
  },
  {
    name: "place: go over to another queue when starting again from the snapshot",
    file: "src/ledger/journaled_replica.ts",
    find: "    if (found === queueId || ",
    replace: '    if (found !== "" || ',
    tests: MEANWHILE,
  },
  {
    name: "place: leave a lost snapshot lost",
    file: "src/ledger/checkpoint_rules.ts",
    find:
      "    this.#makeIf(() => this.#copy.isSnapshotLost()).catch((error) => this.#health.report(error));\n",
    replace: "",
    tests: MOVED,
  },
  {
    name: "place: leave a lost snapshot lost on closing",
    file: "src/ledger/journaled_replica.ts",
    find:
      "    return this.journal.hasPredecessors && this.journal.isInPlace && this.isSnapshotLost();\n",
    replace: "    return false;\n",
    tests: MOVED,
  },
  {
    name: "place: append to a journal whose durable end was replaced",
    file: "src/storage/journal.ts",
    find: "    segment?.checkDurableThere();\n",
    replace: "",
    tests: MEANWHILE,
  },
];
