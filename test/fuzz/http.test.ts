/**
 * The HTTP door under rubbish: documented answers only, nothing leaks, nothing hangs, and a refusal changes nothing.
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { assert, assertEquals } from "@std/assert";
import { z } from "zod";
import { createApp } from "../../server/app.ts";
import { ERROR_STATUSES } from "../../server/http/error_codes.ts";
import { ErrorSchema } from "../../server/http/error_schema.ts";
import { UnhealthySchema } from "../../server/operations/schemas.ts";
import {
  type Clock,
  type EmbeddedQueue,
  HandlerRegistry,
  type Lease,
  MemoryLogStore,
  openQueue,
  PermanentError,
  StorageError,
  systemClock,
} from "../../src/mod.ts";
import { WEBHOOK_TYPE } from "../../src/domain/webhook.ts";
import { failingQueue, NOW } from "../server/fixture.ts";
import {
  checkBody,
  documentOf,
  type OpenApiDocument,
  type Operation,
  textOf,
} from "../server/openapi_document.ts";
import { bounded, Tally } from "./chance.ts";
import type { Known } from "./document_values.ts";
import { describe, type FuzzRequest, requestOf, toRequest } from "./http_requests.ts";
import { effort, isThorough } from "../support/effort.ts";

const SEED = 100_000;
const REQUESTS = effort("fuzzRequests");
const REQUESTS_PER_QUEUE = 250;
/** How many requests one operation alone gets at most. */
const ALONE_MAX = 5000;
const REQUESTS_WHILE_DOWN = effort("fuzzRequestsWhileDown");

/** Nothing becomes due, and no lease ends, between a request and the look at what it did. */
const STANDING_CLOCK: Clock = { ...systemClock, nowMs: () => Date.parse(NOW) };

/** What an answer may never show: stacks, files, the database, what the operator alone is told. */
const LEAKS =
  /\n\s+at |file:\/\/|\/work\/|\.ts:\d|node_modules|SQLITE|task_queue\b.*\bcolumn|top secret/i;

/** What each of these does, when it is done, it does in exactly one transaction. */
const ONE_TRANSACTION = [
  ...["retryRun", "retryTask", "cancelTask", "completeTask", "failTask", "releaseTask"],
];

/** An app under fire. */
interface Target {
  readonly app: OpenAPIHono;
  readonly document: OpenApiDocument;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  /** What the request asked for; `undefined` when there is no such thing. */
  readonly operation: Operation | undefined;
}

/** Whatever a request could have changed. */
interface State {
  readonly sequence: number;
  readonly total: number;
  /** How many of them deliver a webhook: a task that ends enqueues one. */
  readonly deliveries: number;
}

Deno.test("the HTTP interface answers any request as documented, and a refusal changes nothing", async (t) => {
  const tally = new Tally();
  let document: OpenApiDocument | undefined;
  for (let from = 0; from < REQUESTS; from += REQUESTS_PER_QUEUE) {
    document = await fuzzFreshQueue(SEED + from, tally);
  }
  if (isThorough()) {
    for (const { operationId } of document!.operations) await tryAlone(operationId, tally);
  }
  await t.step(`tried ${tally}`, () => {
    assert(tally.get("requests") > REQUESTS / 2, "hardly a request was possible");
    if (!isThorough()) return;
    for (const status of [200, 201, 202, 204, 400, 404, 405, 409, 413, 415, 422]) {
      assert(tally.get(`status ${status}`) >= 5, `hardly ever status ${status}`);
    }
    for (const { operationId } of document!.operations) {
      assert(tally.get(`${operationId} done`) >= 1, `${operationId} never done`);
    }
  });
});

Deno.test("the HTTP interface over a broken queue says so, without the cause", async (t) => {
  const tally = new Tally();
  const reported: unknown[] = [];
  const queue = failingQueue(new StorageError("sync", "/top secret/queue.db", "the disk is full"));
  const onError = (cause: unknown): void => void reported.push(cause);
  const app = createApp({ queue, handlers: handlers(), logs: new MemoryLogStore(), onError });
  const target = { app, document: await documentOf(app) };
  const known: Known = {
    runIds: ["r1"],
    taskIds: [1],
    modules: handlers().types(),
    scheduleIds: ["nightly"],
    leases: [{ taskId: 1, workerId: "w", leaseToken: 1 }],
  };
  for (let seed = SEED; seed < SEED + REQUESTS_WHILE_DOWN; seed++) {
    const wanted = requestOf(seed, target.document, known);
    const answer = await ask(target, wanted, tally);
    if (answer !== undefined) explained(wanted, answer, () => checkAnswer(target, wanted, answer));
  }
  await t.step(`tried ${tally}`, () => {
    assert(tally.get("status 503") >= REQUESTS_WHILE_DOWN / 10, "hardly ever status 503");
    assertEquals(reported.length, tally.get("status 503"));
  });
});

