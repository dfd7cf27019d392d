/**
 * What no caller may give, at every operation of the port: the refusal says what was given, and nothing is changed.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { QueueError } from "../../src/domain/errors.ts";
import type { Task } from "../../src/domain/task.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { behavioursOf, type UseQueue } from "./suite.ts";

/** An operation, called with what TypeScript would refuse. */
type Call = (queue: TaskQueue, wrong: never) => unknown;

/** Each argument of each operation that may not be any of `NO_OBJECTS`. */
const OBJECTS: Readonly<Record<string, Call>> = {
  "enqueue": (queue, wrong) => queue.enqueue(wrong),
  "enqueue options": (queue, wrong) => queue.enqueue({ type: "t" }, wrong ?? 5),
  "enqueue leaseTo": (queue, wrong) => queue.enqueue({ type: "t" }, { leaseTo: wrong ?? 5 }),
  "enqueueBatch": (queue, wrong) => queue.enqueueBatch(wrong),
  "enqueueBatch task": (queue, wrong) => queue.enqueueBatch([wrong]),
  "list": (queue, wrong) => queue.list(wrong ?? 5),
  "count": (queue, wrong) => queue.count(wrong ?? 5),
  "parentResults": (queue, wrong) => queue.parentResults(1, wrong ?? 5),
  "search": (queue, wrong) => queue.search(wrong as never),
  "claim": (queue, wrong) => queue.claim(wrong),
  "claim types": (queue, wrong) => queue.claim({ workerId: "w", types: wrong }),
  "renew": (queue, wrong) => queue.renew(wrong),
  "renew options": (queue, wrong) => queue.renew(LEASE, wrong ?? 5),
  "reportProgress": (queue, wrong) => queue.reportProgress(wrong, 5),
  "complete": (queue, wrong) => queue.complete(wrong, 5),
  "complete options": (queue, wrong) => queue.complete(LEASE, 5, wrong ?? 5),
  "complete enqueue": (queue, wrong) => queue.complete(LEASE, 5, { enqueue: wrong ?? 5 }),
  "complete enqueue task": (queue, wrong) => queue.complete(LEASE, 5, { enqueue: [wrong] }),
  "fail": (queue, wrong) => queue.fail(wrong, new Error("x")),
  "fail options": (queue, wrong) => queue.fail(LEASE, new Error("x"), wrong ?? 5),
  "fail retryPolicy": (queue, wrong) => queue.fail(LEASE, "x", { retryPolicy: wrong ?? 5 }),
  "release": (queue, wrong) => queue.release(wrong),
  "release options": (queue, wrong) => queue.release(LEASE, wrong ?? 5),
  "cancel options": (queue, wrong) => queue.cancel(1, wrong ?? 5),
  "retry options": (queue, wrong) => queue.retry(1, wrong ?? 5),
  "wait options": (queue, wrong) => queue.wait(1, wrong ?? 5),
  "update": (queue, wrong) => queue.update(1, wrong),
  "update options": (queue, wrong) => queue.update(1, { priority: 1 }, wrong ?? 5),
  "replace": (queue, wrong) => queue.replace(1, wrong),
  "replace options": (queue, wrong) => queue.replace(1, { payload: 1 }, wrong ?? 5),
  "remove options": (queue, wrong) => queue.remove(1, wrong ?? 5),
  "bulk": (queue, wrong) => queue.bulk(wrong),
  "bulk filter": (queue, wrong) => queue.bulk({ action: "cancel", filter: wrong }),
  "bulk ids": (queue, wrong) => queue.bulk({ action: "cancel", filter: { ids: wrong ?? 5 } }),
  "heartbeat": (queue, wrong) => queue.heartbeat(wrong),
  "heartbeat types": (queue, wrong) => queue.heartbeat({ ...BEAT, types: wrong }),
  "heartbeat capabilities": (queue, wrong) => queue.heartbeat({ ...BEAT, capabilities: wrong }),
  "transitions": (queue, wrong) => queue.transitions(1, wrong ?? 5),
  "children": (queue, wrong) => queue.children(1, wrong ?? 5),
  "history": (queue, wrong) => queue.history(wrong ?? 5),
  "addSchedule": (queue, wrong) => queue.addSchedule(wrong),
  "addSchedule options": (queue, wrong) => queue.addSchedule(SCHEDULE, wrong ?? 5),
  "listSchedules": (queue, wrong) => queue.listSchedules(wrong ?? 5),
  "scheduleRuns": (queue, wrong) => queue.scheduleRuns("s", wrong ?? 5),
  "metrics": (queue, wrong) => queue.metrics(wrong ?? 5),
  "prune": (queue, wrong) => queue.prune(wrong),
  "exportRecords": (queue, wrong) => queue.exportRecords(wrong ?? 5),
  "exportRecords statuses": (queue, wrong) => queue.exportRecords({ statuses: wrong ?? 5 }),
  "importRecords": (queue, wrong) => queue.importRecords(wrong),
  "importRecords options": (queue, wrong) => queue.importRecords([], wrong ?? 5),
  "importRecords schedules": (queue, wrong) => queue.importRecords([], { schedules: wrong ?? 5 }),
  "prune statuses": (queue, wrong) => queue.prune({ keep: 1, statuses: wrong ?? 5 }),
  "watch": (queue, wrong) => queue.watch(typeof wrong === "function" ? 5 as never : wrong),
  "setLimit scope": (queue, wrong) => queue.setLimit(wrong, { concurrency: 1 }),
  "setLimit": (queue, wrong) => queue.setLimit({ type: "t" }, wrong ?? 5),
  "setLimit rate": (queue, wrong) => queue.setLimit({ type: "t" }, { rate: wrong ?? 5 }),
  "setLimit options": (queue, wrong) => queue.setLimit({}, { concurrency: 1 }, wrong ?? 5),
  "declareLimits": (queue, wrong) => queue.declareLimits(wrong),
  "declareLimits entry": (queue, wrong) => queue.declareLimits([wrong]),
  "pause scope": (queue, wrong) => queue.pause(wrong),
  "pause options": (queue, wrong) => queue.pause({}, wrong ?? 5),
  "resume scope": (queue, wrong) => queue.resume(wrong),
  "resume options": (queue, wrong) => queue.resume({}, wrong ?? 5),
};

