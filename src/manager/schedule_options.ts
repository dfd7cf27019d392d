/**
 * What can be said of a task that a manager stores.
 *
 * To schedule a task means here what it means in every TaskManager: to enqueue it, perhaps for later. What repeats is a
 * `Schedule` of the queue, which `addSchedule` stores.
 */
import { checkOptions } from "../domain/options.ts";
import type { NewTask } from "../domain/task.ts";
import { ENQUEUE_FIELDS, TASK_OPTIONS } from "../domain/task_fields.ts";

/** How to schedule a task, apart from its type and payload. */
export type ScheduleOptions = Omit<NewTask, "type" | "payload">;

/** @throws TypeError when there is a field that no task has. */
export function checkScheduleOptions(options: ScheduleOptions): void {
  checkOptions(options, ENQUEUE_FIELDS, "scheduleTask");
}

/** @throws TypeError when there is a field that no task has. */
export function checkTaskFields(task: NewTask): void {
  checkOptions(task, TASK_OPTIONS, "a task");
}
