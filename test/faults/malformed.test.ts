/**
 * Malformed files at a queue's path: it opens with what is certain, or refuses by name, always soon; what is damaged is
 * never overwritten. `test/ledger/damage.test.ts` flips and cuts every byte; here are whole files that are wrong.
 */
import {
  assert,
  assertEquals,
  assertLessOrEqual,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { dirname, join } from "node:path";
import { CorruptionError, StorageError } from "../../src/domain/errors.ts";
import { DenoStorage } from "../../src/platform/deno_storage.ts";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import { crc32 } from "../../src/storage/crc32.ts";
import { SEGMENT_HEADER_BYTES } from "../../src/storage/segment.ts";
import { writeSnapshot } from "../../src/storage/snapshot.ts";
import { effort } from "../support/effort.ts";
import { endOfRecords, seededRandom, withTemporaryPath } from "../support/queues.ts";
import { contentsOf, copyQueue, edit, journalsOf } from "./files.ts";
import { openStill } from "./scenarios.ts";

const SEED = 20_260_101;

/** Leaks are failures in all of these tests. */
function test(name: string, run: (path: string) => Promise<void>): void {
  Deno.test({
    name,
    sanitizeOps: true,
    sanitizeResources: true,
    fn: () => withTemporaryPath(run),
  });
}

test("random bytes in the place of the snapshot are refused and left alone", async (path) => {
  const random = seededRandom(SEED);
  const journal = await savedJournal();
  for (const size of [1, 15, 16, 17, 100, 512, 4096, 65_536, 1_000_000]) {
    for (const isDisguised of [false, true]) {
      const bytes = randomBytes(random, size);
      if (isDisguised) bytes.set(encode("SQLite format 3\0").subarray(0, size));
      await Deno.writeFile(path, bytes);
      await refuses(path);
      await Deno.writeFile(`${path}.journal-1`, journal);
      await refuses(path);
      await Deno.remove(`${path}.journal-1`);
    }
  }
});

test("random bytes behind a right checksum are refused and left alone", async (path) => {
  const random = seededRandom(SEED);
  for (const size of [0, 1, 100, 512, 4096, 65_536]) {
    for (const disguise of ["", "SQLite format 3\0"]) {
      const bytes = randomBytes(random, size);
      bytes.set(encode(disguise).subarray(0, size));
      await putSnapshot(path, bytes);
      await refuses(path);
    }
  }
});

test("random bytes in the place of the journal are refused and left alone, or hold no record", async (path) => {
  const random = seededRandom(SEED);
  await makeQueue(path);
  const [journal] = await journalsOf(path);
  for (const size of [1, 8, 63, 64]) {
    await Deno.writeFile(journal!, randomBytes(random, size));
    assertEquals(await runIdsAt(path), ["in the snapshot"], `${size} bytes`);
  }
  for (const size of [65, 96, 100, 4096, 1_000_000]) {
    await Deno.writeFile(journal!, randomBytes(random, size));
    const error = await refuses(path, CorruptionError);
    assertEquals([error.path, error.offset], [journal, 0], `${size} bytes`);
  }
});

test("a long tail of anything is judged soon, and cut only when no record in it was durable", async (path) => {
  const random = seededRandom(SEED);
  const tails = {
    zeros: new Uint8Array(4_000_000),
    "random bytes": randomBytes(random, 4_000_000),
    "the frames' magic": encode("HFRC".repeat(500_000)),
  };
  for (const [name, tail] of Object.entries(tails)) {
    await makeQueue(path);
    const [journal] = await journalsOf(path);
    await Deno.truncate(journal!, await endOfRecords(journal!));
    const whole = await contentsOf(path);
    await Deno.writeFile(journal!, tail, { append: true });
    assertEquals(await runIdsAt(path), ["in the journal", "in the snapshot"], name);
    assertEquals(await contentsOf(path), whole, name);
    await Promise.all([path, journal!].map((file) => Deno.remove(file)));
  }
});

test("a segment header that says something else is refused and left alone", async (path) => {
  const newer = 99;
  const fields: Record<string, { readonly at: number; readonly reason: string }> = {
    magic: { at: 3, reason: "checksum" },
    format: { at: 11, reason: "its format is" },
    schema: { at: 15, reason: "schema version" },
    queue: { at: 16, reason: "it belongs to queue" },
    first: { at: 39, reason: "its name says" },
    "first, beyond what a number holds": { at: 32, reason: "its name says" },
  };
  await makeQueue(path);
  const [journal] = await journalsOf(path);
  const whole = await Deno.readFile(journal!);
  for (const [field, { at, reason }] of Object.entries(fields)) {
    await Deno.writeFile(journal!, whole);
    await edit(journal!, (bytes) => {
      bytes[at] = newer;
      checksumHeader(bytes);
    });
    const error = await refuses(path);
    assert(error.message.includes(reason), `${field}: ${error.message}`);
    await edit(journal!, (bytes) => bytes[at]! ^= 1);
    await refuses(path, CorruptionError, "checksum");
  }
});

test("a segment of an older schema than its records is refused and left alone", async (path) => {
  await withQueueAt(path, (queue) => queue.enqueue({ type: "t" }));
  await edit(`${path}.journal-1`, (bytes) => {
    bytes[15] = 0;
    checksumHeader(bytes);
  });
  await refuses(path, CorruptionError, "cannot be applied");
});

test("any byte flipped where two processes' records alternate gives a prefix, or is refused", async (path) => {
  const ends = await alternatingJournal(path);
  const journal = `${path}.journal-1`;
  const whole = await Deno.readFile(journal);
  const random = seededRandom(SEED);
  const gap = effort("flipGap");
  let refused = 0;
  let cut = 0;
  for (let at = 0; at < whole.length; at += 1 + Math.floor(random() * gap)) {
    const damaged = whole.slice();
    damaged[at]! ^= 1 << Math.floor(random() * 8);
    await Deno.writeFile(journal, damaged);
    const before = ends.filter((end) => end <= at).length;
    // Each record proves what its own process knew to be durable: all but the last two records here.
    if (at >= SEGMENT_HEADER_BYTES && before >= ends.length - 2) {
      assertEquals(await runIdsAt(path), alternatingRunIds(before), `byte ${at}`);
      cut++;
    } else {
      const { offset } = await refuses(path, CorruptionError);
      assertLessOrEqual(offset, at);
      refused++;
    }
  }
  console.log(`alternating records: ${refused} flips refused, ${cut} cut as torn tails`);
  assert(refused > 1200 / gap && cut > 480 / gap);
});

test("a snapshot of a newer schema version is refused and left alone", async (path) => {
  await makeQueue(path);
  await editSnapshot(path, "PRAGMA user_version = 99");
  const error = await refuses(path, StorageError, "its schema version is 99");
  assertEquals(error.path, path);
});

test("a snapshot that lost its tables, or its own identity, is refused and left alone", async (path) => {
  for (const sql of ["DROP TABLE task_queue", "DROP TABLE holdfast_meta"]) {
    await makeQueue(path);
    await editSnapshot(path, sql);
    await refuses(path);
    for (const file of [path, ...await journalsOf(path)]) await Deno.remove(file);
  }
});

test(
  "a snapshot that says it includes nonsense is refused and left alone",
  async (path) => {
    await makeQueue(path);
    for (const nonsense of ["'abc'", "-1", "1e300", "0.5", "NULL"]) {
      await editSnapshot(
        path,
        `UPDATE holdfast_meta SET value = ${nonsense} WHERE key = 'sequence'`,
      );
      await refuses(path, CorruptionError);
    }
  },
);

test("a journal of another queue is refused and left alone", async (path) => {
  await makeQueue(path);
  await withTemporaryPath(async (other) => {
    await makeQueue(other);
    const [[mine], [theirs]] = [await journalsOf(path), await journalsOf(other)];
    await Deno.copyFile(theirs!, mine!);
  });
  const error = await refuses(path, CorruptionError, "it belongs to queue");
  assertEquals(error.offset, 16);
});

test("a snapshot older than the oldest segment is refused and left alone", async (path) => {
  await makeQueue(path);
  const older = await Deno.readFile(path);
  await withQueueAt(path, async (queue) => {
    await queue.enqueue({ type: "t" });
    await queue.checkpoint();
  });
  await Deno.writeFile(path, older);
  await refuses(path, CorruptionError, "missing");
  await Deno.remove(path);
  await refuses(path, CorruptionError, "missing");
});

test("a snapshot that was copied alone opens, and goes on as a queue of its own", async (path) => {
  await makeQueue(path);
  await withTemporaryPath(async (copy) => {
    await Deno.copyFile(path, copy);
    assertEquals(await runIdsAt(copy), ["in the snapshot"]);
    await withQueueAt(copy, async (queue) => {
      await queue.enqueue({ type: "t", runId: "in the copy" });
      await queue.checkpoint();
    });
    assertEquals(await runIdsAt(copy), ["in the copy", "in the snapshot"]);
  });
  assertEquals(await runIdsAt(path), ["in the journal", "in the snapshot"]);
});

test("empty files are as good as none, unless a record is missing then", async (path) => {
  for (const name of ["", ".journal-1", ".snapshot.new", ".commit.lock", ".checkpoint.lock"]) {
    await Deno.writeFile(`${path}${name}`, new Uint8Array(0));
  }
  assertEquals(await runIdsAt(path), []);
  await withQueueAt(path, (queue) => queue.enqueue({ type: "t", runId: "first" }));
  assertEquals(await runIdsAt(path), ["first"]);
  await withQueueAt(path, (queue) => queue.checkpoint());
  await Deno.writeFile(path, new Uint8Array(0));
  await refuses(path, CorruptionError, "missing");
});

test("a folder in the place of a file is refused with its path, and left alone", async (path) => {
  for (const name of ["", ".journal-1", ".commit.lock", ".checkpoint.lock"]) {
    await Deno.mkdir(`${path}${name}`);
    const { message } = await refuses(path);
    assertStringIncludes(message, `${path}${name}`);
    await Deno.remove(dirname(path), { recursive: true });
    await Deno.mkdir(dirname(path));
  }
  await makeQueue(path);
  await Deno.mkdir(`${path}.snapshot.new`);
  await Deno.writeTextFile(join(`${path}.snapshot.new`, "kept"), "kept");
  await withQueueAt(path, async (queue) => {
    const error = await assertRejects(() => queue.checkpoint(), StorageError);
    assertEquals(error.path, `${path}.snapshot.new`);
    await queue.enqueue({ type: "t", runId: "all the same" });
  });
  assertEquals(await runIdsAt(path), ["all the same", "in the journal", "in the snapshot"]);
});

/** Names that no segment of ours has. */
const STRANGE_NAMES = [
  "journal-00001",
  "journal-99999999999999999999",
  "journal-9007199254740993",
  "journal-0",
  "journal-00",
  "journal-1e3",
  "journal--1",
  "journal-",
  // On Windows a name loses a blank at its end, so there it is the segment's own.
  ...(Deno.build.os === "windows" ? [] : ["journal-1 "]),
  "journal-١",
];

test(
  "a file whose name is only like a segment's is left alone, and the queue goes on",
  async (path) => {
    for (const name of STRANGE_NAMES) {
      for (const content of ["", "not ours", "not ours".repeat(50)]) {
        const stranger = `${path}.${name}`;
        await Deno.writeTextFile(stranger, content);
        assertEquals(await runIdsAt(path), [], `${name} before a new queue`);
        await makeQueue(path);
        const report = await withQueueAt(path, (queue) => queue.checkpoint());
        assertEquals(report.removedSegments, 1, name);
        assertEquals(await runIdsAt(path), ["in the journal", "in the snapshot"], name);
        assertEquals(await Deno.readTextFile(stranger), content, `${name} is not ours`);
        for (const file of [path, ...await journalsOf(path)]) await Deno.remove(file);
      }
    }
  },
);

test("a stray segment with a number of its own is refused or superseded, never taken in", async (path) => {
  await makeQueue(path);
  await withTemporaryPath(async (copy) => {
    await copyQueue(path, copy);
    await Deno.writeTextFile(`${copy}.journal-7`, "not ours".repeat(50));
    await refuses(copy, CorruptionError, "journal-7 follows");
  });
  await Deno.writeTextFile(`${path}.journal-1`, "not ours".repeat(50));
  assertEquals(await runIdsAt(path), ["in the journal", "in the snapshot"]);
});

test("a journal that is cut under an open queue is noticed before anything is added", async (path) => {
  const queue = await openStill(new DenoStorage(path));
  await queue.enqueue({ type: "t" });
  const end = await endOfRecords(`${path}.journal-1`);
  await Deno.truncate(`${path}.journal-1`, end - 10);
  await assertRejects(() => queue.enqueue({ type: "t" }), CorruptionError, "shorter than it was");
  await assertRejects(() => queue.list(), StorageError, "open it again");
  await queue.close();
  assertEquals((await Deno.stat(`${path}.journal-1`)).size, end - 10);
});

// --- looking

/** Opening is refused by name, and changes no file. */
async function refuses<E extends StorageError = StorageError>(
  path: string,
  // deno-lint-ignore no-explicit-any
  errorClass: new (...args: any[]) => E = StorageError as never,
  messageIncludes?: string,
): Promise<E> {
  const before = await contentsOf(path);
  const error = await assertRejects(() => runIdsAt(path), errorClass, messageIncludes);
  assertEquals(await contentsOf(path), before, "damaged files are left alone");
  return error;
}

/** Run ids of all tasks, newest first, as a process that opens the queue now finds them. */
async function runIdsAt(path: string): Promise<string[]> {
  return await withQueueAt(path, async (queue) => {
    return (await queue.list()).map(({ runId }) => runId);
  });
}

async function withQueueAt<T>(
  path: string,
  act: (queue: Awaited<ReturnType<typeof openStill>>) => Promise<T>,
): Promise<T> {
  const queue = await openStill(new DenoStorage(path));
  try {
    return await act(queue);
  } finally {
    await queue.close();
  }
}

// --- making

/** A queue with one task in its snapshot and one in its journal. */
async function makeQueue(path: string): Promise<void> {
  await withQueueAt(path, async (queue) => {
    await queue.enqueue({ type: "t", runId: "in the snapshot" });
    await queue.checkpoint();
    await queue.enqueue({ type: "t", runId: "in the journal" });
  });
}

async function savedJournal(): Promise<Uint8Array> {
  let journal = new Uint8Array(0);
  await withTemporaryPath(async (path) => {
    await withQueueAt(path, (queue) => queue.enqueue({ type: "t" }));
    journal = await Deno.readFile(`${path}.journal-1`);
  });
  return journal;
}

const ALTERNATING_RECORDS = 8;

/** A journal with one record of each of two processes in turn, and where each ends. */
async function alternatingJournal(path: string): Promise<number[]> {
  const queues = [await openStill(new DenoStorage(path)), await openStill(new DenoStorage(path))];
  const ends: number[] = [];
  for (let n = 1; n <= ALTERNATING_RECORDS; n++) {
    await queues[n % 2]!.enqueue({ type: "t", runId: `task ${n}` });
    ends.push(await endOfRecords(`${path}.journal-1`));
  }
  for (const queue of queues) await queue.close();
  return ends;
}

function alternatingRunIds(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `task ${i + 1}`).reverse();
}

function randomBytes(random: () => number, size: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, () => random() * 256);
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Makes a changed segment header match its checksum. */
function checksumHeader(bytes: Uint8Array): void {
  new DataView(bytes.buffer).setUint32(60, crc32(bytes.subarray(0, 60)));
}

/** Puts `bytes` in the place of the snapshot, with a checksum that matches. */
async function putSnapshot(
  path: string,
  bytes: Uint8Array,
  queueId = "ab".repeat(16),
): Promise<void> {
  const storage = new DenoStorage(path);
  await storage.open();
  try {
    await writeSnapshot(storage, { bytes, queueId, sequence: 1 });
  } finally {
    storage.close();
  }
}

/** Changes the snapshot with SQL and gives it a checksum that matches. */
async function editSnapshot(path: string, sql: string): Promise<void> {
  const database = (await loadSqlJsEngine()).open(await Deno.readFile(path));
  const [queueId] = database.all("SELECT value FROM holdfast_meta WHERE key = 'queue_id'")[0]!;
  database.run(sql);
  const bytes = database.export();
  database.close();
  await putSnapshot(path, bytes, String(queueId));
}
