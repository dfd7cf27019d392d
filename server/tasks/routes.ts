/**
 * Tasks: enqueueing one of any type, and reading them.
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { ListRequest, Task, TaskQueue } from "../../src/core.ts";
import { requires } from "../http/access.ts";
import { IdempotencyHeaders, instant } from "../http/fields.ts";
import type { ResolvedAppOptions } from "../http/options.ts";
import { nextChildCursorOf, nextCursorOf, readPart } from "../http/paging.ts";
import { bodyErrors, jsonBody, jsonResponse, queueErrors } from "../http/responses.ts";
import { addChangeRoutes } from "./change_routes.ts";
import { addSearchRoute } from "./search_routes.ts";
import { enqueueChecked, enqueueOneChecked, howOf, keyOf, taskOf } from "./enqueue.ts";
import { requireTask } from "./find_task.ts";
import {
  batchedTaskJson,
  childJson,
  enqueuedTaskJson,
  parentJson,
  taskJson,
  transitionJson,
} from "./json.ts";
import {
  ChildListSchema,
  ChildrenQuery,
  CountQuery,
  CountSchema,
  EnqueueBatchBody,
  EnqueueBody,
  EnqueuedBatchSchema,
  EnqueuedSchema,
  NextDueSchema,
  ParentListSchema,
  PartQuery,
  TaskPageSchema,
  TaskParams,
  TaskQuery,
  TaskSchema,
  TransitionListSchema,
} from "./schemas.ts";

const enqueueTask = createRoute({
  ...requires("enqueue"),
  method: "post",
  path: "/api/queue/enqueue",
  operationId: "enqueueTask",
  summary: "Enqueue a task",
  description: "Answers when the task is on disk. The type need not have a handler here.",
  request: { headers: IdempotencyHeaders, body: jsonBody(EnqueueBody) },
  responses: {
    201: jsonResponse(EnqueuedSchema, "The new task"),
    200: jsonResponse(EnqueuedSchema, "The task that the idempotency key names already"),
    ...bodyErrors(409, 410, 507),
  },
});

const enqueueBatch = createRoute({
  ...requires("enqueue"),
  method: "post",
  path: "/api/queue/enqueue/batch",
  operationId: "enqueueBatch",
  summary: "Enqueue several tasks",
  description:
    "All of them or none, in one transaction. They may depend on each other's run ids. Of each task the answer says what is small; GET /api/queue/tasks/{id} says the rest.",
  request: { body: jsonBody(EnqueueBatchBody) },
  responses: { 201: jsonResponse(EnqueuedBatchSchema, "The tasks"), ...bodyErrors(409, 410, 507) },
});

const listTasks = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/queue/tasks",
  operationId: "listTasks",
  summary: "List tasks",
  description: "Newest first, page by page: what is enqueued meanwhile moves no page.",
  request: { query: TaskQuery },
  responses: { 200: jsonResponse(TaskPageSchema, "One page of tasks"), ...queueErrors(422) },
});

const countTasks = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/queue/count",
  operationId: "countTasks",
  summary: "Count the tasks of a list",
  request: { query: CountQuery },
  responses: { 200: jsonResponse(CountSchema, "How many there are"), ...queueErrors(422) },
});

const getNextDue = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/queue/next-due",
  operationId: "getNextDue",
  summary: "Say when the next task that is scheduled for later becomes due",
  responses: { 200: jsonResponse(NextDueSchema, "The instant"), ...queueErrors() },
});

const getTask = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/queue/tasks/{id}",
  operationId: "getTask",
  summary: "Get a task",
  request: { params: TaskParams },
  responses: { 200: jsonResponse(TaskSchema, "The task"), ...queueErrors(404, 422) },
});

const listTransitions = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/queue/tasks/{id}/transitions",
  operationId: "listTransitions",
  summary: "Tell a task's life",
  description: "In order, page by page.",
  request: { params: TaskParams, query: PartQuery },
  responses: {
    200: jsonResponse(TransitionListSchema, "One page of what happened to it"),
    ...queueErrors(404, 422),
  },
});

const listParents = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/queue/tasks/{id}/parents",
  operationId: "listParents",
  summary: "Tell what became of the tasks that a task depends on",
  description: "In the order of depends_on, page by page.",
  request: { params: TaskParams, query: PartQuery },
  responses: {
    200: jsonResponse(ParentListSchema, "One page of its parents"),
    ...queueErrors(404, 422),
  },
});

const listChildren = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/queue/tasks/{id}/children",
  operationId: "listChildren",
  summary: "List the tasks that depend on a task",
  description: "By their ids, page by page.",
  request: { params: TaskParams, query: ChildrenQuery },
  responses: {
    200: jsonResponse(ChildListSchema, "One page of its children"),
    ...queueErrors(404, 422),
  },
});

/** Adds the routes under `/api/queue`. */
export function addQueueRoutes(app: OpenAPIHono, options: ResolvedAppOptions): void {
  addTaskRoutes(app, options);
  addQuestionRoutes(app, options.queue);
  addFamilyRoutes(app, options.queue);
  addSearchRoute(app, options.queue);
  addChangeRoutes(app, options);
}

