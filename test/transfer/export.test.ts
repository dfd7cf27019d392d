/**
 * `exportTasks`, and that what was exported comes back: import(export(x)) = x.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { PermanentError, StorageError } from "../../src/domain/errors.ts";
import { TASK_STATUSES, type TaskStatus } from "../../src/domain/task.ts";
import { checkWebhookUrl, WEBHOOK_EVENTS } from "../../src/domain/webhook.ts";
import { ExportRefusedError } from "../../src/transfer/export_rules.ts";
import { exportTasks } from "../../src/compose/export_tasks.ts";
import { importTasks } from "../../src/compose/import_tasks.ts";
import { openQueue } from "../../src/compose/open_queue.ts";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import { recordOfRow } from "../../src/ledger_queue/records/export_records.ts";
import type { TaskRecord } from "../../src/queue/records.ts";
import type { FlowRecord } from "../../src/queue/limits.ts";
import type { QueueRecords } from "../../src/queue/records.ts";
import type { ScheduleRecord } from "../../src/queue/records.ts";
import { TASK_COLUMNS } from "../../src/ledger_queue/rows/schema.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import { IN_MEMORY, withQueue } from "../support/queues.ts";
import { numRuns } from "../support/effort.ts";
import { inFolder, original, pythonTest } from "./original_system.ts";

/** A queue with a task in every status but `leased`; ids 1 to 5. */
async function fill(queue: EmbeddedQueue): Promise<void> {
  await queue.enqueueBatch([
    { type: "a", payload: { text: "ü 🎬" }, idempotencyKey: "k-1", priority: 7 },
    { type: "a", payload: {}, runAfter: "2999-01-01T00:00:00.500Z", timeoutMs: 5000 },
    { type: "b", payload: {}, maxAttempts: 1, compatibility: { gpu: true } },
    { type: "c", payload: {}, retryPolicy: { initialDelayMs: 5 } },
    { type: "a", payload: {}, runId: "r-5" },
  ]);
  const [first] = await queue.claim({ workerId: "w", types: ["a"] });
  await queue.reportProgress(first!, 50, "half");
  await queue.complete(first!, { done: [1, 2.5] });
  const [second] = await queue.claim({ workerId: "w", types: ["b"], capabilities: { gpu: true } });
  await queue.fail(second!, new Error("no"));
  await queue.cancel(4);
}

/** What a queue holds, as far as the original can hold it too: it has failures only, and keys as its only names. */
function asOriginalHolds(records: readonly TaskRecord[]): unknown[] {
  const second = (at: Date | null): number | null =>
    at === null ? null : Math.floor(at.getTime() / 1000);
  return records.map((record) => ({
    id: record.id,
    type: record.type,
    priority: record.priority,
    payloadText: record.payloadText,
    compatibility: record.compatibility,
    status: record.status === "cancelled" ? "failed" : record.status,
    attempts: record.attempts,
    maxAttempts: record.maxAttempts,
    runAfter: Math.ceil(record.runAfter.getTime() / 1000),
    times: [
      record.leaseUntil,
      record.reservedAt,
      record.processingStarted,
      record.finishedAt,
      record.createdAt,
      record.updatedAt,
    ].map(second),
    lockedBy: record.lockedBy,
    errorMessage: record.errorMessage,
    idempotencyKey: record.idempotencyKey ?? record.runId,
  }));
}

const safeText = (maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: "grapheme", minLength: 1, maxLength }).filter((text) =>
    // deno-lint-ignore no-control-regex
    text.trim() === text && text !== "" && !/[\u0000-\u001f\u007f]/.test(text)
  );

const someDate = fc.date({
  min: new Date("1970-01-02T00:00:00Z"),
  max: new Date("2100-01-01T00:00:00Z"),
  noInvalidDate: true,
});

/** What has happened has happened before now; otherwise a clock was put back, and the queue plans anew. */
const pastDate = fc.date({
  min: new Date("1970-01-02T00:00:00Z"),
  max: new Date("2026-01-01T00:00:00Z"),
  noInvalidDate: true,
});

