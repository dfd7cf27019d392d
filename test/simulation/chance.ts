/**
 * Chance: every decision of a simulation, from one number.
 */
import type { Random } from "../../src/domain/random.ts";
import { seededRandom } from "../support/queues.ts";

/** A reproducible sequence of decisions. */
export class Chance {
  /** Uniform in [0, 1). */
  readonly next: Random;

  constructor(seed: number) {
    this.next = seededRandom(Math.imul(seed ^ (seed >>> 16), 0x45d9f3b) + 0x9e3779b9);
    this.next();
  }

  /** An integer from 0 to `bound - 1`. */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  /** Whether something of this probability happens. */
  happens(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of `items`, which is not empty. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** One of the choices, in proportion to its weight. */
  weighted<T extends string>(weights: Readonly<Partial<Record<T, number>>>): T {
    const choices = Object.entries(weights) as [T, number][];
    let left = this.next() * choices.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [choice, weight] of choices) if ((left -= weight) < 0) return choice;
    return choices.at(-1)![0];
  }

  /** The seed of an independent sequence. */
  seed(): number {
    return this.below(2 ** 32);
  }
}
