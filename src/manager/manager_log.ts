/**
 * The managers' structured log, in the category `holdfast`, `manager`: what concerns one run and may not stop the others.
 */
import { getLogger } from "@logtape/logtape";
import { messageOf } from "../domain/errors.ts";

const logger = getLogger(["holdfast", "manager"]);

/** A run's own object refuses what it should say. */
export function logUnshown(runId: string, error: unknown): void {
  logger.error("Run {run} cannot show its state: {reason}", {
    run: runId,
    reason: messageOf(error),
  });
}

/** A listener threw. */
export function logListenerError(listener: string, error: unknown): void {
  logger.error("{listener} threw: {reason}", { listener, reason: messageOf(error) });
}
