/**
 * Writing a database from which the original system can claim again.
 */
import type { SqlDatabase, SqlValue } from "../ledger/sql_engine.ts";
import { isMadeUpRunId } from "../domain/run_id.ts";
import type { TaskRecord } from "../queue/records.ts";
import { toSqliteText } from "./instant_text.ts";
import { ORIGINAL_SCHEMA, ORIGINAL_TASK_COLUMNS } from "./original_schema.ts";
import type { TransferProblem, TransferProgress } from "./task_file.ts";

/** What that schema has no place for, one sentence each. */
const LOSSES: readonly string[] = Object.freeze([
  "instants are cut to whole seconds; run_after is the next whole second",
  "results, progress, retry policies, timeouts, groups, tags, ordering keys, expiry, lease tokens, parents and traces have no column",
  "transitions, schedules, webhooks, limits and log files stay behind",
]);

type OriginalColumn = typeof ORIGINAL_TASK_COLUMNS[number];

const INSERT = `INSERT INTO task_queue (${ORIGINAL_TASK_COLUMNS.join(", ")})
  VALUES (${ORIGINAL_TASK_COLUMNS.map(() => "?").join(", ")})`;

/** How many rows lie between two reports of progress. */
const REPORT_EVERY = 1000;

/** Records as the original would have written them, and what that changes or loses, one sentence each. */
export interface OriginalRecords {
  readonly records: readonly TaskRecord[];
  readonly notes: readonly string[];
}

/**
 * Its name for a run is the idempotency key alone, so a task without one gets its run id as its key; a run id that an import
 * made up would be made up again, and one that is another task's key is left out. It has no status for what was cancelled.
 */
export function asOriginal(records: readonly TaskRecord[]): OriginalRecords {
  const taken = new Set(records.map(({ idempotencyKey }) => idempotencyKey));
  const unnamed = records.filter((record) =>
    record.idempotencyKey === null && !isMadeUpRunId(record)
  );
  const nameless = unnamed.filter(({ runId }) => taken.has(runId));
  const named = new Set(unnamed.filter(({ runId }) => !taken.has(runId)));
  const cancelled = records.filter(({ status }) => status === "cancelled").length;
  return {
    records: records.map((record) => ({
      ...record,
      idempotencyKey: named.has(record) ? record.runId : record.idempotencyKey,
      status: record.status === "cancelled" ? "failed" : record.status,
    })),
    notes: [
      ...(named.size > 0
        ? [`${named.size} tasks without an idempotency key have their run id as their key there`]
        : []),
      ...(nameless.length > 0
        ? [
          `${nameless.length} tasks have no name there, because their run id is another task's ` +
          `idempotency key; the first is task ${nameless[0]!.id}`,
        ]
        : []),
      ...(cancelled > 0
        ? [`${cancelled} cancelled tasks are failed there: the original has no such status`]
        : []),
      ...LOSSES,
    ],
  };
}

/** Tasks that the original could not handle: its handlers expect a dictionary, and it knows no parents. */
export function foreignToOriginal(records: readonly TaskRecord[]): TransferProblem[] {
  return records.flatMap(({ id, status, payloadText, parents }) => {
    const open = parents.filter(({ state }) => state === "open");
    if (status === "queued" && open.length > 0) {
      const reason = `it waits for task ${open[0]!.taskId}, and the original knows no parents`;
      return [{ id, reason }];
    }
    if (/^\s*\{/.test(payloadText)) return [];
    return [{ id, reason: "payload: it is not a JSON object, which the original system needs" }];
  });
}

/** Fills an empty database. New tasks there get ids above `lastId`. */
export function writeOriginal(
  database: SqlDatabase,
  records: readonly TaskRecord[],
  { lastId, onProgress }: {
    readonly lastId: number;
    readonly onProgress: (progress: TransferProgress) => void;
  },
): void {
  const total = records.length;
  database.run(`BEGIN; ${ORIGINAL_SCHEMA}`);
  for (const [i, record] of records.entries()) {
    const row = rowOf(record);
    database.all(INSERT, ORIGINAL_TASK_COLUMNS.map((column) => row[column]));
    const done = i + 1;
    if (done % REPORT_EVERY === 0 || done === total) onProgress({ phase: "write", done, total });
  }
  database.all("DELETE FROM sqlite_sequence WHERE name = 'task_queue'");
  database.all("INSERT INTO sqlite_sequence (name, seq) VALUES ('task_queue', ?)", [lastId]);
  database.run("COMMIT");
}

function rowOf(record: TaskRecord): Record<OriginalColumn, SqlValue> {
  return {
    id: record.id,
    type: record.type,
    priority: record.priority,
    payload: record.payloadText,
    compatibility: JSON.stringify(record.compatibility),
    status: record.status,
    attempts: record.attempts,
    max_attempts: record.maxAttempts,
    run_after_utc: toSqliteText(record.runAfter, "up"),
    lease_until_utc: textOf(record.leaseUntil),
    reserved_at_utc: textOf(record.reservedAt),
    processing_started_utc: textOf(record.processingStarted),
    finished_at_utc: textOf(record.finishedAt),
    locked_by: record.lockedBy,
    error_message: record.errorMessage,
    idempotency_key: record.idempotencyKey,
    created_at_utc: toSqliteText(record.createdAt),
    updated_at_utc: toSqliteText(record.updatedAt),
  };
}

function textOf(instant: Date | null): string | null {
  return instant === null ? null : toSqliteText(instant);
}
