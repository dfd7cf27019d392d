/**
 * `importTasks` on databases that Python's SQLite has made.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { quotePath, StorageError } from "../../src/domain/errors.ts";
import type { Task } from "../../src/domain/task.ts";
import { ImportRefusedError } from "../../src/transfer/import_report.ts";
import { importTasks, readTaskFile } from "../../src/compose/import_tasks.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import { IN_MEMORY, withQueue } from "../support/queues.ts";
import {
  inFolder,
  original,
  originalDatabase,
  type OriginalRow,
  pythonTest,
} from "./original_system.ts";

/** Runs `test` with a queue and a path for the original's database. */
async function withBoth(
  test: (queue: EmbeddedQueue, path: string) => Promise<void>,
): Promise<void> {
  await inFolder((path) => withQueue(IN_MEMORY, (queue) => test(queue, path("old queue ü.db"))));
}

async function allTasks(queue: EmbeddedQueue): Promise<Task[]> {
  return (await queue.list({ limit: 1000 })).reverse();
}

/** What `importTasks` refused, and that it left nothing behind. */
async function refusal(queue: EmbeddedQueue, path: string): Promise<ImportRefusedError> {
  const before = await queue.exportRecords();
  const error = await assertRejects(() => importTasks(queue, path), ImportRefusedError);
  assertEquals(await queue.exportRecords(), before);
  return error;
}

pythonTest(
  "every column is kept, in both formats of instants",
  () =>
    withBoth(async (queue, path) => {
      await originalDatabase(path, [{
        id: 7,
        type: "video processing – ü 🎬",
        priority: 1000,
        payload: '{"text": "\\u00fc \\ud83c\\udfac", "id": 12345678901234567890}',
        compatibility: '{"region": "eu", "gpu": true}',
        status: "failed",
        attempts: 3,
        max_attempts: 3,
        run_after_utc: "2026-01-02T03:04:05.678901+00:00",
        reserved_at_utc: "2026-01-02 03:05:00",
        processing_started_utc: "2026-01-02T05:05:01+02:00",
        finished_at_utc: "2026-01-02T03:06:00.250000",
        locked_by: "worker-01",
        error_message: "zwölf\nZeilen 🎬",
        idempotency_key: "run-7 ü",
        created_at_utc: "2026-01-02 03:04:05",
        updated_at_utc: "2026-01-02 03:06:00",
      }]);
      const report = await importTasks(queue, path);
      assertEquals([report.format, report.stored, report.found, report.added], [
        "original",
        true,
        1,
        1,
      ]);
      const [task] = await allTasks(queue);
      assertEquals(task, {
        id: 7,
        runId: "run-7 ü",
        type: "video processing – ü 🎬",
        priority: 1000,
        payload: { text: "ü 🎬", id: Number("12345678901234567890") },
        compatibility: { region: "eu", gpu: true },
        status: "failed",
        attempts: 3,
        maxAttempts: 3,
        runAfter: new Date("2026-01-02T03:04:05.678Z"),
        leaseUntil: null,
        reservedAt: new Date("2026-01-02T03:05:00Z"),
        processingStarted: new Date("2026-01-02T03:05:01Z"),
        finishedAt: new Date("2026-01-02T03:06:00.250Z"),
        createdAt: new Date("2026-01-02T03:04:05Z"),
        updatedAt: new Date("2026-01-02T03:06:00Z"),
        lockedBy: "worker-01",
        leaseToken: 0,
        errorMessage: "zwölf\nZeilen 🎬",
        idempotencyKey: "run-7 ü",
        result: null,
        progress: null,
        progressMessage: null,
        retryPolicy: null,
        timeoutMs: null,
        group: null,
        expiresAt: null,
        uniqueKey: null,
        orderingKey: null,
        onPredecessorFailure: null,
        tags: [],
        orderingPlace: null,
        waitsFor: 0,
        traceParent: null,
      });
      const [record] = await queue.exportRecords();
      assertStringIncludes(record!.payloadText, "12345678901234567890");
      assertEquals((await queue.transitions(7)).map(({ kind }) => kind), ["imported"]);
    }),
);

