/**
 * Which Holdfast this is. The same as in deno.json, which a test compares: what runs without a platform reads no file.
 */
import { WORKER_LIMITS } from "./worker_limits.ts";

/** The version of Holdfast that this program runs. */
export const HOLDFAST_VERSION = "0.1.0";

/** What it runs on and that one's version, as it says itself, for example `Deno/2.9.6`; `null` where nothing does. */
export function hostRuntime(): string | null {
  return globalThis.navigator?.userAgent?.slice(0, WORKER_LIMITS.versionMaxLength) || null;
}
