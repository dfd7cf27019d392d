/**
 * A ledger's health: whether memory and the disk are still known to agree.
 *
 * After a failure that leaves doubt about what the disk holds, the ledger *has failed*: nothing more is read or written,
 * and only opening it again, which reads the files, tells what is true. What fails in the background is reported here.
 */
import { asError, CorruptionError, messageOf, StorageError } from "../domain/errors.ts";
import { isMisplaced } from "../storage/place.ts";

/** What a ledger's health needs. */
export interface LedgerHealthTools {
  /** The queue's path, for messages. */
  readonly location: string;
  /** Called when the ledger has failed. */
  readonly onFailed: () => void;
  /** Called when background work fails. */
  readonly onBackgroundError: (error: Error) => void;
  /** Called with what `onBackgroundError` throws. */
  readonly onListenerError: (error: Error) => void;
}

/** The health of one ledger. */
export class LedgerHealth {
  readonly #tools: LedgerHealthTools;
  #failure: Error | undefined;
  #lastReported = "";

  constructor(tools: LedgerHealthTools) {
    this.#tools = tools;
  }

  /** Whether the ledger has failed. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** @throws StorageError (`use`) when the ledger has failed. */
  check(): void {
    if (this.#failure === undefined) return;
    const reason = `an earlier failure left it in doubt, open it again (${
      messageOf(this.#failure)
    })`;
    throw new StorageError("use", this.#tools.location, reason, { cause: this.#failure });
  }

  /** From now on the ledger has failed; the first reason is kept. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#tools.onFailed();
  }

  /** The ledger has failed if `error` leaves doubt about what the disk holds. */
  note(error: unknown): void {
    if (!(error instanceof StorageError)) return;
    const isDoubtful = error instanceof CorruptionError || error.isInDoubt ||
      error.operation === "sync" || error.operation === "truncate" || isMisplaced(error);
    if (isDoubtful) this.fail(error);
  }

  /** Runs `step` and notes what it throws. */
  async guard<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      this.note(error);
      throw error;
    }
  }

  /** The same for a step that does not wait. */
  guardNow<T>(step: () => T): T {
    try {
      return step();
    } catch (error) {
      this.note(error);
      throw error;
    }
  }

  /** A checkpoint that fails leaves no doubt, unless it finds that the queue's files are not where they were. */
  async guardCheckpoint<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      if (isMisplaced(error)) this.note(error);
      throw error;
    }
  }

  /** Reports what failed in the background. */
  report(error: unknown): void {
    try {
      this.#tools.onBackgroundError(asError(error));
    } catch (thrown) {
      this.#tools.onListenerError(asError(thrown));
    }
  }

  /** The same, unless it says what the last report by this method said. */
  reportOnce(error: unknown): void {
    const message = messageOf(error);
    if (message === this.#lastReported) return;
    this.#lastReported = message;
    this.report(error);
  }
}