pythonTest(
  "tasks in progress become queued and keep their attempts; defaults and NULLs are taken",
  () =>
    withBoth(async (queue, path) => {
      await originalDatabase(path, [
        { type: "plain", payload: "{}" },
        {
          type: "a",
          payload: "{}",
          status: "processing",
          attempts: 2,
          lease_until_utc: "2026-01-01 00:00:00",
          locked_by: "w",
        },
        { type: "a", payload: "{}", status: "leased", attempts: 0 },
        { type: "a", payload: "{}", status: "processing", attempts: 5, max_attempts: 5 },
        { type: "a", payload: "{}", status: "completed", updated_at_utc: "2026-01-01 00:00:09" },
        { type: "a", payload: "{}", status: "dead_letter", attempts: 5 },
        { type: "a", payload: "{}", status: "cancelled", idempotency_key: "", error_message: null },
      ]);
      const report = await importTasks(queue, path);
      assertEquals([report.added, report.returned], [7, 3]);
      const tasks = await allTasks(queue);
      assertEquals(tasks.map(({ id, status, attempts }) => `${id} ${status} ${attempts}`), [
        "1 queued 0",
        "2 queued 2",
        "3 queued 0",
        "4 queued 4",
        "5 completed 0",
        "6 failed 5",
        "7 cancelled 0",
      ]);
      assertEquals(tasks[1]!.leaseUntil, null);
      assertEquals(tasks[4]!.finishedAt, new Date("2026-01-01T00:00:09Z"));
      assertEquals([tasks[6]!.idempotencyKey, tasks[6]!.runId], [null, "task-7"]);
      assertEquals(await queue.integrityCheck(), { ok: true, problems: [] });
      assertEquals(report.byType.a, {
        queued: 3,
        leased: 0,
        completed: 1,
        failed: 1,
        cancelled: 1,
      });
    }),
);

pythonTest(
  "imported tasks are claimed by priority, compatibility and time, and new ids follow",
  () =>
    withBoth(async (queue, path) => {
      await originalDatabase(path, [
        { id: 10, type: "a", payload: "{}", priority: 9, run_after_utc: "1970-01-01 00:00:00" },
        { id: 20, type: "a", payload: "{}", priority: 5, run_after_utc: "1970-01-01 00:00:00" },
        { id: 30, type: "a", payload: "{}", priority: 1, run_after_utc: "2999-01-01 00:00:00" },
        {
          id: 40,
          type: "a",
          payload: "{}",
          priority: 1,
          compatibility: '{"gpu":1}',
          run_after_utc: "1970-01-01 00:00:00",
        },
      ]);
      await importTasks(queue, path);
      const claimed = await queue.claim({ workerId: "w", types: ["a"], limit: 10 });
      assertEquals(claimed.map(({ id }) => id), [20, 10]);
      assertEquals((await queue.enqueue({ type: "b" })).task.id, 41);
      assertEquals(
        (await queue.claim({ workerId: "w", types: ["a"], capabilities: { gpu: 1 } })).map((
          { id },
        ) => id),
        [40],
      );
    }),
);

pythonTest(
  "a key is the run id, unless it looks like a task id or is taken",
  () =>
    withBoth(async (queue, path) => {
      await originalDatabase(path, [
        { type: "a", payload: "{}", idempotency_key: "task-3" },
        { type: "a", payload: "{}", idempotency_key: "1" },
        { type: "a", payload: "{}" },
        { type: "a", payload: "{}", idempotency_key: "k".repeat(255) },
      ]);
      await importTasks(queue, path);
      assertEquals((await allTasks(queue)).map(({ runId }) => runId), [
        "task-3",
        "task-2",
        "task-3.1",
        "task-4",
      ]);
      assertEquals(await queue.getByRunId("1"), undefined);
    }),
);

