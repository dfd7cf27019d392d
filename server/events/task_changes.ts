/**
 * Changes of tasks as a stream, for a reader of any speed: what it has not taken yet is kept by task, the latest change of each,
 * and when that is too much it is told to look at everything again.
 */
import type { TaskChange, TaskChanges, TaskQueue } from "../../src/core.ts";
import { Bell } from "../http/bell.ts";
import type { ServerEvent } from "../http/event_stream.ts";
import { changeJson } from "../tasks/json.ts";

/** How many tasks' changes a slow reader may leave behind. */
const BACKLOG_MAX = 10_000;

const RESET: ServerEvent = Object.freeze({ event: "reset", data: null });

const ROOM: ServerEvent = Object.freeze({ event: "room", data: null });

/** The changes of a queue's tasks from now on until `signal` aborts; the first event says that they begin. */
export async function* taskChanges(
  queue: Pick<TaskQueue, "watch">,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent, void> {
  const backlog = new Backlog();
  const unwatch = queue.watch((changes) => backlog.add(changes));
  try {
    yield RESET;
    while (!signal.aborted) {
      if (backlog.takeRoom()) yield ROOM;
      const changes = backlog.take();
      if (changes === "reset") yield RESET;
      else if (changes.length > 0) yield { event: "changes", data: changes.map(changeJson) };
      else await backlog.filled(signal);
    }
  } finally {
    unwatch();
  }
}

/** What has not been told yet. */
class Backlog {
  readonly #latest = new Map<number, TaskChange>();
  #isOverfull = false;
  #hasRoom = false;
  readonly #bell = new Bell();

  add(changes: TaskChanges): void {
    if (changes === "reset") this.#overfill();
    else if (changes === "room") this.#hasRoom = true;
    else for (const change of changes) this.#put(change);
    this.#bell.ring();
  }

  /** Whether a limit or a pause may have let tasks go since this was asked last. */
  takeRoom(): boolean {
    const hadRoom = this.#hasRoom;
    this.#hasRoom = false;
    return hadRoom;
  }

  take(): Exclude<TaskChanges, "room"> {
    const changes = this.#isOverfull ? "reset" : [...this.#latest.values()];
    this.#isOverfull = false;
    this.#latest.clear();
    return changes;
  }

  /** Resolves when there is something to take, or `signal` aborts. */
  async filled(signal: AbortSignal): Promise<void> {
    if (this.#isOverfull || this.#hasRoom || this.#latest.size > 0 || signal.aborted) return;
    await this.#bell.rung(signal);
  }

  /** In the order of the latest changes. */
  #put(change: TaskChange): void {
    if (this.#isOverfull) return;
    this.#latest.delete(change.taskId);
    this.#latest.set(change.taskId, change);
    if (this.#latest.size > BACKLOG_MAX) this.#overfill();
  }

  #overfill(): void {
    this.#isOverfull = true;
    this.#latest.clear();
  }
}
