/**
 * Searching tasks by a text.
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { TaskQueue } from "../../src/core.ts";
import { requires } from "../http/access.ts";
import { asInput } from "../http/errors.ts";
import { jsonResponse, queueErrors } from "../http/responses.ts";
import { searchJson } from "./json.ts";
import { SearchPageSchema, SearchQuery } from "./search_schemas.ts";

const searchTasks = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/queue/search",
  operationId: "searchTasks",
  summary: "Search tasks by a text",
  description:
    "What the text names is found by indexes; the rest in slices, as many as fit into budget_ms. Ask again with the cursor to go on.",
  request: { query: SearchQuery },
  responses: {
    200: jsonResponse(SearchPageSchema, "What was found, and how far it was searched"),
    ...queueErrors(422),
  },
});

/** Adds the route. */
export function addSearchRoute(app: OpenAPIHono, queue: TaskQueue): void {
  app.openapi(searchTasks, async (c) => {
    const { text, status, type, group, tag, ...rest } = c.req.valid("query");
    const { created_before: createdBefore, limit, cursor, budget_ms: budgetMs } = rest;
    const filter = { status, type, group, tag, createdBefore };
    const page = await asInput(() => queue.search({ text, filter, limit, cursor, budgetMs }));
    return c.json(searchJson(page), 200);
  });
}