const WRONG: readonly [what: string, row: OriginalRow, reason: string][] = [
  [
    "a payload that is not an object",
    { payload: "[1]" },
    'payload: a JSON object is needed, found "[1]"',
  ],
  ["a payload that is not JSON", { payload: "{'a': 1}" }, "payload: a JSON object is needed"],
  ["a payload with NaN", { payload: '{"a": NaN}' }, "payload: a JSON object is needed"],
  [
    "a payload that is too large",
    { payload: JSON.stringify({ x: "y".repeat(262_144) }) },
    "payload of 262152 bytes: at most 262144",
  ],
  [
    "a type that is too long",
    { type: "t".repeat(201) },
    "task type of 201 characters: at most 200",
  ],
  ["a type with blanks around it", { type: " a" }, "blanks around it"],
  ["a blank type", { type: "" }, "blank task type"],
  ["a priority of 0", { priority: 0 }, "Cannot use 0 as priority: an integer from 1 to 1000"],
  ["a priority of 1001", { priority: 1001 }, "Cannot use 1001 as priority"],
  ["a priority that is text", { priority: "high" }, 'Cannot use "high" as priority'],
  [
    "an unknown status",
    { status: "paused" },
    'status: "paused" is unknown, known are queued, leased',
  ],
  ["a status of the prototype", { status: "constructor" }, 'status: "constructor" is unknown'],
  [
    "attempts that are used up",
    { attempts: 5 },
    "Cannot use 5 as attempts: an integer from 0 to 4",
  ],
  ["negative attempts", { attempts: -1 }, "Cannot use -1 as attempts"],
  ["max_attempts of 0", { max_attempts: 0 }, "Cannot use 0 as maxAttempts"],
  [
    "an instant that is none",
    { run_after_utc: "tomorrow" },
    'run_after_utc: "tomorrow" is not an instant',
  ],
  [
    "an instant that is a number",
    { created_at_utc: 1767322800 },
    "created_at_utc: 1767322800 is not an instant",
  ],
  [
    "a compatibility that is not an object",
    { compatibility: "null" },
    "compatibility: a JSON object is needed",
  ],
  [
    "a key that is too long",
    { idempotency_key: "k".repeat(256) },
    "idempotency key of 256 characters",
  ],
  ["an id of 0", { id: 0 }, "Cannot use 0 as task id"],
];

for (const [what, row, reason] of WRONG) {
  pythonTest(
    `${what} is a problem of its row, and nothing is imported`,
    () =>
      withBoth(async (queue, path) => {
        await originalDatabase(path, [{ id: 5, type: "good", payload: "{}" }, {
          id: 6,
          type: "a",
          payload: "{}",
          ...row,
        }], "plain");
        const { report, message } = await refusal(queue, path);
        const id = Number(row.id ?? 6);
        assertEquals(report.problems.map((problem) => problem.id), [id]);
        assertStringIncludes(report.problems[0]!.reason, reason);
        assertStringIncludes(message, reason);
        assertEquals(report.stored, false);
        const skipped = await importTasks(queue, path, { skipInvalid: true });
        assertEquals([skipped.stored, skipped.added, skipped.problems], [true, 1, report.problems]);
        assertEquals((await allTasks(queue)).map(({ id }) => id), [5]);
      }),
  );
}

