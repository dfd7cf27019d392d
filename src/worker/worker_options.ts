/**
 * A worker's options: their defaults, and their checks before any effect.
 */
import {
  checkInteger,
  checkLeaseDuration,
  checkName,
  checkOneOf,
  checkPairs,
} from "../domain/check.ts";
import { CLAIM_ORDERS, type ClaimOrder } from "../domain/claim_order.ts";
import type { Clock } from "../domain/clock.ts";
import { GRACE_DEFAULT_MS, resolveGraceMs } from "../domain/grace_time.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { TASK_LIMITS } from "../domain/task.ts";
import { WORKER_LIMITS } from "../domain/worker_limits.ts";
import type { TaskQueue } from "../queue/task_queue.ts";
import type { HandlerRegistry } from "./handler_registry.ts";
import type { LogStore } from "./log_store.ts";
import type { WorkerEvent } from "./worker_log.ts";

/** The kinds of a worker's settings. */
export interface WorkerDefaults {
  /** Tasks at the same time. */
  readonly concurrency: number;
  /** Which due task comes first. */
  readonly strategy: ClaimOrder;
  /** How long a lease lasts, in milliseconds. */
  readonly leaseDurationMs: number;
  /** The polling interval, in milliseconds. */
  readonly pollIntervalMs: number;
  /** How long running handlers may go on when the worker stops, in milliseconds. */
  readonly graceMs: number;
}

/** The worker's settings where nothing else is said. */
export const WORKER_DEFAULTS: WorkerDefaults = Object.freeze({
  concurrency: 4,
  strategy: "priority",
  leaseDurationMs: TASK_LIMITS.leaseDurationDefaultMs,
  pollIntervalMs: 1000,
  graceMs: GRACE_DEFAULT_MS,
});

/** How a worker works. */
export interface WorkerOptions {
  /** Where its tasks come from, and where it says that it lives. */
  readonly queue: TaskQueue;
  /** Only tasks of these types, at most 1,000, are claimed. */
  readonly handlers: HandlerRegistry;
  /** 1–200 characters, unique among the workers of a queue; default a random one. */
  readonly workerId?: string;
  /** How many tasks run at the same time, 1–1000; default 4. */
  readonly concurrency?: number;
  /** The worker's capabilities; a task's compatibility pairs must all be here. Default `{}`. */
  readonly capabilities?: Readonly<Record<string, unknown>>;
  /** Which due task comes first; default `priority`. */
  readonly strategy?: ClaimOrder;
  /** How long a lease lasts, renewed every third of it: 100 ms to 24 h; default 10,000 ms. */
  readonly leaseDurationMs?: number;
  /**
   * The polling interval, 1 to 60,000 ms; default 1000. New tasks and those whose time comes are
   * noticed anyway; this bounds what a clock that jumps can cost.
   */
  readonly pollIntervalMs?: number;
  /** Keeps what handlers log; default nowhere. */
  readonly logs?: LogStore;
  /** Default the system's. */
  readonly clock?: Clock;
  /** Called for everything that happens. Default: none. */
  readonly onEvent?: (event: WorkerEvent) => void;
  /**
   * Whether nothing is written to the standard error. Default false: each attempt of a handler that failed or was lost is a line there,
   * with its type, run id, attempt and message, and so are errors of the worker itself.
   */
  readonly quiet?: boolean;
}

/** How a worker stops. */
export interface StopOptions {
  /**
   * How long running handlers may go on before their signal fires, in milliseconds, from 0; `Infinity` for as long as they
   * take; default 10,000.
   */
  readonly graceMs?: number;
}

/** The settings of a worker that do not differ between workers by default. */
export type CommonSettings = Required<
  Pick<
    WorkerOptions,
    "concurrency" | "capabilities" | "strategy" | "leaseDurationMs" | "pollIntervalMs"
  >
>;

/** The resolved options of a worker. */
export type WorkerSettings = CommonSettings & Required<Pick<WorkerOptions, "workerId">>;

/** The settings that are given, and the defaults of the others. */
export function withDefaults(given: Partial<CommonSettings>): CommonSettings {
  return {
    concurrency: given.concurrency ?? WORKER_DEFAULTS.concurrency,
    capabilities: given.capabilities ?? {},
    strategy: given.strategy ?? WORKER_DEFAULTS.strategy,
    leaseDurationMs: given.leaseDurationMs ?? WORKER_DEFAULTS.leaseDurationMs,
    pollIntervalMs: given.pollIntervalMs ?? WORKER_DEFAULTS.pollIntervalMs,
  };
}

const WORKER_OPTIONS = optionNames<WorkerOptions>({
  queue: true,
  handlers: true,
  workerId: true,
  concurrency: true,
  capabilities: true,
  strategy: true,
  leaseDurationMs: true,
  pollIntervalMs: true,
  logs: true,
  clock: true,
  onEvent: true,
  quiet: true,
});

/** The grace time of a worker that stops. @throws TypeError, RangeError */
export function graceOf(options: StopOptions): number {
  return resolveGraceMs(options, "stop");
}

/** The settings of a worker, checked. @throws TypeError, RangeError */
export function resolveSettings(options: WorkerOptions): WorkerSettings {
  checkOptions(options, WORKER_OPTIONS, "a worker");
  const { concurrency, capabilities, strategy, leaseDurationMs, pollIntervalMs } = withDefaults(
    options,
  );
  const { concurrencyMax, pollIntervalMaxMs } = WORKER_LIMITS;
  const workerId = options.workerId ?? `worker-${crypto.randomUUID()}`;
  return {
    strategy: checkOneOf(strategy, CLAIM_ORDERS, "strategy"),
    workerId: checkName(workerId, "worker id", TASK_LIMITS.workerIdMaxLength),
    concurrency: checkInteger(concurrency, "concurrency", 1, concurrencyMax),
    capabilities: checkPairs(capabilities, "capabilities"),
    leaseDurationMs: checkLeaseDuration(leaseDurationMs),
    pollIntervalMs: checkInteger(pollIntervalMs, "pollIntervalMs", 1, pollIntervalMaxMs),
  };
}
