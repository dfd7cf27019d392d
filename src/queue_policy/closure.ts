/**
 * Closures: how one is kept, and what is said to who asks for what a closed queue does not do.
 */
import { QueueError, quotePath } from "../domain/errors.ts";
import type { QueueClosure, QueueClosureState } from "../queue/closure.ts";
import type { ClosureChange, ExpectedClosure, FillingPart } from "../queue/move_end.ts";
import type { HealthReason } from "../queue/operator.ts";
import type { Why } from "./explanation.ts";

/** The names under which a queue keeps what belongs to moves; each names one string. */
export const MOVE_NOTES = Object.freeze(
  {
    /** Why the queue is closed; an open one has no such note. */
    closure: "closure",
    /** The move that has filled it. */
    received: "received",
    /** Names the queue for ever, once it was asked for. */
    queueId: "queue_id",
  } as const,
);

/** The closure that is kept as `text`; `null` for none. */
export function closureOf(text: string | null | undefined): QueueClosure | null {
  if (text === null || text === undefined) return null;
  const kept = JSON.parse(text) as QueueClosure & { readonly since: string };
  return { ...kept, since: new Date(kept.since) };
}

/** What is kept of a closure. */
export function textOfClosure(closure: QueueClosure): string {
  const { state, moveId, other, otherId, since, cursor } = closure;
  return JSON.stringify({ state, moveId, other, otherId, since: since.toISOString(), cursor });
}

/** Whether a queue has the closure that it must have for a change, or the one that the change is to bring about already. */
export function standingOf(
  known: QueueClosure | null,
  { expected, next }: ClosureChange,
): "expected" | "done" | "other" {
  if (isSame(known, expected)) return "expected";
  return isSame(known, next) ? "done" : "other";
}

function isSame(a: ExpectedClosure | null, b: ExpectedClosure | null): boolean {
  return a?.state === b?.state && a?.moveId === b?.moveId;
}

/** Where a queue that is filled stands to a part: it begins there, it has been added already, or neither. */
export function placeOf(
  known: QueueClosure | null,
  { moveId, from, to }: FillingPart,
): "begin" | "end" | "elsewhere" {
  if (!isFilledBy(known, moveId)) return "elsewhere";
  if (known.cursor === from) return "begin";
  return known.cursor === to ? "end" : "elsewhere";
}

/** Whether a queue is being filled by this move. */
export function isFilledBy(known: QueueClosure | null, moveId: string): known is QueueClosure {
  return isSame(known, { state: "filling", moveId });
}

/** What an open queue does, and a closed one does not. @throws QueueError `queue_moving`, `queue_moved`. */
export function refuseIfClosed(closure: QueueClosure | null): void {
  if (closure !== null) throw closedError(closure);
}

/** A closed queue's refusal. */
export function closedError(closure: QueueClosure): QueueError {
  return new QueueError(
    isForGood(closure) ? "queue_moved" : "queue_moving",
    `Cannot use the queue: ${whereTasksAre(closure)}; ${wayOut(closure)}`,
  );
}

/** Whether this is a closed queue's refusal. */
export function isClosedError(thrown: unknown): boolean {
  return thrown instanceof QueueError &&
    (thrown.code === "queue_moving" || thrown.code === "queue_moved");
}

/** What the health of a closed queue has to say. */
export function closureReasons(closure: QueueClosure | null): HealthReason[] {
  if (closure === null) return [];
  const told = `The queue is closed: ${whereTasksAre(closure)}`;
  return isForGood(closure)
    ? [{ code: "queue_moved", severity: "unhealthy", message: told }]
    : [{ code: "queue_moving", severity: "degraded", message: told }];
}

/** Why a queued task of a closed queue is not run here. */
export function inClosedQueue(taskId: number, closure: QueueClosure): Why {
  const { other, since, state } = closure;
  return {
    reason: isForGood(closure) ? "queue_moved" : "queue_moving",
    summary: `Task ${taskId} does not run here: ${whereTasksAre(closure)}`,
    data: { state, other, since: since.toISOString() },
  };
}

function isForGood({ state }: QueueClosure): boolean {
  return state === "moved" || state === "abandoned";
}

function whereTasksAre({ state, other, since }: QueueClosure): string {
  return `${TOLD[state](quotePath(other))} ${since.toISOString()}`;
}

const TOLD: Readonly<Record<QueueClosureState, (other: string) => string>> = {
  leaving: (other) => `its tasks are being moved to ${other} since`,
  handing_over: (other) => `its tasks are being moved to ${other} since`,
  moved: (other) => `its tasks were moved to ${other} at`,
  filling: (other) => `it is being filled with the tasks of ${other} since`,
  abandoned: (other) => `the move that filled it with the tasks of ${other} was called off at`,
};

function wayOut({ state }: QueueClosure): string {
  switch (state) {
    case "leaving":
    case "handing_over":
      return "when the move is done, use that one; holdfast move --cancel opens this one again";
    case "moved":
      return "use that one";
    case "filling":
      return "it opens when the move is done";
    case "abandoned":
      return "use that one, and delete this one";
  }
}
