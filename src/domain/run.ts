/**
 * The run: a task as the TaskManager and the HTTP API show it.
 */
import type { RetryPolicy } from "./backoff.ts";
import { messageOf } from "./errors.ts";
import { FINAL_STATUSES } from "./final_status.ts";
import { checkOptions, optionNames } from "./options.ts";
import { shownValue } from "./shown_value.ts";
import type { Task, TaskStatus } from "./task.ts";

/** Every status of a run. */
export const RUN_STATUSES = ["queued", "running", ...FINAL_STATUSES] as const;

/** Where a run is: a task's status, with `leased` called `running`. */
export type RunStatus = typeof RUN_STATUSES[number];

/**
 * One run of a module. The caller makes it with the first five fields; the TaskManager that it was given to keeps the
 * others true.
 */
export interface Run {
  /** Unique; 1–200 characters. */
  readonly runId: string;
  /** Which module runs: the task's type. */
  readonly moduleId: string;
  /** The module's name for people. */
  readonly moduleName: string;
  /** The task's payload. */
  readonly parameters: unknown;
  /** When its caller made it. */
  readonly createdAt: Date;
  /** Where it is. */
  status: RunStatus;
  /** When its latest execution started. */
  startedAt: Date | null;
  /** When it reached its final status. */
  completedAt: Date | null;
  /** From `startedAt` to `completedAt`, in seconds. */
  durationSeconds: number | null;
  /** The integer `result.exit_code`, if there is one; else 0 when completed, and `null` otherwise. */
  exitCode: number | null;
  /** Why it failed or was cancelled, or why its last attempt failed. */
  errorMessage: string | null;
  /** The value that the handler returned, or `{ exit_code }` when it failed with an `ExitCodeError`. */
  result: unknown;
  /** 0–100, or `null` when none was reported. */
  progressPercent: number | null;
  /** Executions started. */
  attempts: number;
  /** 1–1000, lower runs first. */
  priority: number;
  /** Executions allowed on a durable queue, 1–100; in memory a run is executed once. Not given: the queue's default, 5. */
  readonly maxAttempts?: number;
  /** How failures are retried on a durable queue. Not given: as the handler says, then the queue. */
  readonly retryPolicy?: Partial<RetryPolicy>;
}

/** A run as `startTask` and `addRun` take it: the fields that say what it is; what is left out gets its default. */
export type GivenRun =
  & Pick<Run, "runId" | "moduleId" | "moduleName" | "status" | "createdAt" | "parameters">
  & Partial<Run>;

/** The fields of a new run that its caller leaves out. */
const NEW_RUN = Object.freeze({
  status: "queued",
  startedAt: null,
  completedAt: null,
  durationSeconds: null,
  exitCode: null,
  errorMessage: null,
  result: null,
  progressPercent: null,
  attempts: 0,
  priority: 100,
});

/**
 * Gives every field that is missing its default.
 *
 * @throws TypeError when it is not an object, a field cannot be added, or `createdAt` or `moduleName` is of another type.
 */
export function completeRun(given: GivenRun): asserts given is Run {
  if (typeof given !== "object" || given === null) {
    throw new TypeError(`Cannot use ${given === null ? "null" : typeof given} as a run`);
  }
  const { moduleId: moduleName } = given;
  const defaults = { ...NEW_RUN, moduleName, parameters: {}, createdAt: new Date() };
  for (const [field, value] of Object.entries(defaults)) {
    if (Reflect.get(given, field) === undefined) setField(given, field, value);
  }
  const { createdAt, moduleName: name } = given as Run;
  if (!(createdAt instanceof Date) || Number.isNaN(createdAt.getTime())) {
    throw new TypeError(
      `Cannot use ${shownValue(createdAt)} as createdAt of a run: a Date is needed`,
    );
  }
  if (typeof name !== "string") {
    throw new TypeError(
      `Cannot use ${shownValue(name)} as moduleName of a run: a string is needed`,
    );
  }
}

