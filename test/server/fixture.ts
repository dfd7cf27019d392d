/**
 * An app over a fresh queue in memory, and short ways to ask it and to read what it answers.
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { assertEquals } from "@std/assert";
import { z } from "zod";
import { HandlerRegistry, systemClock, type Task, type TaskQueue } from "../../src/mod.ts";
import { openTestQueue } from "../support/engine.ts";
import { type AppOptions, createApp } from "../../server/app.ts";
import type { ErrorCode } from "../../server/http/error_codes.ts";
import { ErrorSchema } from "../../server/http/error_schema.ts";

/** The clock of every app under test. */
export const NOW = "2026-01-31T12:00:00.000Z";

/** What a test is given. */
export interface Fixture {
  readonly app: OpenAPIHono;
  readonly queue: TaskQueue;
  /** What `onError` was told. */
  readonly reported: unknown[];
}

/** Runs `test` with a fresh queue and the modules `email` (checked) and `cleanup` (unchecked); closes the queue. */
export async function withApp(
  test: (fixture: Fixture) => Promise<void>,
  options: Partial<AppOptions> = {},
): Promise<void> {
  const queue = await openTestQueue();
  const reported: unknown[] = [];
  try {
    const app = createApp({
      queue,
      handlers: exampleHandlers(),
      clock: { ...systemClock, nowMs: () => Date.parse(NOW) },
      onError: (cause) => reported.push(cause),
      ...options,
    });
    await test({ app, queue, reported });
  } finally {
    await queue.close();
  }
}

/** The modules `email` (checked) and `cleanup` (unchecked). */
export function exampleHandlers(): HandlerRegistry {
  return new HandlerRegistry()
    .register("email", () => null, {
      description: "Sends an email",
      payload: z.strictObject({ to: z.email(), copies: z.number().int().min(1).default(1) }),
    })
    .register("cleanup", () => null);
}

/** Sends `body` as JSON. */
export async function post(app: OpenAPIHono, path: string, body: unknown): Promise<Response> {
  return await app.request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

/** The body of a response with `status`; `schema` must describe all of it. */
export async function read<Shape extends z.ZodRawShape>(
  response: Response,
  status: number,
  schema: z.ZodObject<Shape>,
): Promise<z.infer<z.ZodObject<Shape>>> {
  const body: unknown = await response.json();
  assertEquals(response.status, status, JSON.stringify(body));
  return schema.strict().parse(body) as z.infer<z.ZodObject<Shape>>;
}

/** The body of an error response, checked for its status, code and timestamp. */
export async function readError(
  response: Response,
  status: number,
  code: ErrorCode,
): Promise<z.infer<typeof ErrorSchema>> {
  const body = await read(response, status, ErrorSchema);
  assertEquals(body.error_code, code);
  assertEquals(body.timestamp, NOW);
  return body;
}

/** The fields that a 422 response complains about. */
export async function refusedFields(response: Response): Promise<string[]> {
  const { errors } = await readError(response, 422, "VALIDATION_ERROR");
  return (errors ?? []).map(({ field }) => field).sort();
}

/** Claims the only due task of `type`. */
export async function claimOne(queue: TaskQueue, type: string): Promise<Task> {
  const [task] = await queue.claim({ workerId: "w1", types: [type], leaseDurationMs: 600_000 });
  if (task === undefined) throw new Error(`no ${type} task is due`);
  return task;
}

/** A queue each of whose methods rejects with `error`. */
export function failingQueue(error: unknown): TaskQueue {
  return new Proxy({} as TaskQueue, {
    get: () => () => Promise.reject(error),
    has: () => true, // maintenance too
  });
}

/** A queue like one on a database: it has no files of its own to look after. */
export function withoutMaintenance(queue: TaskQueue): TaskQueue {
  return new Proxy(queue, {
    get: (target, name) => {
      const own: unknown = Reflect.get(target, name);
      return typeof own === "function" ? own.bind(target) : own;
    },
    has: (target, name) => name !== "storageStats" && name in target,
  });
}
