/**
 * Heartbeats, checked, and the state of a worker by the age of its last one.
 */
import { checkArray, checkInteger, checkName, checkOneOf, checkPairs } from "../domain/check.ts";
import { CLAIM_ORDERS, type ClaimOrder } from "../domain/claim_order.ts";
import { canonicalJson } from "../domain/json.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { shownValue } from "../domain/shown_value.ts";
import { TASK_LIMITS } from "../domain/task.ts";
import { WORKER_LIMITS } from "../domain/worker_limits.ts";
import type { WorkerBeat, WorkerRecord, WorkerState } from "../queue/workers.ts";
import { CLOCK_TOLERANCE_MS } from "./clock_put_back.ts";

/** From which age of its last heartbeat on a worker is no longer active, is stale, is forgotten; in milliseconds. */
export const WORKER_AGES: {
  readonly activeMs: number;
  readonly limboMs: number;
  readonly forgottenMs: number;
} = Object.freeze({
  activeMs: 60_000,
  limboMs: 300_000,
  forgottenMs: 24 * 3_600_000,
});

const { typesMax, concurrencyMax } = WORKER_LIMITS;

/** A checked `WorkerBeat`, in the forms of its columns. */
export interface PreparedBeat {
  /** The worker's id. */
  readonly workerId: string;
  /** Canonical JSON. */
  readonly capabilities: string;
  /** JSON of sorted names. */
  readonly types: string;
  /** How many tasks at the same time. */
  readonly concurrency: number;
  /** Which due task it takes first. */
  readonly strategy: ClaimOrder;
  /** JSON: how many tasks of single types at the same time. */
  readonly typeLimits: string;
  /** Which version it runs; `null` when it did not say. */
  readonly version: string | null;
  /** What it runs on; `null` when it did not say. */
  readonly runtime: string | null;
}

const BEAT_FIELDS = optionNames<WorkerBeat>({
  ...{ workerId: true, capabilities: true, types: true, concurrency: true },
  ...{ strategy: true, typeLimits: true, version: true, runtime: true },
});

/** Checks every field, before any effect. @throws TypeError, RangeError */
export function prepareBeat(beat: WorkerBeat): PreparedBeat {
  const { workerIdMaxLength, typeMaxLength } = TASK_LIMITS;
  checkOptions(beat, BEAT_FIELDS, "heartbeat");
  const named = checkArray(beat.types, "types", "task types");
  checkInteger(named.length, "number of types", 0, typesMax);
  const types = named.map((type) => checkName(type, "task type", typeMaxLength));
  return {
    workerId: checkName(beat.workerId, "worker id", workerIdMaxLength),
    capabilities: canonicalJson(checkPairs(beat.capabilities, "capabilities")),
    types: JSON.stringify([...new Set(types)].sort()),
    concurrency: checkInteger(beat.concurrency, "concurrency", 1, concurrencyMax),
    strategy: checkOneOf(beat.strategy ?? "priority", CLAIM_ORDERS, "strategy"),
    typeLimits: JSON.stringify(checkTypeLimits(beat.typeLimits ?? {})),
    version: checkVersion(beat.version, "version"),
    runtime: checkVersion(beat.runtime, "runtime"),
  };
}

function checkVersion(value: unknown, what: string): string | null {
  return value === undefined || value === null
    ? null
    : checkName(value, what, WORKER_LIMITS.versionMaxLength);
}

function checkTypeLimits(limits: unknown): Record<string, number> {
  if (typeof limits !== "object" || limits === null || Array.isArray(limits)) {
    throw new TypeError(`Cannot use ${shownValue(limits)} as typeLimits: an object is needed`);
  }
  const entries = Object.entries(limits);
  checkInteger(entries.length, "number of type limits", 0, typesMax);
  return Object.fromEntries(entries.map(([type, limit]) => [
    checkName(type, "task type", TASK_LIMITS.typeMaxLength),
    checkInteger(limit, `limit of ${JSON.stringify(type)}`, 1, concurrencyMax),
  ]));
}

/** How a worker is whose last heartbeat is this old. */
export function workerStateOf(ageMs: number): WorkerState {
  // None has come since the clock was put back.
  if (ageMs < -CLOCK_TOLERANCE_MS) return "stale";
  if (ageMs <= WORKER_AGES.activeMs) return "active";
  return ageMs <= WORKER_AGES.limboMs ? "limbo" : "stale";
}

/** How many workers are in each state. */
export function countByState(
  workers: readonly Pick<WorkerRecord, "state">[],
): Record<WorkerState, number> {
  const counts = { active: 0, limbo: 0, stale: 0 };
  for (const { state } of workers) counts[state]++;
  return counts;
}
