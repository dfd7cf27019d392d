/**
 * Records: tasks and schedules as they are stored, on their way from one queue to another.
 *
 * JSON stays a string, so what a program once wrote (a number of twenty digits) arrives as it was.
 */
import type { ParentFailurePolicy, Task, TaskStatus } from "../domain/task.ts";
import type { Webhook } from "../domain/webhook.ts";
import type { FlowRecord } from "./limits.ts";
import type { Schedule } from "./schedule.ts";
import type { TransitionKind } from "./task_transition.ts";

/** The result of importing schedules, by their ids. */
export interface ScheduleImport {
  /** Those that are new here. */
  readonly additions: readonly string[];
  /** Those that are here already. */
  readonly present: readonly string[];
}

/** Which tasks to export. */
export interface RecordRequest {
  /** Only tasks with one of these statuses; default all. */
  readonly statuses?: readonly TaskStatus[];
}

/** The content of a queue. */
export interface QueueRecords {
  /** The tasks, in order of their ids. */
  readonly tasks: readonly TaskRecord[];
  /** The schedules, by their ids. */
  readonly schedules: readonly ScheduleRecord[];
  /** The limits and pauses, by their scopes. */
  readonly limits: readonly FlowRecord[];
}

/** The result of importing limits and pauses. */
export interface LimitImport {
  /** How many scopes are new here. */
  readonly added: number;
  /** How many have a limit or a pause here already, which stays. */
  readonly present: number;
}

/** How to import. */
export interface RecordImportOptions {
  /** Only say what would happen; default false. */
  readonly dryRun?: boolean;
  /** Leave out the records with problems and store the others; default false: one problem, and nothing is stored. */
  readonly skipInvalid?: boolean;
  /**
   * Give every task a new id, after all that this queue has used; tasks are then distinguished by their run ids. Default false.
   */
  readonly renumber?: boolean;
}

/** How to import, and what beside tasks. */
export interface RecordImportRequest extends RecordImportOptions {
  /** Schedules to store in the same transaction; default none. */
  readonly schedules?: readonly ScheduleRecord[];
  /** Limits and pauses to store in the same transaction; default none. */
  readonly limits?: readonly FlowRecord[];
}

/** Why a record cannot be imported. */
export interface RecordProblem {
  /** The id that the task has; `null` for a schedule or a limit. */
  readonly id: number | null;
  /** The problem, for people. */
  readonly reason: string;
}

/** The result of an import, or of its dry run. */
export interface RecordImport {
  /** Whether this is done; `false` after a dry run, with conflicts, and with problems that were not to be skipped. */
  readonly stored: boolean;
  /** The ids of the records that are new here, in order of the records' ids. */
  readonly additions: readonly number[];
  /** The ids that they have in this queue, in the same order; empty when nothing was stored. */
  readonly storedIds: readonly number[];
  /** The ids of records whose tasks are here already. */
  readonly present: readonly number[];
  /** The ids of records whose tasks were here and are gone (pruned); they are not added again. */
  readonly gone: readonly number[];
  /** Records that are not tasks that this queue could hold. */
  readonly problems: readonly RecordProblem[];
  /** Records that do not go together with the tasks that are here. */
  readonly conflicts: readonly RecordProblem[];
  /** The result for the schedules. */
  readonly schedules: ScheduleImport;
  /** The result for the limits and pauses. */
  readonly limits: LimitImport;
}

/** A schedule with its payload as the JSON text that is stored. */
export interface ScheduleRecord
  extends Omit<Schedule, "payload" | "nextAt" | "lastTaskId" | "waitsForTaskId"> {
  /** The payload as JSON text. */
  readonly payloadText: string;
  /** When it fires next, as far as its clock says; `null` when a cron expression has no later instant. */
  readonly nextAt: Date | null;
  /** The run id of its last firing's task, as long as that task is there. */
  readonly lastRunId: string | null;
}

/** How a child stands to a parent: `open` until the parent is final; then `ended_child` when it has ended the child, else `met`. */
export type DependencyState = "open" | "met" | "ended_child";

/** Every such state. */
export const DEPENDENCY_STATES: readonly DependencyState[] = ["open", "met", "ended_child"];

/** A task that a task waits for, or has waited for. */
export interface ParentRecord {
  /** Its id; negative when it was gone already when the task was imported. */
  readonly taskId: number;
  /** Its run id. */
  readonly runId: string;
  /** The child's policy for when this parent fails or is cancelled. */
  readonly onFailure: ParentFailurePolicy;
  /** `open` until it is final; then `ended_child` when it has ended the child, else `met`. */
  readonly state: DependencyState;
}

/** A task with its payload and result as the JSON texts that are stored, with its parents and its webhook. */
export interface TaskRecord extends Omit<Task, "payload" | "result" | "waitsFor"> {
  /** The payload as JSON text. */
  readonly payloadText: string;
  /** The result as JSON text; `null` when there is none. */
  readonly resultText: string | null;
  /** Its parents, in its order. */
  readonly parents: readonly ParentRecord[];
  /** Where to report that it has ended; `null` for nowhere. */
  readonly webhook: Webhook | null;
}

/** A transition as it is stored; its instant is milliseconds since 1970. */
export interface TransitionRecord {
  readonly taskId: number;
  readonly atMs: number;
  readonly kind: TransitionKind;
  /** What it says beside, as JSON text; `null` for nothing. */
  readonly details: string | null;
  readonly durationMs: number | null;
}