/** Each argument that must be a task's id, its run id, a name, a function or a flag. */
const VALUES: Readonly<Record<string, Call>> = {
  "get": (queue, wrong) => queue.get(wrong),
  "getByRunId": (queue, wrong) => queue.getByRunId(wrong),
  "wait": (queue, wrong) => queue.wait(wrong),
  "wait signal": (queue, wrong) => queue.wait(1, { signal: wrong }),
  "parentResults id": (queue, wrong) => queue.parentResults(wrong),
  "cancel": (queue, wrong) => queue.cancel(wrong),
  "retry": (queue, wrong) => queue.retry(wrong),
  "update id": (queue, wrong) => queue.update(wrong, { priority: 1 }),
  "replace id": (queue, wrong) => queue.replace(wrong, { payload: 1 }),
  "remove": (queue, wrong) => queue.remove(wrong),
  "transitions id": (queue, wrong) => queue.transitions(wrong),
  "children id": (queue, wrong) => queue.children(wrong),
  "explain": (queue, wrong) => queue.explain(wrong),
  "retireWorker": (queue, wrong) => queue.retireWorker(wrong),
  "heartbeat workerId": (queue, wrong) => queue.heartbeat({ ...BEAT, workerId: wrong }),
  "getSchedule": (queue, wrong) => queue.getSchedule(wrong),
  "scheduleRuns id": (queue, wrong) => queue.scheduleRuns(wrong),
  "removeSchedule": (queue, wrong) => queue.removeSchedule(wrong),
  "pauseSchedule": (queue, wrong) => queue.pauseSchedule(wrong, true),
  "reportProgress percent": (queue, wrong) => queue.reportProgress(LEASE, wrong),
  "reportProgress message": (queue, wrong) => queue.reportProgress(LEASE, 5, wrong),
  "release delayMs": (queue, wrong) => queue.release(LEASE, { delayMs: wrong }),
  "renew leaseDurationMs": (queue, wrong) => queue.renew(LEASE, { leaseDurationMs: wrong }),
  "list type": (queue, wrong) => queue.list({ type: wrong }),
  "list group": (queue, wrong) => queue.list({ group: wrong }),
  "list tag": (queue, wrong) => queue.list({ tag: wrong }),
  "pauseSchedule paused": (queue, wrong) =>
    queue.pauseSchedule("s", wrong === true ? 1 as never : wrong),
};

