/**
 * The thresholds of a queue's health, checked.
 */
import { checkInteger } from "../domain/check.ts";
import type { HealthThresholds } from "../queue/operator.ts";
import { checkWindow } from "./rates.ts";

/** The thresholds where nothing else is said. */
export const HEALTH_THRESHOLDS: HealthThresholds = Object.freeze({
  noWorkerMs: 60_000,
  dueDegradedMs: 5 * 60_000,
  dueUnhealthyMs: 60 * 60_000,
  failureWindowMs: 15 * 60_000,
  failureMinFinished: 20,
  failureDegraded: 0.1,
  failureUnhealthy: 0.5,
  expiredMs: 10_000,
  pausedMs: 60 * 60_000,
  limitFullMs: 15 * 60_000,
  journalBytes: 64 * 1024 * 1024,
  lockDegradedMs: 5000,
  lockUnhealthyMs: 30_000,
  memoryDegraded: 0.6,
  deadRows: 1_000_000,
  snapshotMs: 5 * 60_000,
});

const RATES: readonly (keyof HealthThresholds)[] = [
  "failureDegraded",
  "failureUnhealthy",
  "memoryDegraded",
];

/** `given` where it says something, `HEALTH_THRESHOLDS` elsewhere. @throws RangeError */
export function resolveThresholds(given: Partial<HealthThresholds> = {}): HealthThresholds {
  const thresholds = { ...HEALTH_THRESHOLDS };
  for (const name of Object.keys(HEALTH_THRESHOLDS) as (keyof HealthThresholds)[]) {
    thresholds[name] = checkThreshold(name, given[name] ?? HEALTH_THRESHOLDS[name]);
  }
  checkWindow({ windowMs: thresholds.failureWindowMs });
  return thresholds;
}

function checkThreshold(name: keyof HealthThresholds, value: number): number {
  if (!RATES.includes(name)) return checkInteger(value, name, 0, Number.MAX_SAFE_INTEGER);
  if (value >= 0 && value <= 1) return value;
  throw new RangeError(`Cannot use ${value} as ${name}: a number from 0 to 1 is needed`);
}
