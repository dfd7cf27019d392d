/**
 * A due task's place in the line of the workers that can take it: whether its type has a place free, what comes first in the
 * order in which they choose, and whether a slot is free.
 *
 * Only what a worker could take at this moment is ahead: tasks of a type that runs as often as it may hold up none of another.
 */
import type { ClaimOrder } from "../domain/claim_order.ts";
import { canonicalJson } from "../domain/json.ts";
import type { Task } from "../domain/task.ts";
import type { Reader } from "../ledger/replica.ts";
import type { ExplanationReason, WorkerRecord } from "./operations.ts";

/** A reason, before the task's names are added. */
export interface Why {
  /** For programs. */
  readonly reason: ExplanationReason;
  /** For people. */
  readonly summary: string;
  /** What the sentence says, for programs. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** How many tasks that come first are counted at most. */
const AHEAD_MAX = 100_000;

/** What stands ahead of task `?4` with priority `?3`; under weighted random, everything that is drawn from beside it. */
const AHEAD = {
  priority: "(priority, id) < (?3, ?4)",
  fifo: "id < ?4",
  lifo: "id > ?4",
  weighted_random: "id <> ?4",
} as const satisfies Record<ClaimOrder, string>;

const ORDERS = Object.entries(AHEAD) as readonly [ClaimOrder, string][];

/** The statements; a test reads their plans. */
export const EXPLAIN_SQL = {
  nextLane: `SELECT compatibility FROM task_queue INDEXED BY ready_by_priority
    WHERE is_ready = 1 AND type = ? AND compatibility > ? ORDER BY compatibility LIMIT 1`,
  readyAhead: Object.fromEntries(ORDERS.map(([order, isAhead]) => [
    order,
    `SELECT id FROM task_queue INDEXED BY ${
      order === "priority" ? "ready_by_priority" : "ready_by_id"
    }
      WHERE is_ready = 1 AND type = ?1 AND compatibility = ?5 AND ${isAhead} LIMIT ?2`,
  ])) as Record<ClaimOrder, string>,
  dueAhead: Object.fromEntries(ORDERS.map(([order, isAhead]) => [
    order,
    `SELECT type, compatibility FROM task_queue INDEXED BY scheduled_tasks
      WHERE status = 'queued' AND is_ready = 0 AND waits_for = 0 AND run_after_utc <= ?1
        AND ${isAhead} LIMIT ?2`,
  ])) as Record<ClaimOrder, string>,
} as const;

/** The workers that can take a task, at one moment. */
interface Line {
  readonly workers: readonly WorkerRecord[];
  readonly nowMs: number;
}

/** Where a task stands for the workers that choose in one order; `ahead` is what is drawn from beside it under weighted random. */
interface Place {
  readonly order: ClaimOrder;
  readonly ahead: number;
}

/** Why a due task that each of `workers` can take is not taken yet. */
export function inLine(reader: Reader, task: Task, { workers, nowMs }: Line): Why {
  const able = workers.filter((worker) => hasPlace(worker, task.type));
  if (able.length === 0) return typeAtLimit(task, workers);
  const places = [...Map.groupBy(able, ({ strategy }) => strategy)].map(([order, those]) => ({
    order,
    ahead: countAhead(reader, task, { workers: those, nowMs, order }),
  }));
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

// --- a type that has no place free

/** Whether a worker may run one more task of this type, once it has a slot. */
function hasPlace({ typeLimits, typeSlotsInUse }: WorkerRecord, type: string): boolean {
  return !Object.hasOwn(typeLimits, type) || typeSlotsInUse[type]! < typeLimits[type]!;
}

function typeAtLimit({ id, type }: Task, workers: readonly WorkerRecord[]): Why {
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

// --- a place in the line

const IN_ORDER = {
  priority: "in order of priority",
  fifo: "in order of age",
  lifo: "in order of age, the latest first",
} as const satisfies Record<Exclude<ClaimOrder, "weighted_random">, string>;

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

function sum<T>(items: readonly T[], amountOf: (item: T) => number): number {
  return items.reduce((total, item) => total + amountOf(item), 0);
}

/** Tasks that the same workers could take now and would take first, in this order. */
function countAhead(
  reader: Reader,
  task: Task,
  { workers, nowMs, order }: Line & { readonly order: ClaimOrder },
): number {
  const canTake = (type: string, compatibility: string): boolean => {
    const pairs = JSON.parse(compatibility) as Record<string, unknown>;
    return workers.some((worker) =>
      worker.types.includes(type) && hasPlace(worker, type) && isCapable(worker, pairs)
    );
  };
  const { priority, id } = task;
  let ahead = 0;
  for (const type of new Set(workers.flatMap(({ types }) => types))) {
    for (const compatibility of compatibilitiesOf(reader, type)) {
      if (ahead >= AHEAD_MAX || !canTake(type, compatibility)) continue;
      const parameters = [type, AHEAD_MAX - ahead, priority, id, compatibility];
      ahead += reader.read(EXPLAIN_SQL.readyAhead[order], parameters).length;
    }
  }
  const dueParameters = [nowMs, AHEAD_MAX - ahead, priority, id];
  for (const [type, compatibility] of reader.read(EXPLAIN_SQL.dueAhead[order], dueParameters)) {
    if (canTake(String(type), String(compatibility))) ahead++;
  }
  return ahead;
}

function compatibilitiesOf(reader: Reader, type: string): string[] {
  const found: string[] = [];
  for (;;) {
    const [row] = reader.read(EXPLAIN_SQL.nextLane, [type, found.at(-1) ?? ""]);
    if (row === undefined) return found;
    found.push(String(row[0]));
  }
}

// --- capabilities

/** Whether a worker has every capability that a task needs. */
export function isCapable(
  worker: WorkerRecord,
  compatibility: Readonly<Record<string, unknown>>,
): boolean {
  return Object.keys(missingPairs(worker, compatibility)).length === 0;
}

/** The capabilities that a task needs and the worker has not. */
export function missingPairs(
  { capabilities }: WorkerRecord,
  compatibility: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(compatibility).filter(([name, value]) =>
      !Object.hasOwn(capabilities, name) ||
      canonicalJson(capabilities[name]) !== canonicalJson(value)
    ),
  );
}