pythonTest(
  "texts with bytes that are not UTF-8 are problems, U+FFFD itself is not, and a NUL becomes it",
  () =>
    withBoth(async (queue, path) => {
      await originalDatabase(path, [{ type: "a", payload: "{}", error_message: "\ufffd stays" }]);
      await original(
        ["execute", path],
        `
      INSERT INTO task_queue (type, payload, error_message) VALUES ('b', '{}', CAST(x'61ff62' AS TEXT));
      INSERT INTO task_queue (type, payload, error_message) VALUES ('c', '{}', CAST(x'61006263' AS TEXT));
      INSERT INTO task_queue (type, payload, error_message) VALUES ('d', '{}', CAST(x'f09f98' AS TEXT));
      INSERT INTO task_queue (type, payload, error_message) VALUES ('e', x'7b7d', NULL);`,
      );
      const { report } = await refusal(queue, path);
      assertEquals(report.problems.map(({ id }) => id), [2, 4, 5]);
      assertStringIncludes(
        report.problems[0]!.reason,
        "error_message: the text holds bytes that are not UTF-8",
      );
      await importTasks(queue, path, { skipInvalid: true });
      assertEquals((await allTasks(queue)).map(({ errorMessage }) => errorMessage), [
        "\ufffd stays",
        "a\ufffdbc",
      ]);
    }),
);

pythonTest(
  "importing the same file again adds nothing, also after work was done and pruned",
  () =>
    withBoth(async (queue, path) => {
      await originalDatabase(
        path,
        [1, 2, 3].map((n) => ({
          type: "a",
          payload: `{"n": ${n}}`,
          run_after_utc: "1970-01-01 00:00:00",
          created_at_utc: "1970-01-01 00:00:00",
          updated_at_utc: "1970-01-01 00:00:00",
        })),
      );
      assertEquals((await importTasks(queue, path)).added, 3);
      const again = await importTasks(queue, path);
      assertEquals([again.stored, again.added, again.present], [true, 0, 3]);
      const [task] = await queue.claim({ workerId: "w", types: ["a"] });
      await queue.complete(task!, "done");
      const afterWork = await importTasks(queue, path);
      assertEquals([afterWork.added, afterWork.present], [0, 3]);
      assertEquals((await queue.get(1))!.result, "done");
      await queue.prune({ keep: 0 });
      const afterPrune = await importTasks(queue, path);
      assertEquals([afterPrune.added, afterPrune.present, afterPrune.gone], [0, 2, 1]);
      await original(["enqueue", path]);
      const later = await importTasks(queue, path);
      assertEquals([later.added, later.present, later.gone], [1, 2, 1]);
      assertEquals((await queue.get(4))!.type, "added");
    }),
);

pythonTest(
  "ids of other tasks, present or pruned, are conflicts before any effect; renumber gives new ones",
  () =>
    withBoth(async (queue, path) => {
      const { task } = await queue.enqueue({ type: "own" });
      const gone = await queue.enqueue({ type: "own" });
      await queue.cancel(gone.task.id);
      await queue.prune({ keep: 0 });
      await originalDatabase(path, [
        { id: 1, type: "a", payload: "{}", idempotency_key: "k-1" },
        { id: 2, type: "a", payload: "{}" },
        { id: 9, type: "a", payload: "{}" },
      ]);
      const { report } = await refusal(queue, path);
      assertEquals(report.conflicts.map(({ id }) => id), [1, 2]);
      assertStringIncludes(
        report.conflicts[0]!.reason,
        'Task 1 of this queue is another one, of type "own"',
      );
      assertStringIncludes(
        report.conflicts[1]!.reason,
        "Id 2 was used in this queue by a task that is gone",
      );
      const renumbered = await importTasks(queue, path, { renumber: true });
      assertEquals(renumbered.added, 3);
      assertEquals((await allTasks(queue)).map(({ id, runId }) => `${id} ${runId}`), [
        `1 ${task.runId}`,
        "3 k-1",
        "4 task-2",
        "5 task-9",
      ]);
      const again = await importTasks(queue, path, { renumber: true });
      assertEquals([again.added, again.present], [0, 3]);
    }),
);

