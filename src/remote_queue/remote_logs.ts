/**
 * RemoteLogs: the logs of tasks behind a server. What handlers say is sent together, soon; before a task's end is told, what it
 * said has arrived or been refused. Lines wait while there is no answer, up to a bound.
 */
import { StorageError } from "../domain/errors.ts";
import type { Lease } from "../domain/task.ts";
import { boundedLine } from "../worker/log_limits.ts";
import type { LogLine, LogPage, LogStore, TailRequest } from "../worker/log_store.ts";
import { type Decode, field, json, list, number, object, oneOf, text } from "./answer.ts";
import type { Connection } from "./connection.ts";
import { NoAnswerError, unless } from "./refusal.ts";
import type { ResolvedRemoteOptions } from "./remote_options.ts";

/** How long a line waits for others, in milliseconds. */
const GATHER_MS = 100;

/** How long lines wait that got no answer, in milliseconds. */
const AGAIN_MS = 1000;

/** What one request carries at most: lines, and their bytes. */
const REQUEST_MAX = Object.freeze({ lines: 1000, bytes: 512 * 1024 });

/** How much may wait, in bytes. */
const WAITING_MAX_BYTES = 8 * 1024 * 1024;

/** A line that waits. */
interface WaitingLine {
  readonly line: LogLine;
  readonly bytes: number;
  /** When it was said. */
  readonly atMs: number;
}

/** What logs need of their queue. */
export interface RemoteLogTools extends Pick<ResolvedRemoteOptions, "clock" | "onBackgroundError"> {
  /** The latest lease of a task that this process was given. */
  readonly leaseOf: (taskId: number) => Lease | undefined;
}

const logLine: Decode<LogLine> = (value) => {
  const line = object<Omit<LogLine, "details">>({
    at: text,
    level: oneOf(["debug", "info", "warn", "error"]),
    message: text,
    attempt: number,
  })(value);
  const details = field("details", (given) => given)(value);
  return details === undefined ? line : { ...line, details };
};

const logPage: Decode<LogPage> = object<LogPage>({ lines: list(logLine), nextOffset: number });

/** Logs behind a server. Only what is leased to this process can be added to. */
export class RemoteLogs implements LogStore {
  readonly #connection: Connection;
  readonly #tools: RemoteLogTools;
  readonly #waiting = new Map<number, WaitingLine[]>();
  readonly #sending = new Map<number, Promise<void>>();
  #waitingBytes = 0;
  /** Whether the server has a log store, as far as it has said. */
  #isKept = true;
  #cancelTimer: (() => void) | undefined;

  constructor(connection: Connection, tools: RemoteLogTools) {
    this.#connection = connection;
    this.#tools = tools;
  }

  append(taskId: number, line: LogLine): void {
    if (!this.#isKept) return;
    const bounded = boundedLine(line);
    if (this.#waitingBytes + bounded.bytes > WAITING_MAX_BYTES) {
      return this.#lose(taskId, "too many lines wait for the server's answer");
    }
    this.#waitingBytes += bounded.bytes;
    const lines = this.#waiting.get(taskId) ?? [];
    this.#waiting.set(taskId, lines);
    lines.push({ ...bounded, atMs: this.#tools.clock.nowMs() });
    this.#flushAfter(GATHER_MS);
  }

  async read(taskId: number, offset: number): Promise<LogPage> {
    await this.flush(taskId);
    return await this.#get(taskId, { offset });
  }

  async tail(taskId: number, { lines, offset = 0 }: TailRequest): Promise<LogPage> {
    await this.flush(taskId);
    return await this.#get(taskId, { tail: lines, offset });
  }

  async end(taskId: number): Promise<number> {
    return (await this.tail(taskId, { lines: 1 })).nextOffset;
  }

  /** What waits is sent; its queue's `close` waits for that. */
  close(): void {
    this.#flushAfter(0);
  }

  /** Resolves when what was said of a task has arrived, or been refused, or waits because there is no answer. */
  async flush(taskId: number): Promise<void> {
    await this.#sending.get(taskId);
    if (!this.#waiting.has(taskId)) return;
    const sending = this.#send(taskId).finally(() => this.#sending.delete(taskId));
    this.#sending.set(taskId, sending);
    await sending;
  }

  /** The same for all tasks; then no timer is left. */
  async flushAll(): Promise<void> {
    const tasks = new Set([...this.#waiting.keys(), ...this.#sending.keys()]);
    await Promise.all([...tasks].map((taskId) => this.flush(taskId)));
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  async #get(taskId: number, query: Readonly<Record<string, number>>): Promise<LogPage> {
    const given = Object.entries(query).map(([name, value]) => [name, String(value)]);
    const path = `queue/tasks/${taskId}/log?${new URLSearchParams(given)}`;
    const question = { method: "GET", path, resend: true } as const;
    const none = { lines: [], nextOffset: 0 };
    return await unless("task_not_found", none, () => this.#connection.ask(question, logPage));
  }

  async #send(taskId: number): Promise<void> {
    for (;;) {
      const lines = this.#waiting.get(taskId) ?? [];
      const part = lines.slice(0, countOfRequest(lines));
      if (part.length === 0) return void this.#waiting.delete(taskId);
      if (!await this.#sendPart(taskId, part)) return this.#flushAfter(AGAIN_MS);
      lines.splice(0, part.length);
      for (const { bytes } of part) this.#waitingBytes -= bytes;
    }
  }

  /** `false` when there was no answer: the lines wait. A line may come twice when its answer was lost. */
  async #sendPart(taskId: number, part: readonly WaitingLine[]): Promise<boolean> {
    const lease = this.#tools.leaseOf(taskId);
    if (lease === undefined) {
      this.#lose(taskId, "this process has no lease of it");
      return true;
    }
    const nowMs = this.#tools.clock.nowMs();
    const lines = part.map(({ line: { level, message, details }, atMs }) => {
      return { level, message, details, age_ms: Math.max(0, Math.round(nowMs - atMs)) };
    });
    const body = { ...leaseBody(lease), lines };
    try {
      const question = { method: "POST", path: "worker/log", body, resend: true } as const;
      await this.#connection.ask(question, json);
      return true;
    } catch (thrown) {
      if (thrown instanceof NoAnswerError && !this.#connection.closing.aborted) return false;
      this.#tools.onBackgroundError(thrown);
      this.#isKept = !(thrown instanceof StorageError && thrown.operation === "query");
      return true;
    }
  }

  #lose(taskId: number, reason: string): void {
    const what = `log of task ${taskId} at ${this.#connection.url}`;
    this.#tools.onBackgroundError(new StorageError("add to", what, reason));
  }

  #flushAfter(delayMs: number): void {
    this.#cancelTimer ??= this.#tools.clock.setTimer(() => {
      this.#cancelTimer = undefined;
      for (const taskId of this.#waiting.keys()) this.flush(taskId);
    }, delayMs);
  }
}

/** A lease as requests present it. */
export function leaseBody({ taskId, workerId, leaseToken }: Lease): {
  readonly task_id: number;
  readonly worker_id: string;
  readonly lease_token: number;
} {
  return { task_id: taskId, worker_id: workerId, lease_token: leaseToken };
}

/** How many of these fit one request, at least one if there is any. */
function countOfRequest(lines: readonly WaitingLine[]): number {
  let bytes = 0;
  const first = lines.findIndex((line, index) => {
    bytes += line.bytes;
    return index > 0 && (index >= REQUEST_MAX.lines || bytes > REQUEST_MAX.bytes);
  });
  return first === -1 ? lines.length : first;
}
