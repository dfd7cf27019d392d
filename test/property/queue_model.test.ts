/**
 * The queue against a plain array: histories of two processes on one disk, compared after every action.
 */
import { assert } from "@std/assert";
import fc from "fast-check";
import { CLAIM_ORDERS } from "../../src/domain/claim_order.ts";
import { PARENT_FAILURE_POLICIES, TASK_STATUSES } from "../../src/domain/task.ts";
import { type Action, type ProcessIndex, QueueWorld, type SingleAction } from "./queue_world.ts";
import { effort, isThorough } from "../support/effort.ts";

const SEED = 20_260_131;
const RUNS = effort("modelRuns");
const ACTIONS_MAX = 60;

const types = ["a", "b", "c"];
const compatibilities = [
  {},
  { gpu: true },
  { region: "eu" },
  { gpu: true, region: "eu" },
  { disk: { kind: "ssd", gb: 2 } },
];
const capabilities = [
  {},
  { gpu: true },
  { region: "eu", gpu: false },
  { region: "eu", gpu: true, extra: 1 },
  { disk: { gb: 2, kind: "ssd" }, gpu: true },
];
const payloads = [{}, { a: 1, b: [2, null] }, { b: [2, null], a: 1 }, "zwei 😀\u0000", null, 0];

/** A few of the tasks are refused: blank type, priority 0, no JSON. */
const wishes = fc.record({
  type: fc.constantFrom(...types, " a ", ...types, ...types, " "),
  payload: fc.constantFrom(...payloads, ...payloads, NaN),
  priority: fc.constantFrom(1, 1, 5, 5, 100, 100, 1000, 1000, 5, 100, 0),
  runInMs: fc.constantFrom(-1000, 0, 1, 50, 5000),
  idempotencyKey: fc.constantFrom("k1", "k2", ""),
  maxAttempts: fc.constantFrom(1, 2, 3),
  compatibility: fc.constantFrom(...compatibilities),
  runId: fc.constantFrom("1", "2", "run"),
  retryPolicy: fc.constantFrom({ initialDelayMs: 40 }, {
    initialDelayMs: 100,
    multiplier: 3,
    maxDelayMs: 250,
  }),
  timeoutMs: fc.constantFrom(1, 60_000),
}, { requiredKeys: ["type"] }).map((wish) => {
  // Most tasks have neither key nor run id of their own, or nearly all would collide.
  const { idempotencyKey, runId, ...rest } = wish;
  return rest.priority === 5 ? { ...rest, idempotencyKey, runId } : { ...rest, idempotencyKey };
});

const parents = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        nth: fc.nat({ max: 6 }),
        by: fc.constantFrom("id" as const, "runId" as const),
      }),
    },
    { weight: 6, arbitrary: fc.record({ sibling: fc.nat({ max: 3 }) }) },
    { weight: 1, arbitrary: fc.constant({ nobody: true as const }) },
  ),
  { maxLength: 3 },
);

/** Few have a key of their own, and each a run id that nearly no other has. */
const relatives = fc.record({
  type: fc.constantFrom(...types),
  parents,
  onParentFailure: fc.constantFrom(...PARENT_FAILURE_POLICIES),
  runInMs: fc.constantFrom(0, 0, 50),
  maxAttempts: fc.constantFrom(1, 2),
  runId: fc.nat({ max: 5000 }).map((n) => `relative ${n}`),
  idempotencyKey: fc.constantFrom("", "", "", "k3", "k4"),
}, { requiredKeys: ["type", "parents", "runId"] });

const workers = fc.constantFrom("w1", "w2", "w3");

const claims = fc.record({
  workerId: workers,
  types: fc.oneof(
    { weight: 9, arbitrary: fc.subarray(types, { minLength: 1 }) },
    { weight: 1, arbitrary: fc.constant(["nothing has this type"]) },
  ),
  limit: fc.constantFrom(1, 2, 3, 10, 10, 0),
  leaseDurationMs: fc.constantFrom(100, 100, 130, 1000, 60_000, 99),
  strategy: fc.constantFrom(...CLAIM_ORDERS),
  capabilities: fc.constantFrom(...capabilities),
}, { requiredKeys: ["workerId", "types"] });

const leaseActs = fc.record({
  kind: fc.constantFrom("renew", "progress", "complete", "complete", "fail", "fail", "release"),
  variant: fc.nat({ max: 19 }),
}) as fc.Arbitrary<Extract<SingleAction, { do: "lease" }>["act"]>;

const leaseActions = fc.record({
  do: fc.constant("lease" as const),
  act: leaseActs,
  choice: fc.record({
    nth: fc.oneof(fc.nat({ max: 2 }), fc.nat({ max: 12 })),
    twist: fc.constantFrom("none", "none", "none", "none", "token", "worker", "task"),
  }),
}) as fc.Arbitrary<SingleAction>;

