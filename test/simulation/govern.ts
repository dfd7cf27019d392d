/**
 * What an operator does to a queue, by chance: limits, rates and pauses of a type, of a group or of all.
 */
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import type { Limit, LimitScope, RateLimit } from "../../src/queue/limits.ts";
import type { Chance } from "./chance.ts";
import type { SimulatedProcess } from "./simulated_process.ts";
import { TASK_GROUPS, TASK_TYPES } from "./task_source.ts";

/** The circumstances. */
interface Situation {
  readonly nowMs: number;
  readonly hasGroups: boolean;
  readonly hasRates: boolean;
}

/** How often each thing is done. */
const USUAL = { limit: 5, unlimit: 1, pause: 3, resume: 3 } as const;
const WITH_RATES = { limit: 6, unlimit: 2, pause: 1, resume: 2 } as const;

/** Changes a limit or a pause. */
export function govern(process: SimulatedProcess, situation: Situation, chance: Chance): void {
  const { queue } = process;
  if (queue === undefined) return;
  change(queue, situation, chance).catch(() => {}); // a process may die, or its disk fail
}

function change(
  queue: EmbeddedQueue,
  { nowMs, hasGroups, hasRates }: Situation,
  chance: Chance,
): Promise<boolean> {
  const ofType: LimitScope = chance.happens(0.3) ? {} : { type: chance.pick(TASK_TYPES) };
  const isOfGroup = hasGroups && chance.happens(0.7);
  const scope = isOfGroup ? { ...ofType, group: chance.pick(["*", ...TASK_GROUPS]) } : ofType;
  switch (chance.weighted(hasRates ? WITH_RATES : USUAL)) {
    case "limit": {
      const weight = isOfGroup ? chance.pick([undefined, 0.5, 3]) : undefined;
      const concurrency = 1 + chance.below(3);
      const limit = { concurrency, weight };
      return queue.setLimit(scope, hasRates ? withRate(limit, chance) : limit);
    }
    case "unlimit":
      return queue.setLimit(scope, null);
    case "pause": {
      const until = new Date(nowMs + chance.pick([100, 1000, 5000]));
      return queue.pause(scope, chance.happens(0.5) ? { until } : {});
    }
    case "resume":
      return queue.resume(scope);
  }
}

/** The same limit, or a rate in its place, or both. */
function withRate(limit: Limit, chance: Chance): Limit {
  const rate = randomRate(chance);
  const what = chance.weighted({ rate: 3, both: 2, neither: 1 });
  if (what === "neither") return limit;
  return what === "both" ? { ...limit, rate } : { weight: limit.weight, rate };
}

/** Slow enough to hold tasks back, and fast enough for the time that there is. */
function randomRate(chance: Chance): RateLimit {
  const limit = 1 + chance.below(5);
  return {
    limit,
    periodMs: chance.pick([50, 400, 1500]),
    burst: chance.pick([1, limit, undefined]),
  };
}

/** Ends the pauses that do not end by themselves. Limits stay, and what they hold back must come to its turn. */
export async function resumeAll(queue: EmbeddedQueue): Promise<void> {
  for (const { scope, paused } of await queue.listLimits()) {
    if (paused !== null && paused.until === null) await queue.resume(scope);
  }
}
