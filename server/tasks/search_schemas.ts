/**
 * What the API takes and gives of a search, as zod schemas. Limits of values are the queue's.
 */
import { z } from "@hono/zod-openapi";
import { SEARCH_LIMITS } from "../../src/core.ts";
import { countSchema, digitsSchema, instantWithZone, nameSchema } from "../http/fields.ts";
import { TaskQuery, TaskSchema } from "./schemas.ts";

const { textMaxLength, limitDefault, limitMax, budgetDefaultMs, budgetMaxMs } = SEARCH_LIMITS;

/** The longest cursor: it may hold a run id. */
const CURSOR_MAX_LENGTH = 250;

/** What to look for. */
export const SearchQuery = TaskQuery.pick({ status: true, type: true, group: true, tag: true })
  .extend({
    text: nameSchema(textMaxLength).openapi({
      description:
        "An id (#7), idempotency key, run id or its beginning (4 characters or more), group, or tag; or a part of the payload's JSON, the last error, the type or the worker, in any case of the letters A to Z",
      example: "ann@example.com",
    }),
    created_before: instantWithZone().optional().openapi({
      description: "Only tasks that were stored before",
    }),
    limit: digitsSchema(1, limitMax).default(limitDefault).openapi({
      type: "integer",
      minimum: 1,
      maximum: limitMax,
      default: limitDefault,
      description: "How many tasks at most",
    }),
    cursor: nameSchema(CURSOR_MAX_LENGTH).optional().openapi({
      description: "The cursor of the answer before, to go on",
      example: "text-18000-982000",
    }),
    budget_ms: digitsSchema(0, budgetMaxMs).default(budgetDefaultMs).openapi({
      type: "integer",
      minimum: 0,
      maximum: budgetMaxMs,
      default: budgetDefaultMs,
      description: "After how long to answer with what is found so far",
    }),
  });

/** What a search has found. */
export const SearchPageSchema = z.object({
  tasks: z.array(TaskSchema).openapi({
    description: "First those that the text names, then those that have it in them, newest first",
  }),
  searched: countSchema.openapi({
    description: "How many tasks were searched for the text, up to here",
    example: 18_000,
  }),
  left_max: countSchema.openapi({
    description: "How many are left to be searched at most",
    example: 982_000,
  }),
  cursor: z.string().nullable().openapi({
    description: "Give this to go on; null at the end",
    example: "text-18000-982000",
  }),
}).openapi("SearchPage");
