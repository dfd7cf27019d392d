/**
 * What a new task may not share with one that is there: its run id; its idempotency key, unless it says the same.
 */
import { QueueError } from "../domain/errors.ts";
import { isSameJson } from "../domain/json.ts";
import type { StorableTask } from "./new_task.ts";

/** The content of a task that is stored under a key. */
export interface KeyedContent {
  readonly id: number;
  readonly type: string;
  /** As JSON text. */
  readonly payload: string;
}

/** The task under a key must say the same. @throws QueueError `idempotency_conflict`. */
export function checkSameContent(known: KeyedContent, { kept, payload }: StorableTask): void {
  if (known.type === kept.type && isSameJson(known.payload, payload)) return;
  throw keyConflict(kept.idempotency_key!, known.id, "with another type or payload");
}

/** The task under a key is another one. */
export function keyConflict(key: string, taskId: number, difference: string): QueueError {
  return new QueueError(
    "idempotency_conflict",
    `Cannot enqueue under idempotency key ${
      JSON.stringify(key)
    }: task ${taskId} has it, ${difference}`,
  );
}

/** Another task has the run id. */
export function runIdConflict(runId: string, taskId: number): QueueError {
  return new QueueError(
    "run_id_conflict",
    `Cannot enqueue run ${JSON.stringify(runId)}: task ${taskId} has this run id`,
  );
}
