/**
 * HeardLogs: a log store whose lines a listener gets as well, by run.
 */
import type { Task } from "../domain/task.ts";
import type { LogLine, LogPage, LogStore, TailRequest } from "../worker/log_store.ts";
import { logListenerError } from "./manager_log.ts";

/** Called with what the work of a run says through `context.log`. */
export type LogListener = (runId: string, line: LogLine) => void;

/** Tells a listener of a line; what it throws is not the work's failure. */
export function tellListener(
  listener: LogListener | undefined,
  runId: string,
  line: LogLine,
): void {
  try {
    listener?.(runId, line);
  } catch (error) {
    logListenerError("onLog", error);
  }
}

/** Passes lines on to a listener and to the store beneath, if there is one. */
export class HeardLogs implements LogStore {
  readonly #store: LogStore | undefined;
  readonly #onLog: LogListener;
  /** The run of each task that was begun here, by the task's id. */
  readonly #runIds = new Map<number, string>();

  constructor(store: LogStore | undefined, onLog: LogListener) {
    this.#store = store;
    this.#onLog = onLog;
  }

  /** A task begins; its lines come afterwards. */
  began({ id, runId }: Task): void {
    this.#runIds.set(id, runId);
  }

  /** A task has ended, and says no more. */
  ended({ id }: Task): void {
    this.#runIds.delete(id);
  }

  /** @inheritdoc */
  append(taskId: number, line: LogLine): void {
    const runId = this.#runIds.get(taskId);
    if (runId !== undefined) tellListener(this.#onLog, runId, line);
    this.#store?.append(taskId, line);
  }

  /** @inheritdoc */
  async read(taskId: number, offset: number): Promise<LogPage> {
    return await this.#store?.read(taskId, offset) ?? { lines: [], nextOffset: offset };
  }

  /** @inheritdoc */
  async tail(taskId: number, request: TailRequest): Promise<LogPage> {
    const nothing = { lines: [], nextOffset: request.offset ?? 0 };
    return await this.#store?.tail(taskId, request) ?? nothing;
  }

  /** @inheritdoc */
  async end(taskId: number): Promise<number> {
    return await this.#store?.end(taskId) ?? 0;
  }

  /** @inheritdoc */
  close(): void {
    this.#store?.close();
  }
}