/** JSON as programs write it, also with digits that a double cannot hold. */
const jsonObjectText = fc.tuple(fc.dictionary(fc.string(), fc.jsonValue()), fc.bigInt()).map((
  [value, digits],
) => `{"digits": ${digits}, "value": ${JSON.stringify(value)}}`);

const webhookArbitrary = fc.record({
  url: fc.webUrl({ withQueryParameters: true, withFragments: true }).map(checkWebhookUrl),
  events: fc.subarray([...WEBHOOK_EVENTS], { minLength: 1 }),
});

/** None of them comes while a test runs. */
const distantDate = fc.date({
  min: new Date("2090-01-01T00:00:00Z"),
  max: new Date("2100-01-01T00:00:00Z"),
  noInvalidDate: true,
});

const recordArbitrary: fc.Arbitrary<
  Omit<TaskRecord, "id" | "runId" | "idempotencyKey" | "parents">
> = fc
  .record({
    type: safeText(30),
    priority: fc.integer({ min: 1, max: 1000 }),
    payloadText: jsonObjectText,
    compatibility: fc.dictionary(fc.string(), fc.oneof(fc.boolean(), fc.integer(), fc.string())),
    status: fc.constantFrom<TaskStatus>("queued", "completed", "failed", "cancelled"),
    attempts: fc.integer({ min: 0, max: 4 }),
    maxAttempts: fc.integer({ min: 5, max: 100 }),
    runAfter: someDate,
    leaseUntil: fc.constant(null),
    reservedAt: fc.option(pastDate),
    processingStarted: fc.option(pastDate),
    finishedAt: pastDate,
    createdAt: pastDate,
    updatedAt: pastDate,
    lockedBy: fc.option(safeText(20)),
    leaseToken: fc.nat(),
    errorMessage: fc.option(
      fc.string({ unit: "grapheme", maxLength: 50 }).filter((text) => !text.includes("\0")),
    ),
    resultText: fc.option(fc.json()),
    progress: fc.option(fc.integer({ min: 0, max: 100 })),
    progressMessage: fc.option(safeText(20)),
    retryPolicy: fc.option(fc.record({
      initialDelayMs: fc.nat(1000),
      multiplier: fc.integer({ min: 1, max: 10 }),
      maxDelayMs: fc.nat(1000),
    })),
    timeoutMs: fc.option(fc.integer({ min: 1, max: 1000 })),
    group: fc.option(safeText(20).filter((group) => group !== "*")),
    expiresAt: fc.option(distantDate),
    uniqueKey: fc.option(safeText(20)),
    order: fc.option(fc.record({
      orderingKey: fc.constantFrom("k", "ü"),
      onPredecessorFailure: fc.constantFrom("hold", "continue", null),
      orderingPlace: fc.option(fc.integer({ min: 1, max: 9 })),
    })),
    tags: fc.uniqueArray(fc.constantFrom("x", "ü", "b c")).map((tags) => tags.sort()),
    traceParent: fc.option(safeText(55)),
    webhook: fc.option(webhookArbitrary),
  }).map(({ order, ...record }) => ({
    ...record,
    ...(order ?? { orderingKey: null, onPredecessorFailure: null, orderingPlace: null }),
    finishedAt: record.status === "queued" ? null : record.finishedAt,
  }));

const tasksArbitrary: fc.Arbitrary<TaskRecord[]> = fc.array(
  fc.tuple(fc.integer({ min: 1, max: 1000 }), fc.boolean(), recordArbitrary),
  { maxLength: 8 },
).map((parts) => {
  let id = 0;
  return parts.map(([step, hasKey, record]) => {
    id += step;
    return {
      ...record,
      id,
      runId: `r ü-${id}`,
      idempotencyKey: hasKey ? `k-${id}` : null,
      parents: [],
    };
  });
});

