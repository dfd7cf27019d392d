/**
 * The queue's structured log, in the category `holdfast`, `queue`. Nothing is written, and next to nothing is spent, unless
 * the application configures LogTape.
 */
import { getLogger } from "@logtape/logtape";
import type { Task } from "../domain/task.ts";
import type { CheckpointReport } from "../domain/storage_stats.ts";
import type { BackupReport } from "../queue/maintenance.ts";
import type { PruneReport } from "../queue/operator.ts";

const logger = getLogger(["holdfast", "queue"]);

/** A queue was opened. */
export function logOpened(queue: string, tornTails: number): void {
  logger.info("Queue {queue} opened", { queue });
  if (tornTails > 0) logger.warn("An incomplete last record of queue {queue} was cut", { queue });
}

/** A queue was closed. */
export function logClosed(queue: string): void {
  logger.info("Queue {queue} closed", { queue });
}

/** Tasks were taken from workers that fell silent. */
export function logRescued(tasks: readonly Task[]): void {
  for (const task of tasks) {
    logger.warn("Task {task} was rescued from worker {worker}", () => ({
      task: task.id,
      run: task.runId,
      type: task.type,
      attempt: task.attempts,
      worker: task.lockedBy,
      status: task.status,
    }));
  }
}

/** A checkpoint was made. */
export function logCheckpoint(queue: string, report: CheckpointReport): void {
  logger.info("Checkpoint of queue {queue} made", { queue, ...report });
}

/** Finished tasks were deleted. */
export function logPruned(queue: string, report: PruneReport): void {
  if (report.pruned === 0) return;
  logger.info("{pruned} finished tasks of queue {queue} deleted", { queue, ...report });
}

/** A backup was made. */
export function logBackup(queue: string, report: BackupReport): void {
  logger.info("Backup of queue {queue} made at {path}", { queue, ...report });
}

/** Background work failed. */
export function logBackgroundError(queue: string, { message }: Error): void {
  logger.error("{reason}", { queue, reason: message });
}
