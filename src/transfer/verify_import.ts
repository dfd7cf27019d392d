/**
 * Verifying an import: what is stored is read back and compared with the file.
 */
import { StorageError } from "../domain/errors.ts";
import { canonicalJson } from "../domain/json.ts";
import { isMadeUpRunId } from "../domain/run_id.ts";
import {
  KEPT_FIELD_NAMES,
  KEPT_IN_SCHEDULES,
  type KeptFieldName,
  TASK_FIELDS,
} from "../domain/task_fields.ts";
import { prepareWebhook } from "../domain/webhook.ts";
import type { RecordImport, ScheduleRecord, TaskRecord } from "../queue/records.ts";
import type { TaskQueue } from "../queue/task_queue.ts";
import type { TaskFile, TransferProgress } from "./task_file.ts";

/** What was stored. */
export type Stored = Pick<RecordImport, "additions" | "storedIds" | "schedules">;

/** Reads the queue back. Others may have begun to work on the tasks, so what never changes is compared. @throws StorageError */
export async function verify(
  queue: TaskQueue,
  file: TaskFile,
  { additions, storedIds, schedules }: Stored,
  onProgress: (progress: TransferProgress) => void,
): Promise<void> {
  const total = additions.length;
  onProgress({ phase: "verify", done: 0, total });
  const sources = new Map(file.records.map((record) => [record.id, record]));
  const here = await queue.exportAll();
  const stored = new Map(here.tasks.map((record) => [record.id, record]));
  const wrong = additions.filter((id, i) => {
    return !isSame(sources.get(id)!, stored.get(storedIds[i]!));
  });
  if (wrong.length > 0) {
    const reason = `${wrong.length} of ${total} tasks are not in the queue as they are in the file`;
    throw new StorageError("verify", file.path, `${reason}, the first of them is ${wrong[0]}`);
  }
  const known = new Map(here.schedules.map((record) => [record.id, record]));
  const added = new Set(schedules.additions);
  const lost = file.schedules.filter((source) =>
    added.has(source.id) && !isSameSchedule(source, known.get(source.id))
  );
  if (lost.length > 0) {
    const reason = `${lost.length} schedules are not in the queue as they are in the file`;
    throw new StorageError("verify", file.path, `${reason}, the first of them is ${lost[0]!.id}`);
  }
  onProgress({ phase: "verify", done: total, total });
}

/** It may have fired meanwhile. */
function isSameSchedule(source: ScheduleRecord, stored: ScheduleRecord | undefined): boolean {
  return stored !== undefined && keepsFields(source, stored, KEPT_IN_SCHEDULES) &&
    stored.payloadText === source.payloadText && stored.everyMs === source.everyMs &&
    isSameWebhook(source, stored) && stored.firings >= source.firings &&
    stored.createdAt.getTime() === source.createdAt.getTime();
}

function isSame(source: TaskRecord, stored: TaskRecord | undefined): boolean {
  return stored !== undefined && keepsFields(source, stored, KEPT_FIELD_NAMES) &&
    stored.payloadText === source.payloadText && isSameRunId(source, stored) &&
    isSameWebhook(source, stored) && stored.createdAt.getTime() === source.createdAt.getTime();
}

type HasWebhook = Pick<TaskRecord, "webhook">;

/** Whether what a task keeps for ever is in both. */
function keepsFields<Name extends KeptFieldName>(
  source: Readonly<Record<Name, unknown>>,
  stored: Readonly<Record<Name, unknown>>,
  names: readonly Name[],
): boolean {
  return names.every((name) => {
    const [wanted, found] = [source[name], stored[name]].map((value) => inOrder(name, value));
    return wanted === found || canonicalJson(wanted) === canonicalJson(found);
  });
}

/** A set is stored in order, whatever the order in the file is. */
function inOrder(name: KeptFieldName, value: unknown): unknown {
  if (TASK_FIELDS[name].kind !== "names" || !Array.isArray(value)) return value;
  return [...new Set(value)].sort();
}

/** A run id that was made up may have been made up anew. */
function isSameRunId(source: TaskRecord, stored: TaskRecord): boolean {
  return stored.runId === source.runId ||
    (isMadeUpRunId(source) && isMadeUpRunId({ id: source.id, runId: stored.runId }));
}

function isSameWebhook({ webhook }: HasWebhook, stored: HasWebhook): boolean {
  const [wanted, found] = [webhook, stored.webhook].map((each) => each && prepareWebhook(each));
  return wanted?.url === found?.url && wanted?.events === found?.events;
}