const scheduleArbitrary: fc.Arbitrary<Omit<ScheduleRecord, "id" | "lastRunId">> = fc
  .record({
    type: safeText(30),
    payloadText: jsonObjectText,
    priority: fc.integer({ min: 1, max: 1000 }),
    compatibility: fc.dictionary(fc.string(), fc.oneof(fc.boolean(), fc.integer(), fc.string())),
    maxAttempts: fc.integer({ min: 1, max: 100 }),
    retryPolicy: fc.option(fc.record({
      initialDelayMs: fc.nat(1000),
      multiplier: fc.integer({ min: 1, max: 10 }),
      maxDelayMs: fc.nat(1000),
    })),
    timeoutMs: fc.option(fc.integer({ min: 1, max: 1000 })),
    group: fc.option(safeText(20).filter((group) => group !== "*")),
    expiresInMs: fc.option(fc.integer({ min: 1, max: 1000 })),
    unique: fc.option(
      fc.record({ key: safeText(20), mode: fc.constantFrom("queued", "incomplete") }),
    ),
    orderingKey: fc.option(safeText(20)),
    onPredecessorFailure: fc.constant(null),
    tags: fc.uniqueArray(fc.constantFrom("x", "ü", "b c")).map((tags) => tags.sort()),
    everyMs: fc.option(fc.integer({ min: 1000, max: 1_000_000 })),
    catchUp: fc.constantFrom("once", "skip"),
    catchUpMax: fc.integer({ min: 1, max: 1000 }),
    paused: fc.boolean(),
    webhook: fc.option(webhookArbitrary),
    nextAt: distantDate,
    lastFiredAt: fc.option(pastDate),
    firings: fc.nat(),
    createdAt: pastDate,
    updatedAt: pastDate,
  }).chain((fields): fc.Arbitrary<Omit<ScheduleRecord, "id" | "lastRunId">> =>
    fields.everyMs !== null
      ? fc.constant({ ...fields, cron: null, timeZone: "UTC", overlap: false })
      : fc.record({
        cron: fc.constantFrom("30 2 * * *", "0 0 12 * * 1-5", "@daily"),
        timeZone: fc.constantFrom("UTC", "Europe/Berlin"),
        overlap: fc.boolean(),
        catchUp: fc.constantFrom("once", "skip", "all"),
        nextAt: fc.option(distantDate),
      }).map((time) => ({ ...fields, ...time }))
  );

const AT = new Date("2026-01-01T00:00:00.000Z");

const LIMITS: readonly FlowRecord[] = [
  {
    scope: {},
    concurrency: 3,
    rate: { limit: 100, periodMs: 60_000, burst: 7 },
    weight: null,
    setAt: AT,
    setBy: "ops",
    isDeclared: true,
    paused: { at: AT, by: null, reason: "why", until: new Date("9999-01-01T00:00:00.000Z") },
  },
  {
    scope: { type: "email" },
    concurrency: null,
    rate: null,
    weight: null,
    setAt: null,
    setBy: null,
    isDeclared: false,
    paused: { at: AT, by: "me", reason: null, until: null },
  },
  {
    scope: { group: "acme" },
    concurrency: null,
    rate: { limit: 1, periodMs: 1, burst: 1 },
    weight: 2.5,
    setAt: AT,
    setBy: null,
    isDeclared: false,
    paused: null,
  },
];

/** Tasks, and schedules whose last tasks are among them. */
const queueArbitrary: fc.Arbitrary<QueueRecords> = tasksArbitrary.chain((tasks) =>
  fc.record({
    tasks: fc.constant(tasks),
    limits: fc.constantFrom<readonly FlowRecord[]>([], LIMITS),
    schedules: fc.uniqueArray(
      fc.record({
        id: safeText(30),
        lastRunId: fc.constantFrom(null, ...tasks.map(({ runId }) => runId)),
        fields: scheduleArbitrary,
      }).map(({ fields, ...names }): ScheduleRecord => ({ ...fields, ...names })),
      { selector: ({ id }) => id, maxLength: 4 },
    ),
  })
);

/** The records that come out after `records` went in, through a file of `format`. */
async function throughFile(
  { tasks, schedules }: QueueRecords,
  format: "original" | "ndjson",
  path: string,
): Promise<[before: QueueRecords, after: QueueRecords]> {
  const [from, to] = [await openQueue({ memory: true }), await openQueue({ memory: true })];
  try {
    const { stored, problems } = await from.importRecords(tasks, { schedules });
    assert(stored, JSON.stringify(problems));
    await exportTasks(from, { format, output: path });
    await importTasks(to, path);
    return [await from.exportAll(), await to.exportAll()];
  } finally {
    await Promise.all([from.close(), to.close()]);
    await Deno.remove(path);
  }
}

