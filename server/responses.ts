/**
 * The responses that a route documents.
 */
import type { z } from "@hono/zod-openapi";
import type { ErrorStatus } from "./error_codes.ts";
import { ErrorSchema } from "./schemas.ts";

/** A JSON response of a route. */
export interface JsonResponse<Schema extends z.ZodType> {
  description: string;
  content: { "application/json": { schema: Schema } };
}

const ERROR_DESCRIPTIONS: Readonly<Record<ErrorStatus, string>> = Object.freeze({
  400: "The body is not valid JSON",
  404: "There is no such thing",
  405: "The path has no such method",
  409: "It contradicts what is there already",
  413: "The body or the payload is too large",
  415: "The body is not JSON",
  422: "A field is not acceptable",
  500: "Something went wrong on our side",
  503: "The queue is not available; try again after the seconds in Retry-After",
});

/** The response whose body `schema` describes. */
export function jsonResponse<Schema extends z.ZodType>(
  schema: Schema,
  description: string,
): JsonResponse<Schema> {
  return { description, content: { "application/json": { schema } } };
}

/** The error responses with these statuses. */
export function errorResponses<Status extends ErrorStatus>(
  ...statuses: Status[]
): Record<Status, JsonResponse<typeof ErrorSchema>> {
  return Object.fromEntries(
    statuses.map((status) => [status, jsonResponse(ErrorSchema, ERROR_DESCRIPTIONS[status])]),
  ) as Record<Status, JsonResponse<typeof ErrorSchema>>;
}