/** Checks that a manager can show by `run` how it goes. @throws TypeError when it is frozen, or a field cannot be set. */
export function checkSettable(run: Run): void {
  for (const field of Object.keys(NEW_RUN)) setField(run, field, Reflect.get(run, field));
}

function setField(run: GivenRun, field: string, value: unknown): void {
  try {
    Object.assign(run, { [field]: value });
  } catch (error) {
    throw new TypeError(
      `Cannot use run ${shownValue(run.runId)}: its field ${field} cannot be set: ${
        messageOf(error)
      }`,
      { cause: error },
    );
  }
}

/** The fields of a new run that are worth giving. */
export type NewRun =
  & Pick<Run, "runId" | "moduleId">
  & Partial<
    Pick<
      Run,
      "moduleName" | "parameters" | "createdAt" | "priority" | "maxAttempts" | "retryPolicy"
    >
  >;

const NEW_RUN_FIELDS = optionNames<NewRun>({
  runId: true,
  moduleId: true,
  moduleName: true,
  parameters: true,
  createdAt: true,
  priority: true,
  maxAttempts: true,
  retryPolicy: true,
});

/** A queued run, with everything not given at its default. @throws TypeError for an unknown field. */
export function createRun(fields: NewRun): Run {
  checkOptions(fields, NEW_RUN_FIELDS, "a new run");
  return {
    runId: fields.runId,
    moduleId: fields.moduleId,
    moduleName: fields.moduleName ?? fields.moduleId,
    parameters: fields.parameters === undefined ? {} : fields.parameters,
    createdAt: fields.createdAt ?? new Date(),
    ...NEW_RUN,
    priority: fields.priority ?? NEW_RUN.priority,
    ...(fields.maxAttempts === undefined ? {} : { maxAttempts: fields.maxAttempts }),
    ...(fields.retryPolicy === undefined ? {} : { retryPolicy: fields.retryPolicy }),
  };
}

/** The run that shows `task`. */
export function runOfTask(task: Task, moduleName?: string): Run {
  const run = createRun({
    runId: task.runId,
    moduleId: task.type,
    moduleName,
    parameters: task.payload,
    createdAt: task.createdAt,
    priority: task.priority,
  });
  copyTaskState(run, task);
  return run;
}

/** Makes `run` say what `task` says. */
export function copyTaskState(run: Run, task: Task): void {
  run.status = runStatusOf(task.status);
  run.startedAt = task.processingStarted;
  run.completedAt = task.finishedAt;
  run.durationSeconds = secondsBetween(task.processingStarted, task.finishedAt);
  run.exitCode = exitCodeOf(task.status, task.result);
  run.errorMessage = task.errorMessage;
  run.result = task.result;
  run.progressPercent = task.progress;
  run.attempts = task.attempts;
}

/**
 * The exit code of a run with this status and result: the integer `exit_code` of the result, which a handler returns, or an
 * `ExitCodeError` leaves; else 0 when completed and `null` otherwise.
 */
export function exitCodeOf(status: TaskStatus | RunStatus, result: unknown): number | null {
  if (status !== "completed" && status !== "failed") return null;
  const told = typeof result === "object" && result !== null && "exit_code" in result
    ? result.exit_code
    : null;
  if (Number.isSafeInteger(told)) return told as number;
  return status === "completed" ? 0 : null;
}

/** The run status that shows a task status. */
export function runStatusOf(status: TaskStatus): RunStatus {
  return status === "leased" ? "running" : status;
}

/** The task status behind a run status. */
export function taskStatusOf(status: RunStatus): TaskStatus {
  return status === "running" ? "leased" : status;
}

/** Whether a run with this status is queued or running. */
export function isActive(status: RunStatus): boolean {
  return status === "queued" || status === "running";
}

/** Seconds from one instant to another, 0 when the clock was put back meanwhile, or `null` when either is missing. */
export function secondsBetween(from: Date | null, to: Date | null): number | null {
  return from === null || to === null ? null : Math.max(0, to.getTime() - from.getTime()) / 1000;
}