/** Numbers that are none, and what is no number, at every option that is one. */
const NUMBERS: Readonly<Record<string, Call>> = {
  "priority": (queue, wrong) => queue.enqueue({ type: "t", priority: wrong }),
  "maxAttempts": (queue, wrong) => queue.enqueue({ type: "t", maxAttempts: wrong }),
  "timeoutMs": (queue, wrong) => queue.enqueue({ type: "t", timeoutMs: wrong }),
  "retryPolicy.initialDelayMs": (queue, wrong) =>
    queue.enqueue({ type: "t", retryPolicy: { initialDelayMs: wrong } }),
  "retryPolicy.multiplier": (queue, wrong) =>
    queue.enqueue({ type: "t", retryPolicy: { multiplier: wrong } }),
  "retryPolicy.maxDelayMs": (queue, wrong) =>
    queue.enqueue({ type: "t", retryPolicy: { maxDelayMs: wrong } }),
  "unique.windowMs": (queue, wrong) =>
    queue.enqueue({ type: "t", unique: { key: "k", mode: "throttle", windowMs: wrong } }),
  "unique.maxWaitMs": (queue, wrong) =>
    queue.enqueue({
      type: "t",
      unique: { key: "k", mode: "debounce", windowMs: 5, maxWaitMs: wrong },
    }),
  "dependsOn": (queue, wrong) => queue.enqueue({ type: "t", dependsOn: [wrong] }),
  "leaseTo": (queue, wrong) =>
    queue.enqueue({ type: "t" }, { leaseTo: { workerId: "w", leaseDurationMs: wrong } }),
  "list limit": (queue, wrong) => queue.list({ limit: wrong }),
  "list offset": (queue, wrong) => queue.list({ offset: wrong }),
  "list beforeId": (queue, wrong) => queue.list({ beforeId: wrong }),
  "children limit": (queue, wrong) => queue.children(1, { limit: wrong }),
  "children afterId": (queue, wrong) => queue.children(1, { afterId: wrong }),
  "parentResults limit": (queue, wrong) => queue.parentResults(1, { limit: wrong }),
  "parentResults offset": (queue, wrong) => queue.parentResults(1, { offset: wrong }),
  "claim limit": (queue, wrong) => queue.claim({ workerId: "w", types: ["t"], limit: wrong }),
  "claim lease": (queue, wrong) =>
    queue.claim({ workerId: "w", types: ["t"], leaseDurationMs: wrong }),
  "claim taskId": (queue, wrong) => queue.claim({ workerId: "w", types: [], taskId: wrong }),
  "renew": (queue, wrong) => queue.renew(LEASE, { leaseDurationMs: wrong }),
  "lease token": (queue, wrong) => queue.complete({ ...LEASE, leaseToken: wrong }),
  "lease task": (queue, wrong) => queue.fail({ ...LEASE, taskId: wrong }, "x"),
  "task's token": (queue, wrong) => queue.renew({ id: 1, lockedBy: "w", leaseToken: wrong }),
  "task's id": (queue, wrong) => queue.release({ id: wrong, lockedBy: "w", leaseToken: 1 }),
  "progress": (queue, wrong) => queue.reportProgress(LEASE, wrong),
  "fail maxAttempts": (queue, wrong) => queue.fail(LEASE, "x", { maxAttempts: wrong }),
  "release": (queue, wrong) => queue.release(LEASE, { delayMs: wrong }),
  "wait": (queue, wrong) => queue.wait(1, { timeoutMs: wrong }),
  "get": (queue, wrong) => queue.get(wrong),
  "update priority": (queue, wrong) => queue.update(1, { priority: wrong }),
  "update delayMs": (queue, wrong) => queue.update(1, { delayMs: wrong }),
  "bulk priority": (queue, wrong) =>
    queue.bulk({ action: "set_priority", filter: {}, all: true, priority: wrong }),
  "bulk delayMs": (queue, wrong) =>
    queue.bulk({ action: "reschedule", filter: {}, all: true, delayMs: wrong }),
  "bulk ids": (queue, wrong) => queue.bulk({ action: "cancel", filter: { ids: [wrong] } }),
  "bulk attemptsMin": (queue, wrong) =>
    queue.bulk({ action: "cancel", filter: { attemptsMin: wrong } }),
  "bulk upToId": (queue, wrong) => queue.bulk({ action: "cancel", filter: { upToId: wrong } }),
  "bulk budgetMs": (queue, wrong) =>
    queue.bulk({ action: "cancel", filter: {}, all: true, budgetMs: wrong }),
  "heartbeat concurrency": (queue, wrong) => queue.heartbeat({ ...BEAT, concurrency: wrong }),
  "heartbeat typeLimits": (queue, wrong) => queue.heartbeat({ ...BEAT, typeLimits: { t: wrong } }),
  "transitions": (queue, wrong) => queue.transitions(1, { limit: wrong }),
  "history": (queue, wrong) => queue.history({ limit: wrong }),
  "everyMs": (queue, wrong) => queue.addSchedule({ id: "s", type: "t", everyMs: wrong }),
  "catchUpMax": (queue, wrong) =>
    queue.addSchedule({ id: "s", type: "t", everyMs: 1000, catchUpMax: wrong }),
  "expiresInMs": (queue, wrong) =>
    queue.addSchedule({ id: "s", type: "t", everyMs: 1000, expiresInMs: wrong }),
  "listSchedules": (queue, wrong) => queue.listSchedules({ limit: wrong }),
  "scheduleRuns": (queue, wrong) => queue.scheduleRuns("s", { limit: wrong }),
  "metrics": (queue, wrong) => queue.metrics({ windowMs: wrong }),
  "concurrency": (queue, wrong) => queue.setLimit({}, { concurrency: wrong }),
  "weight": (queue, wrong) => queue.setLimit({ group: "g" }, { weight: wrong }),
  "rate limit": (queue, wrong) => queue.setLimit({}, { rate: { limit: wrong, periodMs: 1000 } }),
  "rate periodMs": (queue, wrong) => queue.setLimit({}, { rate: { limit: 9, periodMs: wrong } }),
  "rate burst": (queue, wrong) =>
    queue.setLimit({}, { rate: { limit: 9, periodMs: 1000, burst: wrong } }),
};

