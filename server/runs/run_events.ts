/**
 * A run as a stream of events: `log` for each line of its log, `status` whenever it changes, `complete` at its end.
 *
 * Each event has an id that says which lines and which status were told so far. A reader that was cut off goes on with it,
 * so it sees every line exactly once, and a status again only when it has changed.
 */
import { isFinal, type Task } from "../../src/core.ts";
import type { Waiter } from "../http/changes.ts";
import type { ServerEvent } from "../http/event_stream.ts";
import { runJsonOfTask, statusJson } from "./json.ts";
import type { ResolvedAppOptions } from "../http/options.ts";
import type { AppServices } from "../http/services.ts";
import { cursorOf, cursorText, linesAfter, LOG_START, type LogCursor } from "../logs/run_log.ts";

/** Which run to follow, and from where. */
export interface RunFollowing {
  readonly taskId: number;
  /** The id of the last event that the reader has seen; default none. */
  readonly lastEventId?: string;
}

const END_SUFFIX = "-end";

/** Whether this is the id of an event `complete`. */
export function isEndId(lastEventId: string | undefined): boolean {
  return lastEventId?.endsWith(END_SUFFIX) === true;
}

/** The events of a run until it is over, or gone, or `signal` aborts. */
export async function* runEvents(
  following: RunFollowing,
  { options, changes }: AppServices,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent, void> {
  const waiter = changes.wait({ taskId: following.taskId, withLog: true });
  try {
    yield* new RunFollower(options, following).events(waiter, signal);
  } finally {
    waiter.close();
  }
}

class RunFollower {
  readonly #options: ResolvedAppOptions;
  readonly #taskId: number;
  #cursor: LogCursor;
  /** Stands for the status that was told last. */
  #toldStatus: string;

  constructor(options: ResolvedAppOptions, { taskId, lastEventId }: RunFollowing) {
    this.#options = options;
    this.#taskId = taskId;
    this.#cursor = lastEventId === undefined ? LOG_START : cursorOf(lastEventId);
    this.#toldStatus = /-([0-9a-f]{8})/.exec(lastEventId ?? "")?.[1] ?? "";
  }

  async *events(waiter: Waiter, signal: AbortSignal): AsyncGenerator<ServerEvent, void> {
    while (!signal.aborted) {
      waiter.mark(); // before looking, so that no change is missed
      const task = await this.#options.queue.get(this.#taskId);
      if (task === undefined) return;
      const isOver = isFinal(task.status);
      if (!isOver) yield* this.#statusOf(task);
      yield* this.#newLines(); // after the task: a worker logs its last line before it completes
      if (isOver) {
        yield* this.#statusOf(task);
        const data = runJsonOfTask(task, this.#options.handlers);
        return yield { event: "complete", id: `${this.#id}${END_SUFFIX}`, data };
      }
      await waiter.changed(signal);
    }
  }

  *#statusOf(task: Task): Generator<ServerEvent, void> {
    const status = statusJson(task);
    const digest = digestOf(JSON.stringify(status));
    if (digest === this.#toldStatus) return;
    this.#toldStatus = digest;
    yield { event: "status", id: this.#id, data: status };
  }

  async *#newLines(): AsyncGenerator<ServerEvent, void> {
    const { logs } = this.#options;
    if (logs === undefined) return;
    for (;;) {
      const page = await linesAfter(logs, this.#taskId, this.#cursor);
      if (page.length === 0) return;
      for (const { line, after } of page) {
        this.#cursor = after;
        yield { event: "log", id: this.#id, data: line };
      }
    }
  }

  get #id(): string {
    return `${cursorText(this.#cursor)}-${this.#toldStatus || digestOf("")}`;
  }
}

/** FNV-1a, 32 bits, as eight hexadecimal digits: http://www.isthe.com/chongo/tech/comp/fnv/ */
function digestOf(text: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}