function addTaskRoutes(app: OpenAPIHono, options: ResolvedAppOptions): void {
  const { queue } = options;

  app.openapi(enqueueTask, async (c) => {
    const body = c.req.valid("json");
    const wanted = { ...taskOf(body), idempotencyKey: keyOf(c.req.valid("header"), body) };
    const enqueued = await enqueueOneChecked(wanted, {
      ...options,
      payloadField: "payload",
      how: howOf(body),
    });
    const { created } = enqueued;
    return c.json(enqueuedTaskJson(enqueued), created ? 201 : 200);
  });

  app.openapi(enqueueBatch, async (c) => {
    const { tasks: bodies, whole } = c.req.valid("json");
    const wanted = bodies.map((body, index) => ({
      task: taskOf(body),
      payloadPath: ["tasks", index, "payload"],
    }));
    const enqueued = await enqueueChecked(wanted, options);
    const tasks = enqueued.map(whole ? enqueuedTaskJson : batchedTaskJson);
    return c.json({ tasks, created: tasks.filter(({ created }) => created).length }, 201);
  });

  app.openapi(listTasks, async (c) => {
    const { run_id: runId, limit, offset, cursor, ...filter } = c.req.valid("query");
    if (runId !== undefined) {
      const tasks = await tasksOfRun(queue, runId, filter);
      return c.json({ tasks: tasks.map(taskJson), next_cursor: null }, 200);
    }
    const tasks = await queue.list({ ...filter, limit, offset, beforeId: cursor });
    const next_cursor = await nextCursorOf(queue, filter, tasks);
    return c.json({ tasks: tasks.map(taskJson), next_cursor }, 200);
  });

  app.openapi(
    getTask,
    async (c) => c.json(taskJson(await requireTask(queue, c.req.valid("param").id)), 200),
  );
}

function addQuestionRoutes(app: OpenAPIHono, queue: TaskQueue): void {
  app.openapi(
    countTasks,
    async (c) => c.json({ count: await queue.count(c.req.valid("query")) }, 200),
  );

  app.openapi(
    getNextDue,
    async (c) => c.json({ next_due_at: instant(await queue.nextDueAt()) }, 200),
  );
}

/** The task of a run, if the filter lets it through. */
async function tasksOfRun(
  queue: TaskQueue,
  runId: string,
  { status, type, group, tag }: Pick<ListRequest, "status" | "type" | "group" | "tag">,
): Promise<Task[]> {
  const task = await queue.getByRunId(runId);
  const isWanted = task !== undefined && (status ?? task.status) === task.status &&
    (type ?? task.type) === task.type && (group ?? task.group) === task.group &&
    (tag === undefined || task.tags.includes(tag));
  return isWanted ? [task] : [];
}

function addFamilyRoutes(app: OpenAPIHono, queue: TaskQueue): void {
  app.openapi(listTransitions, async (c) => {
    const { id } = await requireTask(queue, c.req.valid("param").id);
    const { part, next_cursor } = await readPart(
      (request) => queue.transitions(id, request),
      c.req.valid("query"),
    );
    return c.json({ task_id: id, transitions: part.map(transitionJson), next_cursor }, 200);
  });

  app.openapi(listParents, async (c) => {
    const { id } = await requireTask(queue, c.req.valid("param").id);
    const { part, next_cursor } = await readPart(
      (request) => queue.parentResults(id, request),
      c.req.valid("query"),
    );
    return c.json({ task_id: id, parents: part.map(parentJson), next_cursor }, 200);
  });

  app.openapi(listChildren, async (c) => {
    const { id } = await requireTask(queue, c.req.valid("param").id);
    const { limit, cursor } = c.req.valid("query");
    const children = await queue.children(id, { limit, afterId: cursor });
    const next_cursor = await nextChildCursorOf(queue, id, children);
    return c.json({ task_id: id, children: children.map(childJson), next_cursor }, 200);
  });
}
