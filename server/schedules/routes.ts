/**
 * Schedules: listing, adding, pausing and removing them.
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { type TaskQueue, toNewTask } from "../../src/core.ts";
import { requires } from "../http/access.ts";
import { asInput, HttpError } from "../http/errors.ts";
import type { ResolvedAppOptions } from "../http/options.ts";
import { nextScheduleCursorOf } from "../http/paging.ts";
import {
  bodyErrors,
  changeErrors,
  jsonBody,
  jsonResponse,
  queueErrors,
} from "../http/responses.ts";
import {
  ScheduleAddedSchema,
  ScheduleBody,
  ScheduleListSchema,
  ScheduleParams,
  SchedulePatch,
  ScheduleQuery,
  ScheduleRemovedSchema,
  ScheduleRunListSchema,
  ScheduleRunsQuery,
  ScheduleSchema,
} from "./schemas.ts";
import { scheduleJson, scheduleRunJson } from "./json.ts";
import { taskJson } from "../tasks/json.ts";
import { TaskListSchema } from "../tasks/schemas.ts";

const listSchedules = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/schedules",
  operationId: "listSchedules",
  summary: "List the schedules",
  description: "By their ids, page by page.",
  request: { query: ScheduleQuery },
  responses: {
    200: jsonResponse(ScheduleListSchema, "One page of schedules"),
    ...queueErrors(422),
  },
});

const addSchedule = createRoute({
  ...requires("operate"),
  method: "post",
  path: "/api/schedules",
  operationId: "addSchedule",
  summary: "Add a schedule",
  description: "The same schedule again changes nothing. Answers when it is on disk.",
  request: { body: jsonBody(ScheduleBody) },
  responses: {
    201: jsonResponse(ScheduleAddedSchema, "The new schedule"),
    200: jsonResponse(
      ScheduleAddedSchema,
      "The schedule that was there already, or its replacement",
    ),
    ...bodyErrors(409, 410, 507),
  },
});

const getSchedule = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/schedules/{id}",
  operationId: "getSchedule",
  summary: "Get a schedule",
  request: { params: ScheduleParams },
  responses: { 200: jsonResponse(ScheduleSchema, "The schedule"), ...queueErrors(404, 422) },
});

const listScheduleRuns = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/schedules/{id}/runs",
  operationId: "listScheduleRuns",
  summary: "List the latest tasks of a schedule",
  description:
    "Those that are there, the latest instant first; also of a schedule that is removed.",
  request: { params: ScheduleParams, query: ScheduleRunsQuery },
  responses: {
    200: jsonResponse(ScheduleRunListSchema, "The tasks, perhaps none"),
    ...queueErrors(422),
  },
});

const changeSchedule = createRoute({
  ...requires("operate"),
  method: "patch",
  path: "/api/schedules/{id}",
  operationId: "changeSchedule",
  summary: "Pause a schedule, or let it go on",
  request: { params: ScheduleParams, body: jsonBody(SchedulePatch) },
  responses: {
    200: jsonResponse(ScheduleSchema, "The schedule as it is now"),
    ...bodyErrors(404, 410),
  },
});

const removeSchedule = createRoute({
  ...requires("operate"),
  method: "delete",
  path: "/api/schedules/{id}",
  operationId: "removeSchedule",
  summary: "Remove a schedule",
  description: "The tasks that it has enqueued stay.",
  request: { params: ScheduleParams },
  responses: {
    200: jsonResponse(ScheduleRemovedSchema, "It is removed"),
    ...changeErrors(404, 410, 422),
  },
});

const fireSchedules = createRoute({
  ...requires("operate"),
  method: "post",
  path: "/api/queue/fire-schedules",
  operationId: "fireSchedules",
  summary: "Enqueue the tasks of schedules that are due",
  description: "Also done on time by itself.",
  responses: { 200: jsonResponse(TaskListSchema, "The tasks"), ...changeErrors(410) },
});

/** Adds the routes under `/api/schedules`. */
export function addScheduleRoutes(app: OpenAPIHono, { queue }: ResolvedAppOptions): void {
  addFiringRoute(app, queue);

  app.openapi(listSchedules, async (c) => {
    const { cursor, limit } = c.req.valid("query");
    const schedules = await queue.listSchedules({ afterId: cursor, limit });
    const next_cursor = await nextScheduleCursorOf(queue, schedules);
    return c.json({ schedules: schedules.map(scheduleJson), next_cursor }, 200);
  });

  app.openapi(addSchedule, async (c) => {
    const { replace, ...body } = c.req.valid("json");
    const wanted = {
      ...toNewTask(body),
      id: body.id,
      type: body.type,
      expiresInMs: body.expires_in_ms,
      everyMs: body.every_ms,
      cron: body.cron,
      timeZone: body.time_zone,
      catchUp: body.catch_up,
      catchUpMax: body.catch_up_max,
      overlap: body.overlap,
      paused: body.paused,
    };
    const { schedule, created } = await asInput(() => queue.addSchedule(wanted, { replace }));
    return c.json({ ...scheduleJson(schedule), created }, created ? 201 : 200);
  });

  app.openapi(getSchedule, async (c) => {
    const { id } = c.req.valid("param");
    const schedule = await queue.getSchedule(id);
    if (schedule === undefined) throw notFound(id);
    return c.json(scheduleJson(schedule), 200);
  });

  app.openapi(listScheduleRuns, async (c) => {
    const runs = await queue.scheduleRuns(c.req.valid("param").id, c.req.valid("query"));
    return c.json({ runs: runs.map(scheduleRunJson) }, 200);
  });

  app.openapi(changeSchedule, async (c) => {
    const { id } = c.req.valid("param");
    const { paused } = c.req.valid("json");
    const schedule = await asInput(() => queue.pauseSchedule(id, paused));
    return c.json(scheduleJson(schedule), 200);
  });

  app.openapi(removeSchedule, async (c) => {
    const { id } = c.req.valid("param");
    if (!(await queue.removeSchedule(id))) throw notFound(id);
    return c.json({ removed: true as const }, 200);
  });
}

function addFiringRoute(app: OpenAPIHono, queue: TaskQueue): void {
  app.openapi(
    fireSchedules,
    async (c) => c.json({ tasks: (await queue.fireSchedules()).map(taskJson) }, 200),
  );
}

function notFound(id: string): HttpError {
  return new HttpError("SCHEDULE_NOT_FOUND", `Cannot find schedule ${JSON.stringify(id)}`);
}