/** What a record is, whatever its JSON texts are written like. */
function comparable<
  R extends { readonly payloadText: string; readonly resultText?: string | null },
>(
  { payloadText, resultText = null, ...rest }: R,
): unknown {
  return {
    ...rest,
    payload: sortedKeys(payloadText),
    digits: /"digits": ?(-?\d+)/.exec(payloadText)?.[1],
    result: sortedKeys(resultText),
  };
}

const sortedKeys = (text: string | null): unknown =>
  text === null ? null : JSON.parse(text, (_key, value) => value);

Deno.test("property: what NDJSON carries is what was there, every field of it", () =>
  inFolder(async (path) => {
    await fc.assert(
      fc.asyncProperty(queueArbitrary, async (records) => {
        const [before, after] = await throughFile(records, "ndjson", path("x.ndjson"));
        assertEquals(before.tasks.length, records.tasks.length);
        assertEquals(
          before.tasks.map(({ webhook }) => webhook),
          records.tasks.map(({ webhook }) => structuredClone(webhook)),
        );
        const byId = new Map(records.schedules.map((schedule) => [schedule.id, schedule]));
        assertEquals(before.schedules.length, byId.size);
        for (const schedule of before.schedules) {
          assertEquals(
            comparable(schedule),
            structuredClone(comparable(byId.get(schedule.id)!)),
          );
        }
        assertEquals(after.tasks.map(comparable), before.tasks.map(comparable));
        assertEquals(after.schedules.map(comparable), before.schedules.map(comparable));
      }),
      { numRuns: numRuns(40) },
    );
  }));

Deno.test("property: what the original's schema carries is what was there, as far as it has a place for it", () =>
  inFolder(async (path) => {
    await fc.assert(
      fc.asyncProperty(queueArbitrary, async (records) => {
        const [before, after] = await throughFile(records, "original", path("x.db"));
        assertEquals(before.tasks.length, records.tasks.length);
        assertEquals(asOriginalHolds(after.tasks), asOriginalHolds(before.tasks));
        assertEquals(after.schedules, []);
      }),
      { numRuns: numRuns(40) },
    );
  }));

Deno.test("a record carries every column but those that are made anew", () => {
  const row = TASK_COLUMNS.map((column) =>
    column === "payload" ? "{}" : column === "compatibility" ? "{}" : null
  );
  const carried = Object.keys(recordOfRow(row, { parents: [], webhook: null })).length;
  assertEquals(
    carried,
    TASK_COLUMNS.length - ["is_ready", "draw_key", "waits_for", "is_behind"].length +
      ["parents", "webhook"].length,
  );
});

pythonTest(
  "the exported schema is the original's own, and it goes on with ids that are free",
  () =>
    inFolder((path) =>
      withQueue(IN_MEMORY, async (queue) => {
        await fill(queue);
        await exportTasks(queue, {
          format: "original",
          output: path("out.db"),
          statuses: ["queued"],
        });
        await original(["create", path("own.db")]);
        assertEquals(
          JSON.parse(await original(["schema", path("out.db")])),
          JSON.parse(await original(["schema", path("own.db")])),
        );
        await original(["enqueue", path("out.db")]);
        const rows = JSON.parse(await original(["dump", path("out.db")]));
        assertEquals(rows.map(({ id }: { id: number }) => id), [2, 5, 6]);
      })
    ),
);

pythonTest(
  "the Python system claims exported tasks as soon as they are due, and none before",
  () =>
    inFolder((path) =>
      withQueue(IN_MEMORY, async (queue) => {
        await queue.enqueueBatch([
          { type: "a", payload: { n: 1 }, priority: 9, runAfter: new Date(Date.now() - 5000) },
          { type: "a", payload: { n: 2 }, priority: 1, runAfter: new Date(Date.now() - 5000) },
          { type: "a", payload: { n: 3 }, runAfter: new Date(Date.now() + 3_600_000) },
        ]);
        await exportTasks(queue, { format: "original", output: path("out.db") });
        const lines = (await original(["drain", path("out.db")])).trim().split("\n");
        assertEquals(lines.map((line) => JSON.parse(line).id), [2, 1]);
      })
    ),
);