pythonTest(
  "keys and run ids that other tasks have are conflicts",
  () =>
    withBoth(async (queue, path) => {
      await queue.enqueueBatch([{ type: "own", idempotencyKey: "k-8" }, {
        type: "own",
        runId: "r-9",
      }]);
      await originalDatabase(path, [
        { id: 8, type: "a", payload: "{}", idempotency_key: "k-8" },
        { id: 9, type: "a", payload: "{}", idempotency_key: "r-9" },
      ]);
      const { report } = await refusal(queue, path);
      assertEquals(report.conflicts, [
        { id: 8, reason: 'Task 1 has idempotency key "k-8"' },
        { id: 9, reason: 'Task 2 has run id "r-9"' },
      ]);
    }),
);

pythonTest(
  "a task that went further in the other system is a conflict, so it is not done twice",
  () =>
    withBoth(async (queue, path) => {
      await originalDatabase(path, [{
        type: "a",
        payload: "{}",
        run_after_utc: "1970-01-01 00:00:00",
        created_at_utc: "2026-01-01 00:00:00",
        updated_at_utc: "2026-01-01 00:00:00",
      }]);
      await importTasks(queue, path);
      await original(["drain", path]);
      const { report } = await refusal(queue, path);
      assertStringIncludes(
        report.conflicts[0]!.reason,
        "Task 1 is queued in this queue and has since become completed elsewhere",
      );
    }),
);

pythonTest(
  "a dry run says what would happen and changes nothing",
  () =>
    withBoth(async (queue, path) => {
      await queue.enqueue({ type: "own" });
      await originalDatabase(path, [
        { id: 1, type: "a", payload: "{}" },
        { id: 2, type: "a", payload: "[]" },
        { id: 3, type: "b", payload: "{}", status: "processing" },
      ]);
      const before = await queue.exportRecords();
      const report = await importTasks(queue, path, { dryRun: true });
      assertEquals([report.stored, report.found, report.added, report.returned], [false, 3, 1, 1]);
      assertEquals(report.problems.map(({ id }) => id), [2]);
      assertEquals(report.conflicts.map(({ id }) => id), [1]);
      assertEquals(await queue.exportRecords(), before);
    }),
);

pythonTest(
  "log rows and unknown columns are named as not carried over, a result column is taken",
  () =>
    withBoth(async (queue, path) => {
      await originalDatabase(path, [{ type: "a", payload: "{}", status: "completed" }]);
      await original(
        ["execute", path],
        `
      ALTER TABLE task_queue ADD COLUMN result TEXT;
      ALTER TABLE task_queue ADD COLUMN tenant TEXT;
      UPDATE task_queue SET result = '{"rows": 3}';
      INSERT INTO task_queue (type, payload, status, result) VALUES ('b', '{}', 'completed', 'plain text');
      INSERT INTO task_logs (task_id, level, message) VALUES (1, 'INFO', 'claimed');`,
      );
      const { notes } = await importTasks(queue, path);
      assertEquals(notes, [
        "column tenant of task_queue is unknown here and is not carried over",
        "1 rows of task_logs are not carried over: keep the file",
        "there is no write-ahead log (-wal) beside it: if the file was copied while the Python system ran, " +
        "copy the log too, or its newest tasks are missing",
      ]);
      assertEquals((await allTasks(queue)).map(({ result }) => result), [
        { rows: 3 },
        "plain text",
      ]);
    }),
);

// --- what stands beside the file

pythonTest(
  "rows that stand only in a write-ahead log are never lost: refused, with advice that works",
  () =>
    withBoth(async (queue, path) => {
      await originalDatabase(path, [{ type: "a", payload: "{}" }]);
      await original(["die-with-wal", path]);
      const error = await assertRejects(() => importTasks(queue, path), StorageError);
      assertStringIncludes(error.message, `only in the write-ahead log beside it (${path}-wal)`);
      assertStringIncludes(error.message, "PRAGMA wal_checkpoint(TRUNCATE)");
      assertEquals(await queue.count(), 0);
      await original(["execute", path], "PRAGMA wal_checkpoint(TRUNCATE);");
      assertEquals((await importTasks(queue, path)).added, 2);
    }),
);

