/**
 * A handler that computes without a pause: it blocks its thread, so it is meant for isolation `worker`
 * (`examples/handlers.yaml`).
 */
import { z } from "zod";
import type { HandlerModuleEntry } from "../src/mod.ts";

const payload = z.strictObject({
  /** How many digits. */
  count: z.int().min(1).max(100_000),
});

/** `{ count }` → `{ digits }`: the first digits of pi, by Machin's formula. */
export const digits: HandlerModuleEntry = {
  payload,
  handler: ({ payload: { count } }) => ({ digits: firstDigits(count) }),
};

/** How many digits more than asked for are computed, so that rounding does not show. */
const GUARD_DIGITS = 10;

function firstDigits(count: number): string {
  const unity = 10n ** BigInt(count + GUARD_DIGITS);
  const pi = 4n * (4n * arccot(5n, unity) - arccot(239n, unity));
  return String(pi).slice(0, count);
}

/** `unity` · arccot(`x`). */
function arccot(x: bigint, unity: bigint): bigint {
  let sum = 0n;
  let power = unity / x;
  for (let n = 1n, sign = 1n; power > 0n; n += 2n, sign = -sign) {
    sum += sign * (power / n);
    power /= x * x;
  }
  return sum;
}