pythonTest(
  "each task keeps its name in the Python system: its key, else the run id that the application gave",
  () =>
    inFolder((path) =>
      withQueue(IN_MEMORY, async (queue) => {
        await queue.enqueueBatch([
          { type: "a", runId: "nightly-1" },
          { type: "a", runId: "r-2", idempotencyKey: "k-2" },
          { type: "a", runId: "taken" },
          { type: "a", runId: "r-4", idempotencyKey: "taken" },
        ]);
        await queue.cancel(1);
        const { notes, byStatus } = await exportTasks(queue, {
          format: "original",
          output: path("out.db"),
        });
        const rows: { idempotency_key: string; status: string; error_message: string }[] = JSON
          .parse(await original(["dump", path("out.db")]));
        assertEquals(rows.map((row) => row.idempotency_key), ["nightly-1", "k-2", null, "taken"]);
        assertEquals([rows[0]!.status, rows[0]!.error_message], ["failed", "Cancelled by user"]);
        assertEquals([byStatus.failed, byStatus.cancelled], [1, 0]);
        assertEquals(notes.slice(0, 3), [
          "1 tasks without an idempotency key have their run id as their key there",
          "1 tasks have no name there, because their run id is another task's idempotency key; the first is task 3",
          "1 cancelled tasks are failed there: the original has no such status",
        ]);
        // What comes back is what went out: the same queue knows it, and a new one has the same names.
        assertEquals((await importTasks(queue, path("out.db"))).present, 4);
        await withQueue(IN_MEMORY, async (other) => {
          await importTasks(other, path("out.db"));
          const back = (await other.list({ limit: 10 })).reverse();
          assertEquals(back.map(({ runId }) => runId), ["nightly-1", "k-2", "task-3", "taken"]);
          assertEquals(back[0]!.status, "failed");
        });
      })
    ),
);

pythonTest(
  "a task scheduled for the end of the year 9999 waits there too",
  () =>
    inFolder((path) =>
      withQueue(IN_MEMORY, async (queue) => {
        await queue.enqueue({ type: "far", runAfter: "9999-12-31T23:59:59.500Z" });
        await queue.enqueue({ type: "due", runAfter: new Date(Date.now() - 5000) });
        await exportTasks(queue, { format: "original", output: path("out.db") });
        const lines = (await original(["drain", path("out.db")])).trim().split("\n");
        assertEquals(lines.map((line) => JSON.parse(line).type), ["due"]);
      })
    ),
);

Deno.test("the views that the Python system's monitoring reads are there", () =>
  inFolder((path) =>
    withQueue(IN_MEMORY, async (queue) => {
      await fill(queue);
      await exportTasks(queue, { format: "original", output: path("out.db") });
      const database = (await loadSqlJsEngine()).open(await Deno.readFile(path("out.db")));
      try {
        const read = (select: string): unknown[] => database.all(select);
        assertEquals(
          read("SELECT status, task_count, avg_attempts FROM v_queue_status_summary ORDER BY 1"),
          [["completed", 1, 1], ["failed", 2, 0.5], ["queued", 2, 0]],
        );
        assertEquals(
          read("SELECT type, status, task_count, avg_priority FROM v_queue_type_summary")[0],
          ["a", "completed", 1, 7],
        );
        assertEquals(read("SELECT worker_id, active_tasks FROM v_worker_status"), []);
        assertEquals(
          read("SELECT type, status, task_count, avg_attempts FROM v_task_performance")[0],
          ["a", "completed", 1, 1],
        );
        assertEquals(
          read("SELECT id, error_message FROM v_recent_failures ORDER BY id"),
          [[3, "no"], [4, "Cancelled by user"]],
        );
      } finally {
        database.close();
      }
    })
  ));

Deno.test("a payload that is null stays null in lines, a schedule's too", () =>
  inFolder((path) =>
    withQueue(IN_MEMORY, async (queue) => {
      await queue.enqueue({ type: "a", payload: null });
      await queue.addSchedule({ id: "s", type: "a", payload: null, everyMs: 60_000 });
      await exportTasks(queue, { format: "ndjson", output: path("out.ndjson") });
      await withQueue(IN_MEMORY, async (other) => {
        await importTasks(other, path("out.ndjson"));
        assertEquals((await other.get(1))!.payload, null);
        assertEquals((await other.getSchedule("s"))!.payload, null);
      });
    })
  ));

