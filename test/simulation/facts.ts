/**
 * Facts: what callers have been told of each task, and when.
 *
 * Moments are numbers of events, not times: one comes before another exactly if its number is lower. A span that has
 * not ended yet, because its caller was never answered, ends at infinity.
 */
import type { NewTask, Task, TaskStatus } from "../../src/domain/task.ts";

/** From the moment something was asked for to the moment it was answered. */
export interface Span {
  readonly from: number;
  to: number;
}

/** A task that somebody asked to enqueue. Its payload's `marker` names it, or its idempotency key does. */
export interface Submission {
  readonly marker: string;
  readonly task: NewTask;
  /** Its payload as JSON. */
  readonly payloadText: string;
  /** Tasks of one batch have the same number. */
  readonly batch: number;
}

/** What is known of a lease. */
export interface LeaseFacts {
  readonly token: number;
  readonly workerId: string;
  readonly claimed: Span;
  /** Until when it may have lasted, by what its holder was told. */
  untilMs: { readonly toldAt: number; readonly untilMs: number }[];
  /** Whether anybody asked for something that ends it. */
  isEndAsked: boolean;
  /** When its holder was told that it is over. */
  endedAt: number | undefined;
}

/** How a task ended. */
export interface FinalFacts {
  readonly status: TaskStatus;
  readonly result: string;
  readonly told: Span;
}

/** What is known of a task for certain: a durable answer said so. */
export interface TaskFacts {
  readonly id: number;
  readonly runId: string;
  readonly toldAt: number;
  readonly leases: Map<number, LeaseFacts>;
  final: FinalFacts | undefined;
}

/** Whether a task in this status stays there unless it is retried. */
export function isFinalStatus(status: TaskStatus): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

/** What a task's payload says that it is. */
export function markerOf(payload: unknown): string {
  return String((payload as { readonly marker?: unknown } | null)?.marker);
}

/** A task in a few words, for messages. */
export function describe(task: Task): string {
  return `task ${task.id} (${task.status}, attempt ${task.attempts}/${task.maxAttempts}, token ${task.leaseToken})`;
}
