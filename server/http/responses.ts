/**
 * The responses that a route documents.
 *
 * What can happen on any route is documented on every route, so that a client finds it where it looks; a test provokes
 * each of them.
 */
import { z } from "@hono/zod-openapi";
import type { ErrorStatus } from "./error_codes.ts";
import { ErrorSchema } from "./error_schema.ts";

/** A JSON response of a route. */
export interface JsonResponse<Schema extends z.ZodType> {
  description: string;
  content: { "application/json": { schema: Schema } };
}

const ERROR_DESCRIPTIONS: Readonly<Record<ErrorStatus, string>> = Object.freeze({
  400: "The body is not valid JSON in UTF-8",
  401: "No known token was presented",
  403: "The token lacks the scope, or the host or the origin is not allowed",
  404: "There is no such thing",
  405: "The path has no such method",
  408: "The body took too long to arrive",
  409: "It contradicts what is there already",
  410: "The queue's tasks were moved to another one, which the answer names",
  413: "The body or the payload is too large",
  415: "The body is not JSON, or it is compressed",
  422: "A field is not acceptable, or a query parameter is unknown",
  431: "The URL and the headers are too large",
  500: "Something went wrong on our side",
  501: "A queue on a database does not support this",
  503: "The queue is not available; try again after the seconds in Retry-After",
  507: "The queue's memory is full; finished tasks must be pruned first",
});

/** The error responses of routes, by status. */
export type ErrorResponses<Status extends ErrorStatus> = Record<
  Status,
  JsonResponse<typeof ErrorSchema>
>;

/** The errors that any route may answer with. */
type CommonStatus = 401 | 403 | 422 | 431;

/** The response whose body `schema` describes. */
export function jsonResponse<Schema extends z.ZodType>(
  schema: Schema,
  description: string,
): JsonResponse<Schema> {
  return { description, content: { "application/json": { schema } } };
}

/** The errors with these statuses, and those that any route may answer with. */
export function errorResponses<Status extends ErrorStatus = never>(
  ...statuses: Status[]
): ErrorResponses<Status | CommonStatus> {
  const all: ErrorStatus[] = [...statuses, 401, 403, 422, 431];
  return Object.fromEntries(
    all.map((status) => [status, jsonResponse(ErrorSchema, ERROR_DESCRIPTIONS[status])]),
  ) as ErrorResponses<Status | CommonStatus>;
}

/** The same for a route that asks the queue. */
export function queueErrors<Status extends ErrorStatus = never>(
  ...statuses: Status[]
): ErrorResponses<Status | CommonStatus | 500 | 503> {
  return errorResponses<Status | 500 | 503>(...statuses, 500, 503);
}

/** The same for a route that changes something: whatever body comes is read first, within its limits. */
export function changeErrors<Status extends ErrorStatus = never>(
  ...statuses: Status[]
): ErrorResponses<Status | CommonStatus | 400 | 408 | 413 | 415 | 500 | 503> {
  return queueErrors<Status | 400 | 408 | 413 | 415>(...statuses, 400, 408, 413, 415);
}

/** The same for a route that reads a JSON body and asks the queue. */
export function bodyErrors<Status extends ErrorStatus = never>(
  ...statuses: Status[]
): ErrorResponses<Status | CommonStatus | 400 | 408 | 413 | 415 | 422 | 500 | 503> {
  return changeErrors<Status | 422>(...statuses, 422);
}

/** A JSON body of a route. */
export interface JsonBody<Schema extends z.ZodType> {
  required: true;
  content: { "application/json": { schema: Schema } };
}

/** The JSON body that `schema` describes. */
export function jsonBody<Schema extends z.ZodType>(schema: Schema): JsonBody<Schema> {
  return { required: true, content: { "application/json": { schema } } };
}

/** A response of server-sent events. */
export interface EventStreamResponse {
  description: string;
  content: { "text/event-stream": { schema: z.ZodString } };
}

/** The stream of server-sent events that `description` describes. */
export function eventStreamResponse(description: string): EventStreamResponse {
  return { description, content: { "text/event-stream": { schema: z.string() } } };
}
