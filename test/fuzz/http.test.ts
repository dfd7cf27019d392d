/**
 * The HTTP door under rubbish: documented answers only, nothing leaks, nothing hangs, and a refusal changes nothing.
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { assert, assertEquals } from "@std/assert";
import { z } from "zod";
import { createApp } from "../../server/app.ts";
import { ERROR_STATUSES } from "../../server/error_codes.ts";
import {
  EnqueuedSchema,
  ErrorSchema,
  ExplanationSchema,
  HealthSchema,
  ModuleListSchema,
  ModuleSchema,
  RunBatchSchema,
  RunPageSchema,
  RunResultSchema,
  RunSchema,
  StatsSchema,
  TaskPageSchema,
  TaskSchema,
  TransitionListSchema,
  UnhealthySchema,
  WorkerListSchema,
} from "../../server/schemas.ts";
import { ClaimSchema } from "../../server/worker_schemas.ts";
import { HandlerRegistry, openQueue, StorageError, type TaskQueue } from "../../src/mod.ts";
import { failingQueue } from "../server/fixture.ts";
import { bounded, Tally } from "./chance.ts";
import {
  describe,
  type FuzzRequest,
  type KnownIds,
  requestOf,
  ROUTES,
  toRequest,
} from "./http_requests.ts";

const SEED = 100_000;
const REQUESTS = 5000;
const REQUESTS_PER_QUEUE = 250;
const REQUESTS_WHILE_DOWN = 1000;

/** What an answer may never show: stacks, files, the database, what the operator alone is told. */
const LEAKS =
  /\n\s+at |file:\/\/|\/work\/|\.ts:\d|node_modules|SQLITE|task_queue\b.*\bcolumn|top secret/i;

const SUCCESSES = [
  ...[EnqueuedSchema, TaskSchema, RunSchema, RunPageSchema, StatsSchema, HealthSchema],
  ...[ModuleSchema, ModuleListSchema, ExplanationSchema, RunResultSchema, TaskPageSchema],
  ...[TransitionListSchema, WorkerListSchema, RunBatchSchema, ClaimSchema],
].map((schema) => (schema as z.ZodObject).strict());

