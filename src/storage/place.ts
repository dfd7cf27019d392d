/**
 * Place: whether what a process has open is still what stands at its path.
 *
 * Folders are moved, deleted, copied back and restored while processes have their files open. A process that finds another
 * file in the place of one of its own, or none, must write no more: what it wrote would be in no queue, or in a stranger's.
 */
import { StorageError } from "../domain/errors.ts";

/** What stands at `path` is not the file that was opened there. */
export function displaced(path: string): StorageError {
  return new StorageError("find", path, "it was moved, deleted or replaced while it was open");
}

/** What stands at `path` is not this queue's; `found` says what it is. */
export function foreign(path: string, found: string, queueId: string): StorageError {
  return new StorageError("find", path, `${found} stands there, not one of queue ${queueId}`);
}

/** Whether `error` says that files of the queue are not where they were. */
export function isMisplaced(error: unknown): boolean {
  return error instanceof StorageError && error.operation === "find";
}