for (const mode of ["PASSIVE", "FULL", "RESTART", "TRUNCATE"]) {
  pythonTest(
    `a write-ahead log that a ${mode} checkpoint has folded in is not an obstacle`,
    () =>
      withBoth(async (queue, path) => {
        await originalDatabase(path, [{ type: "a", payload: "{}" }]);
        await original(["die-with-wal", path, mode]);
        const wal = await Deno.stat(`${path}-wal`);
        assertEquals(wal.size > 0, mode !== "TRUNCATE");
        assertEquals((await importTasks(queue, path)).added, 2);
      }),
  );
}

pythonTest(
  "what a killed transaction left in the write-ahead log was never committed",
  () =>
    withBoth(async (queue, path) => {
      await originalDatabase(path, [{ type: "a", payload: "{}" }]);
      await original(["die-uncommitted", path]);
      assert((await Deno.stat(`${path}-wal`)).size > 100_000);
      assertEquals((await importTasks(queue, path)).added, 1);
    }),
);

pythonTest(
  "a write-ahead log whose header is damaged is refused",
  () =>
    withBoth(async (queue, path) => {
      await originalDatabase(path, [{ type: "a", payload: "{}" }]);
      await original(["die-with-wal", path]);
      const wal = await Deno.readFile(`${path}-wal`);
      wal[20]! ^= 1;
      await Deno.writeFile(`${path}-wal`, wal);
      const error = await assertRejects(() => importTasks(queue, path), StorageError);
      assertStringIncludes(error.message, "the write-ahead log beside it");
    }),
);

pythonTest(
  "a hot rollback journal is refused, with advice that works",
  () =>
    withBoth(async (queue, path) => {
      await originalDatabase(path, [{ type: "a", payload: "{}" }, { type: "b", payload: "{}" }]);
      await original(["die-with-journal", path]);
      assert((await Deno.stat(`${path}-journal`)).size > 512);
      const error = await assertRejects(() => importTasks(queue, path), StorageError);
      assertStringIncludes(error.message, "a transaction was cut short");
      await original(["dump", path]);
      const report = await importTasks(queue, path);
      assertEquals([report.added, report.byStatus.queued], [2, 2]);
    }),
);

// --- files of other kinds, and damaged ones

pythonTest(
  "other files are refused with a reason, and nothing is changed",
  () =>
    inFolder((path) =>
      withQueue(IN_MEMORY, async (queue) => {
        await Deno.writeTextFile(path("text.db"), "this is not a database\n");
        await Deno.writeTextFile(path("empty.db"), "");
        await Deno.writeFile(path("binary.db"), new Uint8Array([0xff, 0xfe, 0]));
        await original(["execute", path("other.db")], "CREATE TABLE jobs (id INTEGER);");
        await original(["create", path("column.db")]);
        await original(
          ["execute", path("column.db")],
          "ALTER TABLE task_queue RENAME COLUMN locked_by TO lease_owner; DROP TABLE workers;",
        );
        const reasons = {
          "text.db": "it is neither a SQLite database nor NDJSON",
          "empty.db": "it is empty",
          "binary.db": "it is neither a SQLite database nor NDJSON",
          "other.db": "there is no table task_queue",
          "column.db": "table task_queue has no column locked_by",
          "none.db": "No such file",
        };
        for (const [name, reason] of Object.entries(reasons)) {
          const error = await assertRejects(() => importTasks(queue, path(name)), StorageError);
          assertStringIncludes(error.message, reason);
          assertStringIncludes(error.message, quotePath(path(name)));
        }
        assertEquals(await queue.count(), 0);
      })
    ),
);

