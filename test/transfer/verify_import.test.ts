/**
 * The check after an import: every field that a task keeps as it was given is compared with the file.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { StorageError } from "../../src/domain/errors.ts";
import type { NewTask } from "../../src/domain/task.ts";
import {
  type FieldTable,
  KEPT_FIELD_NAMES,
  KEPT_IN_SCHEDULES,
  TASK_FIELDS,
} from "../../src/domain/task_fields.ts";
import { exportTasks } from "../../src/compose/export_tasks.ts";
import { importTasks } from "../../src/compose/import_tasks.ts";
import type { QueueRecords } from "../../src/queue/records.ts";
import { overridden } from "../support/overridden_queue.ts";
import { IN_MEMORY, withQueue, withTemporaryPath } from "../support/queues.ts";

/** A value for each field. */
function examplesOf(fields: FieldTable, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => {
    const field = fields[name]!;
    if (field.kind !== "object") return [name, field.example];
    return [name, examplesOf(field.fields, Object.keys(field.fields))];
  }));
}

/** A file with a task and a schedule that have every field. */
async function fileOf(path: string): Promise<void> {
  await withQueue(IN_MEMORY, async (queue) => {
    const task = examplesOf(TASK_FIELDS, [...KEPT_FIELD_NAMES, "webhook"]) as unknown as NewTask;
    const given = examplesOf(TASK_FIELDS, [...KEPT_IN_SCHEDULES, "webhook"]) as unknown as NewTask;
    await queue.enqueue(task);
    await queue.addSchedule({ ...given, id: "s", everyMs: 60_000 });
    await exportTasks(queue, { format: "ndjson", output: path });
  });
}

/** Imports into a queue that holds other records than those that came in. */
async function importInto(
  path: string,
  changed: (records: QueueRecords) => QueueRecords,
): Promise<void> {
  await withQueue(IN_MEMORY, async (queue) => {
    const exportAll = async (): Promise<QueueRecords> => changed(await queue.exportAll());
    await importTasks(overridden(queue, { exportAll }), path);
  });
}

Deno.test("an import fails when a field of a task is not stored as it is in the file", () =>
  withTemporaryPath(async (path) => {
    await fileOf(path);
    await importInto(path, (records) => records);
    assertEquals(KEPT_FIELD_NAMES.length >= 7, true);
    for (const name of [...KEPT_FIELD_NAMES, "webhook"]) {
      const lose = (records: QueueRecords): QueueRecords => {
        return { ...records, tasks: records.tasks.map((task) => ({ ...task, [name]: null })) };
      };
      await assertRejects(() => importInto(path, lose), StorageError, "1 of 1 tasks are not");
    }
  }));

Deno.test("an import fails when a field of a schedule is not stored as it is in the file", () =>
  withTemporaryPath(async (path) => {
    await fileOf(path);
    for (const name of [...KEPT_IN_SCHEDULES, "webhook"]) {
      const lose = ({ tasks, schedules, limits }: QueueRecords): QueueRecords => {
        return { tasks, limits, schedules: schedules.map((each) => ({ ...each, [name]: null })) };
      };
      await assertRejects(() => importInto(path, lose), StorageError, "1 schedules are not");
    }
  }));

Deno.test("tags of a file may be in any order, and there twice", () =>
  withTemporaryPath(async (path) => {
    await fileOf(path);
    const text = await Deno.readTextFile(path);
    const [inOrder, other] = [
      '["customer-17","release-42"]',
      '["release-42","customer-17","release-42"]',
    ];
    assertEquals(text.split(inOrder).length, 3);
    await Deno.writeTextFile(path, text.replaceAll(inOrder, other));
    await importInto(path, (records) => records);
  }));
