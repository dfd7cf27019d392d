/**
 * Records in parts that one transaction can hold.
 */
import type { TaskRecord } from "../queue/records.ts";
import type { ImportReport } from "./import_report.ts";
import type { TaskFile } from "./task_file.ts";

/** How many characters of payload and result a transaction takes at most, and what the other fields may add. */
const PART_LENGTH = 8 * 1024 * 1024;

const FIELDS_LENGTH = 1000;

/** The records of a file that can be stored, in order of their ids. */
export function withoutProblems(file: TaskFile, { problems }: ImportReport): readonly TaskRecord[] {
  const wrong = new Set(problems.map(({ id }) => id));
  return file.records.filter(({ id }) => !wrong.has(id)).sort((a, b) => a.id - b.id);
}

/** Parts that a transaction can hold, however large their tasks are. Nobody waits for a task of a later part. */
export function* partsOf(records: readonly TaskRecord[]): Generator<readonly TaskRecord[]> {
  let part: TaskRecord[] = [];
  let [length, lastParent] = [0, 0];
  for (const record of records) {
    part.push(record);
    length += record.payloadText.length + (record.resultText?.length ?? 0) + FIELDS_LENGTH;
    for (const { taskId } of record.parents) lastParent = Math.max(lastParent, taskId);
    if (length < PART_LENGTH || record.id < lastParent) continue;
    yield part;
    [part, length] = [[], 0];
  }
  if (part.length > 0) yield part;
}