/** Each argument that is an array, given one with a hole: what goes over an array passes over its holes. */
const ARRAYS: Readonly<Record<string, Call>> = {
  "enqueueBatch": (queue, wrong) => queue.enqueueBatch(wrong),
  "tags": (queue, wrong) => queue.enqueue({ type: "t", tags: wrong }),
  "dependsOn": (queue, wrong) => queue.enqueue({ type: "t", dependsOn: wrong }),
  "webhook events": (queue, wrong) =>
    queue.enqueue({ type: "t", webhook: { url: "https://example.org/", events: wrong } }),
  "update tags": (queue, wrong) => queue.update(1, { tags: wrong }),
  "replace tags": (queue, wrong) => queue.replace(1, { payload: 1, tags: wrong }),
  "addSchedule tags": (queue, wrong) => queue.addSchedule({ ...SCHEDULE, tags: wrong }),
  "claim types": (queue, wrong) => queue.claim({ workerId: "w", types: wrong }),
  "complete enqueue": (queue, wrong) => queue.complete(LEASE, 5, { enqueue: wrong }),
  "bulk ids": (queue, wrong) => queue.bulk({ action: "cancel", filter: { ids: wrong } }),
  "bulk statuses": (queue, wrong) => queue.bulk({ action: "cancel", filter: { statuses: wrong } }),
  "heartbeat types": (queue, wrong) => queue.heartbeat({ ...BEAT, types: wrong }),
  "prune statuses": (queue, wrong) => queue.prune({ keep: 1, statuses: wrong }),
  "exportRecords statuses": (queue, wrong) => queue.exportRecords({ statuses: wrong }),
  "importRecords": (queue, wrong) => queue.importRecords(wrong),
  "declareLimits": (queue, wrong) => queue.declareLimits(wrong),
};

