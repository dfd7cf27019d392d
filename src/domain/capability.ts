/**
 * Capability matching: a worker may take a task only if it has every pair of the task's compatibility.
 *
 * The one rule of claims and explanations. Values are compared as canonical JSON.
 */
import { canonicalJson } from "./json.ts";

/** A worker's capabilities: each value as canonical JSON. */
export type Capabilities = ReadonlyMap<string, string>;

/** Capabilities, ready to be compared with many tasks. */
export function capabilitiesOf(pairs: Readonly<Record<string, unknown>>): Capabilities {
  return new Map(Object.entries(pairs).map(([name, value]) => [name, canonicalJson(value)]));
}

/** Whether `capabilities` has every pair of `compatibility`. */
export function isCapable(
  capabilities: Capabilities,
  compatibility: Readonly<Record<string, unknown>>,
): boolean {
  return Object.entries(compatibility).every((pair) => hasPair(capabilities, pair));
}

/** The pairs of `compatibility` that `capabilities` lacks. */
export function missingPairs(
  capabilities: Capabilities,
  compatibility: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(compatibility).filter((pair) => !hasPair(capabilities, pair)),
  );
}

function hasPair(capabilities: Capabilities, [name, value]: readonly [string, unknown]): boolean {
  return capabilities.get(name) === canonicalJson(value);
}
