/**
 * Masks: values whose keys say that they are secret, left out before anything of them is written.
 */

/** What stands for a masked value. */
export const MASK = "••••••";

/** Deeper parts of a value are not shown. */
const DEPTH_MAX = 100;

/** A JSON value as it may be shown, and whether anything of it is masked. */
export interface Masked {
  readonly value: unknown;
  readonly isMasked: boolean;
}

/** Masks the values of keys that `pattern` matches, at any depth. */
export function mask(value: unknown, pattern: RegExp): Masked {
  let isMasked = false;
  const walk = (part: unknown, depth: number): unknown => {
    if (typeof part !== "object" || part === null) return part;
    if (depth > DEPTH_MAX) return "…";
    if (Array.isArray(part)) return part.map((each) => walk(each, depth + 1));
    return Object.fromEntries(
      Object.entries(part).map(([key, each]) => {
        if (!pattern.test(key)) return [key, walk(each, depth + 1)];
        isMasked = true;
        return [key, MASK];
      }),
    );
  };
  return { value: walk(value, 0), isMasked };
}