pythonTest(
  "a damaged file leaves everything untouched, wherever it was cut or flipped",
  () =>
    withBoth(async (queue, path) => {
      await original(["create", path]);
      await original(["bulk", path, "60"]);
      await original(["execute", path], "PRAGMA journal_mode=DELETE;");
      const whole = await Deno.readFile(path);
      const before = await readTaskFile(path);
      const outcomes = { refused: 0, sameTasks: 0, otherTexts: 0 };
      const tryBytes = async (bytes: Uint8Array, where: string): Promise<void> => {
        await Deno.writeFile(path, bytes);
        try {
          const { records, problems } = await readTaskFile(path);
          const isSame = JSON.stringify(records) === JSON.stringify(before.records);
          assertEquals(records.length + problems.length, before.records.length, where);
          outcomes[isSame ? "sameTasks" : "otherTexts"]++;
        } catch (error) {
          assert(error instanceof StorageError, `${where}: ${error}`);
          outcomes.refused++;
        }
      };
      for (let size = 1; size < whole.length; size += 2039) {
        await tryBytes(whole.slice(0, size), `cut at ${size}`);
      }
      assertEquals(outcomes, { refused: outcomes.refused, sameTasks: 0, otherTexts: 0 });
      assert(outcomes.refused > 10);
      for (let at = 0; at < whole.length; at += 127) {
        const bytes = whole.slice();
        bytes[at]! ^= 0x55;
        await tryBytes(bytes, `flipped at ${at}`);
      }
      assert(outcomes.refused > 50, JSON.stringify(outcomes));
      assertEquals(await queue.count(), 0);
    }),
);

pythonTest(
  "a database with the table task_queue alone is taken",
  () =>
    withBoth(async (queue, path) => {
      await originalDatabase(path, [{ type: "a", payload: "{}" }]);
      await original(["execute", path], "DROP TABLE workers; DROP TABLE task_logs;");
      assertEquals((await importTasks(queue, path)).added, 1);
    }),
);

pythonTest(
  "JSON that is nested too deeply is a problem of its row, also where SQLite cannot read it",
  () =>
    withBoth(async (queue, path) => {
      const deep = `${'{"a":'.repeat(1500)}1${"}".repeat(1500)}`;
      await originalDatabase(path, [{ type: "a", payload: "{}" }]);
      // An older SQLite stored it, with the columns that it computes; this one may refuse to.
      await original(
        ["execute", path],
        `DROP INDEX ix_task_region; DROP INDEX ix_task_format;
         INSERT INTO task_queue (type, payload) VALUES ('deep', '${deep}');
         PRAGMA writable_schema = ON;
         INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) SELECT 'index', 'ix_task_format', 'task_queue',
           rootpage, 'CREATE INDEX ix_task_format ON task_queue (format)' FROM sqlite_schema WHERE name = 'ix_logs_task';
         DELETE FROM sqlite_schema WHERE name = 'ix_logs_task';`,
      );
      const report = await importTasks(queue, path, { skipInvalid: true });
      assertEquals([report.added, report.problems.map(({ id }) => id)], [1, [2]]);
      assertStringIncludes(report.problems[0]!.reason, "nested deeper than 200");
      assert(report.problems[0]!.reason.length < 200, report.problems[0]!.reason);
    }),
);

pythonTest(
  "a database whose end is missing is damaged, wherever it was cut",
  () =>
    withBoth(async (queue, path) => {
      const rows = Array.from({ length: 300 }, (_, n) => ({ type: "a", payload: `{"n": ${n}}` }));
      await originalDatabase(path, rows);
      const whole = await Deno.readFile(path);
      for (const missing of [1, 1000, 4096, 5000, whole.length - 4096]) {
        await Deno.writeFile(path, whole.subarray(0, whole.length - missing));
        const error = await assertRejects(
          () => importTasks(queue, path, { skipInvalid: true }),
          StorageError,
        );
        assertStringIncludes(
          error.message,
          `its header speaks of ${whole.length} bytes, and it has ${whole.length - missing}`,
        );
      }
      assertEquals(await queue.count(), 0);
    }),
);

