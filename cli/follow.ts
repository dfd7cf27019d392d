/**
 * Following a task: its log lines and its progress, from any process, until it is final.
 */
import {
  isFinal,
  type LogLine,
  type LogStore,
  sleep,
  systemClock,
  type Task,
  type TaskQueue,
} from "../src/mod.ts";
import { NotFoundError } from "./exit.ts";

/** Another process's log lines are looked for this often, in milliseconds. */
const POLL_INTERVAL_MS = 200;

/** Whom to follow, and whom to tell. */
export interface FollowRequest {
  readonly queue: TaskQueue;
  readonly logs: LogStore;
  readonly taskId: number;
  /** Stops following. */
  readonly signal: AbortSignal;
  /** Gets every line of the log, from the first. */
  readonly onLine: (line: LogLine) => void;
  /** Gets the task whenever something about it may have changed. */
  readonly onTask?: (task: Task) => void;
}

/**
 * Follows a task and resolves to it as soon as it is final, or as it is when `signal` aborts.
 *
 * @throws NotFoundError when the task is deleted meanwhile.
 */
export async function followTask(request: FollowRequest): Promise<Task> {
  const { queue, taskId, signal } = request;
  let change = new AbortController();
  const unwatch = queue.watch((changes) => {
    if (changes === "reset" || changes.some((one) => one.taskId === taskId)) change.abort();
  });
  try {
    for (let offset = 0;;) {
      change = new AbortController(); // before looking, so that no change is missed
      const task = await queue.get(taskId);
      if (task === undefined) throw new NotFoundError(`task ${taskId} has been deleted`);
      offset = await passLines(request, offset);
      request.onTask?.(task);
      if (isFinal(task.status) || signal.aborted) return task;
      await sleep(systemClock, POLL_INTERVAL_MS, AbortSignal.any([signal, change.signal]));
    }
  } finally {
    unwatch();
  }
}

async function passLines(request: FollowRequest, offset: number): Promise<number> {
  const page = await request.logs.read(request.taskId, offset);
  page.lines.forEach(request.onLine);
  return page.nextOffset;
}
