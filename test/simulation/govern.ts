/**
 * What an operator does to a queue, by chance: limits and pauses of a type, of a group or of all.
 */
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import type { LimitScope } from "../../src/queue/limits.ts";
import type { Chance } from "./chance.ts";
import type { SimulatedProcess } from "./simulated_process.ts";
import { TASK_GROUPS, TASK_TYPES } from "./task_source.ts";

/** The circumstances. */
interface Situation {
  readonly nowMs: number;
  readonly hasGroups: boolean;
}

/** Changes a limit or a pause. */
export function govern(process: SimulatedProcess, situation: Situation, chance: Chance): void {
  const { queue } = process;
  if (queue === undefined) return;
  change(queue, situation, chance).catch(() => {}); // a process may die, or its disk fail
}

function change(
  queue: EmbeddedQueue,
  { nowMs, hasGroups }: Situation,
  chance: Chance,
): Promise<boolean> {
  const ofType: LimitScope = chance.happens(0.3) ? {} : { type: chance.pick(TASK_TYPES) };
  const isOfGroup = hasGroups && chance.happens(0.7);
  const scope = isOfGroup ? { ...ofType, group: chance.pick(["*", ...TASK_GROUPS]) } : ofType;
  switch (chance.weighted({ limit: 5, unlimit: 1, pause: 3, resume: 3 })) {
    case "limit": {
      const weight = isOfGroup ? chance.pick([undefined, 0.5, 3]) : undefined;
      return queue.setLimit(scope, { concurrency: 1 + chance.below(3), weight });
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

/** Ends the pauses that do not end by themselves. Limits stay, and what they hold back must come to its turn. */
export async function resumeAll(queue: EmbeddedQueue): Promise<void> {
  for (const { scope, paused } of await queue.listLimits()) {
    if (paused !== null && paused.until === null) await queue.resume(scope);
  }
}