/** An app under fire. */
interface Target {
  readonly app: OpenAPIHono;
  readonly known: KnownIds;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

Deno.test("the HTTP interface answers any request as documented, and a refusal changes nothing", async (t) => {
  const tally = new Tally();
  for (let from = 0; from < REQUESTS; from += REQUESTS_PER_QUEUE) {
    const queue = await openQueue({ memory: true });
    try {
      await fuzzQueue(queue, SEED + from, tally);
    } finally {
      await queue.close();
    }
  }
  await t.step(`tried ${tally}`, () => {
    for (const status of [200, 201, 202, 400, 404, 405, 409, 413, 415, 422]) {
      assert(tally.get(`status ${status}`) >= 5, `hardly ever status ${status}`);
    }
    for (const [method, path] of ROUTES) {
      assert(tally.get(`${method} ${path} done`) >= 10, `${method} ${path} hardly ever done`);
    }
  });
});

Deno.test("the HTTP interface over a broken queue says so, without the cause", async (t) => {
  const tally = new Tally();
  const reported: unknown[] = [];
  const queue = failingQueue(new StorageError("sync", "/top secret/queue.db", "the disk is full"));
  const app = createApp({ queue, handlers: handlers(), onError: (cause) => reported.push(cause) });
  const target = { app, known: { runIds: ["r1"], taskIds: [1], modules: handlers().types() } };
  for (let seed = SEED; seed < SEED + REQUESTS_WHILE_DOWN; seed++) {
    const wanted = requestOf(seed, target.known);
    const answer = await ask(target, wanted, tally);
    if (answer !== undefined) checkAnswer(wanted, answer);
  }
  await t.step(`tried ${tally}`, () => {
    assert(tally.get("status 503") >= 100, "hardly ever status 503");
    assertEquals(reported.length, tally.get("status 503"));
  });
});

async function fuzzQueue(
  queue: TaskQueue,
  firstSeed: number,
  tally: Tally,
): Promise<void> {
  const app = createApp({
    queue,
    handlers: handlers(),
    onError: (cause) => tally.add(`5xx: ${cause}`),
  });
  const known = await prepare(queue);
  for (let seed = firstSeed; seed < firstSeed + REQUESTS_PER_QUEUE; seed++) {
    const wanted = requestOf(seed, known);
    const before = await stateOf(queue);
    const answer = await ask({ app, known }, wanted, tally);
    if (answer === undefined) continue;
    explained(wanted, answer, () => {
      checkAnswer(wanted, answer);
      assert(answer.status < 500, "the queue was there");
    });
    const mayChange = answer.status < 300 && ["POST", "DELETE"].includes(wanted.method);
    const after = await stateOf(queue);
    if (!mayChange) explained(wanted, answer, () => assertEquals(after, before));
    if (mayChange) explained(wanted, answer, () => checkChange(answer, before, after));
    if (seed % 50 === 0) await checkStillWorks(queue);
  }
  await checkStillWorks(queue);
  assertEquals((Object.prototype as Record<string, unknown>)["polluted"], undefined);
}

function handlers(): HandlerRegistry {
  return new HandlerRegistry()
    .register("email", () => null, {
      payload: z.strictObject({ to: z.email(), copies: z.number().int().min(1).default(1) }),
    })
    .register("cleanup", () => null)
    .register("tree", () => null, { payload: z.json() })
    .register("a/b ü%", () => null, { payload: z.record(z.string(), z.unknown()) })
    .register("constructor", () => null, { payload: z.unknown().refine((v) => v !== null) });
}

/** A task in each status. */
async function prepare(queue: TaskQueue): Promise<KnownIds> {
  const waiting = Array.from({ length: 12 }, (_, i) => `waiting ${i}`);
  const runIds = ["r1", "2", "run/with slash", "läuft", ...waiting];
  await queue.enqueueBatch(runIds.map((runId) => ({ type: "email", runId })));
  const claimed = await queue.claim({ workerId: "w", types: ["email"], limit: 3 });
  await queue.complete(claimed[0]!, { sent: true });
  await queue.fail(claimed[1]!, new Error("not yet"));
  await queue.cancel(4);
  return { runIds, taskIds: [1, 2, 3, 4, 5, 16, 17, 18], modules: handlers().types() };
}

/** Whatever a request could have changed. */
async function stateOf(queue: TaskQueue): Promise<{ sequence: number; total: number }> {
  const { storage, total } = await queue.stats();
  return { sequence: storage!.sequence, total };
}

async function ask(
  { app }: Target,
  wanted: FuzzRequest,
  tally: Tally,
): Promise<Answer | undefined> {
  const request = toRequest(wanted);
  if (request === undefined) return void tally.add("impossible requests");
  const response = await bounded(Promise.resolve(app.fetch(request)), describe(wanted));
  const text = await bounded(response.text(), describe(wanted));
  tally.add("requests");
  tally.add(`status ${response.status}`);
  if (response.status < 300) tally.add(`${routeOf(wanted)} done`);
  return { status: response.status, text, headers: response.headers };
}

function checkAnswer(wanted: FuzzRequest, answer: Answer): void {
  explained(wanted, answer, () => {
    const { status, text, headers } = answer;
    assert(!LEAKS.test(text), "it leaks");
    assertEquals(headers.get("X-Content-Type-Options"), "nosniff");
    assertEquals(headers.get("X-Injected"), null);
    if (wanted.method === "HEAD") return assertEquals(text, "");
    assert(headers.get("Content-Type")?.startsWith("application/json"), "it is not JSON");
    const body: unknown = JSON.parse(text);
    if (status >= 400) return checkError(answer, body);
    assert(SUCCESSES.some((schema) => schema.safeParse(body).success), "it is not documented");
  });
}

function checkError({ status, headers }: Answer, body: unknown): void {
  const schema = z.union([ErrorSchema.strict(), UnhealthySchema.strict()]);
  const { error_code, detail } = schema.parse(body);
  assertEquals(ERROR_STATUSES[error_code], status);
  assert(detail.length > 0 && detail.length < 300_000, "the detail is empty or endless");
  if (status === 405) assert(headers.get("Allow"), "405 without Allow");
  if (status < 500) return;
  assertEquals(error_code, "QUEUE_UNAVAILABLE");
  assert(Number(headers.get("Retry-After")) > 0, "503 without Retry-After");
}

/** A success adds what it says: a task, or nothing that was there already. */
function checkChange(
  { status, text }: Answer,
  before: { readonly sequence: number; readonly total: number },
  after: { readonly sequence: number; readonly total: number },
): void {
  const added = after.total - before.total;
  const { created, tasks } = JSON.parse(text) as { created?: unknown; tasks?: unknown[] };
  if (typeof created === "number") return assertEquals(added, created);
  if (tasks?.length === 0) return assertEquals(added, 0);
  if (status === 201) {
    return assertEquals([created, added, after.sequence], [true, 1, before.sequence + 1]);
  }
  if (created === false) return assertEquals(after, before);
  if (status === 202) return assert(added === 0 || added === 1);
  assertEquals([added, after.sequence], [0, before.sequence + 1]);
}

async function checkStillWorks(queue: TaskQueue): Promise<void> {
  const { task } = await queue.enqueue({ type: "still works", payload: { n: 1 } });
  const [claimed] = await queue.claim({ workerId: "w", types: ["still works"] });
  assertEquals(claimed?.id, task.id);
  assertEquals((await queue.complete(claimed!, "yes")).result, "yes");
}

/** The route that a request's path belonged to, if it was not bent. */
function routeOf({ method, target }: FuzzRequest): string {
  const path = target.split("?")[0]!;
  const found = ROUTES.find(([of, template]) =>
    of === method && new RegExp(`^${template.replace(/\{\w+\}/, "[^/]+")}$`).test(path)
  );
  return found === undefined ? "another request" : found.join(" ");
}

/** Adds the seed, the request and the answer to whatever `check` finds wrong. */
function explained(wanted: FuzzRequest, answer: Answer, check: () => void): void {
  try {
    check();
  } catch (cause) {
    const found = `${answer.status} ${answer.text.slice(0, 1000)}`;
    throw new Error(`${describe(wanted)}\nwas answered ${found}\n${cause}`, { cause });
  }
}