const HOLES = [new Array(1), new Array(3)];
const NO_OBJECTS = [undefined, null, 5, "x", true, NaN, 7n, () => 1];
const NO_VALUES = [{}, [], NaN, 7n, true, () => 1];
const NO_NUMBERS = [NaN, Infinity, -Infinity, "5", {}, 7n, () => 1];

const LEASE = { taskId: 1, workerId: "w", leaseToken: 1 };
const SCHEDULE = { id: "s", type: "t", everyMs: 1000 };
const BEAT = { workerId: "w", capabilities: {}, types: ["t"], concurrency: 1 };

/** What an engine of JavaScript says where nobody has looked. */
const RAW =
  /Cannot (read|destructure|convert|mix|set) |'in' operator|is not (a function|iterable|an object)|undefined is not|Do not know how/;

/** Runs the suite against queues made by `useQueue`, which are called `name` in the tests. */
export function argumentsContract(name: string, useQueue: UseQueue): void {
  const behaviour = behavioursOf(name, useQueue);

  for (
    const [what, calls, wrong] of [
      ["what is no object", OBJECTS, NO_OBJECTS],
      ["what is no such value", VALUES, NO_VALUES],
      ["what is no such number", NUMBERS, NO_NUMBERS],
      ["an array with a hole", ARRAYS, HOLES],
    ] as const
  ) {
    behaviour(`every operation refuses ${what}, and says so`, async (queue) => {
      const before = await leased(queue);
      const problems: string[] = [];
      for (const [called, call] of Object.entries(calls)) {
        for (const each of wrong) {
          const problem = problemOf(await thrownBy(() => call(queue, each as never)), each);
          if (problem !== undefined) problems.push(`${called} with ${String(each)}: ${problem}`);
        }
      }
      assertEquals(problems, []);
      assertEquals(await queue.get(before.id), before);
      assertEquals([await queue.count(), await queue.listLimits()], [1, []]);
      assertEquals(await queue.listSchedules(), []);
    });
  }

  behaviour("a name with what cannot be read is refused, and says what that is", async (queue) => {
    for (const [what, use] of Object.entries(NAMES)) {
      for (const [name, reason] of UNREADABLE) {
        const thrown = await thrownBy(() => use(queue, name));
        assert(thrown instanceof TypeError, `${what}: ${thrown}`);
        assertMatch(thrown.message, new RegExp(`^Cannot use .* as .*: ${reason}$`));
        assert(thrown.message.startsWith(`Cannot use ${JSON.stringify(name)} as `), thrown.message);
      }
    }
    assertEquals([await queue.count(), await queue.listLimits()], [0, []]);
  });

  behaviour("a look-up by a name that nothing can have finds nothing", async (queue) => {
    await queue.enqueue({ type: "t", group: "t", runId: "t", tags: ["t"] });
    await queue.addSchedule({ ...SCHEDULE, id: "t", paused: true });
    for (const [what, [look, none]] of Object.entries(LOOKS)) {
      for (const name of NO_NAMES) assertEquals(await look(queue, name), none, `${what} ${name}`);
    }
  });

  behaviour("there is no task 0, and no lease with the token 0 or of no worker", async (queue) => {
    const { id, leaseToken } = await leased(queue);
    const codes = async (calls: Readonly<Record<string, Call>>, given: unknown): Promise<unknown> =>
      Object.fromEntries(
        await Promise.all(
          Object.entries(calls).map(async ([what, call]) => {
            const thrown = await thrownBy(() => call(queue, given as never));
            return [what, thrown instanceof QueueError ? thrown.code : String(thrown)];
          }),
        ),
      );
    const all = (calls: Readonly<Record<string, Call>>, code: string): unknown =>
      Object.fromEntries(Object.keys(calls).map((what) => [what, code]));
    assertEquals(await codes(BY_ID, 0), all(BY_ID, "task_not_found"));
    assertEquals(await codes(BY_LEASE, { ...LEASE, taskId: 0 }), all(BY_LEASE, "task_not_found"));
    for (const lease of [{ workerId: "w", leaseToken: 0 }, { workerId: "", leaseToken }]) {
      assertEquals(await codes(BY_LEASE, { taskId: id, ...lease }), all(BY_LEASE, "lease_lost"));
    }
    const { task: waiting } = await queue.enqueue({ type: "other" });
    assertEquals(await codes(BY_LEASE, waiting), all(BY_LEASE, "lease_lost"));
    const found = [await queue.get(0), await queue.explain(0), await queue.transitions(0)];
    assertEquals(found, [undefined, undefined, []]);
    assertEquals(await queue.claim({ workerId: "w", types: [], taskId: 0 }), []);
  });

  behaviour("null stands for nothing given, where that is allowed", async (queue) => {
    const nothing = null as never;
    const held = await leased(queue);
    const claimed = await queue.claim({ workerId: "w", types: ["x"], capabilities: nothing });
    assertEquals(claimed, []);
    assertEquals((await queue.reportProgress(held, 5, "so far")).progressMessage, "so far");
    assertEquals((await queue.reportProgress(held, 6, nothing)).progressMessage, null);
    const long = await queue.reportProgress(held, 7, "x".repeat(600));
    assertEquals(long.progressMessage, "x".repeat(500));
    await queue.heartbeat({ ...BEAT, strategy: nothing, typeLimits: nothing });
    const retryPolicy = { initialDelayMs: nothing, multiplier: 3 };
    assertEquals((await queue.fail(held, "x", { retryPolicy })).status, "queued");
    const { task } = await queue.enqueue({ type: "t", retryPolicy });
    assertEquals(task.retryPolicy?.multiplier, 3);
    for (const request of [{ schedules: nothing }, { limits: nothing }]) {
      assertMatch(
        String(await thrownBy(() => queue.importRecords([], request))),
        /^TypeError: Cannot use null as (schedules|limits): an array of \1 is needed$/,
      );
    }
  });

  behaviour(
    "* is no type of a limit or a pause, and says how all types are named",
    async (queue) => {
      const scope = { type: "*" };
      const wrong: readonly (() => Promise<unknown>)[] = [
        () => queue.setLimit(scope, { concurrency: 1 }),
        () => queue.setLimit({ ...scope, group: "*" }, { weight: 1 }),
        () => queue.declareLimits([{ scope, limit: { concurrency: 1 } }]),
        () => queue.pause(scope),
      ];
      for (const set of wrong) {
        assertMatch(
          String(await thrownBy(set)),
          /^TypeError: .*"\*" as type of a scope: leave the type out/,
        );
      }
      assertEquals(await queue.listLimits(), []);
      // what an earlier version has stored can be taken away
      assertEquals(await queue.setLimit(scope, null), false);
      assertEquals(await queue.resume(scope), false);
    },
  );
}

