/**
 * Calls of the system as the ports want them: a failure is a `StorageError`; a missing file is not a failure.
 */
import { messageOf, StorageError } from "../domain/errors.ts";

/** What `action` gives. @throws StorageError in place of whatever it throws */
export function attemptNow<T>(operation: string, path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw storageError(operation, path, error);
  }
}

/** As `attemptNow`, for what takes time. */
export async function attempt<T>(
  operation: string,
  path: string,
  action: () => Promise<T>,
): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw storageError(operation, path, error);
  }
}

/** The failure of `operation` on `path`. */
export function storageError(operation: string, path: string, error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  return new StorageError(operation, path, messageOf(error), { cause: error });
}

/** Takes the error of a file that is not there for `undefined`. @throws any other */
export function ignoreMissing(error: unknown): undefined {
  if (error instanceof Deno.errors.NotFound) return undefined;
  throw error;
}
