/**
 * Patience with other programs: Windows refuses what is done to a file that another one (a virus scanner, an indexer, a
 * synchronizing client, an editor) holds without sharing it. That passes, mostly within milliseconds.
 */

/** Held without sharing; a part of it is locked. */
const SHARING_VIOLATIONS: readonly number[] = [32, 33];

/** A rename or a removal is refused like this, too, when another program holds the file. */
const ACCESS_DENIED = 5;

/** As long as other tools wait that replace files on Windows. */
const PATIENCE_MS = 60_000;
const FIRST_PAUSE_MS = 5;
const PAUSE_MAX_MS = 100;

/** What may not wait on a timer is tried this often, this far apart. */
const SHORT_ATTEMPTS = 10;
const SHORT_PAUSE_MS = 10;

/** What is tried again. */
export interface PatienceOptions {
  /** Whether the file gets or loses its name: "access denied" passes, too, then. Default false. */
  readonly isRenaming?: boolean;
  /** How long, in milliseconds; default a minute. */
  readonly limitMs?: number;
  /** Default: whether this is Windows. */
  readonly isWindows?: boolean;
  /** Waits between two attempts; default by a timer. */
  readonly pause?: (ms: number) => Promise<void>;
}

/** What `action` gives; tried again for a minute, more and more seldom, as long as another program is in the way. */
export async function patiently<T>(
  action: () => T | Promise<T>,
  options: PatienceOptions = {},
): Promise<T> {
  const { limitMs = PATIENCE_MS, pause = byTimer } = options;
  let pauseMs = FIRST_PAUSE_MS;
  for (let waitedMs = 0;; waitedMs += pauseMs) {
    try {
      return await action();
    } catch (error) {
      if (waitedMs >= limitMs || !isHeld(error, options)) throw error;
    }
    pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS);
    await pause(pauseMs);
  }
}

/** The same for what may not wait: it holds up this thread, for a tenth of a second at most. */
export function brieflyPatient<T>(action: () => T, options: PatienceOptions = {}): T {
  for (let attempt = 1;; attempt++) {
    try {
      return action();
    } catch (error) {
      if (attempt === SHORT_ATTEMPTS || !isHeld(error, options)) throw error;
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SHORT_PAUSE_MS);
  }
}

/** Whether another program holds the file that `error` is about. */
function isHeld(
  error: unknown,
  { isRenaming = false, isWindows = Deno.build.os === "windows" }: PatienceOptions,
): boolean {
  if (!isWindows || !(error instanceof Error)) return false;
  const code = Number(/\(os error (\d+)\)/.exec(error.message)?.[1]);
  return SHARING_VIOLATIONS.includes(code) || isRenaming && code === ACCESS_DENIED;
}

function byTimer(ms: number): Promise<void> {
  return new Promise((resume) => setTimeout(resume, ms));
}
