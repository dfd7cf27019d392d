/**
 * The body of every error.
 */
import { z } from "@hono/zod-openapi";
import { ERROR_CODES } from "./error_codes.ts";
import { instantSchema } from "./fields.ts";

/** The body of every error. */
export const ErrorSchema = z.object({
  detail: z.string().openapi({
    description: "What went wrong, for people",
    example: 'Cannot find run "r1"',
  }),
  error_code: z.enum(ERROR_CODES).openapi({
    description: "What went wrong, for programs",
    example: "RUN_NOT_FOUND",
  }),
  timestamp: instantSchema.openapi({ description: "When it went wrong" }),
  errors: z.array(
    z.object({
      field: z.string().openapi({ example: "parameters.to" }),
      message: z.string().openapi({ example: "Invalid email address" }),
    }),
  ).optional().openapi({ description: "The problems, field by field" }),
  used_bytes: z.number().int().optional().openapi({
    description: "Of a full queue: the memory that it would take",
  }),
  mark_bytes: z.number().int().optional().openapi({
    description: "Of a full queue: the memory that is allowed",
  }),
}).openapi("Error");
