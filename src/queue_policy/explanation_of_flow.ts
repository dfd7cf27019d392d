/**
 * Explanations of a due task that a pause, a limit or a rate holds back.
 */
import type { Task } from "../domain/task.ts";
import type { SlotHolder } from "../queue/limits.ts";
import type { Why } from "./explanation.ts";
import type { LimitedScope, RatedScope } from "./flow.ts";
import { scopeOf, scopeTextOf, type StoredLimit } from "./limit_request.ts";
import { nextStartMs, type Rate } from "./start_rate.ts";

/** How many holders the sentence names. */
const HOLDERS_NAMED = 3;

/** A pause holds the task back. */
export function paused({ id }: Pick<Task, "id">, pause: StoredLimit): Why {
  const { paused_at, paused_by, paused_reason, paused_until } = pause;
  const by = paused_by === null ? "" : ` by ${JSON.stringify(paused_by)}`;
  const reason = paused_reason === null ? "" : ` (${paused_reason})`;
  const until = paused_until === null ? "it is resumed" : iso(paused_until);
  return {
    reason: "paused",
    summary: `Task ${id} is due, but ${scopeTextOf(pause)} is paused since ${
      iso(paused_at!)
    }${by}${reason} until ${until}`,
    data: {
      scope: scopeOf(pause),
      paused_at: iso(paused_at!),
      by: paused_by,
      reason: paused_reason,
      until: paused_until === null ? null : iso(paused_until),
    },
  };
}

/** Every slot of a scope is held; `ahead` tasks of it come first in order of priority. */
export function concurrencyLimited(
  { id }: Pick<Task, "id">,
  { scope, held, holders, ahead }: {
    readonly scope: LimitedScope;
    readonly held: number;
    readonly holders: readonly SlotHolder[];
    readonly ahead: number;
  },
): Why {
  const { concurrency } = scope;
  const slots = concurrency === 1 ? "its 1 slot" : `its ${concurrency} slots`;
  const named = holders.slice(0, HOLDERS_NAMED).map(holderText);
  const more = held - named.length;
  if (more > 0) named.push(`${more} more`);
  const whose = scope.grp !== "" ? "the group" : scope.type === "" ? "the queue" : "the type";
  const first = ahead === 0
    ? ""
    : `; ${ahead} ${ahead === 1 ? "task" : "tasks"} of ${whose} ${
      ahead === 1 ? "is" : "are"
    } ahead of it in order of priority`;
  const uses = held > concurrency ? `${held} of ${slots}` : slots;
  return {
    reason: "concurrency_limited",
    summary: `Task ${id} is due, but ${scopeTextOf(scope)} uses ${uses}: ${and(named)}${first}`,
    data: {
      scope: scopeOf(scope),
      concurrency,
      held,
      ahead,
      holders: holders.map((holder) => ({
        task_id: holder.taskId,
        run_id: holder.runId,
        type: holder.type,
        worker_id: holder.workerId,
        lease_until: holder.leaseUntil.toISOString(),
        is_cancelled: holder.isCancelled,
      })),
    },
  };
}

/** A rate that lets no task start now, and how many of its scope come before the one in question. */
export interface SpentRate {
  readonly scope: RatedScope;
  readonly tatUs: number | undefined;
  readonly nowMs: number;
  readonly ahead: number;
}

/** When the task can start at the earliest, by this rate. */
export function notBeforeMs({ scope, tatUs, nowMs, ahead }: SpentRate): number {
  return nextStartMs(scope.rate, tatUs, { nowMs, ahead });
}

/** A rate lets none start now; `ahead` tasks of the scope come first in order of priority. */
export function rateLimited(
  { id }: Pick<Task, "id">,
  spent: SpentRate,
): Why {
  const { scope, tatUs, nowMs, ahead } = spent;
  const { limit, periodMs, burst } = scope.rate;
  const next = iso(nextStartMs(scope.rate, tatUs, { nowMs }));
  const notBefore = iso(notBeforeMs(spent));
  const behind = ahead === 0 ? "" : `, and with ${ahead} ahead not before ${notBefore}`;
  return {
    reason: "rate_limited",
    summary: `Task ${id} is due, but ${scopeTextOf(scope)} may start ${
      rateText(scope.rate)
    }; the next start is at ${next}${behind}`,
    data: {
      scope: scopeOf(scope),
      limit,
      period_ms: periodMs,
      burst,
      next_start_at: next,
      ahead,
      not_before: notBefore,
    },
  };
}

/** A rate in one phrase: `100 in 60 s`. */
export function rateText({ limit, periodMs }: Rate): string {
  return `${limit} in ${periodMs % 1000 === 0 ? `${periodMs / 1000} s` : `${periodMs} ms`}`;
}

function holderText({ taskId, workerId, leaseUntil, isCancelled }: SlotHolder): string {
  const worker = `worker ${JSON.stringify(workerId)}`;
  const until = leaseUntil.toISOString();
  return isCancelled
    ? `task ${taskId} (cancelled, ${worker} has until ${until} to stop it)`
    : `task ${taskId} (${worker}, lease until ${until} unless renewed)`;
}

function and(parts: readonly string[]): string {
  if (parts.length < 2) return parts.join("");
  return `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}
