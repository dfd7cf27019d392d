/**
 * The kinds of fields that bodies, queries and paths are made of.
 *
 * Every limit here is one of the queue's (`TASK_LIMITS`); each is checked before the queue is asked, so that a refusal
 * names its field.
 */
import { z } from "@hono/zod-openapi";
import { FLOW_LIMITS, type RateLimit, TASK_LIMITS } from "../../src/core.ts";

/** What the examples of the API are about. */
export const EXAMPLE = Object.freeze({
  instant: "2026-01-31T12:00:00.000Z",
  runId: "5c2f1a3e-8d4b-4f6a-9a55-3f0f6f9f2b10",
  payload: Object.freeze({ to: "ann@example.com" }),
  workerId: "python-1",
});

/** How long from now something can be due at most, a year, in milliseconds. */
export const DELAY_MAX_MS = 365 * 24 * 3_600_000;

/** The longest that a request waits for something to happen, in milliseconds. */
export const WAIT_MAX_MS = 60_000;

/** A text that can be a name: trimmed, not blank, without control characters. */
export function nameSchema(maxLength: number): z.ZodString {
  return printable(z.string().trim().min(1, `1 to ${maxLength} characters are needed`), maxLength);
}

/** A text that can be a name, or is blank for none. */
export function nameOrBlankSchema(maxLength: number): z.ZodString {
  return printable(z.string().trim(), maxLength);
}

/** A text that can be an idempotency key: empty for none, not blank, without control characters. */
export function keySchema(): z.ZodString {
  const notBlank = z.string().regex(/^$|\S/, "A blank key is not allowed");
  return printable(notBlank, TASK_LIMITS.idempotencyKeyMaxLength);
}

function printable(schema: z.ZodString, maxLength: number): z.ZodString {
  const tooLong = `At most ${maxLength} characters are allowed`;
  return schema
    .max(maxLength, { error: tooLong, abort: true })
    // zod counts an emoji as one character, the queue as two
    .refine((text) => text.length <= maxLength, tooLong)
    // deno-lint-ignore no-control-regex
    .regex(/^[^\u0000-\u001f\u007f]*$/, "Control characters are not allowed")
    .refine((text) => text.isWellFormed(), "A lone surrogate is not allowed");
}

/** A JSON object, with every name in it: zod's own objects pass over `__proto__`. */
export function jsonObject(): z.ZodType<Record<string, unknown>, Record<string, unknown>> {
  const isObject = (value: unknown): boolean =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  return z.custom<Record<string, unknown>>(isObject, "An object is needed").openapi({
    type: "object",
  });
}

/** An integer in a path or query: decimal digits only. */
export function digitsSchema(min: number, max: number): z.ZodType<number, string> {
  return z.string()
    .refine(
      (text) => /^\d{1,16}$/.test(text) && Number(text) >= min && Number(text) <= max,
      `An integer from ${min} to ${max} is needed`,
    )
    .transform(Number);
}

/** An instant as it is given out. */
export const instantSchema: z.ZodISODateTime = z.iso.datetime().openapi({
  example: EXAMPLE.instant,
});

/** How many. */
export const countSchema: z.ZodNumber = z.number().int().min(0);

/** Any JSON value, but not none. */
export const valueSchema: z.ZodNonOptional<z.ZodUnknown> = z.unknown().nonoptional("Required");

/** An instant as it is taken: with a zone. */
export function instantWithZone(): z.ZodISODateTime {
  return z.iso.datetime({
    offset: true,
    error: `An RFC 3339 instant with a zone is needed, such as ${EXAMPLE.instant}`,
  });
}

/** How long to wait, in a query: `500ms` or `30s`, at most a minute; as milliseconds. */
export function waitSchema(): z.ZodType<number, string> {
  const msOf = (text: string): number => parseInt(text) * (text.endsWith("ms") ? 1 : 1000);
  return z.string()
    .refine(
      (text) => /^\d{1,5}(ms|s)$/.test(text) && msOf(text) <= WAIT_MAX_MS,
      `A time up to ${WAIT_MAX_MS / 1000}s is needed, such as 30s or 500ms`,
    )
    .transform(msOf);
}

/** An instant as ISO 8601; `null` where there is none. */
export function instant(at: Date | null): string | null {
  return at?.toISOString() ?? null;
}

/** Where the page before ended. */
export const pageCursor = digitsSchema(1, Number.MAX_SAFE_INTEGER).optional().openapi({
  type: "string",
  description: "The next_cursor of the page before; what is added meanwhile moves nothing",
  example: "1000",
});

/** Where the next page begins. */
export const nextCursorSchema = z.string().nullable().openapi({
  description: "Give this as cursor for the next page; null on the last one",
  example: null,
});

/** The header that may carry the idempotency key. */
export const IdempotencyHeaders = z.object({
  "idempotency-key": keySchema().optional().openapi({
    description: "The same as idempotency_key in the body",
    example: "order-4711",
  }),
});

/** How long a lease lasts. */
export const leaseDurationSchema: z.ZodOptional<z.ZodNumber> = z.number().int()
  .min(TASK_LIMITS.leaseDurationMinMs).max(TASK_LIMITS.leaseDurationMaxMs).optional().openapi({
    description: "How long the lease lasts without renewal; default 10000",
    example: 10_000,
  });

const { rateMax, periodMinMs, periodMaxMs } = FLOW_LIMITS;

const burst = z.number().int().min(1).max(rateMax).openapi({
  description:
    "How many may start at once, at most limit; default what 100 ms of the rate would be, from 1 to a tenth of limit. In the long run limit - burst + 1 start in each period",
  example: 1,
});

/** How often tasks start: never more than `limit` in any window of `period_ms`. */
export const RateSchema = z.strictObject({
  limit: z.number().int().min(1).max(rateMax).openapi({
    description: "How many starts at most in any window of the period",
    example: 100,
  }),
  period_ms: z.number().int().min(periodMinMs).max(periodMaxMs).openapi({ example: 60_000 }),
  burst,
}).openapi("Rate");

/** A rate with its burst. */
export function rateJson(rate: Required<RateLimit> | null): z.infer<typeof RateSchema> | null {
  return rate && { limit: rate.limit, period_ms: rate.periodMs, burst: rate.burst };
}
