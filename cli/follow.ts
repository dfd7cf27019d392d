/**
 * Following a task: its log lines and its progress, from any process, until it is final.
 */
import { isFinal, type LogLine, sleep, systemClock } from "../src/mod.ts";
import { type Desk, logPages, type LogPosition, type TaskDocument } from "./queue_access.ts";

/** Whom to follow, and whom to tell. */
export interface FollowRequest {
  readonly desk: Desk;
  readonly taskId: number;
  /** Stops following. */
  readonly signal: AbortSignal;
  /** Gets every line of the log, from the first. */
  readonly onLine: (line: LogLine) => void;
  /** Gets the task whenever something about it may have changed. */
  readonly onTask?: (task: TaskDocument) => void;
}

/**
 * Follows a task and resolves to it as soon as it is final, or as it is when `signal` aborts.
 *
 * @throws NotFoundError when the task is deleted meanwhile.
 */
export async function followTask(request: FollowRequest): Promise<TaskDocument> {
  const { desk, taskId, signal } = request;
  let change = new AbortController();
  const unwatch = desk.watch(taskId, () => change.abort());
  try {
    for (let position: LogPosition = null;;) {
      change = new AbortController(); // before looking, so that no change is missed
      const task = await desk.find(String(taskId));
      position = await passLines(request, task, position);
      request.onTask?.(task);
      if (isFinal(task.status) || signal.aborted) return task;
      await sleep(systemClock, desk.lookIntervalMs, AbortSignal.any([signal, change.signal]));
    }
  } finally {
    unwatch();
  }
}

async function passLines(
  { desk, onLine }: FollowRequest,
  task: TaskDocument,
  from: LogPosition,
): Promise<LogPosition> {
  let position = from;
  for await (const { lines, next } of logPages(desk, task, from)) {
    lines.forEach(onLine);
    position = next;
  }
  return position;
}