const enqueues: fc.Arbitrary<SingleAction> = fc.record({
  do: fc.constant("enqueue" as const),
  tasks: fc.oneof(
    fc.array(wishes, { minLength: 1, maxLength: 1 }),
    fc.array(wishes, { maxLength: 4 }),
  ),
});

const families: fc.Arbitrary<SingleAction> = fc.record({
  do: fc.constant("enqueue" as const),
  tasks: fc.array(relatives, { minLength: 1, maxLength: 4 }),
});

const byHand: fc.Arbitrary<SingleAction> = fc.record({
  do: fc.constant("byHand" as const),
  kind: fc.constantFrom("cancel" as const, "retry" as const, "retry" as const),
  nth: fc.nat({ max: 15 }),
});

const updates: fc.Arbitrary<SingleAction> = fc.record({
  do: fc.constant("update" as const),
  nth: fc.nat({ max: 9 }),
  changes: fc.record({
    priority: fc.constantFrom(1, 2, 100, 1000),
    delayMs: fc.constantFrom(0, 0, 20, 5000),
  }, { requiredKeys: [] }),
});

const claimActions: fc.Arbitrary<SingleAction> = fc.record({
  do: fc.constant("claim" as const),
  request: claims,
});

const actions: fc.Arbitrary<Action> = fc.oneof(
  { weight: 12, arbitrary: enqueues },
  { weight: 12, arbitrary: claimActions },
  { weight: 8, arbitrary: families },
  { weight: 14, arbitrary: leaseActions },
  { weight: 4, arbitrary: byHand },
  { weight: 4, arbitrary: updates },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("claimOne" as const),
      nth: fc.nat({ max: 15 }),
      workerId: workers,
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: "rescue" as const }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("expire" as const),
      nth: fc.nat({ max: 9 }),
      lateMs: fc.constantFrom(-1, 0, 0, 1, 500),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("advance" as const),
      ms: fc.constantFrom(1, 20, 40, 70, 99, 100, 1000, 5000, 60_000),
    }),
  },
  {
    // A claim looks before it writes, so it may come later in a batch than it was asked for: none in here.
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("burst" as const),
      of: fc.array(fc.oneof(enqueues, families, leaseActions, byHand, updates), {
        minLength: 2,
        maxLength: 6,
      }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("look" as const),
      request: fc.record({
        status: fc.constantFrom(...TASK_STATUSES),
        type: fc.constantFrom(...types, "none"),
        limit: fc.constantFrom(1, 2, 5, 1000, 0),
        offset: fc.nat({ max: 5 }),
        beforeId: fc.nat({ max: 40 }),
      }, { requiredKeys: [] }),
    }),
  },
  { weight: 1, arbitrary: fc.constantFrom({ do: "checkpoint" }, { do: "reopen" }) },
  { weight: 1, arbitrary: fc.constantFrom({ do: "kill" }, { do: "cutPower" }) },
) as fc.Arbitrary<Action>;

const histories = fc.array(fc.tuple(actions, fc.constantFrom<ProcessIndex>(0, 1)), {
  minLength: 1,
  maxLength: ACTIONS_MAX,
  size: "max",
});

/** Ends that the histories must have met often, or the test would prove nothing. */
const MUST_HAVE_SEEN = [
  ...["enqueue done", "enqueue invalid", "enqueue idempotency_conflict", "enqueue run_id_conflict"],
  ...["enqueue unknown_parent", "enqueue dependency_cycle"],
  ...["claim done", "claim invalid", "rescue done"],
  ...["renew", "progress", "complete", "fail", "release"].flatMap((kind) => [
    `${kind} done`,
    `${kind} lease_lost`,
    `${kind} task_not_found`,
  ]),
  ...["renew invalid", "progress invalid", "complete invalid"],
  ...["update done", "update task_not_queued", "update task_not_found", "update invalid"],
  ...["cancel done", "cancel task_not_found", "retry done", "retry task_not_found"],
];

Deno.test("the queue does what a plain array would, in two processes, across reopening, kills and power cuts", async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      const world = await QueueWorld.open();
      try {
        for (const [action, by] of history) await world.act(action, by);
      } finally {
        await world.close();
      }
      for (const [end, times] of world.oracle.seen) seen.set(end, (seen.get(end) ?? 0) + times);
    }),
    { seed: SEED, numRuns: RUNS },
  );
  const operations = [...seen.values()].reduce((sum, times) => sum + times, 0);
  console.log(`queue model: ${RUNS} histories, ${operations} operations compared with the oracle`);
  if (!isThorough()) return;
  for (const end of MUST_HAVE_SEEN) {
    assert((seen.get(end) ?? 0) >= 5, `only ${seen.get(end) ?? 0} of ${end}`);
  }
});
