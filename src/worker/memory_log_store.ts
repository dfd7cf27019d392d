/**
 * LogStore in memory, for queues in memory.
 */
import {
  boundedLine,
  fullNotice,
  LOG_PAGE_BYTES,
  LOG_TAIL_BYTES,
  resolveLogLimits,
  roomFor,
} from "./log_limits.ts";
import type { LogLimits, LogLine, LogPage, LogStore, TailRequest } from "./log_store.ts";

interface MemoryLog {
  readonly lines: { readonly line: LogLine; readonly bytes: number }[];
  size: number;
  isFull: boolean;
}

/** Keeps logs for as long as it lives itself. An offset counts lines. */
export class MemoryLogStore implements LogStore {
  readonly #logs = new Map<number, MemoryLog>();
  readonly #limits: LogLimits;

  /**
   * Makes a store without a line.
   *
   * @param limits How much is kept; default as for files.
   * @throws RangeError when a limit is out of its range.
   */
  constructor(limits: Partial<LogLimits> = {}) {
    this.#limits = resolveLogLimits(limits);
  }

  append(taskId: number, line: LogLine): void {
    const log = this.#logs.get(taskId) ?? { lines: [], size: 0, isFull: false };
    this.#logs.set(taskId, log);
    const bounded = boundedLine(line);
    const { size, isFull: wasTold } = log;
    const room = roomFor(bounded, { size, wasTold, ...this.#limits });
    if (room === "notice") log.isFull = true;
    if (room === "nothing") return;
    const kept = room === "line" ? bounded : fullNotice(line, this.#limits);
    log.lines.push(kept);
    log.size += kept.bytes;
  }

  read(taskId: number, offset: number): Promise<LogPage> {
    const rest = this.#logs.get(taskId)?.lines.slice(offset) ?? [];
    const count = countWithin(rest, LOG_PAGE_BYTES);
    const lines = rest.slice(0, count).map(({ line }) => line);
    return Promise.resolve({ lines, nextOffset: offset + count });
  }

  tail(taskId: number, { lines, offset = 0 }: TailRequest): Promise<LogPage> {
    const rest = this.#logs.get(taskId)?.lines.slice(offset) ?? [];
    const last = rest.slice(-lines);
    const count = countWithin(last.toReversed(), LOG_TAIL_BYTES);
    const kept = last.slice(last.length - count).map(({ line }) => line);
    return Promise.resolve({ lines: kept, nextOffset: offset + rest.length });
  }

  end(taskId: number): Promise<number> {
    return Promise.resolve(this.#logs.get(taskId)?.lines.length ?? 0);
  }

  close(): void {
    this.#logs.clear();
  }
}

/** How many of these fit, at least one. */
function countWithin(lines: readonly { readonly bytes: number }[], maxBytes: number): number {
  let bytes = 0;
  const first = lines.findIndex((line, index) => (bytes += line.bytes) > maxBytes && index > 0);
  return first === -1 ? lines.length : first;
}
