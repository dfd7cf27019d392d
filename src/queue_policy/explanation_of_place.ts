/**
 * Explanations of a due task that waits in a line: whether its type has a free place, what is ahead of it, whether a slot is free.
 */
import { capabilitiesOf, isCapable } from "../domain/capability.ts";
import type { ClaimOrder } from "../domain/claim_order.ts";
import type { Task } from "../domain/task.ts";
import type { ExplanationReason } from "../queue/operator.ts";
import type { WorkerRecord } from "../queue/workers.ts";
import type { Why } from "./explanation.ts";

/** How many tasks that come first are counted at most. */
export const AHEAD_MAX = 100_000;

/** Where a task stands for the workers that choose in one order; `ahead` is what is drawn from beside it under weighted random. */
export interface Place {
  readonly order: ClaimOrder;
  readonly ahead: number;
}

/** Whether a worker may run one more task of this type, once it has a slot. */
export function hasPlace({ typeLimits, typeSlotsInUse }: WorkerRecord, type: string): boolean {
  return !Object.hasOwn(typeLimits, type) || typeSlotsInUse[type]! < typeLimits[type]!;
}

/** Every worker that can take the task runs as many of its type as it may. */
export function typeAtLimit({ id, type }: Task, workers: readonly WorkerRecord[]): Why {
  const limits = workers.map(({ workerId, typeLimits }) => ({
    worker_id: workerId,
    limit: typeLimits[type]!,
  }));
  const places = sum(limits, ({ limit }) => limit);
  const whose = workers.length === 1
    ? `worker ${JSON.stringify(limits[0]!.worker_id)}`
    : `the ${workers.length} workers that can take it`;
  return {
    reason: "type_at_limit",
    summary: `Task ${id} is due, but the ${places} ${places === 1 ? "place" : "places"} for type ${
      JSON.stringify(type)
    } of ${whose} ${places === 1 ? "is" : "are"} in use`,
    data: { type, places, workers: limits },
  };
}

/** How the groups of a lane take turns with a task's. */
export interface Turns {
  /** The weight of the task's group. */
  readonly weight: number;
  /** How many other groups have tasks that may start. */
  readonly others: number;
}

/** The same, where groups take turns: what is ahead are tasks of its own group. */
export function takingTurns(
  { id, group }: Pick<Task, "id" | "group">,
  why: Why,
  { weight, others }: Turns,
): Why {
  const data = { ...why.data, group, weight, other_groups: others };
  if (others === 0) return { ...why, data };
  const ahead = Number(why.data.ahead);
  const whose = group === null ? "without a group" : `of group ${JSON.stringify(group)}`;
  const first = ahead === 0
    ? `it is the first ${whose}`
    : `${countText(ahead)} ${whose} ${ahead === 1 ? "comes" : "come"} first`;
  const groups = others === 1 ? "1 other group takes" : `${others} other groups take`;
  return {
    reason: "behind_others",
    summary: `Task ${id} is due, ${first}, and ${groups} turns with it (weight ${weight})`,
    data,
  };
}

const IN_ORDER = {
  priority: "in order of priority",
  fifo: "in order of age",
  lifo: "in order of age, the latest first",
} as const satisfies Record<Exclude<ClaimOrder, "weighted_random">, string>;

/** Whether one of these workers could take a task of this kind now. */
export function canTake(
  workers: readonly WorkerRecord[],
  { type, compatibility }: Pick<Task, "type" | "compatibility">,
): boolean {
  return workers.some((worker) =>
    worker.types.includes(type) && hasPlace(worker, type) &&
    isCapable(capabilitiesOf(worker.capabilities), compatibility)
  );
}

/** Where a due task stands; `able` are the workers that can take it and have a place for its type. */
export function standingIn(
  task: Task,
  places: readonly Place[],
  able: readonly WorkerRecord[],
): Why {
  const data = {
    ahead: Math.min(...places.map((place) => isDraw(place) ? 0 : place.ahead)),
    orders: places.map(({ order, ahead }) => ({ strategy: order, tasks: ahead })),
    slots: sum(able, ({ concurrency }) => concurrency),
    slots_taken: sum(able, slotsTaken),
    workers: able.map(({ workerId }) => workerId),
  };
  const isFree = data.slots_taken < data.slots;
  return { ...reasonAndSummary(task, places, { able, isFree }), data };
}

/** Where the task stands in the lines of the workers that can take it. */
function reasonAndSummary(
  { id }: Task,
  places: readonly Place[],
  { able, isFree }: { readonly able: readonly WorkerRecord[]; readonly isFree: boolean },
): Pick<Why, "reason" | "summary"> {
  const workers = able.length === 1 ? "the worker that" : `the ${able.length} workers that`;
  const use = `${able.length === 1 ? "has" : "have"} ${sum(able, slotsTaken)} of ${
    sum(able, ({ concurrency }) => concurrency)
  } slots in use`;
  const busy = `${workers} can take it ${use}`;
  if (places.every(({ ahead }) => ahead === 0)) {
    return isFree
      ? { reason: "next", summary: `Task ${id} is next: ${busy}` }
      : { reason: "workers_busy", summary: `Task ${id} is next, but ${busy}` };
  }
  const [place] = places;
  if (places.length > 1) {
    const each = places.map((one) => `${one.order}: ${standing(one)}`).join("; ");
    const summary =
      `Task ${id} is due; ${workers} can take it choose in different orders (${each}) and ${use}`;
    return { reason: mixedReason(places, isFree), summary };
  }
  const { order, ahead } = place!;
  if (order === "weighted_random") {
    const summary = `Task ${id} is due, and drawn by weight from among it and ${
      countText(ahead)
    } more; ${busy}`;
    return { reason: "in_draw", summary };
  }
  const are = ahead === 1 ? "is" : "are";
  const summary = `Task ${id} is due, and ${countText(ahead)} ${are} ahead of it ${
    IN_ORDER[order]
  }; ${busy}`;
  return { reason: "behind_others", summary };
}

/** Where workers choose in several orders, what is soonest counts. */
function mixedReason(places: readonly Place[], isFree: boolean): ExplanationReason {
  if (places.some(({ ahead }) => ahead === 0)) return isFree ? "next" : "workers_busy";
  return places.some(isDraw) ? "in_draw" : "behind_others";
}

function standing(place: Place): string {
  return isDraw(place) ? `drawn with ${countText(place.ahead)}` : `${countText(place.ahead)} ahead`;
}

/** Whether chance decides. */
function isDraw({ order }: Place): boolean {
  return order === "weighted_random";
}

function countText(count: number): string {
  if (count >= AHEAD_MAX) return `at least ${AHEAD_MAX} tasks`;
  return count === 1 ? "1 task" : `${count} tasks`;
}

/** A worker that came back under its old id may hold more leases than it has slots. */
function slotsTaken({ slotsInUse, concurrency }: WorkerRecord): number {
  return Math.min(slotsInUse, concurrency);
}

/** The sum of an amount of each item. */
function sum<T>(items: readonly T[], amountOf: (item: T) => number): number {
  return items.reduce((total, item) => total + amountOf(item), 0);
}
