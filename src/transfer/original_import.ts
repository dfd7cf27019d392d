/**
 * Reading the original's database: its rows as records, or the reason why a row cannot be one.
 *
 * A text is taken only when it came through whole: bytes that are not UTF-8 would be changed on the way, so they are a
 * problem.
 */
import { messageOf } from "../domain/errors.ts";
import { isFinal, TASK_LIMITS, type TaskStatus } from "../domain/task.ts";
import { KEPT_FIELD_NAMES } from "../domain/task_fields.ts";
import type { SqlDatabase, SqlRow } from "../ledger/sql_engine.ts";
import { makeUpRunId } from "../domain/run_id.ts";
import type { TaskRecord } from "../queue/records.ts";
import { parseInstantText } from "./instant_text.ts";
import { keptFieldsOf } from "./line_fields.ts";
import { type DetectedSchema, ORIGINAL_TASK_COLUMNS } from "./original_schema.ts";
import {
  type ReadTasks,
  returnedToQueue,
  type TransferProblem,
  type TransferProgress,
} from "./task_file.ts";

/** What the original's statuses mean here. A leased task, or one in progress, is queued again afterwards. */
const STATUSES: Readonly<Record<string, TaskStatus>> = Object.freeze({
  queued: "queued",
  leased: "leased",
  processing: "leased",
  completed: "completed",
  failed: "failed",
  dead: "failed",
  dead_letter: "failed",
  cancelled: "cancelled",
});

/** Rows that are read at once. */
const PAGE = 500;

/** How many compatibilities a note names. */
const CAPABILITIES_TOLD = 3;

/** What stands for bytes that are not UTF-8. */
const REPLACEMENT = "\ufffd";

const encoder = new TextEncoder();

/** A row by the names of its columns. */
type Fields = ReadonlyMap<string, unknown>;

/** Reads every row of `task_queue`. @throws Error when the file is damaged. */
export function readOriginal(
  database: SqlDatabase,
  schema: DetectedSchema,
  onProgress: (progress: TransferProgress) => void,
): ReadTasks {
  const total = Number(database.all("SELECT count(*) FROM task_queue")[0]![0]);
  const columns = [...ORIGINAL_TASK_COLUMNS, ...schema.optional];
  const nameRun = runNamer(database);
  const records: TaskRecord[] = [];
  const problems: TransferProblem[] = [];
  let returned = 0;
  let [found, clipped] = [0, 0];
  for (const row of rowsOf(database, columns)) {
    const id = Number(row[0]);
    try {
      const record = recordOf(fieldsOf(database, columns, row), nameRun);
      if (record.status === "leased") returned++;
      if ((record.errorMessage?.length ?? 0) > TASK_LIMITS.errorMessageMaxLength) clipped++;
      records.push(record.status === "leased" ? returnedToQueue(record) : record);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      problems.push({ id, reason: messageOf(error) });
    }
    if (++found % PAGE === 0 || found === total) onProgress({ phase: "read", done: found, total });
  }
  if (found !== total) throw new Error(`${total} rows were counted and ${found} were read`);
  return {
    found,
    records,
    schedules: [],
    limits: [],
    problems,
    returned,
    notes: [...notesOn(database, schema, clipped), ...notesOnCompatibility(records)],
  };
}

/** Each column, and how many bytes its text has in the file. */
function* rowsOf(database: SqlDatabase, columns: readonly string[]): Generator<SqlRow> {
  const wanted = columns.flatMap((column) => [column, `length(CAST(${column} AS BLOB))`]);
  const select = `SELECT ${
    wanted.join(", ")
  } FROM task_queue WHERE id > ? ORDER BY id LIMIT ${PAGE}`;
  for (let after = -Infinity;;) {
    const rows = database.all(select, [after]);
    yield* rows;
    const lastId = Number(rows.at(-1)?.[0] ?? after);
    if (rows.length < PAGE || lastId <= after) return;
    after = lastId;
  }
}

/** @throws TypeError for a string that did not come through whole. */
function fieldsOf(database: SqlDatabase, columns: readonly string[], row: SqlRow): Fields {
  return new Map(columns.map((column, i) => {
    const [value, bytes]: unknown[] = [row[2 * i], row[2 * i + 1]];
    if (typeof value === "string" && !isWhole(value, Number(bytes))) {
      checkBytes(database, { id: Number(row[0]), column, text: value });
    }
    return [column, value];
  }));
}

/** Whether a string is certainly as it was: what was not UTF-8 has become U+FFFD. */
function isWhole(text: string, bytes: number): boolean {
  if (text.includes(REPLACEMENT)) return false;
  return text.length === bytes || encoder.encode(text).length === bytes;
}

/** U+FFFD may also have been there from the start. @throws TypeError */
function checkBytes(
  database: SqlDatabase,
  { id, column, text }: { readonly id: number; readonly column: string; readonly text: string },
): void {
  const select = `SELECT hex(${column}) FROM task_queue WHERE id = ?`;
  const hex = String(database.all(select, [id])[0]![0]).toLowerCase();
  if (hex === encoder.encode(text).toHex()) return;
  throw new TypeError(`${column}: the text holds bytes that are not UTF-8`);
}

