/**
 * A run as a stream of events: `log` for each line of its log, `status` whenever it changes, `complete` at its end.
 *
 * Each line has an id with which a reader that was cut off goes on after it, so it sees every line exactly once. `status`
 * tells of the present, so it comes once more after each reconnection.
 */
import { isFinal, type LogStore, runOfTask, type Task, type TaskQueue } from "../src/mod.ts";
import type { Waiter } from "./changes.ts";
import type { ServerEvent } from "./event_stream.ts";
import { runJson, statusJson } from "./json.ts";
import type { AppParts } from "./parts.ts";
import { cursorText, linesAfter, LOG_START, type LogCursor } from "./run_log.ts";

/** Ends the id of the event `complete`. */
export const END_SUFFIX = "-end";

/** Which run to follow, and from where. */
export interface RunFollowing {
  readonly taskId: number;
  /** What the reader has seen already. */
  readonly cursor?: LogCursor;
}

/** The events of a run until it is over, or gone, or `signal` aborts. */
export async function* runEvents(
  { taskId, cursor = LOG_START }: RunFollowing,
  { options, changes }: AppParts,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent, void> {
  const waiter = changes.wait({ taskId, withLog: true });
  try {
    yield* new RunFollower(options.queue, options.logs, taskId, cursor).events(waiter, signal);
  } finally {
    waiter.close();
  }
}

class RunFollower {
  readonly #queue: TaskQueue;
  readonly #logs: LogStore | undefined;
  readonly #taskId: number;
  #cursor: LogCursor;
  #toldStatus = "";

  constructor(queue: TaskQueue, logs: LogStore | undefined, taskId: number, cursor: LogCursor) {
    this.#queue = queue;
    this.#logs = logs;
    this.#taskId = taskId;
    this.#cursor = cursor;
  }

  async *events(waiter: Waiter, signal: AbortSignal): AsyncGenerator<ServerEvent, void> {
    while (!signal.aborted) {
      waiter.mark(); // before looking, so that no change is missed
      const task = await this.#queue.get(this.#taskId);
      if (task === undefined) return;
      const isOver = isFinal(task.status);
      if (!isOver) yield* this.#statusOf(task);
      yield* this.#newLines(); // after the task: a worker logs its last line before it completes
      if (isOver) {
        yield* this.#statusOf(task);
        const id = `${cursorText(this.#cursor)}${END_SUFFIX}`;
        return yield { event: "complete", id, data: runJson(runOfTask(task)) };
      }
      await waiter.changed(signal);
    }
  }

  *#statusOf(task: Task): Generator<ServerEvent, void> {
    const status = statusJson(task);
    const text = JSON.stringify(status);
    if (text === this.#toldStatus) return;
    this.#toldStatus = text;
    yield { event: "status", data: status };
  }

  async *#newLines(): AsyncGenerator<ServerEvent, void> {
    if (this.#logs === undefined) return;
    for (const { line, after } of await linesAfter(this.#logs, this.#taskId, this.#cursor)) {
      this.#cursor = after;
      yield { event: "log", id: cursorText(after), data: line };
    }
  }
}
