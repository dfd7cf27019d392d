/**
 * Capabilities: what a worker must have to be given a task.
 */
import type { WorkerRecord } from "../queue/operator.ts";
import { canonicalJson } from "./json.ts";

/** Whether a worker has every capability that a task needs. */
export function isCapable(
  worker: WorkerRecord,
  compatibility: Readonly<Record<string, unknown>>,
): boolean {
  return Object.keys(missingPairs(worker, compatibility)).length === 0;
}

/** The capabilities that a task needs and the worker has not. */
export function missingPairs(
  { capabilities }: WorkerRecord,
  compatibility: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(compatibility).filter(([name, value]) =>
      !Object.hasOwn(capabilities, name) ||
      canonicalJson(capabilities[name]) !== canonicalJson(value)
    ),
  );
}