Deno.test("leased tasks stop an export; included, they are queued with the attempt given back", () =>
  inFolder((path) =>
    withQueue(IN_MEMORY, async (queue) => {
      await queue.enqueueBatch([{ type: "a" }, { type: "b" }]);
      await queue.claim({ workerId: "w-1", types: ["a"] });
      for (const format of ["original", "ndjson"] as const) {
        const output = path(`out.${format}`);
        const error = await assertRejects(
          () => exportTasks(queue, { format, output }),
          ExportRefusedError,
        );
        assertStringIncludes(
          error.message,
          'Cannot export task 1: worker "w-1" holds its lease until',
        );
        await assertRejects(() => Deno.stat(output), Deno.errors.NotFound);
        const report = await exportTasks(queue, { format, output, includeLeased: true });
        assertEquals([report.exported, report.returned, report.leftOut], [2, 1, 0]);
        await withQueue(IN_MEMORY, async (other) => {
          await importTasks(other, output);
          const [task] = await other.exportRecords();
          assertEquals([task!.status, task!.attempts, task!.leaseUntil], ["queued", 0, null]);
        });
      }
      const others = await exportTasks(queue, {
        format: "ndjson",
        output: path("q.ndjson"),
        statuses: ["queued"],
      });
      assertEquals([others.exported, others.leftOut], [1, 1]);
      assertEquals((await queue.get(1))!.status, "leased");
    })
  ));

Deno.test("an expired lease is rescued and exported", () =>
  inFolder((path) =>
    withQueue(IN_MEMORY, async (queue, clock) => {
      await queue.enqueue({ type: "a" });
      await queue.claim({ workerId: "w", types: ["a"] });
      await clock.advance(10_001);
      const report = await exportTasks(queue, { format: "original", output: path("out.db") });
      assertEquals([report.byStatus.queued, report.returned], [1, 0]);
    })
  ));

Deno.test("a file that is there is never overwritten, and a failed export leaves none", () =>
  inFolder((path) =>
    withQueue(IN_MEMORY, async (queue) => {
      await fill(queue);
      await Deno.writeTextFile(path("taken"), "mine");
      for (const format of ["original", "ndjson"] as const) {
        const error = await assertRejects(
          () => exportTasks(queue, { format, output: path("taken") }),
          StorageError,
        );
        assertStringIncludes(error.message, "it is there already");
      }
      assertEquals(await Deno.readTextFile(path("taken")), "mine");
      await queue.enqueue({ type: "a", payload: [1] });
      const refused = await assertRejects(
        () => exportTasks(queue, { format: "original", output: path("out.db") }),
        ExportRefusedError,
      );
      assertStringIncludes(refused.message, "task 6: payload: it is not a JSON object");
      assertEquals((await Array.fromAsync(Deno.readDir(path(".")))).map(({ name }) => name), [
        "taken",
      ]);
    })
  ));

Deno.test("lines go to a function, in order of their ids, with every field", () =>
  withQueue(IN_MEMORY, async (queue) => {
    await fill(queue);
    const lines: string[] = [];
    const report = await exportTasks(queue, {
      format: "ndjson",
      output: (line) => lines.push(line),
    });
    assertEquals([report.path, report.exported], [null, 5]);
    assertEquals(lines.map((line) => JSON.parse(line).id), [1, 2, 3, 4, 5]);
    const { run_id: runId, created_at_utc, updated_at_utc, ...rest } = JSON.parse(lines[1]!);
    assert(lines.every((line) => line.endsWith("}\n") && line.indexOf("\n") === line.length - 1));
    assertEquals(typeof runId, "string");
    assertEquals(created_at_utc, updated_at_utc);
    assertEquals(rest, {
      id: 2,
      type: "a",
      priority: 100,
      payload: {},
      compatibility: {},
      status: "queued",
      attempts: 0,
      max_attempts: 5,
      run_after_utc: "2999-01-01T00:00:00.500Z",
      lease_until_utc: null,
      reserved_at_utc: null,
      processing_started_utc: null,
      finished_at_utc: null,
      locked_by: null,
      lease_token: 0,
      error_message: null,
      idempotency_key: null,
      result: null,
      progress_percent: null,
      progress_message: null,
      retry_policy: null,
      timeout_ms: 5000,
      group: null,
      expires_at: null,
      trace_parent: null,
      unique_key: null,
      ordering_key: null,
      on_predecessor_failure: null,
      tags: [],
      ordering_place: null,
      parents: [],
      webhook: null,
    });
  }));