/** Names, and why each is refused. */
const UNREADABLE = [
  ["a\ud800", "a lone surrogate, half of a character, is not allowed"],
  ["\udc00a", "a lone surrogate, half of a character, is not allowed"],
  ["a\u0000b", "control characters are not allowed"],
] as const;

const NAMES: Readonly<Record<string, (queue: TaskQueue, name: string) => unknown>> = {
  type: (queue, type) => queue.enqueue({ type }),
  runId: (queue, runId) => queue.enqueue({ type: "t", runId }),
  group: (queue, group) => queue.enqueue({ type: "t", group }),
  orderingKey: (queue, orderingKey) => queue.enqueue({ type: "t", orderingKey }),
  idempotencyKey: (queue, idempotencyKey) => queue.enqueue({ type: "t", idempotencyKey }),
  workerId: (queue, workerId) => queue.claim({ workerId, types: ["t"] }),
  schedule: (queue, id) => queue.addSchedule({ ...SCHEDULE, id }),
  by: (queue, by) => queue.setLimit({}, { concurrency: 1 }, { by }),
  "worker that renews": (queue, workerId) => queue.renew({ ...LEASE, workerId }),
  "worker that reports": (queue, workerId) => queue.reportProgress({ ...LEASE, workerId }, 5),
  "worker that completes": (queue, workerId) => queue.complete({ ...LEASE, workerId }),
  "worker that fails": (queue, workerId) => queue.fail({ ...LEASE, workerId }, "x"),
  "worker that releases": (queue, workerId) => queue.release({ ...LEASE, workerId }),
};