pythonTest(
  "tasks that wait for capabilities here, and did not there, are counted in a note",
  () =>
    withBoth(async (queue, path) => {
      await originalDatabase(path, [
        { type: "a", payload: "{}" },
        { type: "a", payload: "{}", compatibility: '{"region": "eu"}' },
        { type: "a", payload: "{}", compatibility: '{"region": "eu"}', status: "processing" },
        { type: "a", payload: "{}", compatibility: '{"gpu": true}' },
        { type: "a", payload: "{}", compatibility: '{"gpu": true}', status: "completed" },
      ]);
      const { notes } = await importTasks(queue, path);
      assertEquals(notes.filter((note) => note.includes("compatibility")), [
        "3 queued tasks have a compatibility, which the original ignored: here they wait for a worker whose " +
        'capabilities contain it, {"region":"eu"} (2), {"gpu":true} (1)',
      ]);
    }),
);

pythonTest(
  "with clamp, what is out of range becomes the nearest value, and a note says so",
  () =>
    withBoth(async (queue, path) => {
      await originalDatabase(path, [
        { type: " a ", payload: "{}", priority: 0, max_attempts: 101, idempotency_key: " k " },
        { type: "a", payload: "{}", priority: -5, max_attempts: 0, attempts: 7 },
        { type: "a", payload: "{}", priority: 1001, idempotency_key: "  " },
        { type: "a", payload: "{}", run_after_utc: "9999-12-31T23:59:59-05:00" },
      ]);
      assertEquals((await refusal(queue, path)).report.problems.length, 4);
      const { added, notes, problems } = await importTasks(queue, path, { clamp: true });
      assertEquals([added, problems], [4, []]);
      assertEquals(
        (await allTasks(queue)).map(({ type, priority, maxAttempts, attempts, idempotencyKey }) => [
          type,
          priority,
          maxAttempts,
          attempts,
          idempotencyKey,
        ]),
        [["a", 1, 100, 0, "k"], ["a", 1, 1, 0, null], ["a", 1000, 5, 0, null], [
          "a",
          100,
          5,
          0,
          null,
        ]],
      );
      assertEquals((await queue.get(4))!.runAfter, new Date("9999-12-31T23:59:59.999Z"));
      const changed = notes.filter((note) => note.includes("brought into range"));
      assertEquals(changed.map((note) => note.split(",")[0]).sort(), [
        "attempts: 1 tasks were brought into range",
        "idempotencyKey: 2 tasks were brought into range",
        "maxAttempts: 2 tasks were brought into range",
        "priority: 3 tasks were brought into range",
        "runAfter: 1 tasks were brought into range",
        "runId: 1 tasks were brought into range",
        "type: 1 tasks were brought into range",
      ]);
      assertEquals((await importTasks(queue, path, { clamp: true })).present, 4);
    }),
);

pythonTest(
  "two databases whose tasks have no names come in one after the other, each once",
  () =>
    inFolder((path) =>
      withQueue(IN_MEMORY, async (queue) => {
        for (const name of ["one.db", "two.db"]) {
          const rows = [1, 2].map((n) => ({ type: name, payload: `{"n": ${n}}` }));
          await originalDatabase(path(name), rows);
          const report = await importTasks(queue, path(name), { renumber: true });
          assertEquals([report.added, report.conflicts], [2, []]);
        }
        assertEquals((await allTasks(queue)).map(({ type, runId }) => [type, runId]), [
          ["one.db", "task-1"],
          ["one.db", "task-2"],
          ["two.db", "task-1.1"],
          ["two.db", "task-2.1"],
        ]);
        for (const name of ["one.db", "two.db"]) {
          const again = await importTasks(queue, path(name), { renumber: true });
          assertEquals([again.added, again.present], [0, 2]);
        }
      })
    ),
);
