/**
 * How a ledger is opened.
 */
import type { Clock } from "../domain/clock.ts";
import type { Durability } from "../domain/durability.ts";
import type { Folding } from "./fold.ts";
import type { RecoverySource } from "./recovery.ts";

/** The ledger's times and sizes. */
export const LEDGER_DEFAULTS = Object.freeze({
  durability: "full" as Durability,
  /** With relaxed durability, the longest time between a write and its fsync, in milliseconds. */
  relaxedSyncMs: 50,
  /** A checkpoint is made when the journal is larger than this and than the snapshot. */
  checkpointMinBytes: 4 * 1024 * 1024,
  /** On closing it is made already when the journal is larger than this and than a quarter of the snapshot. */
  closeCheckpointMinBytes: 64 * 1024,
});

/** How a ledger is opened. */
export interface LedgerOptions extends RecoverySource {
  readonly clock: Clock;
  /** Whether it is read only: no lock is taken and nothing is changed, so no permission to write is needed. Default false. */
  readonly isReadOnly?: boolean;
  /** Default `full`. */
  readonly durability?: Durability;
  /** Where large files are folded; default: the replica is exported, which holds up this thread. */
  readonly folding?: Folding;
  /** How long a write may wait for the commit lock before it is refused; default without a bound. */
  readonly lockWaitMaxMs?: number;
  /** Called when background work fails (a checkpoint, following others); what it throws goes to `onListenerError`. */
  readonly onBackgroundError: (error: Error) => void;
  /** Called with what `onBackgroundError` throws; must not throw. Default: it is dropped. */
  readonly onListenerError?: (error: Error) => void;
}
