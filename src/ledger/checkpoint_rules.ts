/**
 * When a ledger makes checkpoints by itself: when the journal outgrows the snapshot, on closing sooner, and when the
 * snapshot is lost.
 */
import type { Clock } from "../domain/clock.ts";
import type { CheckpointReport } from "../domain/storage_stats.ts";
import type { Checkpointer } from "./checkpointer.ts";
import type { JournaledReplica } from "./journaled_replica.ts";
import type { LedgerHealth } from "./ledger_health.ts";
import { LEDGER_DEFAULTS } from "./ledger_options.ts";

/** How often the presence of the snapshot is checked. */
const SNAPSHOT_LOOK_MS = 1000;

/** What the rules are about. */
export interface CheckpointRulesTools {
  readonly clock: Clock;
  readonly health: LedgerHealth;
  readonly copy: JournaledReplica;
  readonly checkpointer: Checkpointer;
}

/** A ledger's checkpoints. */
export class CheckpointRules {
  readonly #clock: Clock;
  readonly #health: LedgerHealth;
  readonly #copy: JournaledReplica;
  readonly #checkpointer: Checkpointer;
  #snapshotSeenAtMs = -Infinity;

  constructor({ clock, health, copy, checkpointer }: CheckpointRulesTools) {
    this.#clock = clock;
    this.#health = health;
    this.#copy = copy;
    this.#checkpointer = checkpointer;
  }

  /** Makes a checkpoint that was asked for. None may be under way here. @throws StorageError */
  async make(): Promise<CheckpointReport> {
    const report = await this.#health.guardCheckpoint(() => this.#checkpointer.make());
    this.#copy.noteSnapshot(report.snapshotBytes);
    return report;
  }

  /** After a commit: makes one if the journal has outgrown the snapshot. */
  makeIfDue(): void {
    const isDue = (): boolean => this.#outgrows(LEDGER_DEFAULTS.checkpointMinBytes, 1);
    this.#makeIf(isDue).catch((error) => this.#health.report(error));
  }

  /** A checkpoint that fails is left to others: everything is in the journal. */
  async makeOnClosing(): Promise<void> {
    const isWanted = (): boolean => {
      return this.#outgrows(LEDGER_DEFAULTS.closeCheckpointMinBytes, 1 / 4) ||
        this.#copy.isSnapshotLostForGood();
    };
    await this.#makeIf(isWanted).catch((error) => this.#health.reportOnce(error));
  }

  /** Now and then, looks whether the snapshot is there and this queue's; makes a lost one anew, if it may. */
  lookAtSnapshot({ isReadOnly }: { readonly isReadOnly: boolean }): void {
    const nowMs = this.#clock.nowMs();
    if (Math.abs(nowMs - this.#snapshotSeenAtMs) < SNAPSHOT_LOOK_MS) return;
    this.#snapshotSeenAtMs = nowMs;
    if (!this.#copy.isSnapshotLost() || isReadOnly) return;
    this.#makeIf(() => this.#copy.isSnapshotLost()).catch((error) => this.#health.report(error));
  }

  /** A process that appends faster than a snapshot is written would let the journal grow without bound. */
  async letCatchUp(): Promise<void> {
    const { segmentBytes } = this.#copy.journal;
    if (segmentBytes > LEDGER_DEFAULTS.checkpointMinBytes) {
      await this.#checkpointer.catchUp(segmentBytes);
    }
  }

  async #makeIf(isWanted: () => boolean): Promise<void> {
    const report = await this.#health.guardCheckpoint(() => this.#checkpointer.makeIf(isWanted));
    if (report !== undefined) this.#copy.noteSnapshot(report.snapshotBytes);
  }

  /** Whether the journal is larger than `minBytes` and than this share of the snapshot, or of what one would be now. */
  #outgrows(minBytes: number, share: number): boolean {
    const { segmentBytes } = this.#copy.journal;
    if (this.#health.hasFailed || segmentBytes <= minBytes) return false;
    return segmentBytes > this.#copy.snapshotBytes * share ||
      segmentBytes > this.#copy.replica.memory.memoryUsedBytes * share;
  }
}
