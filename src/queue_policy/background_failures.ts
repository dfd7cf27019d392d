/**
 * What a queue does by itself and fails at: remembered from the first failure until it succeeds again, so that its health can tell.
 */
import { messageOf } from "../domain/errors.ts";
import { isClosedError } from "./closure.ts";

/** What a queue does by itself. */
export type DutyName =
  | "rescue of expired leases"
  | "firing of schedules"
  | "counting of transitions"
  | "retention"
  | "room of logs";

/** A duty that fails. */
export interface FailingDuty {
  readonly duty: DutyName;
  /** Since its first failure in a row. */
  readonly sinceMs: number;
  /** Of its latest failure. */
  readonly message: string;
}

/** The duties of one queue in this process that fail at present. */
export class BackgroundFailures {
  readonly #failing = new Map<DutyName, FailingDuty>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Those that failed when they were done last. */
  get failing(): readonly FailingDuty[] {
    return [...this.#failing.values()];
  }

  /** Does a duty. What a closed queue does not do by itself is no failure. @throws what `work` throws */
  async during<T>(duty: DutyName, work: () => Promise<T>): Promise<T> {
    try {
      const done = await work();
      this.#failing.delete(duty);
      return done;
    } catch (error) {
      if (!isClosedError(error)) this.#note(duty, error);
      throw error;
    }
  }

  #note(duty: DutyName, error: unknown): void {
    const sinceMs = this.#failing.get(duty)?.sinceMs ?? this.#nowMs();
    this.#failing.set(duty, { duty, sinceMs, message: messageOf(error) });
  }
}