Deno.test("wrong options are refused before any effect", () =>
  withQueue(IN_MEMORY, async (queue) => {
    // deno-lint-ignore no-explicit-any
    const wrong: any[] = [
      { format: "xml", output: "x" },
      { format: "original", output: () => {} },
      { format: "ndjson", output: " " },
      { format: "ndjson", output: () => {}, statuses: ["done"] },
    ];
    for (const options of wrong) await assertRejects(() => exportTasks(queue, options), TypeError);
    assertEquals(TASK_STATUSES.length, 5);
  }));

// --- parents

Deno.test("tasks that wait for others still do elsewhere, whatever their ids, and the original refuses them", () =>
  inFolder((path) =>
    withQueue(IN_MEMORY, async (queue) => {
      await queue.enqueueBatch([
        { type: "done", runId: "r-1" },
        { type: "root", runId: "r-2" },
        { type: "child", runId: "r-3", dependsOn: ["r-1", "r-2"], onParentFailure: "skip" },
        { type: "leaf", runId: "r-4", dependsOn: ["r-3"] },
      ]);
      const [done] = await queue.claim({ workerId: "w", types: ["done"] });
      await queue.complete(done!, 7);
      const refused = await assertRejects(
        () => exportTasks(queue, { format: "original", output: path("x.db") }),
        ExportRefusedError,
      );
      assertStringIncludes(refused.message, "Cannot export task 3: it waits for task 2");
      await exportTasks(queue, { format: "ndjson", output: path("x.ndjson") });
      for (const renumber of [false, true]) {
        await withQueue(IN_MEMORY, async (other) => {
          if (renumber) await other.enqueueBatch([{ type: "own" }, { type: "own" }]);
          await importTasks(other, path("x.ndjson"), { renumber });
          if (!renumber) assertEquals(await other.exportRecords(), await queue.exportRecords());
          assertEquals(await other.integrityCheck(), { ok: true, problems: [] });
          const types = ["root", "child", "leaf"];
          const [root, ...none] = await other.claim({ workerId: "w", types, limit: 9 });
          assertEquals([root!.type, none], ["root", []]);
          await other.complete(root!, 8);
          const [child] = await other.claim({ workerId: "w", types, limit: 9 });
          const results = await other.parentResults(child!.id);
          assertEquals(results.map(({ result }) => result), [7, 8]);
          await other.fail(child!, new PermanentError("no"));
          const leaf = await other.getByRunId("r-4");
          assertEquals([leaf!.status, await other.integrityCheck()], ["failed", {
            ok: true,
            problems: [],
          }]);
        });
      }
    })
  ));

Deno.test("a parent that was pruned elsewhere is no other task here, nor one that comes later", () =>
  withQueue(IN_MEMORY, async (queue) => {
    await queue.enqueueBatch([
      { type: "child", runId: "child", dependsOn: ["later", "earlier"] },
      { type: "earlier", runId: "earlier" },
      { type: "later", runId: "later" },
    ]);
    await queue.cancel(3);
    await queue.cancel(2);
    await queue.prune({ keep: 0, statuses: ["cancelled"] });
    let records = await queue.exportRecords();
    for (const renumber of [false, true, true, false]) {
      await withQueue(IN_MEMORY, async (other) => {
        if (renumber) await endOthers(other, ["own", "own", "own"]);
        await other.importRecords(records, { renumber });
        if (!renumber) await endOthers(other, ["own", "own"]);
        const child = (await other.getByRunId("child"))!;
        const results = await other.parentResults(child.id);
        assertEquals(results.map(({ runId, status }) => [runId, status]), [
          ["later", "pruned"],
          ["earlier", "pruned"],
        ]);
        for (const { id } of await other.list({ type: "own" })) await other.retry(id);
        assertEquals((await other.get(child.id))!.status, "failed");
        assertEquals((await other.integrityCheck()).problems, []);
        records = await other.exportRecords().then((all) =>
          all.filter(({ runId }) => runId === "child")
        );
      });
    }
  }));

