/**
 * Bringing the fields of another system's tasks into the ranges of this one: the nearest value that is allowed, and a note of
 * each field that was changed.
 */
import { INSTANT_RANGE } from "../domain/check.ts";
import { isFinal, TASK_LIMITS } from "../domain/task.ts";
import type { TaskRecord } from "../queue/records.ts";
import type { TaskFile } from "./task_file.ts";

/** The first change of a field, and how many tasks had one. */
interface Change {
  count: number;
  readonly first: string;
}

const NAMES = ["type", "runId", "lockedBy"] as const;

const INSTANTS = [
  "runAfter",
  "expiresAt",
  "reservedAt",
  "processingStarted",
  "finishedAt",
  "createdAt",
  "updatedAt",
] as const;

/** The same file with each task in range as far as that can be had. What is of another kind stays as it is. */
export function clampTaskFile(file: TaskFile): TaskFile {
  const changes = new Map<string, Change>();
  const records = file.records.map((record) => {
    const clamped = clampRecord(record);
    for (const field of Object.keys(record) as (keyof TaskRecord)[]) {
      if (clamped[field] !== record[field]) note(changes, field, { from: record, to: clamped });
    }
    return clamped;
  });
  const notes = [...changes].map(([field, { count, first }]) =>
    `${field}: ${count} tasks were brought into range, ${first}`
  );
  return { ...file, records, notes: [...file.notes, ...notes] };
}

function clampRecord(record: TaskRecord): TaskRecord {
  const { priorityMin, priorityMax, maxAttemptsMin, maxAttemptsMax } = TASK_LIMITS;
  const maxAttempts = clampInteger(record.maxAttempts, maxAttemptsMin, maxAttemptsMax);
  const attemptsMax = isFinal(record.status) ? maxAttempts : maxAttempts - 1;
  return {
    ...record,
    ...Object.fromEntries(NAMES.map((field) => [field, trimmed(record[field])])),
    ...Object.fromEntries(INSTANTS.map((field) => [field, clampInstant(record[field])])),
    idempotencyKey: record.idempotencyKey?.trim() || null,
    priority: clampInteger(record.priority, priorityMin, priorityMax),
    maxAttempts,
    attempts: clampInteger(record.attempts, 0, attemptsMax),
  };
}

/** A name of blanks alone stays, and is refused; a key of blanks is none. */
function trimmed(name: string | null): string | null {
  return typeof name === "string" && name.trim() !== "" ? name.trim() : name;
}

function clampInteger(value: number, min: number, max: number): number {
  return Number.isInteger(value) ? Math.min(max, Math.max(min, value)) : value;
}

function clampInstant(instant: Date | null): Date | null {
  const { minMs, maxMs } = INSTANT_RANGE;
  if (instant === null || (instant.getTime() >= minMs && instant.getTime() <= maxMs)) {
    return instant;
  }
  return new Date(Math.min(maxMs, Math.max(minMs, instant.getTime())));
}

function note(
  changes: Map<string, Change>,
  field: keyof TaskRecord,
  { from, to }: { readonly from: TaskRecord; readonly to: TaskRecord },
): void {
  const known = changes.get(field);
  if (known !== undefined) known.count++;
  else {
    const [before, after] = [from[field], to[field]].map((value) => JSON.stringify(value));
    changes.set(field, { count: 1, first: `such as task ${from.id}: ${before} became ${after}` });
  }
}
