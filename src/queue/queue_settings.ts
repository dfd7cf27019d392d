/**
 * QueueSettings: how a queue behaves, wherever it is.
 */
import type { RetryPolicy } from "../domain/backoff.ts";
import type { Durability } from "../domain/durability.ts";
import type { HealthThresholds } from "./operator.ts";
import type { PruneRequest } from "./operator.ts";

/** The bounds and the default of what the logs of all tasks together may take, in bytes. */
export const LOGS_LIMITS: {
  readonly logsMaxBytesMin: number;
  readonly logsMaxBytesMax: number;
  readonly logsMaxBytesDefault: number;
} = Object.freeze({
  logsMaxBytesMin: 64 * 1024 ** 2,
  logsMaxBytesMax: 1024 ** 5,
  logsMaxBytesDefault: 4 * 1024 ** 3,
});

/** How a queue behaves. */
export interface QueueSettings {
  /**
   * `full` (default): an acknowledged write survives a power cut. `relaxed`: it survives a killed process, and a power cut
   * 50 ms later.
   */
  readonly durability?: Durability;
  /** How failures are retried, where neither the task nor its handler says; default 1 s, ×2, at most 300 s. */
  readonly retryPolicy?: Partial<RetryPolicy>;
  /** How large a payload may be, 1 to 16 MiB in bytes; default 256 KiB. */
  readonly payloadMaxBytes?: number;
  /**
   * How much memory the tasks may take in each process, 1 MiB to 1.25 GiB in bytes; default 1.25 GiB, which SQLite in WASM can
   * hold with room to work. Above three quarters of it nothing is enqueued or imported and no schedule fires
   * (`QueueFullError`), above it no result of more than 4 KiB is stored; all else goes on, and pruning makes room. The same for
   * every process of a queue, or the smallest refuses first.
   */
  readonly memoryMaxBytes?: number;
  /**
   * How long a change may wait while another process holds the commit lock (a stopped one, say), 1,000 ms to 1 h; then it is
   * refused with a `StorageError` (`lock`) and nothing of it is done. Default without a bound. `holdfast serve` takes 10,000,
   * so that a request is answered with 503.
   */
  readonly lockWaitMaxMs?: number;
  /**
   * Which finished tasks are deleted automatically, applied every minute: each rule is what `prune` takes, for example
   * `[{ olderThanMs: 7 * 86_400_000 }, { statuses: ["failed"], keep: 1000 }]`. Default none: everything is kept.
   */
  readonly retention?: readonly PruneRequest[];
  /**
   * How much the logs of all tasks together may take, 64 MiB to 1 PiB in bytes; default 4 GiB. It is looked at every minute: where it
   * is more, the logs of finished tasks go, of the first finished first, and the tasks stay. The log of a task that has not finished is
   * bounded by itself (`LogLimits`).
   */
  readonly logsMaxBytes?: number;
  /** When `health()` reports a problem; default `HEALTH_THRESHOLDS`, also for each that is left out. */
  readonly health?: Partial<HealthThresholds>;
}

/** The names of all of them. */
export const QUEUE_SETTINGS: { readonly [Name in keyof QueueSettings]-?: true } = Object.freeze({
  durability: true,
  retryPolicy: true,
  payloadMaxBytes: true,
  memoryMaxBytes: true,
  lockWaitMaxMs: true,
  retention: true,
  logsMaxBytes: true,
  health: true,
});