function recordOf(fields: Fields, nameRun: (fields: Fields) => string): TaskRecord {
  const status = statusOf(fields.get("status"));
  const updatedAt = instantOf(fields, "updated_at_utc");
  return {
    ...keptFieldsOf({}, KEPT_FIELD_NAMES),
    id: fields.get("id") as number,
    runId: nameRun(fields),
    type: fields.get("type") as string,
    priority: fields.get("priority") as number,
    payloadText: objectText(fields.get("payload"), "payload"),
    compatibility: JSON.parse(objectText(fields.get("compatibility"), "compatibility")),
    status,
    attempts: fields.get("attempts") as number,
    maxAttempts: fields.get("max_attempts") as number,
    runAfter: instantOf(fields, "run_after_utc"),
    leaseUntil: optionalInstantOf(fields, "lease_until_utc"),
    reservedAt: optionalInstantOf(fields, "reserved_at_utc"),
    processingStarted: optionalInstantOf(fields, "processing_started_utc"),
    finishedAt: isFinal(status) ? optionalInstantOf(fields, "finished_at_utc") ?? updatedAt : null,
    createdAt: instantOf(fields, "created_at_utc"),
    updatedAt,
    lockedBy: (fields.get("locked_by") as string | null) || null,
    leaseToken: 0,
    errorMessage: fields.get("error_message") as string | null,
    idempotencyKey: (fields.get("idempotency_key") as string | null) || null,
    resultText: resultText(fields.get("result")),
    progress: null,
    progressMessage: null,
    traceParent: null,
    uniqueKey: null,
    orderingPlace: null,
    parents: [],
    webhook: null,
  };
}

function statusOf(value: unknown): TaskStatus {
  const status = typeof value === "string" && Object.hasOwn(STATUSES, value)
    ? STATUSES[value]
    : undefined;
  if (status !== undefined) return status;
  const known = Object.keys(STATUSES).join(", ");
  throw new TypeError(`status: ${JSON.stringify(value)} is unknown, known are ${known}`);
}

function objectText(text: unknown, column: string): string {
  if (typeof text === "string" && isObjectText(text)) return text;
  const shown = typeof text === "string" ? text.slice(0, 40).toWellFormed() : text;
  throw new TypeError(`${column}: a JSON object is needed, found ${JSON.stringify(shown)}`);
}

function isObjectText(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** A result that is not JSON is a string. */
function resultText(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  try {
    JSON.parse(String(value));
    return String(value);
  } catch {
    return JSON.stringify(value);
  }
}

function instantOf(fields: Fields, column: string): Date {
  const instant = optionalInstantOf(fields, column);
  if (instant !== null) return instant;
  throw new TypeError(`${column}: an instant is needed, found NULL`);
}

function optionalInstantOf(fields: Fields, column: string): Date | null {
  const value = fields.get(column);
  if (value === null) return null;
  const instant = typeof value === "string" ? parseInstantText(value) : undefined;
  if (instant !== undefined) return instant;
  throw new TypeError(
    `${column}: ${
      JSON.stringify(value)
    } is not an instant such as 2026-01-02T03:04:05.678901+00:00 ` +
      "or 2026-01-02 03:04:05",
  );
}

/**
 * The original had no run ids of its own and looked runs up by their idempotency keys, so a key is the run id. A key that looks
 * like a task id is not, for it would answer for another task.
 */
function runNamer(database: SqlDatabase): (fields: Fields) => string {
  const select = "SELECT idempotency_key FROM task_queue WHERE idempotency_key LIKE 'task-%'";
  const taken = new Set(database.all(select).map(([key]) => String(key)));
  return (fields) => {
    const given = fields.get("run_id") ?? fields.get("idempotency_key");
    if (typeof given === "string" && isRunId(given)) return given;
    let n = 0;
    while (taken.has(makeUpRunId(fields.get("id"), n))) n++;
    return makeUpRunId(fields.get("id"), n);
  };
}

function isRunId(name: string): boolean {
  return name.trim() !== "" && name.length <= TASK_LIMITS.runIdMaxLength && !/^\d+$/.test(name);
}

function notesOn(database: SqlDatabase, schema: DetectedSchema, clipped: number): string[] {
  const logs = schema.hasLogs ? Number(database.all("SELECT count(*) FROM task_logs")[0]![0]) : 0;
  const notes = schema.unknown.map((column) =>
    `column ${column} of task_queue is unknown here and is not carried over`
  );
  if (logs > 0) notes.push(`${logs} rows of task_logs are not carried over: keep the file`);
  if (clipped > 0) {
    const length = TASK_LIMITS.errorMessageMaxLength;
    notes.push(`${clipped} error messages are longer than ${length} characters and are cut there`);
  }
  return notes;
}

/** The original's worker takes every task, whatever it asks for; here such a task waits for a worker that has it. */
function notesOnCompatibility(records: readonly TaskRecord[]): string[] {
  const wanted = new Map<string, number>();
  for (const { status, compatibility } of records) {
    const text = JSON.stringify(compatibility);
    if (status === "queued" && text !== "{}") wanted.set(text, (wanted.get(text) ?? 0) + 1);
  }
  if (wanted.size === 0) return [];
  const told = [...wanted].sort(([, a], [, b]) => b - a).slice(0, CAPABILITIES_TOLD).map((
    [text, count],
  ) => `${text} (${count})`);
  const rest = wanted.size > told.length ? ` and ${wanted.size - told.length} others` : "";
  const total = [...wanted.values()].reduce((sum, count) => sum + count, 0);
  return [
    `${total} queued tasks have a compatibility, which the original ignored: here they wait for a worker whose ` +
    `capabilities contain it, ${told.join(", ")}${rest}`,
  ];
}
