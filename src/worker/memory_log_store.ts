/**
 * LogStore in memory, for queues in memory.
 */
import type { LogLine, LogPage, LogStore } from "./log_store.ts";

/** Keeps logs for as long as it lives itself. An offset counts lines. */
export class MemoryLogStore implements LogStore {
  readonly #logs = new Map<number, LogLine[]>();

  append(taskId: number, line: LogLine): void {
    const log = this.#logs.get(taskId);
    if (log === undefined) this.#logs.set(taskId, [line]);
    else log.push(line);
  }

  read(taskId: number, offset: number): Promise<LogPage> {
    const lines = this.#logs.get(taskId) ?? [];
    return Promise.resolve({ lines: lines.slice(offset), nextOffset: lines.length });
  }

  close(): void {
    this.#logs.clear();
  }
}
