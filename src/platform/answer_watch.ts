/**
 * Watches for answers that never come: a connection whose other end is gone without a word (a machine without power, a network that
 * forgot it) would be waited for without end.
 *
 * What has not answered for a while is asked about by another way. Who only takes long is left alone.
 */

/** How connections are asked about. */
export interface AnswerWatchTools<Connection> {
  /** Whether the other end still works on what it was asked, or cannot say. */
  readonly isAtWork: (connection: Connection) => Promise<boolean>;
  /** Ends a connection whose answer will not come. */
  readonly giveUp: (connection: Connection) => void;
  /** After how long without an answer a connection is asked about; default 5 s. */
  readonly silenceMaxMs?: number;
}

const SILENCE_MAX_MS = 5000;

interface Silence {
  /** How many answers are waited for. */
  count: number;
  /** Since when nothing came, or since the last question about it. */
  sinceMs: number;
}

/** Knows which connections owe an answer. */
export class AnswerWatch<Connection> {
  readonly #tools: AnswerWatchTools<Connection>;
  readonly #silenceMaxMs: number;
  readonly #silent = new Map<Connection, Silence>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #isClosed = false;

  constructor(tools: AnswerWatchTools<Connection>) {
    this.#tools = tools;
    this.#silenceMaxMs = tools.silenceMaxMs ?? SILENCE_MAX_MS;
  }

  /** Something was asked over a connection. */
  asked(connection: Connection): void {
    const silence = this.#silent.get(connection);
    if (silence !== undefined) return void silence.count++;
    this.#silent.set(connection, { count: 1, sinceMs: performance.now() });
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = setInterval(() => this.#look(), this.#silenceMaxMs / 2);
    Deno.unrefTimer(this.#timer as unknown as number);
  }

  /** One answer came, or will not come any more. */
  answered(connection: Connection): void {
    const silence = this.#silent.get(connection);
    if (silence === undefined) return;
    silence.count--;
    silence.sinceMs = performance.now();
    if (silence.count === 0) this.#silent.delete(connection);
  }

  /** Asks no more, whatever is asked from now on. */
  close(): void {
    this.#isClosed = true;
    this.#rest();
  }

  #rest(): void {
    if (this.#timer !== undefined) clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    if (this.#silent.size === 0) return this.#rest();
    const nowMs = performance.now();
    for (const [connection, silence] of this.#silent) {
      if (nowMs - silence.sinceMs < this.#silenceMaxMs) continue;
      silence.sinceMs = nowMs;
      this.#ask(connection, silence, nowMs);
    }
  }

  async #ask(connection: Connection, silence: Silence, askedMs: number): Promise<void> {
    if (await this.#tools.isAtWork(connection)) return;
    const isSilent = this.#silent.get(connection) === silence && silence.sinceMs === askedMs;
    if (isSilent) this.#tools.giveUp(connection);
  }
}