Deno.test("a parent that is not there, and a circle, are told before any effect", () =>
  inFolder((path) =>
    withQueue(IN_MEMORY, async (queue) => {
      const line = (id: number, parentId: number): string =>
        JSON.stringify({
          ...{ id, run_id: `r-${id}`, type: "a", status: "queued" },
          created_at_utc: "2026-01-01T00:00:00Z",
          parents: [{
            task_id: parentId,
            run_id: `r-${parentId}`,
            on_failure: "fail",
            state: "open",
          }],
        });
      await Deno.writeTextFile(
        path("x.ndjson"),
        [line(1, 2), line(2, 1), line(3, 9), line(4, 4)].join("\n"),
      );
      const report = await importTasks(queue, path("x.ndjson"), { dryRun: true });
      assertEquals(report.problems.map(({ id }) => id), [4, 1, 2]);
      assertEquals(report.problems.at(-1)!.reason, "It waits for itself, by way of its parents");
      assertEquals(report.conflicts, [{
        id: 3,
        reason: 'It waits for task 9 (run "r-9"), which is neither in the file nor here',
      }]);
      await assertRejects(() => importTasks(queue, path("x.ndjson"), { skipInvalid: true }));
      assertEquals(await queue.count(), 0);
    })
  ));

// --- NDJSON that others wrote

Deno.test("NDJSON of other origin: CRLF, a byte order mark, missing fields and leased tasks", () =>
  inFolder((path) =>
    withQueue(IN_MEMORY, async (queue) => {
      const lines = [
        '\uFEFF{"id":3,"type":"a","status":"leased","attempts":5,"created_at_utc":"2026-01-01T00:00:00Z"}',
        "",
        '{"id":4,"type":"b","status":"completed","created_at_utc":"2026-01-01T00:00:00Z","extra":1}',
      ];
      await Deno.writeTextFile(path("x.ndjson"), lines.join("\r\n"));
      const report = await importTasks(queue, path("x.ndjson"));
      assertEquals([report.format, report.found, report.added, report.returned], [
        "ndjson",
        2,
        2,
        1,
      ]);
      assertEquals(report.notes, ["field extra is unknown and is not carried over"]);
      const [first, second] = await queue.exportRecords();
      assertEquals([first!.status, first!.attempts, first!.runId], ["queued", 4, "task-3"]);
      assertEquals(second!.finishedAt, new Date("2026-01-01T00:00:00Z"));
    })
  ));

Deno.test("NDJSON that was cut or is wrong is a problem of its line, and nothing is imported", () =>
  inFolder((path) =>
    withQueue(IN_MEMORY, async (queue) => {
      const good = '{"id":1,"type":"a","status":"queued","created_at_utc":"2026-01-01T00:00:00Z"}';
      const wrong = [
        '{"id":2,"type":',
        "[2]",
        good,
        good.replace('"a"', "7").replace("1,", "2,"),
        good.replace("2026-01-01T00:00:00Z", "soon").replace("1,", "3,"),
      ];
      await Deno.writeTextFile(path("x.ndjson"), [good, ...wrong].join("\n"));
      const report = await importTasks(queue, path("x.ndjson"), { dryRun: true });
      assertEquals(report.problems.map(({ id }) => id), [null, null, 3, 1, 2]);
      assertStringIncludes(report.problems[0]!.reason, "line 2: it is not JSON");
      assertEquals(report.problems[1]!.reason, "line 3: it is not a JSON object");
      await assertRejects(() => importTasks(queue, path("x.ndjson")));
      assertEquals(await queue.count(), 0);
    })
  ));

/** Enqueues tasks of these types, and cancels them. */
async function endOthers(queue: EmbeddedQueue, types: readonly string[]): Promise<void> {
  const stored = await queue.enqueueBatch(types.map((type) => ({ type })));
  for (const { task } of stored) await queue.cancel(task.id);
}
