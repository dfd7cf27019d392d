/**
 * What can be said of a task that a manager stores.
 *
 * To schedule a task means here what it means in every TaskManager: to enqueue it, perhaps for later. What repeats is a
 * `Schedule` of the queue, which `addSchedule` stores.
 */
import { checkOptions } from "../domain/check.ts";
import type { NewTask } from "../domain/task.ts";

/** How to schedule a task, apart from its type and payload. */
export type ScheduleOptions = Omit<NewTask, "type" | "payload">;

const SCHEDULE_OPTIONS = Object.keys(
  {
    priority: true,
    runAfter: true,
    idempotencyKey: true,
    maxAttempts: true,
    compatibility: true,
    runId: true,
    retryPolicy: true,
    timeoutMs: true,
    dependsOn: true,
    onParentFailure: true,
    webhook: true,
  } satisfies Record<keyof ScheduleOptions, true>,
);

const TASK_OPTIONS = ["type", "payload", ...SCHEDULE_OPTIONS];

/** @throws TypeError when there is a field that no task has. */
export function checkScheduleOptions(options: ScheduleOptions): void {
  checkOptions(options, SCHEDULE_OPTIONS, "scheduleTask");
}

/** @throws TypeError when there is a field that no task has. */
export function checkTaskFields(task: NewTask): void {
  checkOptions(task, TASK_OPTIONS, "a task");
}
