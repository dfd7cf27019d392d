/**
 * QueueOptions: where a queue is, and how it behaves.
 */
import type { Clock } from "../domain/clock.ts";
import { optionNames } from "../domain/options.ts";
import type { Random } from "../domain/random.ts";
import { QUEUE_SETTINGS, type QueueSettings } from "../queue/queue_settings.ts";
import type { Storage } from "../storage/storage.ts";

/** Where a queue is, and how it behaves. Exactly one of `path`, `memory` and `storage` is needed. */
export interface QueueOptions extends QueueSettings {
  /**
   * The path of its snapshot; the other files stand beside it. Missing folders are made. Or the address of a PostgreSQL database,
   * `postgres://user@host/database?schema=jobs`; the schema is made, if the user may. Default none.
   */
  readonly path?: string;
  /** Whether to refuse a path at which there is no queue yet, instead of making one; default false. */
  readonly mustExist?: boolean;
  /**
   * Whether to read only: the queue must be there, nothing is made, locked or changed, and what would change it is refused
   * with a StorageError. It needs no permission to write, and works on a full disk, and on a replica. Default false.
   */
  readonly readOnly?: boolean;
  /** `true` keeps everything in memory, for tests and for the edge; default false. */
  readonly memory?: boolean;
  /** Any other place; default none. */
  readonly storage?: Storage;
  /** Default the system's. */
  readonly clock?: Clock;
  /** Default `Math.random`. */
  readonly random?: Random;
  /**
   * Is told when work in the background failed (a checkpoint, a rescue, following other processes); the queue goes on
   * where it can. Default: a line on the standard error, the same one once a minute.
   */
  readonly onBackgroundError?: (error: Error) => void;
  /** Called when the queue is closed. Default: none. */
  readonly onClosed?: () => void;
}

/** The names of all of them. */
export const QUEUE_OPTIONS: ReadonlySet<string> = optionNames<QueueOptions>({
  ...QUEUE_SETTINGS,
  path: true,
  mustExist: true,
  readOnly: true,
  memory: true,
  storage: true,
  clock: true,
  random: true,
  onBackgroundError: true,
  onClosed: true,
});