/** What chance never brought to its end is asked for alone, in more queues, until it has been done. */
async function tryAlone(operationId: string, tally: Tally): Promise<void> {
  const isDone = (): boolean => tally.get(`${operationId} done`) > 0;
  for (let from = 0; !isDone() && from < ALONE_MAX; from += REQUESTS_PER_QUEUE) {
    await fuzzFreshQueue(SEED + REQUESTS + from, tally, operationId);
  }
}

async function fuzzFreshQueue(
  firstSeed: number,
  tally: Tally,
  only?: string,
): Promise<OpenApiDocument> {
  const queue = await openQueue({ memory: true, clock: STANDING_CLOCK });
  try {
    return await fuzzQueue(queue, { firstSeed, only }, tally);
  } finally {
    await queue.close();
  }
}

async function fuzzQueue(
  queue: EmbeddedQueue,
  { firstSeed, only }: { readonly firstSeed: number; readonly only: string | undefined },
  tally: Tally,
): Promise<OpenApiDocument> {
  const app = createApp({
    queue,
    handlers: handlers(),
    logs: new MemoryLogStore(),
    onError: (cause) => tally.add(`5xx: ${cause}`),
  });
  const target = { app, document: await documentOf(app) };
  const { operations } = target.document;
  const asked = {
    ...target.document,
    operations: operations.filter(({ operationId }) => only === undefined || operationId === only),
  };
  const prepared = await prepare(queue);
  for (let seed = firstSeed; seed < firstSeed + REQUESTS_PER_QUEUE; seed++) {
    const known = { ...prepared, leases: await leasesOf(queue) };
    await fuzzOnce(target, queue, requestOf(seed, asked, known), tally);
    if (seed % 50 === 0) await checkStillWorks(queue);
  }
  await checkStillWorks(queue);
  assertEquals((Object.prototype as Record<string, unknown>)["polluted"], undefined);
  return target.document;
}

