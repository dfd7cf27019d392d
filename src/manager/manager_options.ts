/**
 * How to make task managers. Unknown options are refused.
 */
import type { Clock } from "../domain/clock.ts";
import { optionNames } from "../domain/options.ts";
import type { HandlerRegistry } from "../worker/handler_registry.ts";
import type { LogStore } from "../worker/log_store.ts";
import type { WorkerOptions } from "../worker/worker_options.ts";
import type { LogListener } from "./heard_logs.ts";

/** How to make a BackgroundTaskManager. */
export interface BackgroundTaskManagerOptions {
  /** The time that runs are stamped with; default the system's. */
  readonly clock?: Clock;
  /** Called with what work says through `context.log`; what it throws is not the work's failure. Default: none. */
  readonly onLog?: LogListener;
  /** How large a run's parameters may be, in bytes; default 256 KiB. */
  readonly payloadMaxBytes?: number;
}

/** The names of a BackgroundTaskManager's options. */
export const BACKGROUND_OPTIONS: ReadonlySet<string> = optionNames<BackgroundTaskManagerOptions>({
  clock: true,
  onLog: true,
  payloadMaxBytes: true,
});

/** How to make a QueuedTaskManager. */
export interface QueuedTaskManagerOptions {
  /** The handlers of the embedded worker; `registerTask` adds to them. Default none. */
  readonly handlers?: HandlerRegistry;
  /** Options of this process's worker; `false` for none: then it runs what is given to `startTask` only. Default those of `Worker`. */
  readonly worker?: false | Partial<Omit<WorkerOptions, "queue" | "handlers">>;
  /** Keeps what handlers log; default nowhere. */
  readonly logs?: LogStore;
  /** Called with what work says in this process through `context.log`; what it throws is not the work's failure. Default: none. */
  readonly onLog?: LogListener;
  /** How large a run's parameters may be, in bytes: what the queue was opened with; default 256 KiB. */
  readonly payloadMaxBytes?: number;
  /** Time and timers; default the system's. */
  readonly clock?: Clock;
  /** Whether `close` also closes the queue and the logs; default true. */
  readonly ownsQueue?: boolean;
}

/** The names of a QueuedTaskManager's options. */
export const QUEUED_OPTIONS: ReadonlySet<string> = optionNames<QueuedTaskManagerOptions>({
  handlers: true,
  worker: true,
  logs: true,
  onLog: true,
  payloadMaxBytes: true,
  clock: true,
  ownsQueue: true,
});