/** Operations of one task, by its id. */
const BY_ID: Readonly<Record<string, Call>> = {
  wait: (queue, id) => queue.wait(id),
  parentResults: (queue, id) => queue.parentResults(id),
  children: (queue, id) => queue.children(id),
  cancel: (queue, id) => queue.cancel(id),
  retry: (queue, id) => queue.retry(id),
  update: (queue, id) => queue.update(id, { priority: 1 }),
  replace: (queue, id) => queue.replace(id, { payload: 1 }),
  remove: (queue, id) => queue.remove(id),
};

/** Operations of who holds a lease. */
const BY_LEASE: Readonly<Record<string, Call>> = {
  renew: (queue, lease) => queue.renew(lease),
  reportProgress: (queue, lease) => queue.reportProgress(lease, 5),
  complete: (queue, lease) => queue.complete(lease),
  "complete and enqueue": (queue, lease) => queue.complete(lease, 1, { enqueue: [{ type: "t" }] }),
  fail: (queue, lease) => queue.fail(lease, "x"),
  release: (queue, lease) => queue.release(lease),
};

/** What nothing is called: each would be refused as a name, or kept without its blanks. */
const NO_NAMES = ["t\u0000", "t\ud800", "", " t", "t ", "t".repeat(201)];

/** Operations that look for a name, and what they give when there is none. */
const LOOKS: Readonly<
  Record<string, readonly [(queue: TaskQueue, name: string) => unknown, unknown]>
> = {
  getByRunId: [(queue, runId) => queue.getByRunId(runId), undefined],
  explain: [(queue, runId) => queue.explain(runId), undefined],
  getSchedule: [(queue, id) => queue.getSchedule(id), undefined],
  retireWorker: [(queue, workerId) => queue.retireWorker(workerId), undefined],
  "list by type": [(queue, type) => queue.list({ type }), []],
  "list by type and status": [(queue, type) => queue.list({ type, status: "queued" }), []],
  "list by group": [(queue, group) => queue.list({ group }), []],
  "list by tag": [(queue, tag) => queue.list({ tag }), []],
  "count by type": [(queue, type) => queue.count({ type }), 0],
  "count by type and status": [(queue, type) => queue.count({ type, status: "queued" }), 0],
  "count by group": [(queue, group) => queue.count({ group }), 0],
  "count by tag": [(queue, tag) => queue.count({ tag }), 0],
};

async function leased(queue: TaskQueue): Promise<Task> {
  await queue.enqueue({ type: "t" });
  const [task] = await queue.claim({ workerId: "w", types: ["t"] });
  assert(task !== undefined);
  return task;
}

async function thrownBy(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (thrown) {
    return thrown;
  }
}

/** What is wrong with a refusal. */
function problemOf(thrown: unknown, given: unknown): string | undefined {
  if (thrown === undefined) return "it was accepted";
  if (!(thrown instanceof Error)) return "it threw no error";
  const { message } = thrown;
  const isOurs = thrown instanceof TypeError || thrown instanceof RangeError ||
    thrown instanceof QueueError;
  if (!isOurs || !message.startsWith("Cannot ") || RAW.test(message)) return String(thrown);
  if (typeof given === "number" && !message.includes(String(given))) {
    return `${given} is not named: ${message}`;
  }
  return undefined;
}
