/**
 * Deliberate faults in how files are folded, each of which a test must catch.
 */
import type { Mutant } from "./mutant.ts";

const FOLDING = ["test/ledger/fold.test.ts"];
const THREADS = ["test/platform/fold_thread.test.ts"];

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
    tests: THREADS,
  },
  {
    name: "fold: prepare a thread for one that only reads",
    file: "src/ledger/ledger.ts",
    find: "if (!options.isReadOnly) prepareFolding",
    replace: "prepareFolding",
    tests: FOLDING,
  },
  {
    name: "fold: prepare a thread however small the ledger is",
    file: "src/ledger/fold.ts",
    find: "if (snapshotBytes >= folding.minBytes) folding",
    replace: "folding",
    tests: FOLDING,
  },
  {
    name: "fold: prepare no thread for what will be large next time",
    file: "src/ledger/checkpointer.ts",
    find: "      this.#prepareNext(snapshotBytes);\n",
    replace: "",
    tests: FOLDING,
  },
  {
    name: "fold: keep the thread after closing",
    file: "src/ledger/ledger.ts",
    find: "      await this.#options.folding?.close?.();\n",
    replace: "",
    tests: FOLDING,
  },
  {
    name: "fold: keep the thread of a ledger that could not be opened",
    file: "src/ledger/ledger.ts",
    find: "      await options.folding?.close?.();\n",
    replace: "",
    tests: FOLDING,
  },
  {
    name: "fold: park a thread for each fold",
    file: "src/platform/fold_thread.ts",
    find: "if (this.#parked?.hasEnded !== false) this",
    replace: "this",
    tests: THREADS,
  },
  {
    name: "fold: ask a thread that has ended",
    file: "src/platform/fold_thread.ts",
    find: "this.#parked?.hasEnded !== false",
    replace: "this.#parked === undefined",
    tests: THREADS,
  },
  {
    name: "fold: keep the process alive with a thread that was never asked",
    file: "src/platform/parked_thread.ts",
    find: "    this.#thread.unref();\n  }",
    replace: "  }",
    tests: THREADS,
  },
  {
    name: "fold: keep the process alive with a thread that has answered",
    file: "src/platform/parked_thread.ts",
    find: "      this.#thread.unref();\n      signal",
    replace: "      signal",
    tests: THREADS,
  },
  {
    name: "fold: wait for the answer of a parked thread that is gone",
    file: "src/platform/parked_thread.ts",
    find: "    this.#asked?.resolve({ problem });\n",
    replace: "",
    tests: ["test/platform/parked_thread.test.ts"],
  },
];
