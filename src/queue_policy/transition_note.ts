/**
 * What a transition keeps: a word for what happened, the few values that the task itself will not keep, and how long the
 * task waited or ran before. It is small, because one is written with every change of a task.
 */
import type { FieldChange, TaskTransition, TransitionKind } from "../queue/task_transition.ts";

/** What a transition says beside the task, the time and the kind. */
export interface TransitionNote {
  readonly worker?: string;
  /** Which attempt it was. */
  readonly attempt?: number;
  /** How many attempts the handler allows, where that is less than the task does. */
  readonly handlerMaxAttempts?: number;
  /** What the attempt failed of. */
  readonly error?: string;
  /** How long the next attempt has to wait. */
  readonly delayMs?: number;
  /** Who did it by hand. */
  readonly by?: string;
  /** What is different since. */
  readonly changes?: Readonly<Record<string, FieldChange>>;
  /** The run whose completion stored the task. */
  readonly causedBy?: string;
  /** The runs that its completion stored. */
  readonly enqueued?: readonly string[];
  /** How long the task waited until it was leased, or ran until its attempt ended. */
  readonly durationMs?: number;
}

/** How much of an error's message a transition keeps; the task itself keeps all of the last one. */
const ERROR_MAX_LENGTH = 500;

/** How many of the runs that a completion stored are named. */
const ENQUEUED_NAMED_MAX = 20;

/** How serious each kind is. */
export const LEVELS: Readonly<Record<TransitionKind, TaskTransition["level"]>> = Object.freeze({
  enqueued: "info",
  imported: "info",
  leased: "info",
  completed: "info",
  released: "info",
  cancelled: "info",
  requeued: "info",
  expired: "warn",
  edited: "info",
  retried: "warn",
  rescued: "warn",
  failed: "error",
});

/** What is kept as JSON; `null` for nothing. */
export function detailsOf(note: TransitionNote): string | null {
  const { durationMs: _durationMs, enqueued, ...said } = note;
  const enqueuedCount = enqueued?.length || undefined;
  const values = [...Object.values(said), enqueuedCount];
  if (values.every((value) => value === undefined)) return null;
  return JSON.stringify({
    worker: said.worker,
    attempt: said.attempt,
    handler_max_attempts: said.handlerMaxAttempts,
    error: said.error?.slice(0, ERROR_MAX_LENGTH).toWellFormed(),
    delay_ms: said.delayMs,
    by: said.by,
    changes: said.changes,
    caused_by: said.causedBy,
    enqueued_count: enqueuedCount,
    enqueued_runs: enqueuedCount && enqueued!.slice(0, ENQUEUED_NAMED_MAX),
  });
}

/** A transition, from what is stored of it. */
export function transitionOf(stored: {
  readonly taskId: number;
  readonly atMs: number;
  readonly kind: TransitionKind;
  readonly details: string | null;
  readonly durationMs: number | null;
}): TaskTransition {
  const { taskId, atMs, kind, durationMs } = stored;
  const details = stored.details === null
    ? {}
    : JSON.parse(stored.details) as Record<string, unknown>;
  return {
    taskId,
    at: new Date(atMs),
    level: LEVELS[kind],
    kind,
    worker: (details.worker ?? null) as string | null,
    attempt: (details.attempt ?? null) as number | null,
    handlerMaxAttempts: (details.handler_max_attempts ?? null) as number | null,
    error: (details.error ?? null) as string | null,
    delayMs: (details.delay_ms ?? null) as number | null,
    by: (details.by ?? null) as string | null,
    changes: (details.changes ?? null) as TaskTransition["changes"],
    causedBy: (details.caused_by ?? null) as string | null,
    enqueuedCount: (details.enqueued_count ?? null) as number | null,
    enqueuedRuns: (details.enqueued_runs ?? []) as readonly string[],
    durationMs,
  };
}