async function fuzzOnce(
  target: Target,
  queue: EmbeddedQueue,
  wanted: FuzzRequest,
  tally: Tally,
): Promise<void> {
  const before = await stateOf(queue);
  const answer = await ask(target, wanted, tally);
  if (answer === undefined) return;
  const after = await stateOf(queue);
  explained(wanted, answer, () => {
    checkAnswer(target, wanted, answer);
    assert(answer.status < 500, "the queue was there");
    const mayChange = answer.status < 300 && answer.operation!.method !== "GET";
    if (mayChange) checkChange(answer, before, after, followersOf(wanted));
    else assertEquals(after, before);
  });
  await removeIntervals(queue);
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

/** A task in each status, one that depends on others, and two schedules. */
async function prepare(queue: EmbeddedQueue): Promise<Omit<Known, "leases">> {
  const waiting = Array.from({ length: 12 }, (_, i) => `waiting ${i}`);
  const runIds = ["r1", "2", "run/with slash", "läuft", ...waiting];
  await queue.enqueueBatch(runIds.map((runId) => ({ type: "email", runId })));
  const claimed = await queue.claim({
    workerId: "w",
    types: ["email"],
    limit: 6,
    leaseDurationMs: 86_400_000,
  });
  await queue.complete(claimed[0]!, { sent: true });
  await queue.fail(claimed[1]!, new PermanentError("no"));
  await queue.cancel(7);
  await queue.enqueue({ type: "email", runId: "child", dependsOn: ["r1", "waiting 9"] });
  const scheduleIds = ["nightly", "s/1"];
  for (const id of scheduleIds) await queue.addSchedule({ id, type: "t", cron: "30 2 * * *" });
  const taskIds = [1, 2, 3, 4, 5, 7, 16, 17, 18];
  return { runIds: [...runIds, "child"], taskIds, modules: handlers().types(), scheduleIds };
}

/** The leases that are held, or one that nobody holds. */
async function leasesOf(queue: EmbeddedQueue): Promise<Lease[]> {
  const leased = await queue.list({ status: "leased", limit: 5 });
  const leases = leased.map(({ id, lockedBy, leaseToken }) => ({
    taskId: id,
    workerId: lockedBy!,
    leaseToken,
  }));
  return leases.length === 0 ? [{ taskId: 1, workerId: "w", leaseToken: 1 }] : leases;
}

/** An interval fires by itself, at any moment, even while the clock stands still. */
async function removeIntervals(queue: EmbeddedQueue): Promise<void> {
  for (const { id, everyMs } of await queue.listSchedules()) {
    if (everyMs !== null) await queue.removeSchedule(id);
  }
}

async function stateOf(queue: EmbeddedQueue): Promise<State> {
  const { total, byType } = await queue.stats();
  const counts = Object.values(byType[WEBHOOK_TYPE] ?? {});
  return {
    sequence: queue.storageStats().sequence,
    total,
    deliveries: counts.reduce((sum, count) => sum + count, 0),
  };
}

async function ask(
  { app, document }: Target,
  wanted: FuzzRequest,
  tally: Tally,
): Promise<Answer | undefined> {
  const request = toRequest(wanted);
  if (request === undefined) return void tally.add("impossible requests");
  const response = await bounded(Promise.resolve(app.fetch(request)), describe(wanted));
  const text = await bounded(textOf(response), describe(wanted));
  const operation = operationOf(request, document);
  const { status, headers } = response;
  tally.add("requests");
  tally.add(`status ${status}`);
  if (status < 300) tally.add(`${operation?.operationId} done`);
  return { status, text, headers, operation };
}

/** The operation that a request is one of. */
function operationOf(request: Request, { operations }: OpenApiDocument): Operation | undefined {
  const method = request.method === "HEAD" ? "GET" : request.method;
  const path = request.url.replace(/^http:\/\/localhost/, "").split(/[?#]/)[0]!;
  const matches = operations.filter((operation) =>
    operation.method === method &&
    new RegExp(`^${operation.path.replace("{id}", "[^/]+")}$`).test(path)
  );
  return matches.find((operation) => operation.path === path) ?? matches[0];
}

function checkAnswer({ document }: Target, wanted: FuzzRequest, answer: Answer): void {
  const { status, text, headers, operation } = answer;
  assert(!LEAKS.test(text), "it leaks");
  assertEquals(headers.get("X-Content-Type-Options"), "nosniff");
  assertEquals(headers.get("X-Injected"), null);
  if (wanted.method === "HEAD") return assertEquals(text, "");
  const type = headers.get("Content-Type") ?? "";
  if (operation !== undefined) checkBody(operation, document, { status, type, text });
  else assert(status >= 400, "what nobody documents was done");
  if (status < 400) return;
  assert(type.startsWith("application/json"), "it is not JSON");
  checkError(answer, JSON.parse(text));
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

/** How many tasks a completion was asked to store. */
function followersOf({ body }: FuzzRequest): number {
  try {
    return JSON.parse(new TextDecoder().decode(body ?? undefined)).enqueue?.length ?? 0;
  } catch (error) {
    if (error instanceof SyntaxError) return 0;
    throw error;
  }
}

/** A success changes what it says, in at most one transaction. */
function checkChange(
  { status, text, operation }: Answer,
  before: State,
  after: State,
  followers: number,
): void {
  const { operationId } = operation!;
  const { created = 0, pruned } = (text === "" ? {} : JSON.parse(text)) as {
    created?: boolean | number;
    pruned?: number;
  };
  if (operationId.endsWith("Schedule")) return; // an interval fires at once, by itself
  if (pruned !== undefined) return assertEquals(before.total - after.total, pruned);
  const transactions = after.sequence - before.sequence;
  const added = (after.total - after.deliveries) - (before.total - before.deliveries);
  // a queued task is cancelled before it is removed, and what matches many is done in steps
  if (operationId === "removeTask") return assert(added === -1 || added === 0, `${added} tasks`);
  if (operationId === "bulk") return assert(added <= 0, `${added} tasks`);
  assert(transactions === 0 || transactions === 1, `${transactions} transactions`);
  if (ONE_TRANSACTION.includes(operationId)) assertEquals(transactions, 1);
  if (operationId === "runModule") return assert(added === 0 || added === 1, `${added} tasks`);
  if (operationId === "replaceTask") return assertEquals(added, 1);
  if (operationId === "completeTask") return assert(added >= 0 && added <= followers, `${added}`);
  assertEquals(added, Number(created));
  if (status === 201) assertEquals(transactions, 1);
  if (created === false) assertEquals(transactions, 0);
}

async function checkStillWorks(queue: EmbeddedQueue): Promise<void> {
  await queue.resume({});
  await queue.setLimit({}, null);
  const { task } = await queue.enqueue({ type: "still works", payload: { n: 1 } });
  const [claimed] = await queue.claim({ workerId: "w", types: ["still works"] });
  assertEquals(claimed?.id, task.id);
  assertEquals((await queue.complete(claimed!, "yes")).result, "yes");
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
