/**
 * Deliberate faults in how files are folded, each of which a test must catch.
 */
import type { Mutant } from "./mutant.ts";

const FOLDING = ["test/ledger/fold.test.ts"];

/** Every mutant of checkpoints that are made from the files. */
export const FOLD_MUTANTS: readonly Mutant[] = [
  {
    name: "fold: read on behind the record that the snapshot is for",
    file: "src/storage/journal.ts",
    find: "    if (firstSequence > this.#upTo) return undefined;\n",
    replace: "",
    tests: FOLDING,
  },
  {
    name: "fold: take another queue's files for this one's",
    file: "src/ledger/fold.ts",
    find: "if (sequence !== upTo.sequence || queueId !== upTo.queueId) {",
    replace: "if (sequence !== upTo.sequence) {",
    tests: FOLDING,
  },
  {
    name: "fold: take files that end earlier for whole ones",
    file: "src/ledger/fold.ts",
    find: "if (sequence !== upTo.sequence || queueId !== upTo.queueId) {",
    replace: "if (queueId !== upTo.queueId) {",
    tests: FOLDING,
  },
  {
    name: "fold: try again where it has failed",
    file: "src/ledger/checkpointer.ts",
    find: "      this.#folding = undefined;\n      const exported",
    replace: "      const exported",
    tests: FOLDING,
  },
  {
    name: "fold: make no snapshot when the files could not be folded",
    file: "src/ledger/checkpointer.ts",
    find: "await this.#rotate(() => true, Infinity);",
    replace: "await this.#rotate(() => false, Infinity);",
    tests: FOLDING,
  },
  {
    name: "fold: export however large the replica is",
    file: "src/ledger/ledger.ts",
    find: "usedBytes > exportMaxBytes ? undefined",
    replace: "usedBytes < 0 ? undefined",
    tests: ["test/platform/fold_thread.test.ts"],
  },
];
