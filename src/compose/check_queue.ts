/**
 * Validation: whether the durable queue works here, tested on a scratch copy.
 */
import { messageOf, StorageError } from "../domain/errors.ts";
import { isDatabaseAddress } from "../domain/queue_address.ts";
import { TASK_EXECUTION_DEFAULTS } from "../manager/config.ts";
import { openQueue } from "./open_queue.ts";
import { makeScratchCopy, type ScratchCopy } from "../platform/scratch_copy.ts";
import type { TaskQueue } from "../queue/task_queue.ts";

/** One check. */
export interface IntegrationCheck {
  /** The name of the check. */
  readonly name: string;
  /** Whether it worked. */
  readonly success: boolean;
  /** The finding, or the error. */
  readonly message: string;
}

/** The result of a validation. */
export interface IntegrationReport {
  /** Whether everything worked. */
  readonly success: boolean;
  /** The checks, in order; after a failure no more follow. */
  readonly checks: readonly IntegrationCheck[];
  /** The messages of what did not work. */
  readonly errors: readonly string[];
}

const TYPE = "holdfast.check";

const RESULT = Object.freeze({ checked: true });

/**
 * Tries out whether the queue at `path` (default `data/queue.db`) can be used by this process: reads its files, opens a
 * copy of them in a folder beside it, runs a task there from enqueue to result, opens it again, and removes the copy. The
 * queue itself is not changed, and may be in use. For a database the trial has a schema of its own, which is removed. Never
 * rejects: problems are in the report.
 */
export async function validateQueueIntegration(
  path: string = TASK_EXECUTION_DEFAULTS.queueDbPath,
): Promise<IntegrationReport> {
  const checks: IntegrationCheck[] = [];
  const attempt: Attempt = async (name, action) => {
    try {
      const [message, value] = await action();
      checks.push({ name, success: true, message });
      return value;
    } catch (error) {
      checks.push({ name, success: false, message: messageOf(error) });
      throw error;
    }
  };
  try {
    await (isDatabaseAddress(path) ? tryDatabase(path, attempt) : tryFiles(path, attempt));
  } catch (error) {
    // What a check has thrown is in its report; only removing the copy can have failed else.
    if (checks.every(({ success }) => success)) {
      checks.push({ name: "remove the copy", success: false, message: messageOf(error) });
    }
  }
  const errors = checks.filter(({ success }) => !success).map(({ message }) => message);
  return { success: errors.length === 0, checks, errors };
}

/** Notes what comes of a check. */
type Attempt = <T>(name: string, action: () => Promise<[message: string, value: T]>) => Promise<T>;

async function tryFiles(path: string, attempt: Attempt): Promise<void> {
  await using copy = await attempt("copy", () => copied(path));
  const taskId = await attempt("run a task", () => runTask(copy.path));
  await attempt("read it again", () => readAgain(copy.path, taskId));
}

/** The trial has a schema of its own, which a user without the right to make one cannot have. */
async function tryDatabase(path: string, attempt: Attempt): Promise<void> {
  await attempt("open", () => lookedAt(path));
  const { dropPostgresSchema, scratchAddress } = await import("./open_postgres.ts");
  const scratch = scratchAddress(path);
  try {
    const taskId = await attempt("run a task", () => runTaskIfAllowed(scratch));
    if (taskId !== null) await attempt("read it again", () => readAgain(scratch, taskId));
  } finally {
    await dropPostgresSchema(scratch);
  }
}

async function lookedAt(path: string): Promise<[string, void]> {
  const queue = await openQueue({ path, readOnly: true });
  try {
    return [`${await queue.count()} tasks are there`, undefined];
  } finally {
    await queue.close();
  }
}

async function runTaskIfAllowed(scratch: string): Promise<[string, number | null]> {
  try {
    return await runTask(scratch);
  } catch (error) {
    if (!(error instanceof StorageError && error.operation === "upgrade")) throw error;
    return ["not tried: this user may make no schema to try it in", null];
  }
}

async function copied(path: string): Promise<[string, ScratchCopy]> {
  const copy = await makeScratchCopy(path);
  const found = copy.files === 0 ? "there is no queue yet" : `${copy.files} files were copied`;
  return [found, copy];
}

function runTask(path: string): Promise<[string, number]> {
  return withQueue(path, async (queue) => {
    const tasks = await queue.count();
    const { task: { id: taskId } } = await queue.enqueue({ type: TYPE });
    const [task] = await queue.claim({ workerId: TYPE, types: [], taskId });
    if (task === undefined) throw new Error("Cannot claim the task that was just stored");
    await queue.complete(task, RESULT);
    return [`beside ${tasks} tasks, one more was stored, claimed and completed`, taskId];
  });
}

function readAgain(path: string, taskId: number): Promise<[string, void]> {
  return withQueue(path, async (queue) => {
    const task = await queue.get(taskId);
    if (task?.status !== "completed" || JSON.stringify(task.result) !== JSON.stringify(RESULT)) {
      throw new Error(`Cannot find the result of the task: it is ${task?.status ?? "gone"}`);
    }
    return ["the result was there after opening it anew", undefined];
  });
}

async function withQueue<T>(path: string, use: (queue: TaskQueue) => Promise<T>): Promise<T> {
  const queue = await openQueue(path);
  try {
    return await use(queue);
  } finally {
    await queue.close();
  }
}
