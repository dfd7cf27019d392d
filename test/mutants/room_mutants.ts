/**
 * Mutants of the room behind a journal's last record.
 */
import type { Mutant } from "./mutant.ts";

const SEGMENT = "src/storage/open_segment.ts";
const END = "src/storage/segment_end.ts";
const TESTS = ["test/storage/room.test.ts"];

/** Faults that these tests must catch. */
export const ROOM_MUTANTS: readonly Mutant[] = [
  {
    name: "room: only where the next record would begin is looked for what a crash has left",
    file: END,
    find: "isRoom(readAt(file, offset, bytes, END.subarray(0, bytes))) ? 0 : bytes;\n",
    replace: "isRoom(readAt(file, offset, Math.min(bytes, 32))) ? 0 : bytes;\n",
    tests: TESTS,
  },
  {
    name: "room: any number of zeros is room",
    file: "src/storage/room.ts",
    find: "  if (bytes.length > ROOM_MAX_BYTES) return false;\n",
    replace: "",
    tests: TESTS,
  },
  {
    name: "room: zeros at the end that are no whole word are not looked at",
    file: "src/storage/room.ts",
    find:
      "  for (let i = wordCount * WORD_BYTES; i < aligned.length; i++) if (aligned[i] !== 0) return false;\n",
    replace: "",
    tests: TESTS,
  },
  {
    name: "room: who has not brought it brings more",
    file: SEGMENT,
    find: "    if (end <= this.#roomEnd) return frame;\n    const bytes",
    replace: "    const bytes",
    tests: TESTS,
  },
  {
    name: "room: whether the record that was made durable is where the queue is goes unasked",
    file: SEGMENT,
    find: "    return this.#file.hasAtPath?.(own.offset, own.header) ?? this.isInPlace;\n",
    replace: "    return true;\n",
    tests: ["test/faults/moved_files.test.ts"],
  },
  {
    name: "room: what stands at the path is read from the file that was opened",
    file: "src/platform/deno_file.ts",
    find: "        using file = Deno.openSync(this.path);\n",
    replace: "        const file = this.#file;\n",
    tests: ["test/storage/storage.test.ts"],
  },
  {
    name: "room: a file that is gone has what it had",
    file: "src/platform/deno_file.ts",
    find: "        if (error instanceof Deno.errors.NotFound) return false;\n        return",
    replace: "        if (error instanceof Deno.errors.NotFound) return true;\n        return",
    tests: ["test/storage/storage.test.ts"],
  },
  {
    name: "room: what is behind the last record is not looked at when that stands where it stood",
    file: END,
    find: "  return beginsWith(end, last.header) && isRoom(end.subarray(recordBytes));\n",
    replace: "  return beginsWith(end, last.header);\n",
    tests: TESTS,
  },
  {
    name: "room: the last record is not looked at when room is behind it",
    file: END,
    find: "  return beginsWith(end, last.header) && isRoom(end.subarray(recordBytes));\n",
    replace: "  return isRoom(end.subarray(recordBytes));\n",
    tests: TESTS,
  },
  {
    name: "room: an end that is longer than the record is room up to there",
    file: END,
    find: "  if (bytes < recordBytes || bytes > END_MAX_BYTES) return false;\n",
    replace: "  if (bytes < recordBytes) return false;\n",
    tests: TESTS,
  },
  {
    name: "room: an append needs no preparation when a cut is not durable",
    file: SEGMENT,
    find: "    return this.#isSecured && !this.#isCutUnsynced && !this.mayHaveMore;\n",
    replace: "    return this.#isSecured && !this.mayHaveMore;\n",
    tests: TESTS,
  },
  {
    name: "room: an append needs no preparation before what was found is secured",
    file: SEGMENT,
    find: "    return this.#isSecured && !this.#isCutUnsynced && !this.mayHaveMore;\n",
    replace: "    return !this.#isCutUnsynced && !this.mayHaveMore;\n",
    tests: TESTS,
  },
];
