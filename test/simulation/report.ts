/**
 * What a run of many seeds came to, in words.
 */
import { addCounts, type Counts } from "./event_log.ts";
import type { SeedOutcome } from "./seed_worker.ts";

/** A seed that failed, and how. */
export interface Failure {
  readonly seed: number;
  readonly violations: readonly string[];
}

/** Sums up outcomes. */
export class Report {
  readonly counts: Counts = {};
  readonly failures: Failure[] = [];
  #seeds = 0;

  /** How many seeds ran. */
  get seeds(): number {
    return this.#seeds;
  }

  add({ seed, violations, counts }: SeedOutcome): void {
    this.#seeds++;
    addCounts(this.counts, counts);
    if (violations.length > 0) this.failures.push({ seed, violations });
  }

  /** One line. */
  summary(): string {
    const { counts } = this;
    const sum = (prefix: string): number =>
      Object.entries(counts).filter(([what]) => what.startsWith(prefix)).reduce(
        (total, [, count]) => total + count,
        0,
      );
    const kills = (counts["killed between calls"] ?? 0) + (counts["killed with the lock"] ?? 0) +
      (counts["killed without the lock"] ?? 0);
    return [
      `${this.#seeds} seeds`,
      `${counts["opened"] ?? 0} processes`,
      `${counts["acknowledged"] ?? 0} acknowledgements`,
      `${counts["claims"] ?? 0} claims`,
      `${kills} kills`,
      `${counts["power cuts"] ?? 0} power cuts`,
      `${sum("failed ")} failed calls`,
      `${this.failures.length} failures`,
    ].join(", ");
  }

  /** Everything that was counted, one thing a line. */
  table(): string {
    const rows = Object.entries(this.counts).sort(([a], [b]) => a < b ? -1 : 1);
    return rows.map(([what, count]) => `${String(count).padStart(12)}  ${what}`).join("\n");
  }
}
