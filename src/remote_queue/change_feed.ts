/**
 * The changes of tasks, as watchers get them: those of this process at once, from the answers to what it asked; everybody's from a
 * stream of the server, which is open while there are watchers.
 *
 * A stream that breaks is opened again; what was missed meanwhile is told as `"reset"`. A server that answers but gives no stream
 * is made up for in the same way, each second.
 */
import { sleep } from "../domain/clock.ts";
import type { Task } from "../domain/task.ts";
import type { TaskChange, TaskChanges } from "../queue/task_queue.ts";
import { list } from "./answer.ts";
import { change } from "./answers.ts";
import { Echoes } from "./echoes.ts";
import { type Connection, linesOf, pauseMs } from "./connection.ts";
import { NoAnswerError } from "./refusal.ts";
import type { ResolvedRemoteOptions } from "./remote_options.ts";

/** A server says something at least each 15 s; a stream that is silent for longer than this is dead, in milliseconds. */
const SILENCE_MAX_MS = 45_000;

/** How often watchers are told to look again while there is no stream, in milliseconds. */
const LOOK_INTERVAL_MS = 1000;

const changesOf = list(change);

/** Tells watchers what changes. */
export class ChangeFeed {
  readonly #connection: Connection;
  readonly #options: Pick<ResolvedRemoteOptions, "clock" | "random">;
  readonly #listeners = new Set<(changes: TaskChanges) => void>();
  readonly #echoes = new Echoes();
  #streaming: { readonly ended: AbortController; readonly done: Promise<void> } | undefined;

  constructor(connection: Connection, options: Pick<ResolvedRemoteOptions, "clock" | "random">) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Calls `listener` with changes until the function that this gives is called. */
  watch(listener: (changes: TaskChanges) => void): () => void {
    const own = (changes: TaskChanges): void => listener(changes);
    this.#listeners.add(own);
    this.#streaming ??= this.#begin();
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size === 0) this.#end();
    };
  }

  /** Tells of tasks that this process has just changed. */
  tell(tasks: readonly Task[]): void {
    if (this.#listeners.size === 0 || tasks.length === 0) return;
    const changes = tasks.map(changeOf).filter((each) =>
      this.#echoes.answered(each.taskId, keyOf(each))
    );
    if (changes.length > 0) this.#emit(changes);
  }

  /** Ends the stream; resolves when it has ended. */
  async close(): Promise<void> {
    this.#listeners.clear();
    await this.#end();
  }

  #begin(): { ended: AbortController; done: Promise<void> } {
    const ended = new AbortController();
    return { ended, done: this.#stream(ended.signal) };
  }

  #end(): Promise<void> {
    const streaming = this.#streaming;
    this.#streaming = undefined;
    this.#echoes.clear();
    streaming?.ended.abort();
    return streaming?.done ?? Promise.resolve();
  }

  async #stream(ended: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    for (let failures = 0; !ended.aborted;) {
      const begun = await this.#readOnce(ended);
      if (ended.aborted) return;
      failures = begun === "unanswered" ? failures + 1 : 0;
      if (begun === "refused") this.#emit("reset");
      await sleep(clock, begun === "refused" ? LOOK_INTERVAL_MS : pauseMs(failures, random), ended);
    }
  }

  /** Reads a stream to its end; what it came to. */
  async #readOnce(ended: AbortSignal): Promise<"read" | "refused" | "unanswered"> {
    const over = new AbortController();
    const end = (): void => over.abort();
    ended.addEventListener("abort", end, { once: true });
    let isOpen = false;
    try {
      const body = await this.#connection.open("queue/changes", over.signal);
      isOpen = true;
      for await (const { event, data } of eventsOf(linesOf(whileHeard(body, over)))) {
        if (event === "reset" || event === "room") this.#emit(event);
        if (event === "changes") this.#emitNew(changesOf(JSON.parse(data)));
      }
      return "read";
    } catch (thrown) {
      // The next request says what is wrong, to whom it matters.
      if (isOpen) return "read";
      const isSilent = thrown instanceof NoAnswerError && thrown.retryAfterMs === null;
      return isSilent ? "unanswered" : "refused";
    } finally {
      ended.removeEventListener("abort", end);
    }
  }

  #emitNew(streamed: readonly TaskChange[]): void {
    const changes = streamed.filter((each) => this.#echoes.streamed(each.taskId, keyOf(each)));
    if (changes.length > 0) this.#emit(changes);
  }

  #emit(changes: TaskChanges): void {
    for (const listener of this.#listeners) listener(changes);
  }
}

/** The change that a task is after. */
function changeOf(task: Task): TaskChange {
  const { id: taskId, runId, type, status, attempts, leaseToken, lockedBy, progress } = task;
  return { taskId, runId, type, status, attempts, leaseToken, lockedBy, progress };
}

function keyOf({ status, attempts, leaseToken, progress }: TaskChange): string {
  return [status, attempts, leaseToken, progress].join(" ");
}

/** The server's events, each with one line of data; comments, which say that it lives, are passed over. */
async function* eventsOf(
  lines: AsyncIterable<string>,
): AsyncGenerator<{ readonly event: string; readonly data: string }> {
  let [event, data] = ["", ""];
  for await (const line of lines) {
    if (line.startsWith("event: ")) event = line.slice("event: ".length);
    if (line.startsWith("data: ")) data = line.slice("data: ".length);
    if (line !== "") continue;
    if (event !== "") yield { event, data };
    [event, data] = ["", ""];
  }
}

/** The same bytes until `over` aborts; it is aborted when none have come for too long. */
function whileHeard(
  body: ReadableStream<Uint8Array>,
  over: AbortController,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = async (): Promise<void> => {
    if (timer !== undefined) clearTimeout(timer);
    await reader.cancel().catch(() => {}); // a stream that is broken already has nothing to cancel
  };
  over.signal.addEventListener("abort", stop, { once: true });
  return new ReadableStream({
    async pull(controller): Promise<void> {
      timer = setTimeout(() => over.abort(), SILENCE_MAX_MS);
      try {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } finally {
        clearTimeout(timer);
      }
    },
    cancel: stop,
  }, { highWaterMark: 0 });
}
